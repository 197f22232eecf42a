"""One alert, from its arrival to a message for the operator, traced by hand.

The trace has context that every observation carries (user, session, tags, metadata: so that cost can be filtered by
vehicle), a span for each phase, a generation for each call of the model, the output of the whole, and, where a phase
fails, level ERROR with the message and the stack trace.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import model
from langfuse import Langfuse, propagate_attributes

REQUIRED = ("event_id", "alert_type", "vehicle_id", "driver_name")


class BadAlert(Exception):
    """The alert cannot be processed; the text is for whoever sent it."""


def process(langfuse: Langfuse, alert: Mapping[str, Any]) -> dict[str, Any]:
    """The assessment and the message, with the id of the trace."""
    missing = [name for name in REQUIRED if not alert.get(name)]
    if missing:
        raise BadAlert(f"missing: {', '.join(missing)}")
    context = propagate_attributes(
        trace_name="alert",
        user_id=str(alert["driver_name"]),
        session_id=str(alert.get("shift_id") or alert["vehicle_id"]),
        tags=[str(alert["alert_type"]), *map(str, alert.get("tags") or [])],
        metadata={name: str(alert[name]) for name in ("event_id", "alert_type", "vehicle_id")},
    )
    # The context comes first: observations that begin before it do not carry it.
    with context, _observed(langfuse, "alert", input=dict(alert)) as whole:
        with _observed(langfuse, "ingestion", input=dict(alert)) as phase:
            facts = f"{alert['alert_type']} in vehicle {alert['vehicle_id']}: {alert.get('text', '')}"
            phase.update(output=facts)
        with _observed(langfuse, "investigator", input=facts) as phase:
            assessment = _ask(langfuse, "investigator", facts)
            phase.update(output=assessment)
        with _observed(langfuse, "final", input=assessment) as phase:
            message = _ask(langfuse, "final", assessment)
            phase.update(output=message)
        result = {"assessment": assessment, "message": message}
        whole.update(output=result)
        return {**result, "trace_id": whole.trace_id}


def _ask(langfuse: Langfuse, role: str, text: str) -> str:
    messages = [{"role": "system", "content": f"You are the {role}."}, {"role": "user", "content": text}]
    with _observed(langfuse, f"ask-{role}", as_type="generation", model=model.NAME, input=messages) as generation:
        answer = model.ask(role, messages)
        generation.update(
            output=answer.text,
            usage_details={"input": answer.input_tokens, "output": answer.output_tokens},
            cost_details={"total": answer.cost},
        )
        return answer.text


@contextlib.contextmanager
def _observed(langfuse: Langfuse, name: str, as_type: str = "span", **fields: Any) -> Iterator[Any]:
    """An observation around a block. An exception marks it, and each one around it, and goes on."""
    with langfuse.start_as_current_observation(name=name, as_type=as_type, **fields) as observation:
        try:
            yield observation
        except Exception as error:
            observation.update(
                level="ERROR",
                status_message=f"{type(error).__name__}: {error}",
                metadata={"stack_trace": "".join(traceback.format_exception(error))},
            )
            raise
