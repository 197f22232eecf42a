"""The proof of `connect` through a real Collector in a container of its own, and what it says where it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.catalogue import base_reference
from tests.integration.modules.stack import docker
from tests.integration.senders import environments, guide
from tests.integration.senders.conftest import PREFIX
from tests.integration.senders.langfuse import Langfuse

pytestmark = [pytest.mark.engine, pytest.mark.long]
URL = "http://langfuse-web:3000"


class Collector:
    """A Compose project with the guide's Collector on the network of Langfuse; it knows no key by itself."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.project = f"{PREFIX}-collector"
        self.env, self.config = directory / "otel.env", directory / "otel.yaml"
        shutil.copy(environments.collector(), directory / "collector")
        self.write("0.0.0.0:4318")
        network = f"{PREFIX}-senders_default"
        service = {
            "image": base_reference(),
            "command": ["/srv/collector", "--config", "/srv/otel.yaml"],
            "env_file": ["otel.env"],
            "volumes": [f"{directory}:/srv:ro"],
            "stop_grace_period": "2s",
        }
        document = {
            "name": self.project,
            "services": {"otel": service},
            "networks": {"default": {"name": network, "external": True}},
        }
        (directory / "compose.yaml").write_text(json.dumps(document))

    def write(self, endpoint: str) -> None:
        """The guide's file, which exports nothing."""
        document = guide.configuration("the tests start a collector")
        document["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = endpoint
        del document["exporters"], document["service"]["pipelines"]["traces"]["exporters"]
        self.config.write_text(yaml.safe_dump(document))

    def compose(self, *words: str) -> None:
        docker("compose", "--project-directory", str(self.directory), *words)

    def up(self) -> None:
        self.compose("up", "-d", "--force-recreate")


@pytest.fixture(scope="module")
def collector(langfuse: Langfuse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    if why := environments.go():
        pytest.skip(why)
    one = Collector(tmp_path_factory.mktemp("collector"))
    one.env.write_text("")
    yield one
    one.compose("down", "-t", "2")


@pytest.fixture
def prove(run: Callable[..., Any], langfuse: Langfuse, collector: Collector) -> Callable[..., dict[str, Any]]:
    def call(endpoint: str = "0.0.0.0:4318", **changes: Any) -> dict[str, Any]:
        collector.write(endpoint)
        run("sender_config", path=str(collector.config), kind="otel_collector")
        secret = langfuse.environment["LANGFUSE_SECRET_KEY"]
        values = {**langfuse.environment, "LANGFUSE_BASE_URL": URL, "LANGFUSE_HOST": URL}
        values.pop("LANGFUSE_SECRET_KEY")
        secrets = {"LANGFUSE_SECRET_KEY": secret, "LANGFUSE_BASIC": changes.pop("basic", langfuse.basic)}
        run("dotenv", path=str(collector.env), values=values, secret_values=secrets)
        collector.up()
        result: dict[str, Any] = run(
            "langfuse_consumer",
            env_path=str(collector.env),
            config_path=str(collector.config),
            project_directory=str(collector.directory),
            service="otel",
            pipelines=["traces"],
            prove=True,
            **{"timeout": 90, **changes},
        )
        return result

    return call


def test_a_trace_goes_through_the_collector(prove: Callable[..., dict[str, Any]]) -> None:
    done = prove()
    assert "another one went through the Collector at http://" in done["proved"], done


def test_a_collector_that_loses_traces_is_told(prove: Callable[..., dict[str, Any]]) -> None:
    """Its file and its container agree, and the keys work; only what it sends itself is refused."""
    failed = prove(basic="d3Jvbmc6d3Jvbmc=", timeout=20)
    assert (failed["failed"], failed["code"]) == (True, "collector_lost")
    assert "within 20 s Langfuse did not get it" in failed["msg"] and failed["cure"]


def test_one_that_only_its_own_container_reaches(prove: Callable[..., dict[str, Any]]) -> None:
    done = prove("localhost:4318")
    assert "not by its own client: its receiver otlp listens on localhost" in done["proved"]
