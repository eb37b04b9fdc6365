// Parses queries by the grammars that Grafana's own editors use.
// stdin: [["logql" | "traceql", query], ...]; stdout: for each null, or what can't be understood and where.
'use strict';

const { readFileSync } = require('node:fs');

const parsers = {
  logql: require('@grafana/lezer-logql').parser,
  traceql: require('@grafana/lezer-traceql').parser,
};

function problem(language, query) {
  let found = null;
  parsers[language].parse(query).iterate({
    enter(node) {
      if (node.type.isError) found ??= `at ${node.from}: ${JSON.stringify(query.slice(node.from, node.from + 40))}`;
    },
  });
  return found ?? (query.trim() ? null : 'it is empty');
}

const asked = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(asked.map(([language, query]) => problem(language, query))));
