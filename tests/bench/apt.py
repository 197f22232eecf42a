"""Debian packages of another release, through this machine's own mirror, without touching its apt.

The mirror is read from the machine's sources when the bench runs and is never written into the repository.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.shell import BenchError, run

# The engine and the base file system are fetched side by side; apt's lists take one writer.
_lock = threading.Lock()
_RELEASES = ("bullseye", "bookworm", "trixie", "forky", "stable", "testing", "sid")
_ONE_LINE = re.compile(r"^\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True)
class Source:
    """One entry of the machine's apt sources."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from; `security` is empty when no such entry exists."""

    main: str
    security: str = ""
    signed_by: str = ""

    def lines(self, suite: str) -> list[str]:
        """One-line sources for `suite`, e.g. `deb http://… trixie main`."""
        option = f"[signed-by={self.signed_by}] " if self.signed_by.startswith("/") else ""
        lines = [f"deb {option}{self.main} {suite} main"]
        if self.security:
            lines.append(f"deb {option}{self.security} {suite}-security main")
        return lines


def parse_one_line(text: str) -> list[Source]:
    """The `sources.list` form. Comments, `deb-src` and lines apt would refuse are left out."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0])
        if match:
            options = dict(item.partition("=")[::2] for item in (match["options"] or "").split())
            found.append(
                Source(
                    (match["uri"],), (match["suite"],), tuple(match["components"].split()), options.get("signed-by", "")
                )
            )
    return found


def _stanzas(text: str) -> Iterable[dict[str, str]]:
    """deb822 stanzas with lower-cased keys; comment lines may stand inside a stanza."""
    stanza: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, key = {}, ""
        elif line[0].isspace() and key:
            stanza[key] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            stanza[key] = value.strip()


def parse_deb822(text: str) -> list[Source]:
    """The `*.sources` form. Stanzas that are disabled or hold no binary packages are left out."""
    return [
        Source(
            tuple(stanza.get("uris", "").split()),
            tuple(stanza.get("suites", "").split()),
            tuple(stanza.get("components", "").split()),
            # An embedded key starts with a PGP header: only a path can be handed on.
            stanza.get("signed-by", "") if "\n" not in stanza.get("signed-by", "") else "",
        )
        for stanza in _stanzas(text)
        if "deb" in stanza.get("types", "").split() and stanza.get("enabled", "yes").lower() not in ("no", "false")
    ]


def pick_mirror(sources: Iterable[Source]) -> Mirror | None:
    """The first Debian archive with `main`, and the security archive beside it."""
    main = security = signed_by = ""
    for source in sources:
        if "main" not in source.components or not source.uris:
            continue
        if not main and any(suite in _RELEASES for suite in source.suites):
            main, signed_by = source.uris[0], source.signed_by
        if not security and any(suite.endswith("-security") for suite in source.suites):
            security = source.uris[0]
    return Mirror(main, security, signed_by) if main else None


def machine_mirror(etc_apt: Path = Path("/etc/apt")) -> Mirror:
    sources: list[Source] = []
    for path in [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]:
        if path.suffix == ".sources":
            sources += parse_deb822(path.read_text())
        elif path.suffix == ".list" and path.exists():
            sources += parse_one_line(path.read_text())
    mirror = pick_mirror(sources)
    if mirror is None:
        raise BenchError(f"no Debian archive in {etc_apt}: add one to sources.list, or install Docker with Compose v2")
    return mirror


def codename(os_release: str) -> str:
    """VERSION_CODENAME of a Debian `/etc/os-release`; empty on anything else."""
    values = dict(line.partition("=")[::2] for line in os_release.splitlines())
    return values.get("VERSION_CODENAME", "").strip('"') if values.get("ID", "").strip('"') == "debian" else ""


class PrivateApt:
    """apt with its own sources and state: the machine's lists stay as they are."""

    def __init__(self, directory: Path, mirror: Mirror, suite: str) -> None:
        self._directory = directory / suite
        for part in ("lists/partial", "archives/partial"):
            (self._directory / part).mkdir(parents=True, exist_ok=True)
        self._sources = self._directory / "sources.list"
        self._sources.write_text("\n".join(mirror.lines(suite)) + "\n")

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::SourceList": self._sources,
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": self._directory / "lists",
            "Dir::Cache": self._directory,
            "Dir::Cache::Archives": self._directory / "archives",
            # _apt may not read a cache under a private home directory.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def download(self, packages: Sequence[str], into: Path) -> list[Path]:
        """The packages' .deb files as the mirror has them now, without their dependencies."""
        into.mkdir(parents=True, exist_ok=True)
        with _lock:
            run(["apt-get", *self._options(), "-q", "update"])
            run(["apt-get", *self._options(), "-q", "download", *packages], cwd=into)
        return [max(into.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime) for package in packages]
