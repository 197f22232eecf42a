# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that are too old for Langfuse: the bench's sources on an older Debian's own packages, built once."""

from __future__ import annotations

import hashlib
import subprocess

from tests.bench import builder, catalogue
from tests.bench.lock import only_one
from tests.bench.paths import IMAGE_SOURCES, find_paths
from tests.integration.modules.conftest import docker


def postgres(major: int, suite: str) -> str:
    """Reference of an image with PostgreSQL of that Debian release."""
    return _built("postgres", str(major), suite, {"17": str(major)})


def redis() -> str:
    """Reference of an image with Redis 6.0."""
    return _built("redis", "6", "bullseye", {})


def _built(name: str, tag: str, suite: str, changes: dict[str, str]) -> str:
    paths, sources = find_paths(), IMAGE_SOURCES / name
    dockerfile = (sources / "Dockerfile").read_text()
    for old, new in changes.items():
        dockerfile = dockerfile.replace(old, new)
    content = dockerfile + catalogue.hash_base(suite)
    content += "".join(path.read_text() for path in sorted(sources.glob("*.sh")))
    reference = f"{catalogue.REGISTRY}/test/{name}:{tag}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    if docker("images", "-q", reference):
        return reference
    with only_one(paths):
        base = builder.ensure_base_image(paths, builder.ensure_base_tarball(paths, {}, suite), {}, suite)
        words = ["docker", "build", "-q", "-t", reference, "--build-arg", f"BASE={base}", "-f", "-", str(sources)]
        subprocess.run(words, input=dockerfile, text=True, check=True, capture_output=True, timeout=600)
    return reference
