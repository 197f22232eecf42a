"""Build the base image and, side by side, the images on it; skip what is already there."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench import catalogue, maven
from tests.bench.apt import PrivateApt, machine_mirror
from tests.bench.catalogue import HASH_LABEL, Image
from tests.bench.paths import Paths
from tests.bench.shell import BenchError, run, step, succeeds

_WHEEL_TARGET = ("--only-binary=:all:", "--python-version=3.13", "--implementation=cp")
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
_AT_ONCE = 3


@dataclass(frozen=True)
class Built:
    """One finished image. `size` in bytes as the engine counts it, `seconds` of its last build."""

    name: str
    variable: str
    repository: str
    tag: str
    context: str
    size: int
    seconds: float

    @property
    def reference(self) -> str:
        return f"{catalogue.REGISTRY}/{self.repository}:{self.tag}"


def labels_of(references: list[str]) -> dict[str, str]:
    """Reference → context hash, for those references that exist."""
    form = '{{range .RepoTags}}{{.}} {{end}}{{index .Config.Labels "' + HASH_LABEL + '"}}'
    found = {}
    for reference in references:
        try:
            *_, label = run(["docker", "image", "inspect", "--format", form, reference]).split()
        except (BenchError, ValueError):
            continue
        found[reference] = label
    return found


def registry_answers() -> bool:
    return succeeds(["docker", "manifest", "inspect", catalogue.PROBED_REGISTRY_IMAGE], timeout=10)


def _extract_mmdebstrap(paths: Paths) -> Path:
    """mmdebstrap is one script: it runs from its unpacked package, so nothing is installed for it."""
    tool = paths.packages / "mmdebstrap" / "usr" / "bin" / "mmdebstrap"
    if not tool.exists():
        apt = PrivateApt(paths.apt, machine_mirror(), catalogue.SUITE)
        (package,) = apt.download(["mmdebstrap"], paths.packages)
        run(["dpkg-deb", "-x", package, paths.packages / "mmdebstrap"])
    return tool


def ensure_base_tarball(paths: Paths, times: dict[str, float], suite: str = catalogue.SUITE) -> Path:
    """A minimal Debian as a tarball in the cache, made from the machine's own mirror."""
    tarball = paths.bench / f"base-{catalogue.hash_base(suite)}.tar"
    if tarball.exists():
        return tarball
    with step(f"make the base file system (Debian {suite})", times, "base file system"):
        partial = tarball.with_name(f"partial-{tarball.name}")
        tool = _extract_mmdebstrap(paths)
        run(
            [
                # It makes all mounts private, and those of a kubelet have to stay shared.
                "unshare",
                "--mount",
                tool,
                "--variant=minbase",
                f"--include={','.join(catalogue.BASE_PACKAGES)}",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                '--aptopt=Acquire::Languages "none"',
                '--aptopt=APT::Install-Recommends "false"',
                suite,
                partial,
                *machine_mirror().lines(suite),
            ],
            # The programs it calls lie beside it.
            env={**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}"},
            log=paths.build_log,
        )
        partial.replace(tarball)
    return tarball


def ensure_base_image(paths: Paths, tarball: Path, times: dict[str, float], suite: str = catalogue.SUITE) -> str:
    """The reference of that file system as an image."""
    reference, wanted = catalogue.base_reference(suite), catalogue.hash_base(suite)
    if labels_of([reference]).get(reference) == wanted:
        return reference
    with step(f"import the base image (Debian {suite})", times, "base image"):
        label = f"LABEL {HASH_LABEL}={wanted}"
        run(["docker", "import", "--change", label, tarball, reference], log=paths.build_log)
    return reference


def _pip() -> list[str]:
    for words in ([sys.executable, "-m", "pip"], ["python3", "-m", "pip"], ["pip3"], ["pip"]):
        if succeeds([*words, "--version"]):
            return words
    raise BenchError("no pip: install python3-pip, the images need wheels")


def ensure_wheels(paths: Paths, image: Image, times: dict[str, float]) -> Path:
    """The image's wheels, fetched by this machine's pip as it is configured here."""
    directory = paths.wheels / f"{image.name}-{catalogue.hash_context(image)}"
    if not image.requirements.exists() or directory.exists():
        return directory
    names = " ".join(line for line in image.requirements.read_text().split("\n") if line and line[0] != "#")
    with step(f"fetch {names}", times, f"{image.name} wheels"):
        shared, partial = paths.wheels / "all", directory.with_suffix(".partial")
        platforms = [f"--platform={platform}" for platform in _PLATFORMS]
        words = [*_pip(), "download", "--no-deps", "--quiet", *_WHEEL_TARGET, *platforms]
        shared.mkdir(parents=True, exist_ok=True)
        run([*words, f"--find-links={shared}", "--dest", shared, "-r", image.requirements], log=paths.build_log)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for line in names.split():
            name, _, version = line.partition("==")
            for wheel in shared.glob(f"{name.replace('-', '_')}-{version}-*.whl"):
                (partial / wheel.name).hardlink_to(wheel)
        partial.rename(directory)
    return directory


def build(paths: Paths, image: Image, context: str, times: dict[str, float]) -> Built:
    started = time.monotonic()
    wheels = ensure_wheels(paths, image, times)
    artifacts = maven.ensure(paths, maven.parse(image.maven.read_text()), times) if image.maven.exists() else None
    candidate = f"{catalogue.REGISTRY}/candidate/{image.name}:{context}"
    with step(f"build {image.repository}", times, f"{image.name} image"):
        words: list[str | Path] = ["docker", "build", "--progress=plain", "-t", candidate, "-f", image.dockerfile]
        words += ["--build-arg", f"BASE={catalogue.base_reference(image.suite)}", "--label", f"{HASH_LABEL}={context}"]
        if image.requirements.exists():
            words += ["--build-context", f"wheels={wheels}"]
        if artifacts is not None:
            words += ["--build-context", f"maven={artifacts}"]
        if image.target:
            words += ["--target", image.target]
        run([*words, image.context], log=paths.build_log)
        tag = image.tag or _probe_version(image, candidate)
        run(["docker", "tag", candidate, image.reference(tag)])
        run(["docker", "rmi", candidate])
    size = int(run(["docker", "image", "inspect", "--format", "{{.Size}}", image.reference(tag)]))
    seconds = round(time.monotonic() - started, 1)
    return Built(image.name, image.variable, image.repository, tag, context, size, seconds)


def _probe_version(image: Image, reference: str) -> str:
    entry, *arguments = image.probe
    words = ["docker", "run", "--rm", "--network=none", "--entrypoint", entry, reference, *arguments]
    try:
        return image.find_version(run(words, timeout=60))
    except ValueError as error:
        raise BenchError(f"{image.name}: {error}") from error


def read_report(paths: Paths) -> list[Built]:
    """What the last `up` built; empty when there is no report, or one this version cannot read."""
    try:
        return [Built(**entry) for entry in json.loads(paths.build_report.read_text())["images"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def present_images(paths: Paths) -> dict[str, Built]:
    """Name → image, for those that are in the engine and still match their sources."""
    known = {built.name: built for built in read_report(paths)}
    hashes = {image.name: catalogue.hash_context(image) for image in catalogue.wanted_images()}
    fresh = [built for name, built in known.items() if hashes.get(name) == built.context]
    labels = labels_of([built.reference for built in fresh])
    return {built.name: built for built in fresh if labels.get(built.reference) == built.context}


def ensure_images(paths: Paths, tarball: Path, times: dict[str, float]) -> list[Built]:
    present = present_images(paths)
    missing = [image for image in catalogue.wanted_images() if image.name not in present]
    if missing:
        ensure_base_image(paths, tarball, times)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            jobs = [pool.submit(build, paths, image, catalogue.hash_context(image), times) for image in missing]
        failures = [error for job in jobs if (error := job.exception()) is not None]
        for job in jobs:
            if job.exception() is None:
                present[job.result().name] = job.result()
        # The images that these replace are half a gigabyte each.
        run(["docker", "image", "prune", "--force", "--filter", f"label={HASH_LABEL}"], log=paths.build_log)
        if failures:
            # What could be built stays built.
            write_report(paths, list(present.values()), times, {})
            raise failures[0]
    return [present[image.name] for image in catalogue.wanted_images()]


def write_report(paths: Paths, images: list[Built], times: dict[str, float], facts: dict[str, object]) -> None:
    content = {**facts, "seconds": times, "images": [asdict(built) for built in images]}
    paths.build_report.write_text(json.dumps(content, indent=1) + "\n")
