"""Removes everything of the scenario's instances, whatever state they are in. Says what there was."""

from __future__ import annotations

import shutil

from tests.molecule.instance import (
    BASE,
    EPHEMERAL,
    FAULTS,
    LIFE,
    PLATFORM,
    PROJECT_LABEL,
    SHARED,
    SSO,
    Instance,
    docker,
)
from tests.molecule.shared import shop
from tests.molecule.sso import identity


def remove(instance: Instance) -> list[str]:
    """Objects of the instance that were there."""
    label = f"label={PROJECT_LABEL}={instance.name}"
    gone: list[str] = []
    containers = docker("ps", "-aq", "--filter", label).split()
    if containers:
        docker("rm", "--force", "--volumes", *containers, check=False)
        gone += [f"{len(containers)} containers"]
    for kind in ("volume", "network"):
        if found := docker(kind, "ls", "-q", "--filter", label).split():
            docker(kind, "rm", *found, check=False)
            gone += [f"{len(found)} {kind}s"]
    shutil.rmtree(instance.temporary, ignore_errors=True)
    instance.secrets_file.unlink(missing_ok=True)
    return gone


def main() -> None:
    for instance in (LIFE, FAULTS, PLATFORM, SHARED, SSO):
        if gone := remove(instance):
            print(f"{instance.name}: {', '.join(gone)}")
    shop.down()
    identity.down()
    if BASE.exists():
        shutil.rmtree(BASE)
        print(BASE)
    for path in (*EPHEMERAL.glob("variables-*.json"), *EPHEMERAL.glob("given-*.json")):
        path.unlink()


if __name__ == "__main__":
    main()
