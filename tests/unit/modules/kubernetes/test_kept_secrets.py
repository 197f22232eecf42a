# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that somebody else keeps: their values, or why there are none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import args
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import forward, kept_secrets
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError

FORBIDDEN = (
    'secrets "closed" is forbidden: User "deployer" cannot get resource "secrets" in API group "" in the namespace "ai"'
)


class Cluster:
    """Three Secrets, one of which may not be read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, _kind: Any, _namespace: str, name: str) -> dict[str, Any] | None:
        self.asked.append(name)
        if name == "closed":
            raise ApiError({"code": 403, "reason": "Forbidden", "message": FORBIDDEN})
        return (
            {"data": {"password": "Y2FuYXJ5LTE=", "none": "", "broken": "//4=", "odd": "?"}} if name == "open" else None
        )


@pytest.mark.parametrize(
    ("name", "key", "why"),
    [
        ("none", "password", "there is no Secret none in ai"),
        ("open", "other", "Secret open in ai has no key other"),
        ("open", "broken", "what Secret open in ai has as broken is no text"),
        ("open", "odd", "what Secret open in ai has as odd is no text"),
        ("closed", "password", "deployer may not get secrets, so nobody can read Secret closed in ai"),
    ],
)
def test_why_there_is_no_value(name: str, key: str, why: str) -> None:
    values, unread = kept_secrets.read(Cluster(), "ai", {"redis_password": {"name": name, "key": key}})  # type: ignore[arg-type]
    assert (values, unread) == ({}, {"redis_password": why})


def test_each_secret_is_read_once() -> None:
    cluster = Cluster()
    wanted = {option: {"name": "open", "key": "password"} for option in ("postgres_password", "redis_password")}
    values, unread = kept_secrets.read(cluster, "ai", wanted)  # type: ignore[arg-type]
    assert (values, unread) == (dict.fromkeys(wanted, "canary-1"), {})
    assert cluster.asked == ["open"]


def test_values_are_hidden_and_an_empty_one_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible would put its stars between all letters."""
    monkeypatch.setattr(forward, "connected", lambda *_place: Cluster())
    keys = {"redis_password": "password", "redis_sentinel_password": "none"}
    module = SimpleNamespace(
        params={
            "cluster": {"kubeconfig": None, "context": None, "namespace": "ai"},
            "from_secrets": {option: {"name": "open", "key": key} for option, key in keys.items()},
        },
        no_log_values=set(),
    )
    assert args.from_secrets(module) == {}
    assert (module.params["redis_password"], module.params["redis_sentinel_password"]) == ("canary-1", "")
    assert module.no_log_values == {"canary-1"}
