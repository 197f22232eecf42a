"""Who has applied the last commit: Flux does not lose the objects to a tree without it, nor Helm its Deployments."""

from __future__ import annotations

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document

from tests.integration.gitops.checkout import PATH, WEB, Runs, documents
from tests.integration.gitops.site import Site

KS, RELEASE = f"{PATH}/ks.yaml", f"{PATH}/app/helmrelease.yaml"
CHART = [
    *(one for one in documents() if one.path != WEB),
    Document(RELEASE, "yaml_all", [{"kind": "HelmRelease"}]),
]
OFF = [*(one for one in documents() if one.path != WEB), Document(WEB, "yaml_all", [{"kind": "Service"}])]
NOT_PLAIN = "langfuse_gitops_flavour: is plain, and the last commit of {path} has Kustomizations: Flux prunes what they have applied"
NOT_DEPLOYMENTS = "langfuse_kubernetes_workload: is deployments, and the last commit of {path} has the chart's release"


def _plain() -> list[Document]:
    return [one for one in documents() if one.path != KS]


def test_flux_does_not_prune_what_is_to_be_applied_without_it(runs: Runs) -> None:
    runs.apply(documents())
    runs.repository.commit()
    (problem,) = runs.problems(_plain())
    assert problem.startswith(NOT_PLAIN.format(path=PATH)) and "docs/runbooks/gitops.md" in problem
    # The whole tree may go, and come back without Flux.
    runs.apply([])
    assert len(runs.problems(_plain())) == 1
    runs.repository.commit()
    assert runs.apply(_plain()).changed
    runs.repository.commit()
    assert runs.apply(documents()).changed


def test_nor_on_the_way_to_another_path(runs: Runs) -> None:
    runs.apply(documents())
    runs.repository.commit()
    runs.repository.git("mv", PATH, f"{PATH}-2")
    runs.path = f"{PATH}-2"
    wanted = [
        Document(one.path.replace(PATH, runs.path), one.form, one.object, sensitive=one.sensitive) for one in _plain()
    ]
    (problem,) = runs.problems(wanted)
    assert problem.startswith(NOT_PLAIN.format(path=PATH))


def test_before_the_first_commit_and_of_a_hand_it_is_nothing(runs: Runs) -> None:
    runs.repository.write(KS, "kind: Kustomization\n")
    runs.repository.write(RELEASE, "kind: HelmRelease\n")
    runs.repository.commit()
    assert runs.problems(_plain()) == []
    (runs.repository.root / KS).unlink()
    runs.repository.commit()
    runs.apply(documents())
    assert runs.apply(_plain()).changed


def test_helm_s_deployments_do_not_become_others(runs: Runs) -> None:
    runs.apply(CHART)
    assert runs.problems(documents()) == []
    runs.repository.commit()
    (problem,) = runs.problems(documents())
    assert problem.startswith(NOT_DEPLOYMENTS.format(path=PATH)) and "langfuse_enabled: false" in problem
    runs.apply(OFF)
    # It has to be committed, or nobody has applied it.
    (problem,) = runs.problems(documents())
    assert problem.startswith(NOT_DEPLOYMENTS.format(path=PATH))
    runs.repository.commit()
    assert runs.apply(documents()).changed


@pytest.mark.parametrize("between", [documents(), OFF], ids=["at once", "with a pause"])
def test_to_the_chart_both_ways_are_open(runs: Runs, between: list[Document]) -> None:
    runs.apply(between)
    runs.repository.commit()
    assert runs.apply(CHART).changed


def test_site_goes_back_from_the_chart_by_way_of_none(site: Site) -> None:
    chart = {"langfuse_kubernetes_workload": "chart"}
    site.play("site", more=chart)
    site.repository.commit()
    for more in ({}, {"langfuse_gitops_flavour": "plain"}):
        run = site.play("site", fails=True, more=more)
        run.mentions("langfuse_kubernetes_workload: is deployments, and the last commit of")
        assert ("langfuse_gitops_flavour: is plain" in run.output) == bool(more)
        assert site.repository.git("status", "--porcelain") == ""
    site.play("site", more={**chart, "langfuse_enabled": False})
    site.repository.commit()
    assert site.play("site").changed
