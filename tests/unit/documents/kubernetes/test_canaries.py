"""Every secret of the contract has a canary, and none flies outside of the objects that are for secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.llmops.langfuse.plugins.filter.kubernetes_objects import kubernetes_objects
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from tests.molecule import canary

from ...settings.cases import CERTIFICATE
from ...settings.cluster_cases import CLUSTER, EVERYTHING
from ...settings.sign_in_cases import ADMINISTERED, other
from ...settings.source_cases import CLICKHOUSE, GCS, POSTGRES, S3, SENTINEL
from .support import BIG, derived


def _planted(given: dict[str, Any], *left_out: str) -> dict[str, Any]:
    """`given` with a canary for each secret that it has, and for those that every instance has."""
    names = ({*given} & {*canary.EVERY}) | {*canary.VALUES}
    values = {name: canary.EVERY[name] for name in names if name not in left_out}
    return {**given, **canary.COMPANIONS, **_EXTRA, **values, "langfuse_ca_certificates": CERTIFICATE}


# In variables that hold more than secrets.
_EXTRA = {
    "langfuse_extra_env": {
        "DD_API_KEY": "Canary30tracer",
        "HTTP_PROXY": "http://user:Canary31proxy@proxy.invalid:3128",
    },
    "langfuse_web_extra_env": {
        "AUTH_GOOGLE_CLIENT_SECRET": "Canary32google$(SALT)",
        "SLACK_CLIENT_SECRET": "Canary33slack",
    },
    "langfuse_worker_extra_env": {"DD_API_KEY": "Canary34tracer"},
}


_ADMINISTRATORS = {
    **{f"langfuse_{store}_admin_user": "root" for store in ("postgres", "clickhouse", "redis")},
    **{f"langfuse_{store}_admin_password": "" for store in ("postgres", "clickhouse", "redis")},
    **{f"langfuse_s3_admin_{key}_key": "" for key in ("access", "secret")},
    "langfuse_redis_sentinel_password": "",
}
_LITELLM = {
    "langfuse_litellm_url": "http://litellm:4000/v1",
    "langfuse_litellm_key": "",
    "langfuse_litellm_models": ["x"],
}
_AUTOMATION = {"langfuse_keycloak_admin_client_id": "automation", "langfuse_keycloak_admin_client_secret": ""}
# PostgreSQL's own takes only printable ASCII; a store of one's own has its secrets as they are.
CASES: dict[str, dict[str, Any]] = {
    "shared": _planted({**EVERYTHING, **ADMINISTERED, **_AUTOMATION, **_LITELLM, "langfuse_keycloak_client_secret": ""}, "langfuse_redis_password"),
    "bundled": _planted({**BIG, **other("github")}),
    "existing": _planted({**CLUSTER, **POSTGRES, **CLICKHOUSE, **SENTINEL, **S3, **_ADMINISTRATORS, "network_policies_enabled": True}),
    "google": _planted({**BIG, **GCS}, "langfuse_s3_access_key", "langfuse_s3_secret_key"),
}  # fmt: skip
EACH = pytest.mark.parametrize("given", CASES.values(), ids=CASES)
_ENCODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def _readings(text: str) -> Iterator[str]:
    """The text as it is, as an address has it, and what it holds in Base64."""
    yield text
    yield unquote(text)
    for word in _ENCODED.findall(text):
        for start in range(4):
            cut = word[start:].rstrip("=")
            yield base64.b64decode(cut[: len(cut) // 4 * 4]).decode(errors="ignore")


def canaries(data: Any) -> list[str]:
    return [found for reading in _readings(json.dumps(data)) for found in canary.HOSTS.found_in(reading)]


def test_each_secret_of_the_contract_is_planted() -> None:
    planted = {name for given in CASES.values() for name in given if given[name] == canary.EVERY.get(name)}
    assert planted == canary.secret_names()


@EACH
def test_none_is_in_an_object_that_is_no_secret(given: dict[str, Any]) -> None:
    result = derived(given)
    secrets = 0
    for manifest in objects(result.plan, result.secrets):
        assert manifest.sensitive is (manifest.identity[0] == "Secret")
        shown = {**manifest.object}
        if manifest.sensitive:
            secrets += bool(canaries(shown.pop("data")))
        assert not canaries(shown), manifest.identity
    # The canaries are alive: they are found where they belong.
    assert secrets >= 6


@EACH
def test_none_is_in_what_is_told(given: dict[str, Any]) -> None:
    result = derived(given)
    assert not canaries(result.plan)
    assert not canaries(result.warnings)
    for plan in ({**result.plan, "env": {}}, {**result.plan, "images": {}}, {**result.plan, "endpoints": {}}):
        with pytest.raises(AnsibleFilterError) as error:
            kubernetes_objects(plan, result.secrets)
        assert not canaries(str(error.value)) and error.value.__cause__ is None


@EACH
def test_no_bare_hash_of_one_leaves_its_secret(given: dict[str, Any]) -> None:
    """Who has a short password's hash has the password; a fingerprint is keyed."""
    result = derived(given)
    text = json.dumps([one.object for one in objects(result.plan, result.secrets) if not one.sensitive])
    for name, value in result.secrets.items():
        for algorithm in ("md5", "sha1", "sha256"):
            digest = hashlib.new(algorithm, value.encode(), usedforsecurity=False).hexdigest()
            assert digest[:16] not in text, (name, algorithm)
