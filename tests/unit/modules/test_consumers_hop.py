# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sends to the instance, by its files alone. With containers: the scenario `compose-shared`."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import args, causes
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import consumers
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Context

SECRET = "sk-lf-canary"
ENV = (
    "LANGFUSE_PUBLIC_KEY=pk-lf-x\nLANGFUSE_SECRET_KEY=sk-lf-canary\n"
    "LANGFUSE_HOST=http://127.0.0.1:1\nLANGFUSE_BASE_URL=http://127.0.0.1:1\n"
)
CONFIG = "model_list: []\nlitellm_settings:\n  callbacks: [langfuse_otel]\n"


def entry(folder: Path, **changes: Any) -> dict[str, Any]:
    """One consumer as the module gets it, with its defaults."""
    url = changes.get("url", "http://127.0.0.1:1")
    given = {
        "kind": "litellm",
        "env_path": str(folder / ".env"),
        "config_path": str(folder / "config.yaml"),
        "url": url,
        "values": {"LANGFUSE_PUBLIC_KEY": "pk-lf-x", "LANGFUSE_HOST": url, "LANGFUSE_BASE_URL": url},
        **changes,
    }
    defaults = {name: option.get("default") for name, option in args.CONSUMER_SPEC.items()}
    assert set(given) <= set(defaults)
    return {**defaults, **given}


def look(*entries: dict[str, Any], web: int | None = None) -> tuple[str, str, list[dict[str, str]]]:
    """Status, detail and causes of the hop."""
    params = {"timeout": 10, "wait": 0, "hop_timeout": 2, "resolve": [], "public_url": "", "url": "http://127.0.0.1:1"}
    options = {**params, "secret_key": SECRET, "ca_path": None, "validate_certs": True, "consumers": list(entries)}
    ctx = Context(options, dict)
    if web is not None:
        ctx.evidence["web"] = {"status": web}
    finding = consumers.consumers(ctx)
    hop = {"name": "consumers", "status": finding.status, "detail": finding.detail}
    assert SECRET not in str((finding, ctx.evidence))
    return finding.status, finding.detail, causes.diagnose([hop], ctx.evidence)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text(ENV)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def test_one_that_is_right(folder: Path) -> None:
    assert look(entry(folder)) == ("ok", "1 with keys and address of this instance", [])


def test_none_is_looked_at(folder: Path) -> None:
    assert look()[0] == "skipped"
    assert look(entry(folder / "nowhere", state="absent"))[0] == "skipped"


@pytest.mark.parametrize(
    ("file", "text", "code", "said"),
    [
        (".env", ENV.replace("sk-lf-canary", "sk-lf-other"), "consumer_keys", "LANGFUSE_SECRET_KEY in /"),
        (".env", ENV.replace("pk-lf-x", "pk-lf-y"), "consumer_keys", "LANGFUSE_PUBLIC_KEY in /"),
        (".env", ENV.replace("BASE_URL=http://127.0.0.1:1", "BASE_URL=http://a"), "consumer_keys", "LANGFUSE_BASE_URL"),
        (".env", "", "consumer_keys", "LANGFUSE_PUBLIC_KEY, LANGFUSE_HOST, LANGFUSE_BASE_URL, LANGFUSE_SECRET_KEY"),
        ("config.yaml", "model_list: []\n", "consumer_config", "config.yaml"),
        ("config.yaml", CONFIG.replace("langfuse_otel", "langfuse"), "consumer_config", "config.yaml"),
        ("config.yaml", "]", "consumer_unreachable", "config.yaml is not one YAML document"),
    ],
)
def test_what_its_files_lack(folder: Path, file: str, text: str, code: str, said: str) -> None:
    (folder / file).write_text(text)
    status, detail, named = look(entry(folder))
    assert (status, [cause["code"] for cause in named]) == ("failed", [code])
    assert said in named[0]["cause"] and said in detail
    assert not named[0]["cause"].endswith("..")


def test_files_that_are_not_there(folder: Path) -> None:
    (folder / ".env").unlink()
    (folder / "config.yaml").unlink()
    keys, cause = look(entry(folder))[2]
    assert (keys["code"], cause["code"]) == ("consumer_keys", "consumer_unreachable")
    assert "There is no file" in cause["cause"] and "langfuse_consumers" in cause["cure"]


def test_a_name_that_connect_would_take_out(folder: Path) -> None:
    one = entry(folder, absent_names=["LANGFUSE_SAMPLE_RATE"])
    assert look(one)[2] == []
    (folder / ".env").write_text(ENV + "LANGFUSE_SAMPLE_RATE=0.1\n")
    assert "LANGFUSE_SAMPLE_RATE" in look(one)[2][0]["cause"]


def test_the_pair_of_a_collector(folder: Path) -> None:
    own = "service:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [otlphttp/langfuse]\n"
    (folder / "config.yaml").write_text(
        own + 'exporters:\n  otlphttp/langfuse:\n    endpoint: "${env:LANGFUSE_BASE_URL}/api/public/otel"\n'
        '    headers: {Authorization: "Basic ${env:LANGFUSE_BASIC}", x-langfuse-ingestion-version: "4"}\n'
    )
    one = entry(folder, kind="otel_collector", secret_names=["LANGFUSE_SECRET_KEY", "LANGFUSE_BASIC"])
    assert "LANGFUSE_BASIC" in look(one)[2][0]["cause"]
    (folder / ".env").write_text(ENV + "LANGFUSE_BASIC=cGstbGYteDpzay1sZi1jYW5hcnk=\n")
    assert look(one)[0] == "ok"


def test_two_with_the_same_file_are_told_once(folder: Path) -> None:
    (folder / ".env").write_text("")
    _status, _detail, named = look(entry(folder), entry(folder, kind="env", config_path=None))
    assert [cause["code"] for cause in named] == ["consumer_keys"]
    assert named[0]["cause"].count("/.env") == 1


def test_nobody_at_its_address(folder: Path) -> None:
    """Only where web answers under its own address: otherwise the walk has told it already."""
    (cause,) = look(entry(folder), web=200)[2]
    assert cause["code"] == "consumer_unreachable"
    assert "Nothing answers at http://127.0.0.1:1" in cause["cause"]
    assert look(entry(folder), web=500)[0] == "ok"


@pytest.fixture
def other_server() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_somebody_else_at_its_address(folder: Path, other_server: str) -> None:
    (folder / ".env").write_text(ENV.replace("http://127.0.0.1:1", other_server))
    (cause,) = look(entry(folder, url=other_server), web=200)[2]
    assert f"{other_server}, which the consumer is told to use, answers 501" in cause["cause"]
