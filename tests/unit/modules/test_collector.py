"""Where a trace gets into a Collector, and why none is sent."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import collector

PIPELINE: dict[str, Any] = {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["otlphttp/langfuse"]}


def document(http: Any = None, pipeline: dict[str, Any] | None = None, **receivers: Any) -> dict[str, Any]:
    otlp = {"protocols": {"grpc": {}, "http": {"endpoint": "0.0.0.0:4318"} if http is None else http}}
    traces = {**copy.deepcopy(PIPELINE), **(pipeline or {})}
    return {"receivers": {"otlp": otlp, **receivers}, "service": {"pipelines": {"traces": traces}}}


@pytest.mark.parametrize(
    ("http", "port"),
    [
        ({"endpoint": "0.0.0.0:4318"}, 4318),
        ({"endpoint": "[::]:14318"}, 14318),
        ({"endpoint": ":4318"}, 4318),
        ({"endpoint": "${env:MY_POD_IP}:4318"}, 4318),
    ],
)
def test_the_port_is_that_of_the_receiver(http: dict[str, Any], port: int) -> None:
    assert collector.port(document(http), ["traces"]) == port


def test_localhost_is_ours_on_the_network_of_the_host() -> None:
    for http in ({}, {"endpoint": "localhost:4318"}, {"endpoint": "127.0.0.1:4318"}):
        assert collector.port(document(http), ["traces"], inside=True) == 4318


def test_the_next_receiver_is_taken() -> None:
    more = {"otlp/open": {"protocols": {"http": {"endpoint": "0.0.0.0:4319"}}}}
    pipeline = {"receivers": ["jaeger", "otlp", "otlp/open"]}
    closed = {"endpoint": "0.0.0.0:4318", "tls": {"cert_file": "x"}}
    assert collector.port(document(closed, pipeline, **more), ["traces"]) == 4319


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (document({"endpoint": "0.0.0.0:4318", "tls": {"cert_file": "x"}}), "its receiver otlp wants TLS or a login"),
        (document({"endpoint": "0.0.0.0:4318", "auth": {"authenticator": "x"}}), "wants TLS or a login"),
        (document({}), "listens on localhost of its container only"),
        (document({"endpoint": "localhost:4318"}), "listens on localhost of its container only"),
        (document({"endpoint": "0.0.0.0:${env:PORT}"}), "the port of its receiver otlp is not written"),
        (document({"endpoint": "${env:ENDPOINT}"}), "the port of its receiver otlp is not written"),
        (document(pipeline={"receivers": ["jaeger"]}), "no receiver of its pipelines takes OTLP over HTTP"),
        (document(pipeline={"processors": ["tail_sampling"]}), "tail_sampling of its pipeline traces may drop it"),
        (document(pipeline={"processors": ["filter/health"]}), "filter/health of its pipeline traces may drop it"),
        ({**document(), "receivers": {"otlp": {"protocols": {"grpc": None}}}}, "no receiver of its pipelines"),
    ],
)
def test_none_is_sent_where_it_could_not_arrive(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(collector.NotSent, match=reason):
        collector.port(given, ["traces"])
