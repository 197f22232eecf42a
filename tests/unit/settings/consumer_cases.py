"""What sends to the instance: entries that work, and bad input for each of their rules."""

from __future__ import annotations

from typing import Any

from .cases import Bad

NAME = "langfuse_consumers"
SERVICE: dict[str, Any] = {
    "kind": "env",
    "path": "/srv/shop/.env",
    "project_directory": "/srv/shop",
    "service": "ai-service",
}
GATEWAY: dict[str, Any] = {"kind": "litellm", "path": "/srv/gateway/config.yaml", "env_path": "/srv/gateway/.env"}
PROOF: dict[str, Any] = {"proof_url": "http://localhost:4000", "proof_model": "proof", "proof_key": "sk-canary-proof"}
COLLECTOR: dict[str, Any] = {"kind": "otel_collector", "path": "/etc/otel.yaml", "env_path": "/etc/otel.env"}
POD: dict[str, Any] = {"kind": "env", "namespace": "team-a", "secret": "langfuse-keys"}
LITELLM: dict[str, Any] = {
    "langfuse_litellm_url": "http://litellm:4000/v1",
    "langfuse_litellm_key": "canary-of-litellm",
    "langfuse_litellm_models": ["gpt-x"],
}


def _entry(base: dict[str, Any], **changes: Any) -> Bad:
    changed = {**base, **changes}
    return Bad("consumer_entries", {NAME: [{k: v for k, v in changed.items() if v is not None}]}, NAME)


def _pair(*entries: dict[str, Any]) -> Bad:
    return Bad("consumer_files", {NAME: list(entries)}, NAME)


def _litellm(variable: str, **given: Any) -> Bad:
    kept = {name: value for name, value in {**LITELLM, **given}.items() if value is not None}
    return Bad("litellm_connection", kept, variable)


CASES = (
    _entry(SERVICE, kind=None),
    _entry(SERVICE, kind="envfile"),
    _entry(SERVICE, path=None),
    _entry(SERVICE, path="ai-service/.env"),
    _entry(SERVICE, sevice="x"),
    _entry(SERVICE, service=None),
    _entry(SERVICE, project_directory=None),
    _entry(SERVICE, project_directory="shop"),
    _entry(SERVICE, secret="langfuse-keys"),
    _entry(SERVICE, url="langfuse-web:3000"),
    _entry(SERVICE, url="http://user@langfuse-web:3000"),
    _entry(SERVICE, url="http://[::1"),
    _entry(SERVICE, url="http://langfuse-web:30o0"),
    _entry(SERVICE, state="gone"),
    _entry(SERVICE, sample_rate=2),
    _entry(SERVICE, sample_rate=True),
    _entry(SERVICE, callback="langfuse"),
    _entry(GATEWAY, env_path=None),
    _entry(GATEWAY, env_path="gateway/.env"),
    _entry(GATEWAY, callback="langsmith"),
    _entry(GATEWAY, sample_rate=0.5),
    _entry(GATEWAY, sample_rate=0),
    _entry(GATEWAY, tags=["cache_hit"]),
    _entry(GATEWAY, callback="langfuse", tags=[1]),
    _entry(GATEWAY, log_messages="no"),
    _entry(GATEWAY, **{**PROOF, "proof_model": None}),
    _entry(GATEWAY, **{**PROOF, "proof_url": None}),
    _entry(GATEWAY, proof_key="sk-canary-proof"),
    _entry(GATEWAY, **{**PROOF, "proof_url": "litellm:4000"}),
    _entry(GATEWAY, **{**PROOF, "proof_key": "sk-canary\nproof"}),
    _entry(SERVICE, proof_key="sk-canary-proof"),
    _entry(COLLECTOR, pipelines="traces"),
    _pair(SERVICE, {**SERVICE, "url": "http://other:3000"}),
    _pair(SERVICE, {**SERVICE, "state": "absent"}),
    _pair(GATEWAY, {**COLLECTOR, "path": GATEWAY["path"]}),
    _litellm("langfuse_litellm_key", langfuse_litellm_key=None),
    _litellm("langfuse_litellm_models", langfuse_litellm_models=None),
    _litellm("langfuse_litellm_url", langfuse_litellm_url="litellm:4000"),
    _litellm("langfuse_litellm_url", langfuse_litellm_url="http://litellm:4x"),
    Bad("litellm_connection", {"langfuse_litellm_key": "canary-of-litellm"}, "langfuse_litellm_key"),
    Bad("litellm_connection", {"langfuse_litellm_models": ["gpt-x"]}, "langfuse_litellm_models"),
)
