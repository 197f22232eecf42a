"""Objects that operators publish, read from their Go modules at pinned versions and kept in the cache as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.bench.cluster.api import Api, Object, has_condition
from tests.bench.cluster.layout import Layout
from tests.bench.shell import BenchError, run, step

_DEFINITION = "CustomResourceDefinition"
_ESTABLISHED_SECONDS = 30


@dataclass(frozen=True)
class Source:
    """Files (or folders of them) in a module."""

    name: str
    module: str
    version: str
    places: Sequence[str]

    @property
    def key(self) -> str:
        return f"manifests-{self.name}-{self.version}"


GATEWAY_API = Source("gateway-api", "sigs.k8s.io/gateway-api", "v1.6.3", ("config/crd/standard",))
CNPG = Source("cnpg", "github.com/cloudnative-pg/cloudnative-pg", "v1.30.0", ("releases/cnpg-1.30.0.yaml",))
METRICS = Source("metrics-server", "sigs.k8s.io/metrics-server", "v0.9.0", ("manifests/base",))
_KEDA = ("github.com/kedacore/keda/v2", "v2.21.0")
KEDA_DEFINITIONS = Source("keda", *_KEDA, ("config/crd/bases",))
KEDA = Source(
    "keda-operator",
    *_KEDA,
    (
        "config/general/namespace.yaml",
        "config/service_account",
        "config/rbac",
        "config/manager",
        "config/metrics-server",
    ),
)
_FLUX = ("config/crd/bases", "config/rbac", "config/manager")
KUSTOMIZE_CONTROLLER = Source("kustomize-controller", "github.com/fluxcd/kustomize-controller", "v1.7.3", _FLUX)
HELM_CONTROLLER = Source("helm-controller", "github.com/fluxcd/helm-controller", "v1.6.4", _FLUX)
# Of the controller itself no version can be built; its module has the definitions.
SOURCES = Source("source-controller", "github.com/fluxcd/source-controller", "v1.9.6", ("config/crd/bases",))
_CILIUM_FOLDER = "pkg/k8s/apis/cilium.io/client/crds"
# Of operators that run only where they are asked for, or not at all: objects are held against their schema.
DEFINITIONS = (
    Source("barman", "github.com/cloudnative-pg/plugin-barman-cloud", "v0.15.0", ("config/crd/bases",)),
    Source("cert-manager", "github.com/cert-manager/cert-manager", "v1.21.2", ("deploy/crds",)),
    Source("cilium", "github.com/cilium/cilium", "v1.20.2", (f"{_CILIUM_FOLDER}/v2", f"{_CILIUM_FOLDER}/v2alpha1")),
    Source("external-secrets", "github.com/external-secrets/external-secrets", "v1.3.2", ("config/crds/bases",)),
    KEDA_DEFINITIONS,
    Source(
        "prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        ("example/prometheus-operator-crd",),
    ),
)


class _Loader(yaml.CSafeLoader):
    """Takes a bare `=`, an operator of matchers, for the text that it is."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def read(folder: Path, places: Sequence[str]) -> list[Object]:
    """The objects of these files; what is no object of the API (a kustomization) is left out."""
    found: list[Object] = []
    for place in places:
        path = folder / place
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            for each in yaml.load_all(file.read_text(), _Loader):
                if each and not each.get("apiVersion", "kustomize.").startswith("kustomize."):
                    found.append(each)
    return found


def ensure(layout: Layout, source: Source, times: dict[str, float]) -> list[Object]:
    """The objects of a source. The module is fetched once."""
    kept = layout.tools / f"{source.key}.json"
    if not kept.exists():
        with step(f"read {source.name} {source.version} from its module", times, f"{source.name} manifests"):
            layout.tools.mkdir(parents=True, exist_ok=True)
            words = ["go", "mod", "download", "-json", f"{source.module}@{source.version}"]
            answer = json.loads(run(words, cwd=layout.tools, env={**os.environ, "GOFLAGS": "-mod=mod"}))
            found = read(Path(answer["Dir"]), source.places)
            if not found:
                raise BenchError(f"{source.module} {source.version} has no objects in {', '.join(source.places)}")
            partial = kept.with_name(f"partial-{kept.name}")
            partial.write_text(json.dumps(found))
            partial.replace(kept)
    objects: list[Object] = json.loads(kept.read_text())
    return objects


def apply(api: Api, wanted: Sequence[Object]) -> None:
    """Definitions first; the rest when the server knows them."""
    definitions = [each for each in wanted if each["kind"] == _DEFINITION]
    api.apply(definitions)
    for each in definitions:
        name = each["metadata"]["name"]
        api.wait(api.path_of(each), is_established, f"definition {name} that is established", _ESTABLISHED_SECONDS)
    api.apply(each for each in wanted if each["kind"] != _DEFINITION)


def is_established(definition: Object) -> bool:
    return has_condition(definition, "Established")


def with_image(wanted: Object, reference: str) -> Object:
    """A published Deployment with an image that is on the node, also where its environment names the image."""
    (container,) = wanted["spec"]["template"]["spec"]["containers"]
    published = container["image"]
    variables: list[dict[str, Any]] = [
        {**each, "value": reference} if each.get("value") == published else each for each in container.get("env", [])
    ]
    changed = {**container, "image": reference, "imagePullPolicy": "IfNotPresent", "env": variables}
    template = wanted["spec"]["template"]
    spec = {**template["spec"], "containers": [changed]}
    return {**wanted, "spec": {**wanted["spec"], "template": {**template, "spec": spec}}}
