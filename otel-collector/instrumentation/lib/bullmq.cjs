// BullMQ, by the instrumentation that exists, except for schedules.
//
// A repeatable job carries the trace of whoever made the schedule, for ever: every run of a monitor would join one trace
// that never ends. A run of a schedule therefore begins a trace of its own.
"use strict";

const { BullMQInstrumentation } = require("@appsignal/opentelemetry-instrumentation-bullmq");
const { InstrumentationNodeModuleDefinition } = require("@opentelemetry/instrumentation");

const CONTEXT = ["traceparent", "tracestate", "baggage"];

function withoutContext(opts) {
  return Object.fromEntries(Object.entries(opts).filter(([name]) => !CONTEXT.includes(name)));
}

class JobsInstrumentation extends BullMQInstrumentation {
  init() {
    const theirs = super.init();
    const patch = (exports, version) => {
      const patched = theirs.patch(exports, version);
      const { prototype } = patched.Worker;
      const traced = prototype.callProcessJob;
      // not by _wrap, which would take theirs off first
      prototype.callProcessJob = function callProcessJob(job, ...rest) {
        if (job?.opts && (job.repeatJobKey || job.opts.repeat)) job.opts = withoutContext(job.opts);
        return traced.call(this, job, ...rest);
      };
      this._undo = () => {
        prototype.callProcessJob = traced;
      };
      return patched;
    };
    const unpatch = (exports, version) => {
      this._undo?.();
      return theirs.unpatch(exports, version);
    };
    return new InstrumentationNodeModuleDefinition(theirs.name, theirs.supportedVersions, patch, unpatch);
  }
}

module.exports = { JobsInstrumentation };
