"""LiteLLM as a library, once with each of the `CALLBACKS`, and a call that fails. `TAG` begins the tags."""

import contextlib
import os
import time
import uuid

import litellm

litellm.suppress_debug_info = True


def call(tag: str, **options: str) -> None:
    metadata = {
        "tags": [tag, "second"],
        "session_id": "shift-1",
        "trace_user_id": "driver-7",
        "trace_name": "litellm-request",
        # Without one the callback `langfuse` makes it from the session.
        "trace_id": uuid.uuid4().hex,
        "trace_metadata": {"vehicle_id": "v-42"},
    }
    messages = [{"role": "user", "content": "hi"}]
    litellm.completion(model="openai/gpt-4o-mini", api_key="none", messages=messages, metadata=metadata, **options)


for callback in os.environ["CALLBACKS"].split():
    litellm.success_callback, litellm.failure_callback = [callback], [callback]
    call(f"{os.environ['TAG']}-{callback}", mock_response="hello")
    with contextlib.suppress(litellm.RateLimitError):
        call(f"{os.environ['TAG']}-{callback}-failed", mock_response="litellm.RateLimitError")
    # Callbacks run in threads of LiteLLM's own, which nothing waits for.
    time.sleep(2)
