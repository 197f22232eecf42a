"""The programs that are compiled from Go modules at pinned versions, once, and kept by version."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.cluster.layout import Layout
from tests.bench.lock import exclusive
from tests.bench.shell import BenchError, run, step

SOURCES = Path(__file__).resolve().parent / "programs"
KUBERNETES_VERSION = "1.36.3"
_VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Program:
    """A folder with a `go.mod`; `package` is compiled to one file, which `names` call by links.

    `variables` are set at link time: `package.variable` -> value. `folder` is of another name where programs share a module.
    """

    name: str
    package: str = "."
    names: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    @property
    def source(self) -> Path:
        return SOURCES / (self.folder or self.name)


_MAJOR, _MINOR, _PATCH = KUBERNETES_VERSION.split(".")
KUBERNETES = Program(
    "kubernetes",
    names=(
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "kubelet",
        "remove-pods",
    ),
    variables={
        f"{_VERSION_PACKAGE}.gitVersion": f"v{KUBERNETES_VERSION}",
        f"{_VERSION_PACKAGE}.gitMajor": _MAJOR,
        f"{_VERSION_PACKAGE}.gitMinor": _MINOR,
    },
)
PAUSE = Program("pause")
COREDNS = Program("coredns")
CNPG = Program("cnpg", package="github.com/cloudnative-pg/cloudnative-pg/cmd/manager")
METRICS = Program("metrics-server", package="sigs.k8s.io/metrics-server/cmd/metrics-server")
KEDA = Program("keda", package="github.com/kedacore/keda/v2/cmd/operator")
KEDA_ADAPTER = Program("keda-adapter", package="github.com/kedacore/keda/v2/cmd/adapter", folder="keda")
KUSTOMIZE_CONTROLLER = Program("kustomize-controller", package="github.com/fluxcd/kustomize-controller")
HELM_CONTROLLER = Program("helm-controller", package="github.com/fluxcd/helm-controller")
_FLUX = (KUSTOMIZE_CONTROLLER, HELM_CONTROLLER)
SOPS = Program("sops", package="github.com/getsops/sops/v3/cmd/sops")
AGE = Program("age-keygen", package="filippo.io/age/cmd/age-keygen", folder="age")
# For tests of the chart that need no cluster.
HELM_TEMPLATE = Program("helm-template")
PROGRAMS = (KUBERNETES, PAUSE, COREDNS, CNPG, METRICS, KEDA, KEDA_ADAPTER, *_FLUX, SOPS, AGE, HELM_TEMPLATE)


def hash_sources(program: Program) -> str:
    """Changes with the modules' versions, our own lines and the linked variables."""
    digest = hashlib.sha256(repr((program.package, program.names, sorted(program.variables.items()))).encode())
    for path in sorted(program.source.iterdir()):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(f"\n{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()[:12]


def folder(layout: Layout, program: Program) -> Path:
    return layout.tools / f"{program.name}-{hash_sources(program)}"


def executable(layout: Layout, program: Program, name: str = "") -> Path:
    return folder(layout, program) / (name or program.name)


def kubectl(layout: Layout) -> list[str]:
    """Its first words. What it remembers of a server goes with the cluster, because the next one has the same address."""
    program = executable(layout, KUBERNETES, "kubectl")
    return [str(program), f"--kubeconfig={layout.kubeconfig}", f"--cache-dir={layout.state / 'kubectl'}"]


def link_flags(program: Program) -> str:
    return " ".join(["-s", "-w", *(f"-X={name}={value}" for name, value in program.variables.items())])


def ensure(layout: Layout, program: Program, times: dict[str, float]) -> Path:
    """The folder with the program and the names that it is called by."""
    kept = folder(layout, program)
    if kept.exists():
        return kept
    with exclusive(layout.tools / f"{program.name}.lock", f"{program.name}, which another run compiles"):
        return kept if kept.exists() else _compile(program, kept, times)


def _compile(program: Program, kept: Path, times: dict[str, float]) -> Path:
    if not shutil.which("go"):
        raise BenchError("the cluster's programs are compiled from Go modules: install Go 1.26 or newer")
    partial = kept.with_name(f"partial-{kept.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # Static, so that the same file runs in a container without a libc.
    environment = {**os.environ, "CGO_ENABLED": "0"}
    words = ["go", "build", "-trimpath", "-buildvcs=false", f"-ldflags={link_flags(program)}"]
    with step(f"compile {program.name}", times, f"{program.name} program"):
        run([*words, "-o", partial / program.name, program.package], env=environment, cwd=program.source)
    for name in program.names:
        (partial / name).symlink_to(program.name)
    partial.rename(kept)
    return kept
