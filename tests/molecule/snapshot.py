"""Everything that a playbook could change on the host: files with their times, and Docker's objects."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from tests.molecule.instance import PROJECT_LABEL, Instance, docker


def files(*roots: Path) -> dict[str, tuple[Any, ...]]:
    """Path → mode, time of change, and a hash of the content. Python's own caches do not count."""
    found: dict[str, tuple[Any, ...]] = {}
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for path in (Path(folder), *(Path(folder) / name for name in names)):
                found[str(path)] = _entry(path)
        if root.is_file():
            found[str(root)] = _entry(root)
    return found


def _entry(path: Path) -> tuple[Any, ...]:
    status = path.lstat()
    kind = stat.S_ISREG(status.st_mode)
    if path.is_dir() and any(name in path.parts for name in (".python",)):
        return (oct(status.st_mode),)  # imports write their caches into it
    content = hashlib.sha256(path.read_bytes()).hexdigest() if kind and ".python" not in path.parts else ""
    return (oct(status.st_mode), status.st_mtime_ns, content)


def docker_objects(instance: Instance) -> dict[str, Any]:
    """Containers with id and start, volumes and networks of the project; every other one with its name too."""
    named = docker("ps", "-a", "--no-trunc", "--filter", f"name={instance.name}-", "--format", "{{.ID}}")
    return {
        "containers": {c.id: c.started for c in instance.containers()},
        "named": sorted(named.split()),
        "volumes": sorted(instance.volumes()),
        "named volumes": sorted(docker("volume", "ls", "-q", "--filter", f"name={instance.name}_").split()),
        "networks": sorted(instance.networks()),
    }


def host(instance: Instance) -> dict[str, Any]:
    """The state that a refused or predicted run must leave as it is."""
    return {
        "files": files(instance.home, instance.secrets_file),
        "home": instance.home.exists(),
        "temporary": sorted(str(path) for path in instance.temporary.glob("*")),
        "docker": docker_objects(instance),
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What differs, for people."""
    lines = []
    for part in before:
        if before[part] == after[part]:
            continue
        if isinstance(before[part], dict) and isinstance(after[part], dict):
            for key in sorted({*before[part], *after[part]}):
                old, new = before[part].get(key), after[part].get(key)
                if old != new:
                    lines.append(f"{part}: {key}: {json.dumps(old)} → {json.dumps(new)}")
        else:
            lines.append(f"{part}: {before[part]} → {after[part]}")
    return "\n".join(lines)


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before == after, difference(before, after)


def everything_gone(instance: Instance) -> None:
    """No container, volume, network or file of the instance is left."""
    left = docker("ps", "-aq", "--filter", f"label={PROJECT_LABEL}={instance.name}")
    assert not left.split(), left
    assert not instance.volumes()
    assert not instance.networks()
    assert not instance.directory.exists()
