"""What Flux says of its objects → what is wrong, and what to do. The messages are those of its controllers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils.flux import state

from .objects import (
    NAMES,
    NEW,
    OLD,
    SOURCE,
    TREE,
    Found,
    condition,
    event,
    failed,
    key_of,
    kustomization,
    made,
    ready,
    seen,
    source,
)

_SAID = yaml.safe_load((Path(__file__).parent / "said.yml").read_text("utf-8"))


def said(what: str) -> list[tuple[str, ...]]:
    """Rows of the table of that name."""
    return [tuple(row.values()) for row in _SAID[what]]


def codes(found: state.Seen, tree: state.Tree = TREE) -> list[str]:
    return [row["code"] for row in state.judge(tree, found)]


def one(found: state.Seen) -> dict[str, str]:
    (row,) = state.judge(TREE, found)
    return row


def test_nothing_is_wrong_where_all_is_applied() -> None:
    assert state.judge(TREE, seen()) == []
    assert (
        state.applied(TREE, seen())
        == "langfuse-stores, langfuse-migrate, langfuse of flux-system at main@sha1:bbbbbbbbbb"
    )


@pytest.mark.parametrize(("reason", "message", "code", "cure"), said("kustomization"))
def test_why_a_kustomization_is_not_ready(reason: str, message: str, code: str, cure: str) -> None:
    row = one(seen(kustomization("langfuse", failed(reason, message), revision=OLD)))
    assert (row["object"], row["code"]) == ("Kustomization langfuse of flux-system", code)
    assert cure in row["cure"], row
    assert row["what"].startswith(f"Kustomization langfuse of flux-system: {reason}, ")
    assert "/tmp/" not in row["what"] and "\n" not in row["what"] and "{" not in row["cure"]


def test_its_own_secret_is_named() -> None:
    found = kustomization("langfuse", failed("BuildFailed", 'secrets "mine" not found'))
    found["spec"]["decryption"]["secretRef"]["name"] = "mine"
    assert "generic mine -n flux-system" in one(seen(found))["cure"]


def test_lines_that_sops_has_broken_are_one() -> None:
    words = "Group 0: FAILED\n  age1abc: FAILED\n    - | failed to create reader with\n      | age: no identity\n      | matched any of the recipients\n"
    row = one(seen(kustomization("langfuse", failed("BuildFailed", words))))
    assert row["code"] == "decryption" and "no identity matched any" in row["what"]


def test_without_flux_nothing_else_is_said() -> None:
    row = one(state.Seen({}, unserved=("Kustomization",)))
    assert row["code"] == "absent" and "langfuse_gitops_flavour" in row["cure"]


def test_what_is_not_there() -> None:
    gone = tuple(("Kustomization", "flux-system", name) for name in NAMES)
    rows = state.judge(TREE, seen(gone=gone))
    assert [row["code"] for row in rows] == ["missing"] * 3 and "older than 2.5" in rows[0]["cure"]
    assert "Commit and push kubernetes/apps/ai-system/langfuse, and name it" in rows[0]["cure"]
    # The source is looked at all the same.
    assert codes(seen(gone=(*gone, SOURCE)))[0] == "source"


@pytest.mark.parametrize(("message", "cure"), said("source"))
def test_why_there_is_no_source(message: str, cure: str) -> None:
    row = one(seen(source(failed("GitOperationFailed", message), revision=NEW)))
    assert row["code"] == "source" and cure in row["cure"] and "GitRepository" in row["cure"]
    assert row["object"] == "GitRepository flux-system of flux-system"


def test_the_source_is_told_once() -> None:
    """Whoever reads it cannot either."""
    nothing = failed("ArtifactFailed", "Source artifact not found, retrying in 30s")
    own = [kustomization(name, nothing, revision="") for name in NAMES]
    assert codes(seen(source(failed("GitOperationFailed", "no"), revision=""), *own)) == ["source"]
    assert codes(seen(*own, gone=(SOURCE,))) == ["source"]
    # Where the source itself is well, they say it.
    assert codes(seen(own[0])) == ["source"]


def test_a_source_that_has_nothing_yet() -> None:
    assert codes(seen(source(condition("Ready", "Unknown", "Progressing", "building artifact"), revision=""))) == [
        "progressing"
    ]


def test_what_was_told_to_rest() -> None:
    row = one(seen(kustomization("langfuse", failed("BuildFailed", "no"), spec={"suspend": True})))
    assert (row["code"], row["cure"]) == (
        "suspended",
        "Let it go on: flux resume kustomization langfuse -n flux-system",
    )
    resting = source()
    resting["spec"]["suspend"] = True
    assert one(seen(resting))["cure"].endswith("flux resume source git flux-system -n flux-system")


def test_an_older_revision() -> None:
    row = one(seen(kustomization("langfuse", ready(OLD), revision=OLD)))
    assert row["code"] == "behind"
    assert row["what"] == "Flux has fetched main@sha1:bbbbbbbbbb and applied main@sha1:aaaaaaaaaa of langfuse"
    assert "flux reconcile kustomization langfuse -n flux-system" in row["cure"]


def _waits(message: str, name: str = "langfuse-stores") -> Found:
    return kustomization(name, failed("DependencyNotReady", message), revision=OLD)


def test_what_something_else_keeps_waiting() -> None:
    key = ("Kustomization", "cnpg-system", "cloudnative-pg")
    waits = _waits("dependency 'cnpg-system/cloudnative-pg' is not ready")
    other = made("Kustomization", key[2], failed("BuildFailed", "bad things"), namespace=key[1])
    row = one(seen(waits, other))
    assert row["code"] == "dependency" and "cloudnative-pg of cnpg-system (bad things)" in row["what"]
    other["spec"] = {"suspend": True}
    assert "flux resume kustomization cloudnative-pg -n cnpg-system" in one(seen(waits, other))["cure"]
    assert "langfuse_gitops_dependencies" in one(seen(waits, gone=(key,)))["cure"]
    assert one(seen(_waits("failed to convert"))) ["code"] == "dependency"  # fmt: skip


def test_those_of_the_instance_are_told_by_themselves() -> None:
    waits = _waits("dependency 'flux-system/langfuse-stores' is not ready", "langfuse")
    broken = kustomization("langfuse-stores", failed("BuildFailed", "no"))
    assert codes(seen(waits, broken)) == ["build"]
    # Nothing is broken: it is on its way.
    assert codes(seen(waits)) == ["progressing"]
    resting = kustomization("langfuse-stores", ready(), spec={"suspend": True})
    assert codes(seen(waits, resting)) == ["suspended"]


def _working(*events: Found) -> state.Seen:
    doing = "Running health checks for revision x with a timeout of 5m0s"
    conditions = (
        condition("Ready", "Unknown", "Progressing", "Reconciliation in progress"),
        condition("Reconciling", "True", "Progressing", doing),
    )
    return seen(kustomization("langfuse", *conditions, revision=OLD), events=list(events))


_STILL = "health check failed after 5m0s: timeout waiting for: [Deployment/ai-system/langfuse-web status: 'InProgress']"
_LATE = event("langfuse", "HealthCheckFailed", _STILL, "2026-01")


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([], "progressing"),
        ([_LATE], "health"),
        # It has been well since.
        ([_LATE, event("langfuse", "ReconciliationSucceeded", "x", "2026-02", "Normal")], "progressing"),
        # What it tells on the way is no success.
        ([_LATE, event("langfuse", "Progressing", "Deployment configured", "2026-02", "Normal")], "health"),
        # Another commit, another try.
        ([event("langfuse", "BuildFailed", "yaml", "2026-01", revision=OLD)], "progressing"),
        ([event("langfuse-stores", "BuildFailed", "yaml", "2026-01")], "progressing"),
    ],
)  # fmt: skip
def test_what_is_tried_again_says_why_by_its_last_event(events: list[Found], code: str) -> None:
    row = one(_working(*events))
    assert row["code"] == code
    if code == "progressing":
        assert "Running health checks" in row["what"]


def test_nobody_has_looked_at_it() -> None:
    assert one(seen(kustomization("langfuse", revision="")))["code"] == "progressing"


@pytest.mark.parametrize(("pods", "expected"), [(0, ["controller"]), (1, [])])
def test_controllers_without_a_pod(pods: int, expected: list[str]) -> None:
    controller = made("Deployment", "kustomize-controller", status={"readyReplicas": pods} if pods else {})
    assert codes(seen(controllers=[controller])) == expected


HOME = "ai-system"


def _release(*conditions: Found, **spec: Any) -> Found:
    return made("HelmRelease", "langfuse", *conditions, namespace=HOME, spec=spec)


@pytest.mark.parametrize(("reason", "message", "code", "cure"), said("release"))
def test_why_helm_did_not_install(reason: str, message: str, code: str, cure: str) -> None:
    row = one(seen(_release(failed(reason, message))))
    assert (row["object"], row["code"]) == ("HelmRelease langfuse of ai-system", code)
    assert cure in row["cure"] and "{" not in row["cure"]


def test_helm_has_given_up() -> None:
    stalled = condition("Stalled", "True", "RetriesExceeded", "Failed to install after 4 attempt(s)")
    row = one(seen(_release(failed("InstallFailed", "something new"), stalled)))
    assert row["what"].endswith("Flux has given up: Failed to install after 4 attempt(s)")
    assert row["cure"].endswith("flux reconcile helmrelease langfuse -n ai-system --reset")
    late = one(seen(_release(failed("InstallFailed", "context deadline exceeded"), stalled)))
    assert late["cure"].count("--reset") == 1


def test_a_release_that_rests_or_is_at_work() -> None:
    assert codes(seen(_release(failed("InstallFailed", "x"), suspend=True))) == ["suspended"]
    assert codes(seen(_release(condition("Ready", "Unknown", "Progressing", "Running 'install' action")))) == [
        "progressing"
    ]
    assert codes(seen(_release(condition("Ready", "True", "InstallSucceeded", "x")))) == []


def test_the_repository_says_why_there_is_no_chart() -> None:
    waits = _release(failed("SourceNotReady", "HelmChart 'ai-system/ai-system-langfuse' is not ready: x"))
    chart = made("HelmChart", "ai-system-langfuse", namespace=HOME)
    chart["status"]["conditions"] = [
        failed("InvalidChartReference", "no 'langfuse' chart with version matching '9.9.9' found")
    ]
    row = one(seen(waits, chart))
    assert (row["object"], row["code"]) == ("HelmChart ai-system-langfuse of ai-system", "chart")
    assert "no such version" in row["cure"]
    repository = made(
        "HelmRepository",
        "langfuse",
        failed("Failed", "failed to fetch Helm repository index: no such host"),
        namespace=HOME,
    )
    assert one(seen(waits, chart, repository))["object"] == "HelmRepository langfuse of ai-system"


def test_a_repository_of_charts_is_no_source_of_the_tree() -> None:
    repository = made("OCIRepository", "langfuse", failed("OCIPullFailed", "manifest unknown"), namespace=HOME)
    assert codes(seen(repository, _release(failed("SourceNotReady", "x")))) == ["chart"]
    packed = TREE._replace(source=("OCIRepository", "flux-system", "flux-system"))
    own = source(failed("OCIPullFailed", "manifest unknown"), kind="OCIRepository")
    reference = {"kind": "OCIRepository", "name": "flux-system", "namespace": "flux-system"}
    ours = [kustomization(name, ready(), spec={"sourceRef": reference}) for name in NAMES]
    rows = state.judge(packed, seen(own, *ours, _release(failed("SourceNotReady", "x")), gone=(SOURCE,)))
    assert [row["object"] for row in rows] == [
        "OCIRepository flux-system of flux-system",
        "HelmRelease langfuse of ai-system",
    ]


DIGEST = "sha256:" + "0" * 64
PACKED: dict[str, str] = {"kind": "OCIRepository", "revision": f"latest@{DIGEST}"}


def _packed(commit: str) -> dict[str, Any]:
    """As `flux push artifact` packs it, which says of which commit that is."""
    found = source(**PACKED)
    found["status"]["artifact"]["metadata"] = {"org.opencontainers.image.revision": commit}
    return found


@pytest.mark.parametrize(
    ("found", "fetched", "commit"),
    [
        (source(), NEW, NEW),
        (_packed(NEW), PACKED["revision"], NEW),
        (source(**PACKED), PACKED["revision"], ""),
        (source(kind="Bucket", revision=DIGEST), DIGEST, ""),
        (source(revision=""), "", ""),
        (None, "", ""),
    ],
)
def test_what_a_source_has(found: dict[str, Any] | None, fetched: str, commit: str) -> None:
    assert (state.fetched(found), state.commit_of(found)) == (fetched, commit)


def test_the_last_failure_of_what_was_packed() -> None:
    """Events name the digest, and not the commit in it."""
    packed = TREE._replace(source=("OCIRepository", "flux-system", "flux-system"))
    reference = {"kind": "OCIRepository", "name": "flux-system", "namespace": "flux-system"}
    ours = [
        kustomization(name, ready(PACKED["revision"]), revision=PACKED["revision"], spec={"sourceRef": reference})
        for name in NAMES
    ]
    trying = condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")
    ours[-1]["status"]["conditions"] = [trying]
    failure = event(
        "langfuse",
        "BuildFailed",
        "kustomize build failed: no such file or directory",
        "2026-01-01T00:00:00Z",
        revision=PACKED["revision"],
    )
    rows = state.judge(packed, seen(_packed(NEW), *ours, gone=(SOURCE,), events=[failure]))
    assert [row["code"] for row in rows] == ["build"]


def test_what_flux_keeps() -> None:
    left = made("StatefulSet", "langfuse-valkey", namespace=HOME)
    row = one(seen(kept=[left]))
    assert row["code"] == "kept" and "kubectl delete -n ai-system statefulset langfuse-valkey" in row["cure"]


def test_all_of_it_is_told_at_once() -> None:
    rows = codes(
        seen(
            kustomization("langfuse-stores", failed("BuildFailed", 'secrets "sops-age" not found')),
            kustomization("langfuse", ready(), spec={"suspend": True}),
            controllers=[made("Deployment", "source-controller")],
        )
    )
    assert rows == ["controller", "decryption", "suspended"]
    assert key_of(source()) == SOURCE
