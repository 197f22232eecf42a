#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: langfuse_health
short_description: Walk through Langfuse hop by hop and name what is broken
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Goes the way of a trace and of a user, hop by hop, and says of each whether it works and how long it took.
    The hops are C(name), C(port), C(web), C(database), C(key), C(s3_write), C(queue), C(worker), C(clickhouse), C(trace),
    C(media), C(sign_in), C(refusals), C(ports), C(containers), C(consumers) and, with O(gitops), C(gitops).
  - A hop whose options are not given is skipped and says so. A hop that needs one that is broken is skipped too, the
    stores are looked at in any case.
  - What was seen goes through a table of rules that names causes with a stable code and a cure.
  - Names of hosts that do not resolve here are looked up among the containers on the networks of O(runtime.project), so
    that the application's own settings (V(clickhouse), V(valkey)) can be given as they are.
  - It never hangs. Every exchange ends after O(hop_timeout), everything after O(timeout), O(wait) and one exchange.
options:
  ca_certificates:
    description: What O(ca_path) is for, as PEM text, where no file has them.
    type: str
  public_url:
    description: The application's own address (C(NEXTAUTH_URL)), when it is not O(url). Sent as C(Host).
    type: str
  project_id:
    description: The project that the keys must belong to.
    type: str
  user_email:
    description: E-mail of a user who must be able to sign in with a password and be C(OWNER).
    type: str
  user_password:
    description: Password of that user.
    type: str
  sso:
    description:
      - The provider that people sign in through. Web must offer it and reach it, and the provider must know web's client, its
        callback and its secret. Nobody signs in; the provider sees a request for its login page and a code that is wrong.
      - What this host cannot reach of the provider is not looked at.
    type: dict
    suboptions:
      provider:
        description: Its name in C(/api/auth/providers), for example V(keycloak).
        type: str
        required: true
      issuer:
        description: Its issuer as web has it, where it can be discovered. Without it, its secret is not looked at.
        type: str
  sso_client_secret:
    description: The client's secret at the provider.
    type: str
  worker_url:
    description: Address of the worker, for example V(http://langfuse-worker:3030).
    type: str
  extra_hosts:
    description: Names that the application's containers resolve to these addresses, before any resolver.
    type: dict
    default: {}
  closed_ports:
    description: What must not be reachable from outside.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Address. Without it, every address of this host that is not loopback.
        type: str
      port:
        description: Port.
        type: int
        required: true
      service:
        description: Name for the message.
        type: str
        required: true
  level:
    description:
      - V(verify) reads the runtime only when a hop is broken.
      - V(diagnose) always does, and reports what is latent too.
      - V(status) says what runs, and how web, worker, PostgreSQL, ClickHouse and the queues are. It sends nothing and names no causes.
    type: str
    choices: [verify, diagnose, status]
    default: verify
  fail:
    description: Whether the module fails when a hop is broken. By default with O(level=verify) only.
    type: bool
  skip:
    description: Names of hops to leave out.
    type: list
    elements: str
    default: []
  wait:
    description:
      - Seconds that web has to come up and containers have to become healthy. What needs no web is looked at meanwhile.
        A web whose container ended, starts again and again or is unhealthy is not waited for.
    type: float
    default: 0
  timeout:
    description: Seconds for all hops.
    type: float
    default: 150
  hop_timeout:
    description: Seconds for one exchange with one neighbour.
    type: float
    default: 10
  trace_timeout:
    description: Seconds within which the trace must be readable.
    type: float
    default: 60
extends_documentation_fragment:
  - llmops.langfuse.api
  - llmops.langfuse.cluster
  - llmops.langfuse.cluster.secrets
  - llmops.langfuse.consumers
  - llmops.langfuse.instance_stores
  - llmops.langfuse.instance_runtime
attributes:
  check_mode:
    description: Looks only. Nothing is written, so C(s3_write), C(trace) and C(media) are skipped.
    support: full
  diff_mode:
    description: There is no state to compare.
    support: none
notes:
  - C(changed) is always V(false). The trace and the media file are probes. The trace is in the environment C(verify).
  - Values of the containers' environment are shown only for a list of names that hold no secrets, log lines only where a
    rule quotes one.
seealso:
  - module: llmops.langfuse.langfuse_trace
  - module: llmops.langfuse.s3_bucket
"""

EXAMPLES = r"""
- name: Prove that Langfuse works
  llmops.langfuse.langfuse_health:
    url: http://127.0.0.1:3030
    public_url: https://langfuse.example.com
    public_key: "{{ langfuse_init_project_public_key }}"
    secret_key: "{{ langfuse_init_project_secret_key }}"
    project_id: main
    user_email: admin@example.com
    user_password: "{{ langfuse_init_user_password }}"
    sso: {provider: keycloak, issuer: "https://keycloak.example.com/realms/platform"}
    sso_client_secret: "{{ langfuse_keycloak_client_secret }}"
    worker_url: http://langfuse-worker:3030
    postgres: {host: postgres, database: langfuse, user: langfuse}
    postgres_password: "{{ langfuse_postgres_password }}"
    clickhouse: {url: "http://clickhouse:8123", user: langfuse, database: langfuse}
    clickhouse_password: "{{ langfuse_clickhouse_password }}"
    redis: {host: valkey, prefix: "langfuse:"}
    redis_password: "{{ langfuse_redis_password }}"
    s3:
      endpoint: http://seaweedfs:8333
      buckets: {events: langfuse-events, media: langfuse-media}
    s3_access_key: "{{ langfuse_s3_access_key }}"
    s3_secret_key: "{{ langfuse_s3_secret_key }}"
    runtime: {project: langfuse}

- name: Say what is wrong
  llmops.langfuse.langfuse_health:
    url: http://127.0.0.1:3030
    level: diagnose
    runtime: {project: langfuse}
  register: health

- name: Show it
  ansible.builtin.debug:
    msg: "{{ health.table }}"
"""

RETURN = r"""
healthy:
  description: Whether no hop is broken. Warnings do not count.
  type: bool
  returned: always
first_broken:
  description: Name of the first broken hop, empty without one.
  type: str
  returned: always
hops:
  description: One entry a hop with C(name), C(status) (V(ok), V(failed), V(skipped), V(warning)), C(ms), C(detail), C(cause), C(cure).
  type: list
  elements: dict
  returned: always
causes:
  description: What the rules found, errors first, with C(code), C(severity), C(hop), C(cause), C(cure), C(evidence).
  type: list
  elements: dict
  returned: always
table:
  description: The same for people, line by line.
  type: list
  elements: str
  returned: always
application:
  description: The application's C(version).
  type: dict
  returned: always
trace:
  description: Id of the trace and the milliseconds of its hops, as M(llmops.langfuse.langfuse_trace) returns them.
  type: dict
  returned: when a trace was sent
services:
  description: Of each service C(ready), C(wanted), C(restarts), C(image) and C(state).
  type: list
  elements: dict
  returned: with O(level=status)
containers:
  description: State, exit code, restarts, health and selected environment of the project's containers.
  type: list
  elements: dict
  returned: when the runtime was read
code:
  description: Code of the first cause, when the module fails.
  type: str
  returned: failure
cure:
  description: Cure of the first cause, when the module fails.
  type: str
  returned: failure
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import (
    args,
    authorities,
    causes,
    compose,
    containers,
    report,
    resolver,
    status,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import walk
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Context
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.options import (
    NEEDED,
    RUNTIME,
    SECRET,
    STORES,
    TEXT,
    group,
)

DOCKER_TIMEOUT = 15.0


class _Compose:
    """Containers of a Compose project."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options, self._docker = options, containers.docker_command(options["docker"], DOCKER_TIMEOUT)

    def names(self) -> dict[str, str]:
        return containers.names_of(self._docker, self._options["project"])

    def states(self) -> list[dict[str, Any]]:
        return containers.states(self._docker, self._options["project"])

    def wanted(self) -> dict[str, int]:
        """Compose has no number that outlives its containers."""
        return {}

    def migrations(self) -> list[dict[str, str]]:
        """Its migration leaves no container behind."""
        return []

    def gather(self, evidence: dict[str, Any]) -> list[dict[str, Any]]:
        if self._options["joined"]:
            evidence["stack"] = containers.not_running(self._docker, **self._options["joined"])
        return containers.gather(self._docker, self._options["project"], self._options["log_lines"])


def _runtime(params: dict[str, Any]) -> Any:
    """What runs the containers: names, states, and all of it for the rules; None where that is not known."""
    options = params["runtime"]
    if not options or options["kind"] == "compose":
        return _Compose(options) if options else None
    # Only here: without a cluster nothing of it is loaded.
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.pods import Pods

    cluster = Cluster(params["cluster"]["kubeconfig"], params["cluster"]["context"])
    return Pods(cluster, Owner(options["project"], options["namespace"]), options["log_lines"])


def _status(context: Context, runtime: Any) -> dict[str, Any]:
    """What runs. An instance that is down is no failure."""
    asked = [hop for hop in walk.hops_for(context) if hop.name in status.HOPS]
    hops = walk.walk(context, tuple(hop._replace(after=tuple(set(hop.after) & set(status.HOPS))) for hop in asked))
    records = runtime.states() if runtime else []
    found = status.services(records, runtime.wanted() if runtime else {})
    healthy, first = walk.summary(hops)
    return {
        "changed": False,
        "healthy": healthy and all(one["ready"] >= one["wanted"] for one in found),
        "first_broken": first,
        "hops": hops,
        "causes": [],
        "services": found,
        "table": status.lines(found, hops, runtime.migrations() if runtime else []),
        "application": {"version": context.evidence.get("web", {}).get("version", "")},
    }


def examine(params: dict[str, Any]) -> dict[str, Any]:
    """Walk, read the runtime if there is a reason to, diagnose."""
    runtime = _runtime(params)
    names: dict[str, dict[str, str]] = {}

    def lookup() -> dict[str, str]:
        if "table" not in names:
            names["table"] = runtime.names() if runtime else {}
        return names["table"]

    given = authorities.read(params["ca_path"]) or params["ca_certificates"]
    with authorities.beside_those_of_host(given) as bundle:
        try:
            options = {**params, "ca_path": params["ca_path"] or bundle, "ca_bundle": bundle}
            context = Context(options, runtime.states if runtime else list)
        except ValueError as error:
            raise Failure("bad_option", f"{error}.", "Correct resolve.") from None
        addresses = compose.host_addresses(params["extra_hosts"])
        with contextlib.closing(context), args.reached(params["cluster"]), resolver.known(addresses, lookup):
            if params["level"] == "status":
                return _status(context, runtime)
            hops = walk.walk(context, walk.hops_for(context))
    took = context.elapsed_ms
    healthy, first = walk.summary(hops)
    evidence = context.evidence
    found: list[dict[str, Any]] = []
    if runtime and (not healthy or params["level"] == "diagnose"):
        found = evidence["containers"] = runtime.gather(evidence)
    named = causes.diagnose(hops, evidence)
    causes.explain(hops, named)
    result = {
        "changed": False,
        "healthy": healthy,
        "first_broken": first,
        "hops": hops,
        "causes": named,
        "table": report.table(hops, named, took),
        "application": {"version": evidence.get("web", {}).get("version", "")},
        "msg": report.verdict(hops, named, first),
    }
    if evidence.get("trace"):
        result["trace"] = {
            key: evidence["trace"].get(key) for key in ("trace_id", "timings", "attempts", "differences")
        }
    if found:
        result["containers"] = [containers.public(item) for item in found]
    return result


def run(params: dict[str, Any]) -> dict[str, Any]:
    """The result, or a Failure that carries it."""
    result = examine({**params, "check_mode": params["check_mode"] or params["level"] == "status"})
    fails = params["level"] == "verify" if params["fail"] is None else params["fail"]
    if result["healthy"] or not fails:
        return result
    cause = result["causes"][0]
    raise Failure(cause["code"], result.pop("msg"), cause["cure"], **result)


def argument_spec() -> dict[str, Any]:
    return {
        **args.API_SPEC,
        "ca_certificates": TEXT,
        "public_url": TEXT,
        "project_id": TEXT,
        "user_email": TEXT,
        "user_password": SECRET,
        "sso": group(provider=NEEDED, issuer=TEXT),
        "sso_client_secret": SECRET,
        **STORES,
        "worker_url": TEXT,
        "extra_hosts": {"type": "dict", "default": {}},
        "closed_ports": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"host": {"type": "str"}, "port": {"type": "int", "required": True}, "service": NEEDED},
        },
        "consumers": {"type": "list", "elements": "dict", "default": [], "options": args.CONSUMER_SPEC},
        "consumer_keys": {"type": "dict", "default": {}, "no_log": True},
        **RUNTIME,
        "cluster": args.CLUSTER_SPEC,
        "from_secrets": args.FROM_SECRETS_SPEC,
        "level": {"type": "str", "choices": ["verify", "diagnose", "status"], "default": "verify"},
        "fail": {"type": "bool"},
        "skip": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "float", "default": 0.0},
        "timeout": {"type": "float", "default": 150.0},
        "hop_timeout": {"type": "float", "default": 10.0},
        "trace_timeout": {"type": "float", "default": 60.0},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        args.from_secrets(module)
        module.exit_json(**run({**module.params, "check_mode": module.check_mode}))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
