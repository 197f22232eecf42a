"""The official Python SDK: one request with a generation and a failed step. `TAG` marks the trace."""

import contextlib
import os

from langfuse import get_client, propagate_attributes

langfuse = get_client()
context = propagate_attributes(
    trace_name="sdk-request",
    user_id="driver-7",
    session_id="shift-1",
    tags=[os.environ["TAG"], "second"],
    metadata={"vehicle_id": "v-42"},
)
with context, langfuse.start_as_current_observation(as_type="span", name="request", input={"event": "e1"}) as root:
    messages = [{"role": "user", "content": "hi"}]
    with langfuse.start_as_current_observation(
        as_type="generation", name="ask", model="gpt-4o-mini", input=messages, model_parameters={"temperature": 0.2}
    ) as generation:
        generation.update(output="hello", usage_details={"input": 12, "output": 5}, cost_details={"total": 0.0123})
    with contextlib.suppress(ValueError), langfuse.start_as_current_observation(as_type="tool", name="notify"):
        raise ValueError("boom")
    root.update(output={"answer": "hello"})
langfuse.flush()
