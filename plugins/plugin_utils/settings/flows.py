# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom web, worker and migration talk to, from the same endpoints and features as their environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from . import sso
from .cluster import dns_name, ingests_apart, service_of
from .endpoints import REDIS_PORT
from .plan import Feature, Settings
from .sources import EXISTING, source

Endpoint = Mapping[str, Any]
Endpoints = Mapping[str, Endpoint]

APPLICATION = ("web", "worker")
# The platform's Service of LiteLLM, in the namespace of the instance.
LITELLM_NAME, LITELLM_PORT = "litellm", 4000
_WEB_PORTS = {"http": 80, "https": 443}
_MAIL_PORTS = {"smtp": 587, "smtps": 465, "ses": 443}
# Google's hosts have one label before this. `*` of Cilium's patterns stands for no dot.
_GOOGLE = "*.googleapis.com"
# Regions of AWS that are not under its usual domain, by how they begin.
_AWS, _AWS_ELSEWHERE = "amazonaws.com", {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}
_AWS_OLDEST = "us-east-1"
# Who tells pods their rights: AWS's agent on the node, beside its token service; Google's metadata server, by its own address and by
# the one that it has behind a network with policies. From the clouds' documentation, not seen.
_RIGHTS = {
    "s3": (("169.254.170.23", 80),),
    "gcs": (("169.254.169.254", 80), ("169.254.169.252", 988)),
}


@dataclass(frozen=True)
class Flow:
    """One way out. `store` names the store that it leads to, or its pooler; `senders` are components of the instance."""

    to: str
    host: str
    port: int
    senders: tuple[str, ...] = APPLICATION
    store: str | None = None


def flows(settings: Settings, features: Mapping[str, Feature], endpoints: Endpoints) -> list[Flow]:
    """Every way out of the application, without DNS."""
    found = [*_stores(settings, endpoints), *_platform(settings, features)]
    found += further(settings, found)
    # A name that only the pods know is of no use to a policy.
    known = settings["langfuse_extra_hosts"]
    found = [replace(flow, host=str(known.get(flow.host, flow.host))) for flow in found]
    return [_with_ingestion(flow) for flow in found] if ingests_apart(settings) else found


def _with_ingestion(flow: Flow) -> Flow:
    """Workers that only ingest are workers."""
    return replace(flow, senders=(*flow.senders, "ingestion")) if "worker" in flow.senders else flow


def _stores(settings: Settings, endpoints: Endpoints) -> Iterator[Flow]:
    postgres, clickhouse, redis = endpoints["postgres"], endpoints["clickhouse"], endpoints["redis"]
    yield Flow("postgres", postgres["host"], postgres["port"], store="pooler" if postgres["pooler"] else "postgres")
    yield Flow("postgres", postgres["direct_host"], postgres["direct_port"], ("migrate",), store="postgres")
    yield Flow("clickhouse", clickhouse["host"], clickhouse["port"], store="clickhouse")
    yield Flow("clickhouse", clickhouse["host"], clickhouse["native_port"], ("migrate",), store="clickhouse")
    for host, port in [_host_and_port(node) for node in redis["nodes"]] or [(redis["host"], redis["port"])]:
        yield Flow("redis", host, port, store="redis")
        if redis["mode"] == "sentinel":
            # The servers are where the sentinels say, as a rule beside them.
            yield Flow("redis", host, REDIS_PORT, store="redis")
    yield from object_store(settings, endpoints["s3"])


def object_store(settings: Settings, s3: Endpoint) -> Iterator[Flow]:
    """The way to the object store, and to who says which rights a pod has there. Backups take both too."""
    for host, port in _object_store(settings, s3):
        yield Flow("s3", host, port, store="s3")
    if source(settings, "s3") == EXISTING and settings["langfuse_s3_use_role"]:
        tokens = [(host, 443) for host in _token_services(s3["region"])] if s3["service"] == "s3" else []
        for host, port in (*tokens, *_RIGHTS[s3["service"]]):
            yield Flow("rights", host, port)


def _object_store(settings: Settings, s3: Endpoint) -> list[tuple[str, int]]:
    """Host and port of all its addresses; where buckets do not stand in the path, each has one of its own."""
    if s3["endpoint"]:
        host, port = _address(s3["endpoint"], _WEB_PORTS)
        where = (settings["langfuse_kubernetes_cluster_domain"], settings["langfuse_kubernetes_namespace"])
        named = s3["service"] == "s3" and not s3["path_style"] and not service_of(*where, host)
        return [(host, port), *([(f"*.{host}", port)] if named else [])]
    if s3["service"] == "gcs":
        return [(_GOOGLE, 443)]
    region = s3["region"]
    # The oldest region is also known without its name.
    places = [f"s3.{region}.{_aws(region)}", *([f"s3.{_AWS}"] if region == _AWS_OLDEST else [])]
    return [(host, 443) for place in places for host in (place, f"*.{place}")]


def _token_services(region: str) -> list[str]:
    """AWS's token service in the region, and the one for all, which libraries ask by their age and settings."""
    domain = _aws(region)
    return [f"sts.{region}.{domain}", *([f"sts.{domain}"] if domain == _AWS else [])]


def _aws(region: str) -> str:
    """The domain that AWS's hosts in a region have."""
    return next((domain for start, domain in _AWS_ELSEWHERE.items() if region.startswith(start)), _AWS)


def _platform(settings: Settings, features: Mapping[str, Feature]) -> Iterator[Flow]:
    for url in sso.addresses(settings):
        yield Flow("sso", *_address(url, _WEB_PORTS), ("web",))
    if features["tracing"].on:
        yield Flow("tracing", *_address(settings["langfuse_otlp_endpoint"], _WEB_PORTS))
    if settings["langfuse_smtp_url"]:
        yield Flow("email", *_address(settings["langfuse_smtp_url"], _MAIL_PORTS))
    if settings["langfuse_https_proxy"]:
        yield Flow("proxy", *_address(settings["langfuse_https_proxy"], _WEB_PORTS))
    if settings["langfuse_litellm_url"]:
        yield Flow("litellm", *_address(settings["langfuse_litellm_url"], _WEB_PORTS))
    elif settings["litellm_enabled"]:
        yield Flow("litellm", dns_name(settings, LITELLM_NAME), LITELLM_PORT)


def further(settings: Settings, found: Sequence[Flow]) -> list[Flow]:
    """What the user opens to web, worker, and who goes to that host already: the port may be that of the pods behind a Service."""
    places = [_host_and_port(place) for place in settings["langfuse_network_policy_to"]]
    senders = {host: [one for flow in found if flow.host == host for one in flow.senders] for host, _port in places}
    return [Flow("further", host, port, tuple(dict.fromkeys((*APPLICATION, *senders[host])))) for host, port in places]


def _host_and_port(text: str) -> tuple[str, int]:
    host, _colon, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _address(url: str, ports: Mapping[str, int]) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or ports[parts.scheme]
