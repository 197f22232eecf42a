"""The same by Helm's own engine and kustomize, with the stand-in for the official chart.

`make test-gitops` compiles them; without them only the model of the chart speaks.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.cluster import programs
from tests.bench.cluster.layout import Layout
from tests.bench.paths import find_paths

from . import stand_in_chart
from .chart_support import BY_CHART, Release
from .test_chart import comparable, patched

_PROGRAM = programs.executable(Layout(find_paths()), programs.HELM_TEMPLATE)
pytestmark = pytest.mark.skipif(not _PROGRAM.exists(), reason=f"{_PROGRAM.name} is not compiled: make test-gitops")


def _run(release: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "release.json"
    file.write_text(json.dumps(release), "utf-8")
    return subprocess.run([_PROGRAM, stand_in_chart.FOLDER, file], capture_output=True, text=True, check=False)


def _rendered(release: Release, folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    done = _run(release.found["HelmRelease", release.name], folder)
    assert done.returncode == 0, done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}


def _in_order(found: dict[str, Any]) -> dict[str, Any]:
    """Without the namespace, which the model does not know, and with the variables sorted."""
    metadata = {key: value for key, value in found["metadata"].items() if key != "namespace"}
    if found["kind"] == "Deployment":
        (container,) = found["spec"]["template"]["spec"]["containers"]
        container["env"].sort(key=lambda one: one["name"])
    return {**found, "metadata": metadata}


@pytest.mark.parametrize("name", BY_CHART)
def test_the_pods_are_those_of_our_own_deployments(name: str, tmp_path: Path) -> None:
    release = Release(BY_CHART[name])
    rendered, wanted = _rendered(release, tmp_path), release.wanted()
    for component in ("web", "worker"):
        identity = "Deployment", f"{release.name}-{component}"
        assert comparable(rendered[identity], component, f"langfuse-{component}") == comparable(
            wanted[identity], component, component
        )
    model = release.rendered()
    assert {identity: _in_order(one) for identity, one in rendered.items()} == {
        identity: _in_order(one) for identity, one in model.items()
    }


def test_a_patch_of_a_deployment_arrives(tmp_path: Path) -> None:
    (own,) = Release(BY_CHART["shared"]).wanted()["Deployment", "langfuse-worker"]["spec"]["template"]["spec"][
        "containers"
    ]
    del own["livenessProbe"], own["readinessProbe"]
    beside = {"name": "tail", "image": "example.com/tail:1"}
    pod = {"containers": [own, beside], "securityContext": None, "topologySpreadConstraints": None}
    release = Release(patched("worker", {"spec": {"template": {"spec": pod}}}))
    identity = "Deployment", "langfuse-worker"
    assert comparable(_rendered(release, tmp_path)[identity], "worker", "langfuse-worker") == comparable(
        release.wanted()[identity], "worker", "worker"
    )


def test_other_ports_are_there_in_place_of_the_charts(tmp_path: Path) -> None:
    ports = [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in (("http", 3001), ("debug", 9229))
    ]
    (own,) = Release(BY_CHART["shared"]).wanted()["Deployment", "langfuse-web"]["spec"]["template"]["spec"][
        "containers"
    ]
    served = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    patches = [
        *patched("web", {"spec": {"template": {"spec": {"containers": [{**own, "ports": ports}]}}}})[
            "langfuse_kubernetes_patches"
        ],
        {"kind": "Service", "name": "langfuse-web", "patch": {"spec": {"ports": served}}},
    ]
    release = Release({**BY_CHART["shared"], "langfuse_kubernetes_patches": patches})
    rendered = _rendered(release, tmp_path)
    (container,) = rendered["Deployment", "langfuse-web"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == ports
    assert rendered["Service", "langfuse-web"]["spec"]["ports"] == served
    model = release.rendered()
    assert {key: _in_order(one) for key, one in rendered.items()} == {key: _in_order(one) for key, one in model.items()}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"langfuse": {"additionalEnv": [{"name": "SALT", "value": "x"}]}}, "Only one of additionalEnv"),
        ({"s3": {"concurrentReads": 3}}, "concurrentReads"),
        ({"postgresql": {"deploy": True}}, "no stores"),
    ],
)
def test_the_stand_in_refuses_what_the_chart_refuses_or_ignores(
    values: dict[str, Any], said: str, tmp_path: Path
) -> None:
    patch = {"kind": "HelmRelease", "name": "langfuse", "patch": {"spec": {"values": values}}}
    release = Release({**BY_CHART["shared"], "langfuse_kubernetes_patches": [patch]})
    done = _run(release.found["HelmRelease", "langfuse"], tmp_path)
    assert done.returncode == 1 and said in done.stderr
