"""What is set on buckets: bad input for each of its rules."""

from __future__ import annotations

from .cases import Bad
from .source_cases import AZURE, GCS, S3

EVENTS, EXPORTS = "langfuse_s3_events_expire_days", "langfuse_s3_exports_expire_days"
ORIGINS = "langfuse_s3_cors_origins"
ONE_BUCKET = {**S3, "langfuse_s3_exports_bucket": "langfuse-media"}

CASES = (
    Bad("upload_origins", {ORIGINS: ["https://langfuse.example.com/"]}, ORIGINS),
    Bad("upload_origins", {ORIGINS: ["langfuse.example.com"]}, ORIGINS),
    Bad("upload_origins", {**S3, ORIGINS: ["https://"]}, ORIGINS),
    Bad("upload_origins", {ORIGINS: ["https://[fd00::1"]}, ORIGINS),
    Bad("expiry", {EVENTS: 30, "langfuse_seaweedfs_version": "4.07"}, "langfuse_seaweedfs_version"),
    Bad("expiry", {EXPORTS: -7}, EXPORTS),
    Bad("expiry", {**S3, EVENTS: -1}, EVENTS),
    Bad("expired_exports", {**S3, "langfuse_batch_export_enabled": False, EXPORTS: 7}, EXPORTS),
    Bad("expired_exports", {**ONE_BUCKET, EXPORTS: 7}, EXPORTS),
    Bad("expired_exports", {**ONE_BUCKET, "langfuse_s3_exports_prefix": "exports/", EXPORTS: 7}, EXPORTS),
    Bad(
        "expired_exports",
        {**ONE_BUCKET, "langfuse_s3_media_prefix": "a/b/", "langfuse_s3_exports_prefix": "a/", EXPORTS: 7},
        EXPORTS,
    ),
    Bad("other_services", {**AZURE, ORIGINS: ["https://langfuse.example.com"]}, ORIGINS),
    Bad("other_services", {**GCS, EVENTS: 30}, EVENTS),
)
