# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a file to a presigned address: as the SDKs send it, and as each service must refuse it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import uploads

TYPE, SUM = "text/plain", "c3VtIG9mIHRoZSBmaWxl"
S3 = "https://s3.eu-west-1.amazonaws.com/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature=ab"
AZURE = "https://acct.blob.core.windows.net/media/p/a%20b.txt?sv=2025-05-05&se=2026-01-01&sr=b&sp=w&rsct=text%2Fplain&sig=a%2Bb%3D"
GOOGLE = (
    "https://storage.googleapis.com/b/k?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-SignedHeaders=host&X-Goog-Signature=ab"
)


@pytest.mark.parametrize("url", [S3, "http://seaweedfs:8333/b/k"])
def test_s3_signs_the_checksum(url: str) -> None:
    made = uploads.upload(url, TYPE, SUM)
    assert made.headers == {"Content-Type": TYPE, "x-amz-checksum-sha256": SUM, "x-ms-blob-type": "BlockBlob"}
    assert made.target == made.forged_target == url.partition(urlsplit(url).netloc)[2]
    assert made.forged_headers["x-amz-checksum-sha256"] != SUM
    assert made.asked == ("content-type", "x-amz-checksum-sha256")


def test_azure_needs_the_kind_of_blob_and_signs_the_address_only() -> None:
    made = uploads.upload(AZURE, TYPE, SUM)
    assert made.headers["x-ms-blob-type"] == "BlockBlob"
    assert made.target == AZURE.partition("windows.net")[2]
    asked, forged = (parse_qs(urlsplit(target).query) for target in (made.target, made.forged_target))
    assert forged.pop("sig") != asked.pop("sig")
    assert forged == asked
    assert urlsplit(made.forged_target).path == "/media/p/a%20b.txt"
    assert "x-ms-blob-type" in made.asked


def test_google_takes_no_headers_of_others_and_signs_the_type() -> None:
    made = uploads.upload(GOOGLE, TYPE, SUM)
    assert made.headers == {"Content-Type": TYPE}
    assert made.forged_headers["Content-Type"] != TYPE
    assert made.forged_target == made.target
