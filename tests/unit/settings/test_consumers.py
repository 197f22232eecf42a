"""What the Plan says of each consumer, and of the gateway that Langfuse asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import args

from .cases import GOOD
from .cluster_cases import CLUSTER
from .consumer_cases import COLLECTOR, GATEWAY, LITELLM, NAME, POD, PROOF, SERVICE
from .support import CANDIDATES, run

NO_SERVICE = {"service": "", "project_directory": ""}
ALL_NAMES = {
    *("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_HOST", "LANGFUSE_BASE_URL"),
    *("LANGFUSE_SAMPLE_RATE", "LANGFUSE_BASIC", "LANGFUSE_OTEL_HOST"),
}


def _consumers(*entries: dict[str, Any], **given: Any) -> list[dict[str, Any]]:
    result = run({**GOOD, **given, NAME: list(entries)})
    assert not result.problems, list(map(str, result.problems))
    found: list[dict[str, Any]] = result.plan["consumers"]
    return found


def test_diagnose_takes_a_consumer_as_it_is() -> None:
    for one in _consumers(SERVICE, GATEWAY, COLLECTOR):
        assert set(one) == set(args.CONSUMER_SPEC)


def test_a_consumer_has_all_that_is_needed_and_no_secret() -> None:
    (one,) = _consumers(SERVICE)
    assert one == {
        "kind": "env",
        "state": "present",
        "env_path": "/srv/shop/.env",
        "config_path": None,
        **dict.fromkeys(("namespace", "secret", "config_map")),
        "url": "http://localhost:3030",
        "values": {
            "LANGFUSE_PUBLIC_KEY": CANDIDATES["langfuse_init_project_public_key"],
            "LANGFUSE_HOST": "http://localhost:3030",
            "LANGFUSE_BASE_URL": "http://localhost:3030",
        },
        "secret_names": ["LANGFUSE_SECRET_KEY"],
        "absent_names": ["LANGFUSE_SAMPLE_RATE", "LANGFUSE_BASIC", "LANGFUSE_OTEL_HOST"],
        "callback": "langfuse_otel",
        "log_messages": None,
        "tags": [],
        "pipelines": [],
        "project_directory": "/srv/shop",
        "service": "ai-service",
        "proof_url": None,
        "proof_model": None,
        "proof_secret": None,
    }
    assert CANDIDATES["langfuse_init_project_secret_key"] not in json.dumps(one)


@pytest.mark.parametrize(
    ("given", "entry", "url"),
    [
        ({}, {}, "http://localhost:3030"),
        ({"langfuse_public_url": "http://localhost:8080/"}, {}, "http://localhost:8080"),
        ({"langfuse_compose_networks": ["shop_default"]}, {}, "http://langfuse-web:3000"),
        # Maybe a process of the host, which knows no names of containers.
        ({"langfuse_compose_networks": ["shop_default"]}, NO_SERVICE, "http://localhost:3030"),
        ({"langfuse_compose_networks": ["shop_default"]}, {**NO_SERVICE, "url": "http://a:1"}, "http://a:1"),
        ({}, {"url": "http://langfuse-web:3000/"}, "http://langfuse-web:3000"),
    ],
)
def test_how_it_reaches_the_instance(given: dict[str, Any], entry: dict[str, Any], url: str) -> None:
    (one,) = _consumers({**SERVICE, **entry}, **given)
    assert {one["url"], one["values"]["LANGFUSE_HOST"], one["values"]["LANGFUSE_BASE_URL"]} == {url}


def test_a_pod_reaches_the_service_and_has_a_secret() -> None:
    pod, collector = _consumers(POD, {**POD, "kind": "otel_collector", "secret": "b", "config_map": "c"}, **CLUSTER)
    assert set(pod) == set(args.CONSUMER_SPEC)
    assert pod["url"] == pod["values"]["LANGFUSE_HOST"] == "http://langfuse-web.ai-system.svc.cluster.local:3000"
    assert (pod["namespace"], pod["secret"], pod["config_map"], pod["env_path"]) == (
        "team-a",
        "langfuse-keys",
        None,
        None,
    )
    assert (collector["secret_names"], collector["config_map"]) == (["LANGFUSE_SECRET_KEY", "LANGFUSE_BASIC"], "c")


def test_policies_let_senders_in() -> None:
    gone = {**POD, "namespace": "team-b", "state": "absent"}
    plan = run({**GOOD, **CLUSTER, "langfuse_network_policy_from": ["team-c"], NAME: [POD, gone]}).plan
    assert plan["kubernetes"]["policies"]["from"] == ["team-c", "team-a"]


def test_preflight_is_told_what_connect_writes_for_whom() -> None:
    collector = {**POD, "kind": "otel_collector", "secret": "b", "config_map": "c"}
    gone = {**POD, "namespace": "team-b", "state": "absent"}
    plan = run({**GOOD, **CLUSTER, NAME: [POD, collector, gone]}).plan
    assert plan["kubernetes"]["connects"] == {"team-a": ["configmaps", "secrets"], "team-b": ["secrets"]}


@pytest.mark.parametrize(("given", "entry", "said"), [
    (CLUSTER, SERVICE, "has path, which langfuse_target=kubernetes does not have. There it takes kind, url, state, namespace, secret"),
    (GOOD, {**SERVICE, "secret": "a"}, "has secret, which langfuse_target=compose does not have. There it takes kind, url, state, path"),
])  # fmt: skip
def test_keys_of_the_other_target_are_named(given: dict[str, Any], entry: dict[str, Any], said: str) -> None:
    assert said in " ".join(map(str, run({**given, NAME: [entry]}).problems))


def test_a_gateway_and_a_collector() -> None:
    more = {"callback": "langfuse", "sample_rate": 0.1, "log_messages": False, "tags": ["cache_hit"]}
    gateway, collector = _consumers({**GATEWAY, **more}, {**COLLECTOR, "pipelines": ["traces/all"]})
    assert (gateway["config_path"], gateway["env_path"]) == ("/srv/gateway/config.yaml", "/srv/gateway/.env")
    assert gateway["values"]["LANGFUSE_SAMPLE_RATE"] == "0.1"
    assert (gateway["callback"], gateway["log_messages"], gateway["tags"]) == ("langfuse", False, ["cache_hit"])
    assert (collector["secret_names"], collector["pipelines"]) == (
        ["LANGFUSE_SECRET_KEY", "LANGFUSE_BASIC"],
        ["traces/all"],
    )


def test_the_key_of_a_gateway_is_a_secret() -> None:
    """It is no variable of its own: it leaves the entry for the Secrets, and the Plan has its name."""
    other = {**GATEWAY, "path": "/srv/other.yaml", "env_path": "/srv/other.env"}
    given = {**GOOD, NAME: [SERVICE, {**GATEWAY, **PROOF, "proof_url": "http://localhost:4000/v1/"}, other]}
    result = run(given)
    _service, one, without = result.plan["consumers"]
    assert (one["proof_url"], one["proof_model"]) == ("http://localhost:4000", "proof")
    assert result.secrets[one["proof_secret"]] == PROOF["proof_key"]
    assert (without["proof_url"], without["proof_secret"]) == (None, None)
    assert PROOF["proof_key"] not in json.dumps(result.plan)


@pytest.mark.parametrize("entry", [SERVICE, GATEWAY, COLLECTOR], ids=lambda one: one["kind"])
def test_an_absent_one_leaves_no_name_behind(entry: dict[str, Any]) -> None:
    """Nor those that an earlier version of the entry wrote, such as a rate."""
    (one,) = _consumers({**entry, "state": "absent"})
    assert (one["values"], one["secret_names"], set(one["absent_names"])) == ({}, [], ALL_NAMES)


@pytest.mark.parametrize(
    ("entries", "absent"),
    [
        ([SERVICE], {"LANGFUSE_SAMPLE_RATE", "LANGFUSE_BASIC"}),
        ([{**SERVICE, "sample_rate": 0}], {"LANGFUSE_BASIC"}),
        # Two of one file leave each other's names.
        ([SERVICE, {**COLLECTOR, "env_path": SERVICE["path"], "url": "http://a:1"}], {"LANGFUSE_SAMPLE_RATE"}),
        ([SERVICE, COLLECTOR], {"LANGFUSE_SAMPLE_RATE", "LANGFUSE_BASIC"}),
    ],
)
def test_a_name_that_no_entry_says_any_more_goes(entries: list[dict[str, Any]], absent: set[str]) -> None:
    given = [{"url": "http://a:1", **one} for one in entries]
    assert set(_consumers(*given)[0]["absent_names"]) == absent | {"LANGFUSE_OTEL_HOST"}


def test_the_connection_to_litellm() -> None:
    plan = run({**GOOD, **LITELLM}).plan
    assert plan["llm_connection"] == {
        "provider": "litellm",
        "base_url": "http://litellm:4000/v1",
        "custom_models": ["gpt-x"],
    }
    assert run(GOOD).plan["llm_connection"] is None


@pytest.mark.parametrize("service", ["web", "worker"])
def test_its_host_is_allowed_by_itself(service: str) -> None:
    start = "LANGFUSE_LLM_CONNECTION_WHITELISTED_"
    given = {**GOOD, **LITELLM, "langfuse_llm_allowed_hosts": ["vllm", "litellm"]}
    assert run(given).plan["env"][service][f"{start}HOST"] == "vllm,litellm"
    by_address = run({**GOOD, **LITELLM, "langfuse_litellm_url": "http://10.0.0.7:4000"}).plan["env"][service]
    assert by_address[f"{start}IPS"] == "10.0.0.7"
    assert f"{start}HOST" not in by_address
