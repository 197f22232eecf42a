# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and ports."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cluster import in_cluster
from ..endpoints import is_local, public_s3_endpoint, public_url
from ..hosts import split
from ..plan import Settings
from ..problems import Problem
from ..sources import is_bundled
from .urls import is_address, is_loopback, is_name, is_web


def instance_name(settings: Settings) -> Iterator[Problem]:
    """Compose project, volumes and DNS names are made of it."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]", settings.instance):
        yield Problem(
            "langfuse_instance",
            "is not a name for a project",
            "Use lower-case letters, digits and hyphens, at most 40, a letter first",
        )


def urls(settings: Settings) -> Iterator[Problem]:
    for name in (
        "langfuse_public_url",
        "langfuse_s3_public_endpoint",
        "langfuse_s3_endpoint",
        "langfuse_otlp_endpoint",
    ):
        if not settings[name]:
            continue
        if not is_web(settings[name]):
            yield Problem(
                name,
                "is not an http or https URL of a host",
                "Write it like https://langfuse.example.com, without user, query or fragment",
            )
        elif split(settings[name]).path.strip("/"):
            yield Problem(
                name, "has a path, which the published images cannot serve", "Write only scheme, host and port"
            )


def domain(settings: Settings) -> Iterator[Problem]:
    given = settings["cloudflare_domain"]
    if given and not (is_name(given) and "." in given):
        yield Problem("cloudflare_domain", "is not a domain name", "Write it like example.com")
    if not is_name(settings["langfuse_subdomain"] or ""):
        yield Problem("langfuse_subdomain", "is not a host name", "Write it like langfuse")


def public_host(settings: Settings) -> Iterator[Problem]:
    """Certificates, routes and redirects are made of it, and nothing is replaced in it."""
    host = split(settings["langfuse_public_url"] or "").hostname
    if host and not (is_address(host) or is_name(host)):
        yield Problem(
            "langfuse_public_url",
            "has a host that is no host name",
            "Write it as DNS has it, of letters, digits, hyphens and single dots; other letters as xn--",
        )


def clashing_ports(settings: Settings) -> Iterator[Problem]:
    ports = {name: settings[name] for name in ("langfuse_web_port", "langfuse_s3_port")}
    for name, port in ports.items():
        if not 1 <= port <= 65535:
            yield Problem(name, "is not a port", "Write a number from 1 to 65535")
    if ports["langfuse_web_port"] == ports["langfuse_s3_port"]:
        yield Problem("langfuse_s3_port", "is the port of web as well", "Choose another one")


def bind_address(settings: Settings) -> Iterator[Problem]:
    if not is_address(settings["langfuse_bind_address"] or ""):
        yield Problem(
            "langfuse_bind_address", "is not an IP address", "Write 127.0.0.1, 0.0.0.0 or an address of the host"
        )


def media_reachable(settings: Settings) -> Iterator[Problem]:
    """A browser elsewhere cannot follow a link to localhost, nor leave the page's own origin (facts 1.4)."""
    address, store = public_url(settings), public_s3_endpoint(settings)
    if not split(address).hostname or is_local(address) or store is None or not is_local(store):
        return
    yield Problem(
        "langfuse_s3_public_endpoint",
        "is on localhost while the instance has a public address, so browsers could not load media",
        f"Serve /{settings['langfuse_s3_media_bucket']}/ on {address} from port {settings['langfuse_s3_port']}, Host kept, and write that address",
    )


def inside_a_container(settings: Settings) -> Iterator[Problem]:
    """There, localhost is the container."""
    hosts: dict[str, list[str]] = {}
    for store in ("postgres", "clickhouse", "redis"):
        if not is_bundled(settings, store):
            hosts[f"langfuse_{store}_host"] = [settings[f"langfuse_{store}_host"]]
    if not is_bundled(settings, "postgres"):
        hosts["langfuse_postgres_direct_host"] = [settings["langfuse_postgres_direct_host"]]
    if not is_bundled(settings, "redis"):
        hosts["langfuse_redis_nodes"] = [node.rpartition(":")[0] for node in settings["langfuse_redis_nodes"]]
    urls = [] if is_bundled(settings, "s3") else ["langfuse_s3_endpoint"]
    urls += ["langfuse_sso_issuer"] if settings["langfuse_sso_enabled"] else []
    urls += ["langfuse_otlp_endpoint"] if settings["langfuse_tracing_enabled"] else []
    for name in (*urls, "langfuse_litellm_url", "langfuse_smtp_url", "langfuse_https_proxy"):
        hosts[name] = [split(settings[name] or "").hostname or ""]
    for name, found in hosts.items():
        for host in filter(None, found):
            if is_loopback(host):
                yield Problem(
                    name,
                    f"is on {host}, which inside a container is the container itself",
                    "Write the name of a Service, or a host that pods of the cluster reach"
                    if in_cluster(settings)
                    else "Give the host a name in langfuse_extra_hosts, like {docker-host: host-gateway}, and write that name; "
                    "what runs there must listen on the address of Docker's bridge",
                )


def sampling_ratio(settings: Settings) -> Iterator[Problem]:
    """Outside (0, 1] web does not boot."""
    if not 0 < settings["langfuse_trace_sampling_ratio"] <= 1:
        yield Problem(
            "langfuse_trace_sampling_ratio",
            "is not above 0 and at most 1",
            "To send no spans, set langfuse_tracing_enabled: false",
        )


def tracing(settings: Settings) -> Iterator[Problem]:
    if settings["langfuse_tracing_enabled"] and not settings["tracing_enabled"]:
        yield Problem(
            "langfuse_tracing_enabled",
            "is on while tracing_enabled is off",
            "Set tracing_enabled: true, or switch it off",
        )
    if settings["langfuse_tracing_enabled"] and not settings["langfuse_otlp_endpoint"]:
        yield Problem(
            "langfuse_otlp_endpoint",
            "is missing while langfuse_tracing_enabled is on",
            "Write the collector's address, like http://tempo:4318",
        )


RULES = (
    instance_name,
    urls,
    domain,
    public_host,
    clashing_ports,
    bind_address,
    media_reachable,
    inside_a_container,
    sampling_ratio,
    tracing,
)
