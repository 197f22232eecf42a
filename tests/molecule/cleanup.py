"""Removes everything of a scenario's instances, whatever state they are in. Says what there was.

`python -m tests.molecule.cleanup SCENARIO`; without a name, of all scenarios.
"""

from __future__ import annotations

import shutil
import sys

from tests.molecule.gitops import platform as gitops_platform
from tests.molecule.gitops.instance import GITOPS
from tests.molecule.instance import (
    BASE,
    EPHEMERAL,
    FAULTS,
    LIFE,
    PLATFORM,
    PROJECT_LABEL,
    SHARED,
    SSO,
    Deployed,
    Instance,
    docker,
)
from tests.molecule.kubernetes import platform
from tests.molecule.kubernetes.instance import CLUSTER
from tests.molecule.shared import shop
from tests.molecule.sso import identity

OWNERS = {instance.home.parent.name: instance.scenario for instance in (SHARED, SSO)}


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
    forget(instance)
    return gone


def forget(instance: Deployed) -> None:
    """What its playbooks left on this machine."""
    shutil.rmtree(instance.temporary, ignore_errors=True)
    instance.secrets_file.unlink(missing_ok=True)


def main(scenario: str = "") -> None:
    for instance in (LIFE, FAULTS, PLATFORM, SHARED, SSO):
        if scenario not in ("", instance.scenario):
            continue
        if gone := remove(instance):
            print(f"{instance.name}: {', '.join(gone)}")
        if instance == SHARED:
            shop.down()
        if instance == SSO:
            identity.down()
    if scenario in ("", CLUSTER.scenario):
        platform.down()
        forget(CLUSTER)
    if scenario in ("", GITOPS.scenario):
        gitops_platform.down()
        forget(GITOPS)
    # Each other scenario has one directory, and the default one the rest.
    for place in sorted(BASE.iterdir()) if BASE.exists() else ():
        if scenario in ("", OWNERS.get(place.name, LIFE.scenario)):
            shutil.rmtree(place)
            print(place)
    if BASE.exists() and not any(BASE.iterdir()):
        BASE.rmdir()
    for path in (*EPHEMERAL.glob("variables-*.json"), *EPHEMERAL.glob("given-*.json")):
        path.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
