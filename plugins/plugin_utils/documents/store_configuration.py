# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of the bundled stores, the same on every target."""

from __future__ import annotations

from typing import Any

from ..settings import versions

# Log tables that ClickHouse fills for ever by itself. query_log stays: Langfuse reads it.
_ENDLESS_LOGS = (
    "asynchronous_insert_log",
    "asynchronous_metric_log",
    "background_schedule_pool_log",
    "blob_storage_log",
    "error_log",
    "latency_log",
    "metric_log",
    "opentelemetry_span_log",
    "part_log",
    "processors_profile_log",
    "query_metric_log",
    "query_thread_log",
    "query_views_log",
    "session_log",
    "text_log",
    "trace_log",
    "zookeeper_log",
)


def clickhouse_config(metrics_port: int | None = None) -> dict[str, Any]:
    """The server's settings. `metrics_port` is where Prometheus finds its series."""
    metrics = {"endpoint": "/metrics", "port": metrics_port, "metrics": "true", "events": "true"}
    return {
        "clickhouse": {
            "timezone": "UTC",
            # Not listen_host: the image's own file has two of them, and a third would replace one and bind twice.
            "logger": {"level": "information", "console": 1},
            "max_server_memory_usage_to_ram_ratio": "0.8",
            "query_log": {"ttl": "event_date + INTERVAL 7 DAY DELETE"},
            **({"prometheus": metrics} if metrics_port else {}),
            **{table: {"@remove": "1"} for table in _ENDLESS_LOGS},
        }
    }


def clickhouse_users(version: str) -> dict[str, Any]:
    """Profiles of the users."""
    profile: dict[str, Any] = {"log_queries": 1}
    if versions.at_least(version, 26, 8):
        # Langfuse up to 4.16 sends times as numbers; newer servers read them as seconds and drop the rows.
        profile["input_format_read_datetime_number_as_raw_value"] = 1
    return {"clickhouse": {"profiles": {"default": profile}}}


# Each bucket has volumes of its own, and seven at once unless told: three buckets would be given 21 GiB before the first is full,
# and on a smaller disk nothing could be written to the next bucket.
SEAWEEDFS_GROWTH = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}


def seaweedfs_arguments(host: str, s3_port: int) -> list[str]:
    """Of a server with all its parts in one process, which know each other as `host`."""
    return [
        "server",
        "-dir=/data",
        f"-ip={host}",
        "-ip.bind=0.0.0.0",
        "-master.volumeSizeLimitMB=1024",
        # Otherwise volumes are taken as a whole before their first object.
        "-master.volumePreallocate=false",
        "-volume.max=0",
        "-s3",
        f"-s3.port={s3_port}",
    ]


def seaweedfs_expiry(host: str, s3_port: int) -> str:
    """Script that deletes objects that are old enough, once an hour, in the SeaweedFS at `host`.

    The server keeps rules of expiry and does not act on them. A pass leaves a mark only when it ended well.
    """
    # The port of its gRPC is that of HTTP and 10,000 more.
    words = f"s3.lifecycle.run-shard -shards 0-15 -s3 {host}:{s3_port + 10000} -events 0 -runtime 1h"
    return (
        f"while :; do echo '{words}' | weed shell -master={host}:9333 2>&1 | tee /tmp/said; "
        "if grep -q 'shards 0-15 complete' /tmp/said; then touch /tmp/passed; sleep 3600; else sleep 10; fi; done"
    )


def valkey_config(memory: int) -> dict[str, str]:
    """`memory` is the container's limit in MiB."""
    return {
        "maxmemory": f"{memory * 3 // 4}mb",
        "maxmemory-policy": "noeviction",  # evicted keys are lost jobs
        "appendonly": "yes",
        "appendfsync": "everysec",
        "dir": "/data",
        "save": "3600 1",
    }
