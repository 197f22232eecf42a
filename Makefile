# Every target runs from a fresh clone; downloads and builds are kept in $(CACHE), outside the work tree.
CACHE ?= $(if $(LANGFUSE_CACHE),$(LANGFUSE_CACHE),$(HOME)/.cache/llmops-langfuse)
export LANGFUSE_CACHE := $(CACHE)
CHECKOUT := $(CACHE)/checkouts/$(shell printf %s "$(CURDIR)" | sha256sum | cut -c1-12)
VENV := $(CACHE)/venv-$(shell cat requirements/development.txt tests/setup.sh | sha256sum | cut -c1-12)
PYTHON := $(VENV)/bin/python
export PATH := $(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CHECKOUT)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONPATH := $(CHECKOUT)
PLAYBOOK = ansible-playbook -i inventories/local -e @$(CACHE)/bench/vars.yml

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test test-unit test-integration test-molecule test-cluster test-gitops test-all lint bench-up bench-down cluster-up cluster-down bench pages lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make the Python environment (Python 3.12 or newer must be on the machine)
	@sh tests/setup.sh "$(VENV)" "$(CHECKOUT)"

demo: bench-up ## Bring up Langfuse with all its stores on this host, and prove it with a trace
	@$(PLAYBOOK) llmops.langfuse.site

demo-down: setup ## Stop the demo and the engine that it started; the data stays
	@$(PLAYBOOK) llmops.langfuse.teardown
	@$(PYTHON) -m tests.bench down

test: setup ## Run everything that is tested
	@$(PYTHON) -m tests.run

test-all: setup ## The same, and the long tests
	@$(PYTHON) -m tests.run --all

test-unit: setup ## Tables over pure functions, a few seconds
	@$(PYTHON) -m tests.run unit

test-integration: setup ## Modules on real engines
	@$(PYTHON) -m tests.run bench integration

test-molecule: setup ## Whole playbooks
	@$(PYTHON) -m tests.run bench default molecule

test-cluster: setup ## Kubernetes: the node, modules and whole playbooks on it
	@$(PYTHON) -m tests.run bench node cluster

test-gitops: setup ## Flux on the cluster, and whole playbooks whose tree it applies (the first time compiles it: minutes)
	@$(PYTHON) -m tests.run bench gitops

lint: setup ## Linters, types and documentation
	@$(PYTHON) -m tests.run lint types docs

bench-up: setup ## Start the engines that the tests and the demo run on
	@$(PYTHON) -m tests.bench up

cluster-up: bench-up ## Start a Kubernetes cluster of one node (the first time compiles it: minutes)
	@$(PYTHON) -m tests.bench.cluster up

cluster-down: setup ## End it and undo what it did to this machine
	@$(PYTHON) -m tests.bench.cluster down

bench: bench-up ## Measure speed against the bare tools, into docs/benchmarks.md
	@$(PYTHON) -m tests.bench.cluster up --with cnpg
	@$(PYTHON) -m tests.benchmarks

bench-down: setup ## Stop what bench-up started
	@$(PYTHON) -m tests.bench down

pages: setup ## Write the pages that are made from the contract and from the causes
	@$(PYTHON) -m tests.pages

lock: setup ## Lock the Python requirements again
	@for path in requirements/controller requirements/development examples/ai-service/requirements \
	    tests/integration/senders/requirements/litellm tests/integration/senders/requirements/python-sdk-5; do \
	  name=$$(basename $$path); (cd $$(dirname $$path) && \
	  uv pip compile -q --universal --python-version 3.12 --no-header --no-annotate --no-emit-index-url $$name.in -o $$name.txt && \
	  sed -i "1i # Locked by \`make lock\` from $$name.in." $$name.txt) || exit 1; done
