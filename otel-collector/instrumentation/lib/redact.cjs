// Takes out of spans what must not leave the process: query strings, and literals in SQL. The collector redacts again.
"use strict";

const WITH_QUERY = ["url.full", "http.url", "http.target"];
const DROPPED = ["url.query"];
const STATEMENTS = ["db.query.text", "db.statement"];

function withoutQuery(text) {
  return text.replace(/[?#].*$/s, "").replace(/\/\/[^/@]*@/, "//");
}

// quoted text (also E'...', $tag$...$tag$) and numbers; identifiers in double quotes and $1 stay
function withoutLiterals(sql) {
  return sql
    .replace(/\$([A-Za-z_]*)\$.*?\$\1\$/gs, "?")
    .replace(/\b[eEnNbBxX]?'(?:[^'\\]|''|\\.)*'/gs, "?")
    .replace(/'(?:[^'\\]|''|\\.)*'/gs, "?")
    .replace(/(?<![\w$".])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g, "?");
}

function redact(attributes) {
  for (const name of DROPPED) delete attributes[name];
  for (const name of WITH_QUERY) {
    if (typeof attributes[name] === "string") attributes[name] = withoutQuery(attributes[name]);
  }
  for (const name of STATEMENTS) {
    if (typeof attributes[name] === "string") attributes[name] = withoutLiterals(attributes[name]);
  }
}

class RedactingExporter {
  constructor(next) {
    this._next = next;
  }

  export(spans, done) {
    for (const span of spans) redact(span.attributes);
    this._next.export(spans, done);
  }

  shutdown() {
    return this._next.shutdown();
  }

  forceFlush() {
    return this._next.forceFlush?.() ?? Promise.resolve();
  }
}

module.exports = { RedactingExporter, redact, withoutLiterals, withoutQuery };
