"""Images that only some tests need: built when one asks for them, whatever a registry answers."""

from __future__ import annotations

from tests.bench import builder, catalogue
from tests.bench.catalogue import HASH_LABEL, Image
from tests.bench.lock import only_one
from tests.bench.paths import Paths
from tests.bench.shell import BenchError, run


def by_name(name: str) -> Image:
    for image in catalogue.EXTRAS:
        if image.name == name:
            return image
    raise BenchError(f"no image {name}; there are {', '.join(image.name for image in catalogue.EXTRAS)}")


def find(image: Image) -> str:
    """The reference of the image of these very sources; empty when it is not built."""
    words = ["docker", "image", "ls", "--filter", f"label={HASH_LABEL}={catalogue.hash_context(image)}"]
    found = run([*words, "--format", "{{.Repository}}:{{.Tag}}"]).split()
    return next((reference for reference in found if reference.startswith(image.reference(""))), "")


def build(paths: Paths, name: str, times: dict[str, float]) -> str:
    """The reference of an extra image, built if these sources are new. The caller holds the lock."""
    image = by_name(name)
    if reference := find(image):
        return reference
    builder.ensure_base_image(paths, builder.ensure_base_tarball(paths, times, image.suite), times, image.suite)
    return builder.build(paths, image, catalogue.hash_context(image), times).reference


def ensure(paths: Paths, name: str) -> str:
    """The same for a test: it waits for another run of the bench."""
    if reference := find(by_name(name)):
        return reference
    with only_one(paths):
        return build(paths, name, {})
