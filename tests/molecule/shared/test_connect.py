"""`connect`: a service and a gateway of the application get the keys, and use them."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest
import yaml

from tests.molecule.instance import Instance, docker
from tests.molecule.playbook import Run, run
from tests.molecule.shared import shop

ENV = shop.HOME / "ai-service" / ".env"
CONFIG = shop.HOME / "ai-service" / "config.yaml"
OWN = (
    "# The service's own\nOPENAI_API_KEY='sk-canary-of-the-service' # keep\n\nLANGFUSE_HOST=https://cloud.example.com\n"
)
OWN_CONFIG = "model_list: []  # none yet\n\n# How\nlitellm_settings:\n  drop_params: true\n"
SERVICE: dict[str, Any] = {"project_directory": str(shop.HOME), "service": "ai-service"}
CONSUMERS: list[dict[str, Any]] = [
    {"kind": "env", "path": str(ENV), **SERVICE},
    {"kind": "litellm", "path": str(CONFIG), "env_path": str(ENV), "log_messages": False, **SERVICE},
]


def connect(shared: Instance, *words: str, fails: bool = False, consumers: Any = None) -> Run:
    variables = {"langfuse_consumers": CONSUMERS if consumers is None else consumers}
    return run(shared, "llmops.langfuse.connect", *words, variables=variables, fails=fails)


def service() -> dict[str, Any]:
    identifier = shop.compose("ps", "--all", "--quiet", "ai-service").strip()
    found: dict[str, Any] = json.loads(docker("inspect", identifier))[0]
    return found


def environment() -> dict[str, str]:
    return dict(line.split("=", 1) for line in service()["Config"]["Env"])


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    ENV.write_text(OWN)
    ENV.chmod(0o640)
    os.chown(ENV, 1234, 1234)
    CONFIG.write_text(OWN_CONFIG)


def test_a_check_tells_what_would_happen_and_writes_nothing(shared: Instance) -> None:
    before = service()["Id"]
    checked = connect(shared, "--check", "--diff")
    assert checked.changed_tasks == [
        "Write address and keys into its env file",
        "Recreate its container, which reads an env file only when it is made",
        # The second entry names the same file, which is still as it was.
        "Write address and keys into its env file",
        "Let its configuration send to Langfuse",
        "Recreate its container, which reads an env file only when it is made",
        "Let Langfuse ask the models behind LiteLLM",
    ]
    checked.mentions("LANGFUSE_HOST=http://langfuse-web:3000", "LANGFUSE_SECRET_KEY=(not shown)", "langfuse_otel")
    assert shared.secrets()["langfuse_init_project_secret_key"] not in checked.output
    assert (ENV.read_text(), CONFIG.read_text(), service()["Id"]) == (OWN, OWN_CONFIG, before)


def test_the_service_gets_the_keys_and_they_work(shared: Instance) -> None:
    others = {name: shop.compose("ps", "-q", name) for name in ("pgsql", "redis")}
    done = connect(shared, "--diff")
    secret, public = (shared.secrets()[f"langfuse_init_project_{kind}_key"] for kind in ("secret", "public"))
    assert secret not in done.output and "sk-canary-of-the-service" not in done.output
    done.mentions("a trace came back through http://langfuse-web:3000", "shop-ai-service-1 has these keys")
    assert ENV.read_text() == OWN.replace("https://cloud.example.com", "http://langfuse-web:3000") + (
        f"LANGFUSE_PUBLIC_KEY={public}\nLANGFUSE_BASE_URL=http://langfuse-web:3000\nLANGFUSE_SECRET_KEY={secret}\n"
    )
    assert (ENV.stat().st_mode & 0o777, ENV.stat().st_uid) == (0o640, 1234)
    assert CONFIG.read_text() == OWN_CONFIG + ("  callbacks:\n    - langfuse_otel\n  turn_off_message_logging: true\n")
    has = environment()
    assert (has["LANGFUSE_PUBLIC_KEY"], has["LANGFUSE_SECRET_KEY"]) == (public, secret)
    assert has["OPENAI_API_KEY"] == "sk-canary-of-the-service"
    assert {name: shop.compose("ps", "-q", name) for name in others} == others, "others were recreated"


def test_again_changes_nothing(shared: Instance) -> None:
    before = (service()["Id"], ENV.stat().st_ino, CONFIG.stat().st_ino)
    again = connect(shared)
    assert (again.changed, again.changed_tasks) == (0, [])
    assert (service()["Id"], ENV.stat().st_ino, CONFIG.stat().st_ino) == before
    assert connect(shared, "--check").changed == 0


def test_a_shell_reads_the_file_as_compose_does() -> None:
    shell = shop.execute("ai-service", "sh", "-c", 'printf %s "$LANGFUSE_BASE_URL $OPENAI_API_KEY"')
    assert shell == "http://langfuse-web:3000 sk-canary-of-the-service"


def test_a_run_that_ended_between_file_and_container_is_mended(shared: Instance) -> None:
    ENV.write_text(ENV.read_text().replace("LANGFUSE_PUBLIC_KEY=pk", "LANGFUSE_PUBLIC_KEY=old-pk"))
    shop.compose("up", "-d", "--force-recreate", "--no-deps", "ai-service")
    public = shared.secrets()["langfuse_init_project_public_key"]
    ENV.write_text(ENV.read_text().replace("old-pk", "pk"))
    assert connect(shared).changed == 1
    assert environment()["LANGFUSE_PUBLIC_KEY"] == public


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://localhost:3430"}, ["means the container of ai-service itself"]),
        ({"url": "http://nobody:3000"}, ["is on shop_default, where nobody is called nobody"]),
        ({"service": "ai"}, ["has no service ai; it has ai-service, pgsql, redis"]),
        ({"path": str(shop.HOME / "nowhere" / ".env")}, ["There is no directory", "nowhere"]),
        (
            {"kind": "litellm", "path": str(shop.HOME / "none.yaml"), "env_path": str(shop.HOME / "new.env")},
            ["There is no file"],
        ),
        ({"path": "ai-service/.env"}, ["langfuse_consumers: entry 1 has a path that is not absolute"]),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    shared: Instance, change: dict[str, Any], said: list[str]
) -> None:
    before = (ENV.read_text(), service()["Id"])
    refused = connect(shared, fails=True, consumers=[{**CONSUMERS[0], **change}])
    refused.mentions(*said)
    assert refused.changed == 0
    assert (ENV.read_text(), service()["Id"]) == before
    assert not (shop.HOME / "new.env").exists()


def test_a_service_that_was_stopped_is_made_again(shared: Instance) -> None:
    shop.compose("stop", "-t", "1", "ai-service")
    assert connect(shared).changed == 1
    assert service()["State"]["Running"]


def test_a_service_that_says_otherwise_itself_is_no_proof(shared: Instance) -> None:
    """What stands in `environment` wins over the file, so the file would prove nothing."""
    override = shop.HOME / "compose.override.yaml"
    own = {"services": {"ai-service": {"environment": {"LANGFUSE_PUBLIC_KEY": "pk-lf-of-another"}}}}
    override.write_text(json.dumps(own))
    shop.compose("up", "-d", "--no-deps", "ai-service")
    try:
        refused = connect(shared, fails=True)
    finally:
        override.unlink()
    refused.mentions("The container of ai-service does not have LANGFUSE_PUBLIC_KEY", "Name the file in env_file")
    assert connect(shared).changed == 1


def test_a_collector_that_runs_elsewhere(shared: Instance) -> None:
    """Without a service nothing is recreated; the file is used all the same."""
    config, env = shop.HOME / "otel.yaml", shop.HOME / "otel.env"
    own = "service:\n  pipelines:\n    traces:\n      receivers: [otlp]\n"
    config.write_text(own)
    env.write_text("LANGFUSE_SAMPLE_RATE=0.1\n")
    env.chmod(0o600)
    entry = {"kind": "otel_collector", "path": str(config), "env_path": str(env)}
    public = f"http://localhost:{shared.web_port}"
    connect(shared, consumers=[entry]).mentions(f"a trace came back through {public}", "not by its own client")
    keys = [shared.secrets()[f"langfuse_init_project_{kind}_key"] for kind in ("public", "secret")]
    assert f"LANGFUSE_BASIC={base64.b64encode(':'.join(keys).encode()).decode()}\n" in env.read_text()
    assert f"LANGFUSE_BASE_URL={public}\n" in env.read_text() and "SAMPLE_RATE" not in env.read_text()
    assert yaml.safe_load(config.read_text())["service"]["pipelines"]["traces"]["exporters"] == ["otlphttp/langfuse"]
    assert connect(shared, consumers=[entry]).changed == 0
    connected = config.read_text(), env.read_text()
    refused = connect(shared, fails=True, consumers=[{**entry, "state": "absent"}])
    refused.mentions("The pipeline traces exports to Langfuse only", "another exporter")
    assert (config.read_text(), env.read_text()) == connected
    config.write_text(connected[0].replace("- otlphttp/langfuse", "- otlphttp/langfuse\n        - debug"))
    connect(shared, consumers=[{**entry, "state": "absent"}])
    assert env.read_text() == ""
    assert yaml.safe_load(config.read_text())["service"]["pipelines"]["traces"]["exporters"] == ["debug"]


def test_langfuse_knows_the_gateway(shared: Instance) -> None:
    rows = shop.sql("SELECT provider, base_url, custom_models FROM llm_api_keys", "langfuse")
    assert rows == "litellm|http://ai-service:4000/v1|{gpt-x}"


def test_absent_takes_the_keys_out_again(shared: Instance) -> None:
    gone = [{**one, "state": "absent"} for one in CONSUMERS]
    # As Compose files name what may be unset: the container has it, with nothing in it.
    override = shop.HOME / "compose.override.yaml"
    override.write_text('{"services": {"ai-service": {"environment": {"LANGFUSE_HOST": ""}}}}')
    shop.compose("up", "-d", "--no-deps", "ai-service")
    secret = shared.secrets()["langfuse_init_project_secret_key"]
    for words in (("--check", "--diff"), ("--diff",)):
        done = connect(shared, *words, consumers=gone)
        done.mentions("LANGFUSE_SECRET_KEY=(not shown)")
        assert secret not in done.output
    assert ENV.read_text() == OWN.replace("LANGFUSE_HOST=https://cloud.example.com\n", "")
    assert CONFIG.read_text() == OWN_CONFIG + "  turn_off_message_logging: true\n"
    assert {name: value for name, value in environment().items() if name.startswith("LANGFUSE_")} == {
        "LANGFUSE_HOST": ""
    }
    assert connect(shared, consumers=gone).changed == 0
    # What was stopped stays so.
    ENV.write_text(f"{ENV.read_text()}LANGFUSE_SAMPLE_RATE=1\n")
    shop.compose("stop", "-t", "1", "ai-service")
    assert connect(shared, consumers=gone).changed_tasks == ["Write address and keys into its env file"]
    assert not service()["State"]["Running"]
    override.write_text(override.read_text().replace('""', '"http://elsewhere"'))
    try:
        shop.compose("up", "-d", "--no-deps", "ai-service")
        connect(shared, fails=True, consumers=gone).mentions("still has LANGFUSE_HOST", "Take them out of environment")
    finally:
        override.unlink()
        shop.compose("up", "-d", "--no-deps", "ai-service")
