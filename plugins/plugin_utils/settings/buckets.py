# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set on the buckets: which pages may upload, and what goes after some days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .endpoints import public_s3_endpoint, public_url
from .plan import Settings
from .sources import is_bundled

# Kinds of buckets that may lose objects after some days. Media have no other copy.
EXPIRING = ("events", "exports")


def expire_days(kind: str) -> str:
    """Variable with the days after which objects of this kind go."""
    return f"langfuse_s3_{kind}_expire_days"


def expires(settings: Settings) -> bool:
    """Whether the bundled store has to be told to delete what is old enough."""
    return is_bundled(settings, "s3") and any((settings[expire_days(kind)] or 0) > 0 for kind in EXPIRING)


def bucket_options(settings: Settings, buckets: Mapping[str, str]) -> dict[str, Any]:
    """Options of `s3_bucket` for these buckets (kind → name). What nobody asked for is left as it is."""
    own: dict[str, dict[str, Any]] = {}
    origins = cors_origins(settings)
    if origins is not None:
        own.setdefault(buckets["media"], {})["cors_origins"] = origins
    for kind in EXPIRING:
        days = settings[expire_days(kind)]
        if days is not None and kind in buckets:
            rule = {"prefix": settings["langfuse_s3_exports_prefix"] if kind == "exports" else "", "expire_days": days}
            own.setdefault(buckets[kind], {})["lifecycle"] = [rule] if days else []
    return {
        "buckets": list(dict.fromkeys(buckets.values())),
        "settings": [{"name": name, **options} for name, options in own.items()],
        "media_bucket": buckets["media"],
        "media_prefix": settings["langfuse_s3_media_prefix"],
    }


def backups(settings: Settings) -> dict[str, str]:
    """Bucket of the backups of PostgreSQL, and the folder in it that they call after its cluster."""
    return {"bucket": settings["langfuse_s3_backups_bucket"], "folder": f"{settings.instance}-postgresql"}


def cors_origins(settings: Settings) -> list[str] | None:
    """Origins that may upload media; None leaves the rules of the bucket as they are.

    The bundled store is told the instance's own page where that is another origin. An existing one may have rules of
    somebody else, or know none, so only what is written is set there; the walk says what is missing.
    """
    given = settings["langfuse_s3_cors_origins"]
    if given is not None or not is_bundled(settings, "s3"):
        return None if given is None else list(given)
    page, store = origin(public_url(settings)), origin(public_s3_endpoint(settings) or "")
    return None if page == store else [page]


def origin(url: str) -> str:
    """Scheme and host, as a browser names the page."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
