"""What objects of the tree say to who applies them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from ...settings.gitops_cases import GITOPS
from ..kubernetes.support import derived
from .support import CONFIGURATIONS, PLAIN, files

EACH = pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
FLUX, ARGO = "kustomize.toolkit.fluxcd.io/", "argocd.argoproj.io/"
SUBSTITUTION = {"langfuse_gitops_substitute_from": [{"kind": "Secret", "name": "cluster-secrets"}]}


def _marks(given: dict[str, Any], prefix: str) -> dict[tuple[str, str, str], dict[str, str]]:
    """Kind, namespace and name of each object of the instance → what it says to one applier."""
    return {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): {
            name.removeprefix(prefix): value
            for name, value in one["metadata"].get("annotations", {}).items()
            if name.startswith(prefix)
        }
        for path, document in files(given).items()
        if path.startswith(("app/", "migration/")) and "kustomization" not in path
        for one in document.object
    }


def _mark(given: dict[str, Any], kind: str, name: str) -> dict[str, str]:
    (found,) = [marks for (a, _namespace, b), marks in _marks(given, FLUX).items() if (a, b) == (kind, name)]
    return found


def _kept(given: dict[str, Any]) -> set[tuple[str, str, str]]:
    result = derived(given)
    return {
        (*one.identity[:1], one.object["metadata"].get("namespace", ""), one.identity[1])
        for one in objects(result.plan, result.secrets)
        # Claims outlive their StatefulSet, whose pods would run on without Service and policies.
        if one.keep and one.identity[0] != "StatefulSet"
    }


@EACH
def test_what_holds_data_or_keys_is_never_pruned(given: dict[str, Any]) -> None:
    plain = given.get("langfuse_gitops_flavour") == "plain"
    said = ("sync-options", "Prune=false,Delete=false") if plain else ("prune", "disabled")
    marks = _marks(given, ARGO if plain else FLUX)
    assert {one for one, found in marks.items() if found.get(said[0]) == said[1]} == _kept(given)
    assert {kind for kind, *_name in _kept(given)} >= {"Secret", "Namespace", "ConfigMap"}


@EACH
def test_each_applier_is_told_its_own(given: dict[str, Any]) -> None:
    flux, plain = {**given, "langfuse_gitops_flavour": "flux"}, {**given, **PLAIN}
    assert not any(_marks(flux, ARGO).values()) and not any(_marks(plain, FLUX).values())


def test_the_order_for_argo_cd_is_that_of_the_waves() -> None:
    given = {**GITOPS, **PLAIN}
    result = derived(given)
    waves = {
        one.identity: str(int(one.wave)) for one in objects(result.plan, result.secrets) if one.identity[0] != "Job"
    }
    found = {(kind, name): marks["sync-wave"] for (kind, _namespace, name), marks in _marks(given, ARGO).items()}
    assert {identity: wave for identity, wave in found.items() if identity[0] != "Job"} == waves
    (job,) = [wave for (kind, _name), wave in found.items() if kind == "Job"]
    assert max(waves["Cluster", "langfuse-postgresql"], waves["StatefulSet", "langfuse-clickhouse"]) < job
    assert job < waves["Deployment", "langfuse-web"]


def _job(given: dict[str, Any]) -> dict[str, Any]:
    (found,) = files(given)["migration/job.yaml"].object
    return dict(found)


@pytest.mark.parametrize("flavour", [{}, PLAIN])
def test_a_migration_is_called_after_all_that_is_in_it(flavour: dict[str, Any]) -> None:
    """A Job cannot change, and is applied again and again."""
    given = {**GITOPS, **flavour}
    others: tuple[dict[str, Any], ...] = (
        {},
        {"langfuse_node_selector": {"disk": "fast"}},
        {"langfuse_version": "4.15.0"},
    )
    names = {_job({**given, **more})["metadata"]["name"] for more in others}
    assert len(names) == 3 and all(re.fullmatch("langfuse-migrate-[0-9a-f]{10}", name) for name in names)
    assert _job({**given, "langfuse_web_replicas": 2})["metadata"]["name"] == _job(given)["metadata"]["name"]


@pytest.mark.parametrize(("more", "times"), [({}, 4), (PLAIN, 10)])
def test_a_migration_that_finds_a_store_not_ready_tries_again(more: dict[str, Any], times: int) -> None:
    """Longer where nobody waits for stores first: after 10 s, twice that and so on, six minutes at most."""
    assert _job({**GITOPS, **more})["spec"]["backoffLimit"] == times


@pytest.mark.parametrize(
    ("given", "replaced"),
    [
        # Text is text, whoever sets substitution for all Kustomizations.
        ({"langfuse_annotations": {"example.com/domain": "${SECRET_DOMAIN}"}}, False),
        ({**SUBSTITUTION, "langfuse_annotations": {"example.com/domain": "${SECRET_DOMAIN}"}}, True),
        # The kubelet's escape would be taken for Flux's, and the rest be replaced or left alone by chance.
        ({**SUBSTITUTION, "langfuse_init_org_name": "${SECRET_DOMAIN}"}, False),
        ({**SUBSTITUTION, "langfuse_init_org_name": "a$(HOME)b"}, False),
        ({"langfuse_init_org_name": "five $ each"}, False),
        ({}, True),
        (SUBSTITUTION, True),
        ({**SUBSTITUTION, "langfuse_annotations": {"example.com/price": "${5"}}, False),
    ],
)
def test_nothing_that_is_meant_as_it_is_is_replaced(given: dict[str, Any], replaced: bool) -> None:
    found = _mark({**GITOPS, **given}, "Deployment", "langfuse-web")
    assert found == ({} if replaced else {"substitute": "disabled"})


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("${DOMAIN:=example.com}", True),
        ("${DOMAIN:-example.com}", True),
        ("${DOMAIN:=}", True),
        ("a ${DOMAIN:=${OTHER:-x}} b", True),
        ("${DOMAIN:0:3}", True),
        ("${DOMAIN/example/langfuse}", True),
        ("${DOMAIN^^}${DOMAIN,}", True),
        ("${#DOMAIN}", True),
        ("${DOMAIN", False),
        ("${}", False),
        ("${a b}", False),
        # Of a regular expression, as a rule of Prometheus has it.
        ("${1}", False),
    ],
)
def test_what_flux_would_replace(text: str, replaced: bool) -> None:
    given = {**GITOPS, **SUBSTITUTION, "langfuse_annotations": {"example.com/text": text}}
    found = _mark(given, "Deployment", "langfuse-web")
    assert found == ({} if replaced else {"substitute": "disabled"})


def test_annotations_of_the_user_stay() -> None:
    given = {
        **GITOPS,
        "langfuse_expose": "ingress",
        "langfuse_ingress_annotations": {"example.com/domain": "${X}"},
    }
    ((ingress,),) = [one.object for path, one in files(given).items() if path == "app/ingress.yaml"]
    assert ingress["metadata"]["annotations"] == {"example.com/domain": "${X}", f"{FLUX}substitute": "disabled"}
