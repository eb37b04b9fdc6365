// Keeps every span but those of BullMQ's own Redis commands, which would be most of all spans and explain nothing.
"use strict";

const { SamplingDecision } = require("@opentelemetry/sdk-trace-node");

// what BullMQ sends on its way: its scripts, its blocking reads, its events and the client's own greetings
const CHATTER = new Set([
  "evalsha", "eval", "script", "bzpopmin", "bzpopmax", "brpoplpush", "blmove", "xadd", "xread", "xtrim", "multi", "exec",
  "client", "info", "hello", "auth", "select", "ping", "subscribe", "unsubscribe",
]);

const KEEP = { decision: SamplingDecision.RECORD_AND_SAMPLED };
const DROP = { decision: SamplingDecision.NOT_RECORD };

class WithoutQueueChatter {
  shouldSample(_context, _traceId, name, _kind, attributes) {
    const isRedis = attributes["db.system"] === "redis" || attributes["db.system.name"] === "redis";
    return isRedis && CHATTER.has(name.toLowerCase()) ? DROP : KEEP;
  }

  toString() {
    return "WithoutQueueChatter";
  }
}

module.exports = { WithoutQueueChatter, CHATTER };
