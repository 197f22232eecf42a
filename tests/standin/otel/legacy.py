"""Rows of the v3 tables, written beside or instead of `events_full` outside events_only (facts 4.4)."""

from typing import Any

Row = dict[str, Any]


def _millis(micros: int | None) -> int | None:
    return None if micros is None else micros // 1000


def trace(event: Row) -> Row:
    """The trace of a root span."""
    return {
        "id": event["trace_id"],
        "timestamp": _millis(event["start_time"]),
        "name": event["trace_name"] or event["name"],
        "user_id": event["user_id"] or None,
        "metadata": dict(zip(event["metadata_names"], event["metadata_values"], strict=True)),
        "release": event["release"] or None,
        "version": event["version"] or None,
        "project_id": event["project_id"],
        "environment": event["environment"],
        "public": event["public"],
        "bookmarked": event["bookmarked"],
        "tags": event["tags"],
        "input": event["input"] or None,
        "output": event["output"] or None,
        "session_id": event["session_id"] or None,
        "created_at": _millis(event["created_at"]),
        "updated_at": _millis(event["updated_at"]),
        "event_ts": _millis(event["event_ts"]),
        "is_deleted": 0,
    }


def observation(event: Row) -> Row:
    same = (
        "trace_id project_id environment type name level status_message version input output provided_model_name "
        "model_parameters provided_usage_details usage_details provided_cost_details cost_details"
    )
    return {
        **{k: event[k] for k in same.split()},
        "id": event["span_id"],
        "parent_observation_id": event["parent_span_id"] or None,
        "start_time": _millis(event["start_time"]),
        "end_time": _millis(event["end_time"]),
        "metadata": dict(zip(event["metadata_names"], event["metadata_values"], strict=True)),
        "internal_model_id": event["model_id"] or None,
        "total_cost": event["cost_details"].get("total"),
        "created_at": _millis(event["created_at"]),
        "updated_at": _millis(event["updated_at"]),
        "event_ts": _millis(event["event_ts"]),
        "is_deleted": 0,
    }
