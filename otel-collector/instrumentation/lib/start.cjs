// The SDK and what it watches.
"use strict";

const module_ = require("node:module");
const os = require("node:os");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { IORedisInstrumentation } = require("@opentelemetry/instrumentation-ioredis");
const { PinoInstrumentation } = require("@opentelemetry/instrumentation-pino");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");
const { defaultResource, resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const { JobsInstrumentation } = require("./bullmq.cjs");
const { PostgresJsInstrumentation } = require("./postgres.cjs");
const { RedactingExporter } = require("./redact.cjs");
const { WithoutQueueChatter } = require("./sampler.cjs");

// packages whose ECMAScript form is patched too; all other modules load untouched
const ESM_PACKAGES = ["bullmq", "ioredis", "pino", "postgres"];

const QUEUE_SPANS = 4096;
const EXPORT_MILLISECONDS = 5000;

function start(env) {
  const provider = new NodeTracerProvider({
    resource: resource(env),
    sampler: new WithoutQueueChatter(),
    spanLimits: { attributeValueLengthLimit: 4096 },
    spanProcessors: [
      new BatchSpanProcessor(new RedactingExporter(new OTLPTraceExporter({ timeoutMillis: EXPORT_MILLISECONDS })), {
        maxQueueSize: QUEUE_SPANS,
        scheduledDelayMillis: 1000,
        exportTimeoutMillis: EXPORT_MILLISECONDS,
      }),
    ],
  });
  provider.register();
  registerInstrumentations({
    tracerProvider: provider,
    instrumentations: [
      new HttpInstrumentation(),
      new UndiciInstrumentation(),
      new IORedisInstrumentation({ requireParentSpan: true, dbStatementSerializer: (command) => command }),
      // the log lines get trace_id and span_id; they are not sent from here, the container's log is read
      new PinoInstrumentation({ disableLogSending: true }),
      new JobsInstrumentation({ useProducerSpanAsConsumerParent: true }),
      new PostgresJsInstrumentation(),
    ],
  });
  // a host of ECMAScript modules never requires these, and requiring is what patches them
  for (const name of ["node:http", "node:https"]) require(name);
  const here = pathToFileURL(path.join(__dirname, "start.cjs"));
  module_.register("@opentelemetry/instrumentation/hook.mjs", here, { data: { include: ESM_PACKAGES } });
  // a process that runs out of work sends what it has; process.exit() and signals do not wait for us
  process.once("beforeExit", () => void provider.forceFlush().catch(() => undefined));
  return provider;
}

function resource(env) {
  const attributes = { "service.instance.id": os.hostname(), "service.namespace": "supercheck" };
  if (env.SUPERCHECK_VERSION) attributes["service.version"] = env.SUPERCHECK_VERSION;
  if (env.WORKER_LOCATION) attributes["supercheck.location"] = env.WORKER_LOCATION.toLowerCase();
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are the person's, and come last
  return resourceFromAttributes(attributes).merge(fromEnvironment(env));
}

function fromEnvironment(env) {
  const attributes = {};
  for (const pair of (env.OTEL_RESOURCE_ATTRIBUTES ?? "").split(",")) {
    const [name, value] = pair.split("=", 2).map((part) => part.trim());
    if (name && value) attributes[name] = decodeURIComponent(value);
  }
  if (env.OTEL_SERVICE_NAME) attributes["service.name"] = env.OTEL_SERVICE_NAME;
  return defaultResource().merge(resourceFromAttributes(attributes));
}

module.exports = { start };
