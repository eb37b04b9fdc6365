// Traces of the Node process that preloads this file: NODE_OPTIONS="--require /otel/register.cjs".
//
// Nothing here may harm the host. Without OTEL_EXPORTER_OTLP_ENDPOINT, or with SUPERCHECK_TRACING=off, nothing is loaded.
// Whatever fails while it is set up is one line on standard error, and the host starts as it would have. Later on, spans
// that nobody takes wait in a bounded queue and are then dropped. No signal handler is added: the worker has none of its own,
// and ours would keep it alive at SIGTERM.
"use strict";

const path = require("node:path");
const { isMainThread } = require("node:worker_threads");

const OFF = new Set(["off", "false", "0", "no"]);

// npm and npx are the host's way to start, not the host
function isPackageManager() {
  return /^(npm|npx|pnpm|yarn|corepack)(-cli)?(\.[cm]?js)?$/.test(path.basename(process.argv[1] ?? ""));
}

// a thread is preloaded too: the one of the module hooks that we register, and those of log transports
function isWanted(env) {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  return isMainThread && Boolean(endpoint) && !OFF.has((env.SUPERCHECK_TRACING ?? "").toLowerCase()) && !isPackageManager();
}

if (isWanted(process.env)) {
  try {
    require("./lib/start.cjs").start(process.env);
  } catch (error) {
    process.stderr.write(`supercheck-instrumentation: no traces from this process: ${error?.message ?? error}\n`);
  }
}
