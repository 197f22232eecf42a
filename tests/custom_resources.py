"""Writes the schemas of the operators' resources that the objects of an instance are held against.

`python -m tests.custom_resources` after a change of a version here. They come from the operators' Go modules, which
`go mod download` fetches; descriptions and status are left out. The licence of all of them is Apache-2.0.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "unit" / "documents" / "kubernetes" / "custom_resources.json"
# Module and version → files in it.
MODULES = {
    "github.com/cloudnative-pg/cloudnative-pg@v1.30.0": (
        "config/crd/bases/postgresql.cnpg.io_clusters.yaml",
        "config/crd/bases/postgresql.cnpg.io_databases.yaml",
        "config/crd/bases/postgresql.cnpg.io_scheduledbackups.yaml",
        "config/crd/bases/postgresql.cnpg.io_poolers.yaml",
    ),
    "github.com/cloudnative-pg/plugin-barman-cloud@v0.15.0": (
        "config/crd/bases/barmancloud.cnpg.io_objectstores.yaml",
    ),
    "sigs.k8s.io/gateway-api@v1.6.3": (
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        "config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml",
    ),
    "github.com/cilium/cilium@v1.20.2": ("pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml",),
    "github.com/kedacore/keda/v2@v2.21.0": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
    "github.com/fluxcd/kustomize-controller@v1.7.3": (
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    "github.com/fluxcd/helm-controller@v1.6.4": ("config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",),
    "github.com/fluxcd/source-controller@v1.9.6": (
        "config/crd/bases/source.toolkit.fluxcd.io_helmrepositories.yaml",
        "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
    ),
}
# Of resources with more than one version, the one that the collection writes.
VERSIONS = {"HTTPRoute": "v1", "ReferenceGrant": "v1beta1", "Kustomization": "v1"}


def _folder(module: str) -> Path:
    command = ["go", "mod", "download", "-json", module]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "GO111MODULE": "on"})
    return Path(json.loads(found.stdout)["Dir"])


def _bare(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _bare(value)
            for key, value in schema.items()
            # A property may be called so, too; then it is no text.
            if not (key in ("description", "title") and isinstance(value, str))
        }
    return [_bare(one) for one in schema] if isinstance(schema, list) else schema


def schemas() -> dict[str, Any]:
    """API version and kind → schema."""
    found = {}
    for module, files in MODULES.items():
        for file in files:
            definition = yaml.safe_load((_folder(module) / file).read_text("utf-8"))["spec"]
            kind = definition["names"]["kind"]
            for version in definition["versions"]:
                if version["name"] == VERSIONS.get(kind, version["name"]):
                    schema = _bare(version["schema"]["openAPIV3Schema"])
                    schema["properties"].pop("status", None)
                    found[f"{definition['group']}/{version['name']} {kind}"] = schema
    return found


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(schema, separators=(',', ':'))}" for name, schema in schemas().items()]
    FILE.write_text("{\n" + ",\n".join(sorted(lines)) + "\n}\n")
