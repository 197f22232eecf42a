// The official JavaScript SDK: one request with a generation and a failed step. TAG marks the trace.
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startActiveObservation } from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const provider = new NodeTracerProvider({ spanProcessors: [new LangfuseSpanProcessor()] });
provider.register();

const context = {
  traceName: "js-request",
  userId: "driver-7",
  sessionId: "shift-1",
  tags: [process.env.TAG, "second"],
  metadata: { vehicle_id: "v-42" },
};
await propagateAttributes(context, () =>
  startActiveObservation("request", async (root) => {
    root.update({ input: { event: "e1" } });
    await startActiveObservation(
      "ask",
      async (generation) => {
        generation.update({
          model: "gpt-4o-mini",
          input: [{ role: "user", content: "hi" }],
          output: "hello",
          usageDetails: { input: 12, output: 5 },
          costDetails: { total: 0.0123 },
        });
      },
      { asType: "generation" },
    );
    await startActiveObservation(
      "notify",
      async (tool) => {
        tool.update({ level: "ERROR", statusMessage: "boom" });
      },
      { asType: "tool" },
    );
    root.update({ output: { answer: "hello" } });
  }),
);
await provider.shutdown();
