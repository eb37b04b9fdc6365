// N+1: one query sent again and again below one span. More than ten of one fingerprint mark that span, and the collector
// counts marked spans.
//
// A fingerprint is the statement without literals, with lists of any length as one. Memory is bounded: fingerprints are
// counted for a span as long as it lives, a hundred different ones at most, and a thousand statements are remembered.
"use strict";

const { withoutLiterals } = require("./redact.cjs");

const MORE_THAN = 10;
const FINGERPRINTS = 100;
const STATEMENTS = 1000;
const STATEMENT_LENGTH = 4096;
const FINGERPRINT_LENGTH = 300;

const known = new Map();
const counted = new WeakMap();

function fingerprint(text) {
  const found = known.get(text);
  if (found !== undefined) return found;
  const made = withoutLiterals(text.slice(0, STATEMENT_LENGTH))
    .replace(/\/\*.*?\*\/|--[^\n]*/gs, " ")
    .replace(/\s+/g, " ")
    .replace(/\$\d+/g, "?")
    .replace(/\(\s*\?(?:\s*,\s*\?)+\s*\)/g, "(?)")
    .replace(/\(\?\)(?:\s*,\s*\(\?\))+/g, "(?)")
    .trim()
    .slice(0, FINGERPRINT_LENGTH);
  if (known.size >= STATEMENTS) known.clear();
  if (text.length <= STATEMENT_LENGTH) known.set(text, made);
  return made;
}

// a query below `span`
function count(span, text) {
  if (!span.isRecording()) return;
  let below = counted.get(span);
  if (below === undefined) counted.set(span, (below = { most: MORE_THAN, times: new Map() }));
  const query = fingerprint(text);
  const times = (below.times.get(query) ?? 0) + 1;
  if (times === 1 && below.times.size >= FINGERPRINTS) return;
  below.times.set(query, times);
  if (times <= below.most) return;
  below.most = times;
  span.setAttributes({ "supercheck.repeated_queries": times, "supercheck.repeated_query": query });
}

module.exports = { count, fingerprint };
