# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure and Google say, as causes and cures in the words of the collection; and what is kept of a proof."""

from __future__ import annotations

import email.utils
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, libraries, records
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs import azure, check, common, google
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError
from ansible_collections.llmops.langfuse.plugins.module_utils.store_proofs import Proofs

AZURE = azure.Account("https://account.blob.core.windows.net", "account", "a2V5", None)
KEY = google.Account(None, '{"type": "service_account"}', None)
MACHINE = google.Account(None, None, None)


@pytest.mark.parametrize(
    ("service", "code", "status", "wanted", "said"),
    [
        (AZURE, "AuthenticationFailed", 403, "s3_wrong_keys", "langfuse_s3_access_key (the account's name)"),
        (AZURE, "ContainerNotFound", 404, "s3_bucket_missing", "az storage container create --name events."),
        (AZURE, "AuthorizationFailure", 403, "s3_denied", "firewall of the account"),
        (AZURE, "KeyBasedAuthenticationNotPermitted", 403, "s3_denied", "allowSharedKeyAccess"),
        (AZURE, "AccountIsDisabled", 403, "s3_denied", "Enable the storage account"),
        (AZURE, "InsufficientAccountPermissions", 403, "s3_denied", "langfuse_s3_secret_key"),
        (AZURE, "InvalidResourceName", 400, "s3_bad_request", "langfuse_s3_…_bucket"),
        (AZURE, "ServerBusy", 503, "s3_not_ready", "Wait"),
        (AZURE, "ContainerBeingDeleted", 409, "s3_not_ready", "Wait"),
        (AZURE, "FeatureVersionMismatch", 409, "s3_error", "store's log"),
        (AZURE, http_client.NAME, 0, "s3_down", "Correct langfuse_s3_endpoint"),
        (AZURE, http_client.TLS, 0, "s3_tls", "langfuse_ca_certificates"),
        (KEY, "invalid_grant", 0, "s3_wrong_keys", "langfuse_gcs_credentials"),
        (KEY, common.BAD_CREDENTIALS, 0, "s3_wrong_keys", "langfuse_gcs_credentials"),
        (KEY, "401", 401, "s3_wrong_keys", "langfuse_gcs_credentials"),
        (KEY, "403", 403, "s3_denied", "the service account of langfuse_gcs_credentials roles/storage.objectAdmin"),
        (KEY, "404", 404, "s3_bucket_missing", "gcloud storage buckets create gs://events"),
        (KEY, "400", 400, "s3_bad_request", "langfuse_s3_…_bucket"),
        (KEY, "429", 429, "s3_not_ready", "Wait"),
        (KEY, "503", 503, "s3_not_ready", "Wait"),
        (KEY, "412", 412, "s3_error", "store's log"),
        (KEY, http_client.TIMEOUT, 0, "s3_down", "oauth2.googleapis.com"),
        (MACHINE, common.NO_IDENTITY, 0, "s3_no_keys", "langfuse_s3_use_role: false"),
        (MACHINE, "401", 401, "s3_wrong_keys", "access scopes"),
        (MACHINE, "403", 403, "s3_denied", "the machine's service account roles/storage.objectAdmin"),
    ],
)
def test_causes_and_cures(service: Any, code: str, status: int, wanted: str, said: str) -> None:
    failure = check._failure(service, StoreError(code, "Said so.", status), "events")
    assert (failure.code, said in failure.cure) == (wanted, True), (failure.code, failure.cure)


def test_a_refused_login_of_a_wrong_clock_is_the_clocks_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KEY, "skew", 300.0)
    failure = check._failure(KEY, StoreError("invalid_grant", "Invalid JWT."), "events")
    assert (failure.code, "300 seconds ahead of" in failure.message) == ("s3_clock_skew", True)
    assert check._failure(KEY, StoreError("403", "No.", 403), "events").code == "s3_denied"


def test_the_other_clock() -> None:
    assert abs(common.skew(email.utils.formatdate(time.time() - 100, usegmt=True)) - 100) < 3
    assert common.skew(None) == common.skew("yesterday") == 0.0


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Failed to resolve 'a' ([Errno -2] Name or service not known)", http_client.NAME),
        ("Failed to establish a new connection: [Errno 111] Connection refused", http_client.REFUSED),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch", http_client.TLS),
        ("Connection to a timed out. (connect timeout=3)", http_client.TIMEOUT),
        ("Failed to establish a new connection: [Errno 101] Network is unreachable", http_client.UNREACHABLE),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed connection'))", http_client.CLOSED),
    ],
)
def test_why_no_answer_came(said: str, kind: str) -> None:
    assert azure.kind_of(said) == kind


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("azure.storage", "azure-storage-blob"),
        ("google", "google-auth"),
        ("redis", "redis"),
        ("botocore.config", "botocore"),
        ("psycopg", "psycopg[binary]"),
    ],
)
def test_a_missing_library_is_called_as_it_is_installed(module: str, package: str) -> None:
    assert libraries.package_of(ImportError(name=module)) == package


def test_a_proof_is_of_one_key_at_one_place(tmp_path: Path) -> None:
    place, buckets = ["s3", "http://s3:9000", "us-east-1", "key"], ["events", "media"]
    first = Proofs(str(tmp_path), place, "canary-secret")
    assert first.wanting(buckets) == buckets
    first.proved(buckets)
    assert Proofs(str(tmp_path), place, "canary-secret").wanting(buckets) == buckets, "kept before all was well"
    first.keep()
    assert Proofs(str(tmp_path), place, "canary-secret").wanting([*buckets, "exports"]) == ["exports"]
    for other in ([*place[:3], "other"], ["azure", *place[1:]], ["s3", "http://s3:9001", *place[2:]]):
        assert Proofs(str(tmp_path), other, "canary-secret").wanting(buckets) == buckets
    assert Proofs(str(tmp_path), place, "canary-new").wanting(buckets) == buckets
    kept = (tmp_path / records.PROOFS).read_text()
    assert "canary" not in kept and "key" not in kept and "events" not in kept
    (tmp_path / records.PROOFS).write_text("{")
    assert Proofs(str(tmp_path), place, "canary-secret").wanting(buckets) == buckets
    nowhere = Proofs(None, place, None)
    nowhere.proved(buckets)
    nowhere.keep()
    assert nowhere.wanting(buckets) == buckets
