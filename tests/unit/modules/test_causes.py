# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence in, causes out: a row for every rule, and that nothing broken stays without a name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils import causes
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import Evidence, Rule

from . import (
    cause_cluster_cases,
    cause_consumer_cases,
    cause_git_cases,
    cause_ingestion_cases,
    cause_sign_in_cases,
    cause_start_cases,
    cause_store_cases,
)
from .cause_cases import Cases, container
from .cause_sign_in_cases import REFUSED, SSO
from .cause_start_cases import STUCK, T3, ZOD

CONTRACT = Path(__file__).parents[3] / "roles" / "langfuse" / "meta" / "argument_specs.yml"
ALL = (
    "name port web database key s3_write queue worker clickhouse trace media sign_in refusals ports containers consumers gitops".split()  # noqa: SIM905
)
CASES: Cases = [
    ("nothing", {}, (), []),
    ("no rule", {}, ("refusals",), ["refusals_failed:error"]),
    *cause_store_cases.CASES,
    *cause_start_cases.CASES,
    *cause_ingestion_cases.CASES,
    *cause_sign_in_cases.CASES,
    *cause_consumer_cases.CASES,
    *cause_cluster_cases.CASES,
    *cause_git_cases.CASES,
]


def hops(*failed: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "status": "failed" if name in failed else "ok",
            "detail": f"{name} said so",
            "cause": "",
            "cure": "",
        }
        for name in ALL
    ]


def rule(cure: str, **more: str) -> Rule:
    return Rule("x", "web", lambda _facts: None, "It is.", cure, **more)  # type: ignore[arg-type]


def codes(evidence: dict[str, Any], *failed: str) -> list[str]:
    return [f"{cause['code']}:{cause['severity']}" for cause in causes.diagnose(hops(*failed), evidence)]


@pytest.mark.parametrize(
    ("evidence", "failed", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_causes(evidence: dict[str, Any], failed: tuple[str, ...], expected: list[str]) -> None:
    assert codes(evidence, *failed) == expected


def test_every_rule_has_a_case() -> None:
    seen = {code.split(":")[0] for case in CASES for code in case[3]}
    assert {rule.code for rule in causes.RULES} - seen == set()


def test_every_text_is_filled_and_ends() -> None:
    for name, evidence, failed, _ in CASES:
        for cause in causes.diagnose(hops(*failed), evidence):
            assert "{" not in cause["cause"] + cause["cure"], name
            assert cause["cause"].strip(".") and cause["cure"].strip("."), name
            assert cause["cause"].endswith("."), name
            assert cause["cure"].endswith("."), name


def test_cures_are_those_of_where_it_runs() -> None:
    evidence = {"unsound": [], "worker": {"status": 503, "text": "x"}}
    (on_compose,), (in_cluster,) = (
        causes.diagnose(hops("worker"), {**evidence, **more}) for more in ({}, {"cluster": {"namespace": "n"}})
    )
    assert "`docker restart`" in on_compose["cure"]
    assert "`kubectl rollout restart deployment`" in in_cluster["cure"] and "docker" not in in_cluster["cure"]


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        (rule("Run site, which starts it. Or run site."), "Run site, commit and push, which starts it. Or run site, commit and push."),
        (rule("Run site --check --diff, and Run site, commit and push."), "Run site --check --diff, and Run site, commit and push."),
        (rule("Run site: langfuse_s3_admin_access_key makes it."), "Run site, commit and push, then provision: langfuse_s3_admin_access_key makes it."),
        (rule("Use `docker restart`."), "Use `kubectl rollout restart --field-manager=flux-client-side-apply deployment`."),
        (rule("Run site.", from_git="Try `{again}`."), "Try `{again}`."),
    ],
)  # fmt: skip
def test_where_others_apply_it_site_only_writes(given: Rule, cure: str) -> None:
    facts = {"cluster": {"namespace": "n"}, "by_git": {"again": "flux"}}
    assert causes.cure_for(given, Evidence([], facts)) == cure
    # And nowhere else.
    assert causes.cure_for(given, Evidence([], {})) == given.cure


def test_a_workload_without_a_cure_of_its_own() -> None:
    waits = cause_cluster_cases.WAITING
    (by_site,), (from_git,) = (
        causes.diagnose(hops("containers"), {**waits, **more}) for more in ({}, {"by_git": {"again": "x"}})
    )
    assert by_site["cure"].startswith("Run site, which waits")
    assert from_git["cure"] == "Look at its events with kubectl describe."


def test_what_applies_it_again_is_told() -> None:
    evidence = {**cause_cluster_cases.SCALED, "by_git": {"again": "flux reconcile kustomization langfuse"}}
    (cause,) = causes.diagnose(hops("worker"), evidence)
    assert "at once with `flux reconcile kustomization langfuse`" in cause["cure"]


def test_cures_speak_of_variables_and_playbooks() -> None:
    """What people can set and run, by names that exist."""
    contract = yaml.safe_load(CONTRACT.read_text())["argument_specs"].values()
    known = {name for entry in contract for name in entry["options"]}
    for rule in causes.RULES:
        # A stack of their own has no playbook.
        cure = (rule.cure + rule.from_git).replace("{role}", "web").replace("docker compose -p {project}", "")
        assert set(re.findall(r"langfuse_[a-z0-9_]+", cure)) <= known, rule.code
        assert not re.search(r"docker compose|docker logs|\bca_path\b|\bin resolve\b|\boption\b", cure), rule.code


def test_the_variable_is_named() -> None:
    web = causes.diagnose(hops("web"), {"web": STUCK, "containers": [container("web", T3)]})[0]
    assert "SALT is invalid" in web["cause"]
    assert web["cure"].startswith("Take SALT out of langfuse_extra_env")
    evidence = {"worker": {"kind": "refused"}, "containers": [container("worker", *ZOD, state="exited", exit_code=1)]}
    assert "REDIS_TLS_ENABLED" in causes.diagnose(hops("worker"), evidence)[0]["cause"]


def test_policies_of_others_are_named() -> None:
    ours, theirs = {"name": "langfuse-web", "whose": ""}, {"name": "deny", "whose": "kubectl-create"}
    waits = {"containers": [container("web", "connect ETIMEDOUT 10.96.0.7:8123")]}
    (alone,), (beside,) = (
        causes.diagnose(hops("trace"), {**waits, "policies": one}) for one in ([ours], [ours, theirs])
    )
    assert alone["cause"].endswith("network policies are in force.")
    assert beside["cause"].endswith("in force; others have deny (kubectl-create) for its pods.")


def test_a_hop_gets_its_own_cause_or_the_first_error() -> None:
    walked = hops("database", "trace")
    causes.explain(walked, causes.diagnose(walked, {"postgres": {"error": "password", "user": "lf"}}))
    by_name = {hop["name"]: hop["cause"] for hop in walked}
    assert "password of user lf" in by_name["database"]
    assert by_name["trace"] == by_name["database"]
    assert by_name["web"] == ""


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            (
                "[next-auth][error][SIGNIN_OAUTH_ERROR] ",
                "https://next-auth.js.org/errors#signin_oauth_error getaddrinfo ENOTFOUND kc {",
            ),
            "getaddrinfo ENOTFOUND kc.",
        ),
        ((), "its log says why"),
    ],
)
def test_why_web_cannot_read_the_provider_stands_in_its_log(lines: tuple[str, ...], reason: str) -> None:
    evidence = {"sso": {**SSO, "error": "OAuthSignin"}, "containers": [container("web", *lines)]}
    cause = causes.diagnose(hops("sign_in"), evidence)[0]
    assert cause["code"] == "sso_issuer_unreachable"
    assert f"https://kc/realms/a/.well-known/openid-configuration: {reason}" in cause["cause"]


@pytest.mark.parametrize(
    ("provider", "variable"),
    [("keycloak", "langfuse_keycloak_client_secret"), ("okta", "langfuse_sso_client_secret")],
)
def test_the_secret_to_correct_is_named(provider: str, variable: str) -> None:
    evidence = {"sso": {**SSO, "provider": provider, "offered": [provider], "secret": REFUSED}}
    cause = causes.diagnose(hops("sign_in"), evidence)[0]
    assert variable in cause["cure"]
    assert "…" not in cause["cause"] + cause["cure"]
