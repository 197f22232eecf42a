"""The proof of `connect` through a real LiteLLM proxy in a container of its own, and what it says of one that sends nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.catalogue import base_reference
from tests.integration.modules.stack import docker
from tests.integration.senders import environments, guide
from tests.integration.senders.conftest import PREFIX
from tests.integration.senders.langfuse import Langfuse
from tests.integration.senders.test_litellm import MASTER_KEY, PROOF

pytestmark = [pytest.mark.engine, pytest.mark.long]
URL = "http://langfuse-web:3000"
HEALTHY = "python3 -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:4000/health/liveliness\")'"
Prove = Callable[..., dict[str, Any]]


class Proxy:
    """A Compose project with the guide's gateway on the network of Langfuse. It uses the Python of this machine."""

    def __init__(self, directory: Path, langfuse: Langfuse) -> None:
        self.directory, self.config = directory, directory / "gateway.yaml"
        values = {**langfuse.environment, "LANGFUSE_BASE_URL": URL, "LANGFUSE_HOST": URL}
        self.env = directory / "gateway.env"
        self.env.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        place = environments.python(environments.LITELLM).parent.parent
        service = {
            "image": base_reference(),
            "command": [str(place / "bin" / "litellm"), "--config", "/srv/gateway.yaml", "--port", "4000"],
            "env_file": ["gateway.env"],
            "environment": {
                **environments.LITELLM_QUIET,
                "LITELLM_MASTER_KEY": MASTER_KEY,
                "HOME": "/tmp",
                "PYTHONPATH": "/srv/packages",
            },
            "healthcheck": {"test": ["CMD-SHELL", HEALTHY], "interval": "1s", "timeout": "5s", "retries": 280},
            "volumes": [f"{one}:{one}:ro" for one in ("/usr", sys.base_prefix, place)] + [f"{directory}:/srv:ro"],
            "stop_grace_period": "1s",
        }
        network = {"name": f"{PREFIX}-senders_default", "external": True}
        document = {"name": f"{PREFIX}-gateway", "services": {"litellm": service}, "networks": {"default": network}}
        (directory / "compose.yaml").write_text(json.dumps(document))

    def write(self, variables: Mapping[str, str]) -> None:
        """The guide's file without a callback."""
        document = guide.configuration("the tests start this file")
        document["litellm_settings"] = {}
        document["environment_variables"] = dict(variables)
        self.config.write_text(yaml.safe_dump(document))

    def compose(self, *words: str) -> None:
        docker("compose", "--project-directory", str(self.directory), *words)


@pytest.fixture(scope="module")
def proxy(langfuse: Langfuse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    one = Proxy(tmp_path_factory.mktemp("gateway"), langfuse)
    yield one
    one.compose("down", "-t", "1")


@pytest.fixture
def prove(run: Callable[..., Any], proxy: Proxy) -> Prove:
    def call(
        callback: str, start: bool = True, early: bool = False, seconds: int = 20, **variables: str
    ) -> dict[str, Any]:
        """Start it with this callback and environment. ``early``: the callback comes into its file when it runs already."""
        edit = {"path": str(proxy.config), "kind": "litellm", "callback": callback, "log_messages": False}
        if start:
            proxy.write(variables)
            if not early:
                run("sender_config", **edit)
            proxy.compose("up", "-d", "--force-recreate", "--wait")
        run("sender_config", **edit)
        result: dict[str, Any] = run(
            "langfuse_consumer",
            env_path=str(proxy.env),
            config_path=str(proxy.config),
            project_directory=str(proxy.directory),
            service="litellm",
            proof_url="http://litellm:4000",
            proof_model=PROOF,
            proof_key=MASTER_KEY,
            prove=True,
            timeout=seconds,
        )
        assert MASTER_KEY not in json.dumps(result)
        return result

    return call


@pytest.fixture
def diagnose(run: Callable[..., Any], langfuse: Langfuse, proxy: Proxy) -> Callable[[str], list[str]]:
    """Codes of the causes that `diagnose` finds at the proxy as it runs."""

    def call(callback: str) -> list[str]:
        names = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_HOST", "LANGFUSE_BASE_URL")
        keys = {name.removeprefix("LANGFUSE_").lower(): langfuse.environment[name] for name in langfuse.environment}
        entry = {
            "kind": "litellm",
            "env_path": str(proxy.env),
            "config_path": str(proxy.config),
            "url": URL,
            "values": {**dict.fromkeys(names, URL), names[0]: keys["public_key"]},
            "callback": callback,
            "log_messages": False,
            "project_directory": str(proxy.directory),
            "service": "litellm",
            "proof_url": "http://litellm:4000",
            "proof_model": PROOF,
            "proof_secret": "its key",
        }
        result = run(
            "langfuse_health",
            level="diagnose",
            fail=False,
            url=langfuse.url,
            public_key=keys["public_key"],
            secret_key=keys["secret_key"],
            consumers=[entry],
            consumer_keys={"its key": MASTER_KEY},
        )
        assert MASTER_KEY not in json.dumps(result)
        (hop,) = (one for one in result["hops"] if one["name"] == "consumers")
        found = [cause["code"] for cause in result["causes"] if cause["hop"] == "consumers"]
        assert found or "a trace of its own from 1 LiteLLM" in hop["detail"], hop
        return found

    return call


@pytest.mark.parametrize("callback", ["langfuse_otel", "langfuse"])
def test_a_trace_of_its_own_client_arrives(prove: Prove, diagnose: Callable[[str], list[str]], callback: str) -> None:
    done = prove(callback, seconds=90)
    assert "another one went through LiteLLM at http://litellm:4000" in done.get("proved", ""), done
    assert diagnose(callback) == []


def test_one_that_was_not_restarted(prove: Prove) -> None:
    """Its file has the callback, and the process does not."""
    failed = prove("langfuse_otel", early=True)
    assert failed["code"] == "gateway_callback", failed
    assert "Restart it" in failed["cure"]


def test_an_sdk_that_is_too_new(prove: Prove, proxy: Proxy) -> None:
    """LiteLLM looks at the version that is installed. It says so once; the second time the log has it."""
    package = proxy.directory / "packages" / "langfuse-5.0.4.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: langfuse\nVersion: 5.0.4\n")
    try:
        for start in (True, False):
            failed = prove("langfuse", start=start)
            assert failed["code"] == "gateway_sdk" and "5.0.4 is installed" in failed["msg"], failed
    finally:
        (package / "METADATA").unlink()
        package.rmdir()


@pytest.mark.parametrize("callback", ["langfuse_otel", "langfuse"])
@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"LANGFUSE_SECRET_KEY": "sk-lf-of-another"}, "gateway_refused"),
        ({"LANGFUSE_HOST": "http://langfuse-web:1", "LANGFUSE_BASE_URL": "http://langfuse-web:1"}, "gateway_address"),
    ],
    ids=["key", "address"],
)
def test_what_its_configuration_sets_instead(
    prove: Prove, diagnose: Callable[[str], list[str]], callback: str, variables: dict[str, str], code: str
) -> None:
    """`environment_variables` of LiteLLM's own file wins over the container's, whose keys and address work."""
    failed = prove(callback, **variables)
    assert failed["code"] == code, failed
    assert "environment_variables" in failed["cure"]
    assert diagnose(callback) == [code]
