"""A plain OpenTelemetry SDK with its OTLP/HTTP exporter, configured by `OTEL_*` alone. `TAG` marks the trace."""

import contextlib
import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("sender", "1.0")
context = {
    "langfuse.trace.name": "otel-request",
    "langfuse.trace.tags": [os.environ["TAG"], "second"],
    "langfuse.trace.metadata.vehicle_id": "v-42",
    "user.id": "driver-7",
    "session.id": "shift-1",
}
with tracer.start_as_current_span("request", attributes={**context, "langfuse.observation.input": '{"event":"e1"}'}):
    with tracer.start_as_current_span("chat", attributes=context) as call:
        call.set_attribute("gen_ai.operation.name", "chat")
        call.set_attribute("gen_ai.request.model", "gpt-4o-mini")
        call.set_attribute("gen_ai.request.temperature", 0.2)
        call.set_attribute("gen_ai.usage.input_tokens", 12)
        call.set_attribute("gen_ai.usage.output_tokens", 5)
        call.set_attribute("gen_ai.output.messages", '[{"role":"assistant","content":"hello"}]')
    with contextlib.suppress(ValueError), tracer.start_as_current_span("notify", attributes=context):
        raise ValueError("boom")
provider.shutdown()
