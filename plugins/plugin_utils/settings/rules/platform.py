# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform around an instance asks of it: authorities, proxy, labels, mounts, places."""

from __future__ import annotations

import posixpath
import re
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from .. import mounts
from ..data import data_directory as own_data_directory
from ..data import project_directory
from ..plan import Settings
from ..problems import Problem

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# As names of images begin: a host, perhaps a port, and a path in lower case.
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = re.compile(rf"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(:\d+)?(/{_PART})*/?")
# Labels that Compose, Docker and this collection find their own containers by.
_RESERVED_LABELS = ("com.docker.", "io.docker.", "org.dockerproject.", "llmops.langfuse.")


def ca_certificates(settings: Settings) -> Iterator[Problem]:
    """Node starts with a broken file too, and then trusts none of it."""
    name, text = "langfuse_ca_certificates", settings["langfuse_ca_certificates"]
    if not text:
        return
    if "PRIVATE KEY-----" in text:
        yield Problem(name, "holds a private key, which every container could read", "Give only the certificates")
        return
    blocks = _CERTIFICATE.findall(text)
    if not blocks or len(blocks) != text.count("-----BEGIN "):
        yield Problem(
            name,
            "is not the text of PEM certificates" if not blocks else "holds something that is no whole certificate",
            "Write it like \"{{ lookup('ansible.builtin.file', '/path/to/ca.pem') }}\"",
        )
    for number, block in enumerate(blocks, start=1):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(block))
        except (ssl.SSLError, ValueError):
            yield Problem(name, f"has a certificate that cannot be read, number {number}", "Copy it again as a whole")


def https_proxy(settings: Settings) -> Iterator[Problem]:
    name, value = "langfuse_https_proxy", settings["langfuse_https_proxy"]
    if not value:
        return
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        sound = sound and parts.path in ("", "/") and not parts.query and not parts.fragment
    except ValueError:
        sound = False
    if not sound or " " in value:
        yield Problem(
            name,
            "is not the http or https URL of a proxy",
            "Write it like http://proxy.example.com:3128, user and password percent-encoded",
        )


def no_proxy(settings: Settings) -> Iterator[Problem]:
    name, hosts = "langfuse_no_proxy", settings["langfuse_no_proxy"]
    if hosts and not settings["langfuse_https_proxy"]:
        yield Problem(name, "is set while langfuse_https_proxy is not", "Set the proxy, or remove it")
    for host in hosts:
        if not re.fullmatch(r"[A-Za-z0-9.*:\[\]_-]+", host):
            yield Problem(
                name, f"has {host!r}, which is not a host", "Write names like git.example.com or .example.com"
            )


def labels(settings: Settings) -> Iterator[Problem]:
    for key, value in settings["langfuse_labels"].items():
        if not re.fullmatch(r"[^\s=]+", key):
            yield Problem("langfuse_labels", f"has {key!r}, which is not a name", "Leave out spaces and =")
        elif key.startswith(_RESERVED_LABELS):
            yield Problem(
                "langfuse_labels", f"has {key}, by which containers are found", "Use a name of your own, like team"
            )
        elif not isinstance(value, str):
            yield Problem("langfuse_labels", f"has {key} with a value that is not text", "Put it in quotes")


def extra_volumes(settings: Settings) -> Iterator[Problem]:
    name, seen = "langfuse_extra_volumes", set()
    for text in settings["langfuse_extra_volumes"]:
        mount = mounts.parse(text)
        if mount is None:
            yield Problem(
                name,
                f"has {text!r}, which is not a mount of two absolute paths",
                "Write it like /srv/models:/models:ro",
            )
        elif mounts.taken(mount.target):
            yield Problem(name, f"has the target {mount.target}, which is mounted already", "Choose another target")
        elif mount.target in seen:
            yield Problem(name, f"has the target {mount.target} twice", "Choose another target for one of them")
        else:
            seen.add(mount.target)


def data_directory(settings: Settings) -> Iterator[Problem]:
    name, given = "langfuse_data_directory", settings["langfuse_data_directory"]
    if not given:
        return
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+/?", given) or posixpath.normpath(given) != given.rstrip("/"):
        yield Problem(name, "is not a plain absolute path", "Write it like /srv/langfuse")
        return
    data, project = own_data_directory(settings) or "", posixpath.normpath(project_directory(settings))
    if posixpath.commonpath([data, project]) in (data, project):
        yield Problem(
            name,
            f"puts the data into {data}, and the project itself is in {project}",
            "Choose a directory beside it, like /srv/langfuse",
        )


def image_registry(settings: Settings) -> Iterator[Problem]:
    """The beginning of every image's name, which whoever may look at pods or containers reads."""
    name, given = "langfuse_image_registry", settings["langfuse_image_registry"] or ""
    if "://" in given or "@" in given:
        yield Problem(
            name,
            "is a URL, or has credentials in it (not shown), and a container's image has neither",
            "Write host and path, like mirror.example.com:5000/hub; log in with docker login, or name "
            "langfuse_kubernetes_pull_secrets in a cluster",
        )
    elif not _REGISTRY.fullmatch(given):
        yield Problem(name, "is not a registry", "Write host and path, like mirror.example.com:5000/hub")


def image_archive(settings: Settings) -> Iterator[Problem]:
    name, given = "langfuse_image_archive", settings["langfuse_image_archive"]
    if given and not given.startswith("/"):
        yield Problem(name, "is not an absolute path", "Write it like {{ inventory_dir }}/images.tar")
    if given and settings["langfuse_image_pull"] == "always":
        yield Problem("langfuse_image_pull", "is always while langfuse_image_archive is set", "Remove one of them")


RULES = (
    ca_certificates,
    https_proxy,
    no_proxy,
    labels,
    extra_volumes,
    data_directory,
    image_registry,
    image_archive,
)
