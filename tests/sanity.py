"""ansible-test sanity over a copy of the tracked files.

It wants the collection under `ansible_collections/`, and bootstraps its environments with a pip that
it downloads from a place of its own. Where that is out of reach, the pip that Python bundles does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ROOT = Path(__file__).resolve().parents[1]

_BUNDLED_PIP = """import ensurepip, glob, os, sys
folder = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
sys.path.insert(0, glob.glob(os.path.join(folder, "pip-*.whl"))[0])
from pip._internal.cli.main import main
sys.exit(main(["install", "--no-index", "--find-links", folder, "pip"]))
"""


def bootstrap(home: Path) -> Path:
    """Put the bundled pip where ansible-test looks before it downloads; an existing file is left alone."""
    version = subprocess.run(
        [
            sys.executable,
            "-c",
            "from ansible_test._internal import python_requirements as p, host_configs as h\n"
            f"print(p.get_venv_packages(h.NativePythonConfig(version={PYTHON!r}))['pip'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    path = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_BUNDLED_PIP)
    return path


def copy(collection: Path) -> None:
    """The tracked files that the tarball would have, as a repository of their own."""
    shutil.rmtree(collection, ignore_errors=True)
    collection.mkdir(parents=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists() and not re.match(r"(tests|molecule|\.ci)/", name):
            target = collection / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    subprocess.run(["git", "init", "-q"], cwd=collection, check=True)
    subprocess.run(["git", "add", "-A"], cwd=collection, check=True)


def main(cache: Path) -> tuple[list[str], Path, dict[str, str]]:
    """What to run, where, and with which environment."""
    collection = cache / "sanity" / "ansible_collections" / "llmops" / "langfuse"
    copy(collection)
    bootstrap(Path.home())
    environment = {"PYTHONPATH": "", "ANSIBLE_COLLECTIONS_PATH": "", "ANSIBLE_CONFIG": os.devnull}
    return ["ansible-test", "sanity", "--venv", "--color", "no", "--python", PYTHON], collection, environment
