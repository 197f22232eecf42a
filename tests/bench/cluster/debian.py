"""Programs of Debian's packages that the node needs and that must not be installed for it: nft, and the links of pods."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.bench.apt import PrivateApt, codename, machine_mirror
from tests.bench.cluster.layout import Layout
from tests.bench.shell import BenchError, run, step

# nft with the libraries that a minimal Debian lacks, and the reference plugins of CNI.
PACKAGES = (
    "containernetworking-plugins",
    "libbsd0",
    "libedit2",
    "libjansson4",
    "libmnl0",
    "libnftables1",
    "libnftnl11",
    "libxtables12",
    "nftables",
)
_SUITES = ("bookworm", "trixie")


def folder(layout: Layout) -> Path:
    """Where the packages of the release that this machine runs are unpacked."""
    suite = codename(Path("/etc/os-release").read_text())
    if suite not in _SUITES:
        raise BenchError("the cluster takes nft and CNI's plugins from Debian 12 or 13, and this machine is neither")
    return layout.tools / f"node-{suite}"


def ensure(layout: Layout, times: dict[str, float]) -> Path:
    kept = folder(layout)
    if kept.exists():
        return kept
    with step("fetch nft and the plugins of CNI", times, "node packages"):
        partial = kept.with_name(f"partial-{kept.name}")
        shutil.rmtree(partial, ignore_errors=True)
        apt = PrivateApt(layout.paths.apt, machine_mirror(), kept.name.removeprefix("node-"))
        for package in apt.download(PACKAGES, partial / "packages"):
            run(["dpkg-deb", "-x", package, partial / "root"])
        (partial / "root").rename(kept)
        shutil.rmtree(partial)
    return kept


def plugins(unpacked: Path) -> Path:
    return unpacked / "usr" / "lib" / "cni"


def environment(unpacked: Path) -> dict[str, str]:
    """With it, `nft` is found, and its libraries."""
    (libraries,) = (unpacked / "usr" / "lib").glob("*-linux-gnu")
    return {
        "PATH": f"{unpacked / 'usr' / 'sbin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(libraries),
    }
