// postgres.js (the package `postgres`), which nothing else patches without a change of the host.
//
// A query is a promise of the class Query that is sent when somebody waits for it: its method `handle` runs then, and
// its `resolve` and `reject` when the answer is there. The class is not exported, but every client makes one on demand.
"use strict";

const { context, SpanKind, SpanStatusCode, trace } = require("@opentelemetry/api");
const { InstrumentationBase, InstrumentationNodeModuleDefinition, isWrapped } = require("@opentelemetry/instrumentation");

const { count } = require("./repetition.cjs");

const OPERATION = /^\s*(?:\/\*.*?\*\/\s*|--[^\n]*\n\s*)*([a-z]+)/is;

class PostgresJsInstrumentation extends InstrumentationBase {
  constructor(config = {}) {
    super("supercheck-instrumentation/postgres", "1", config);
  }

  init() {
    return new InstrumentationNodeModuleDefinition("postgres", [">=3 <4"], (exports) => this._patch(exports));
  }

  _patch(exports) {
    // CommonJS exports the function itself, ECMAScript has it as its default
    if (typeof exports === "function") return this._watched(exports);
    exports.default = this._watched(exports.default);
    return exports;
  }

  _watched(connect) {
    const instrumentation = this;
    return new Proxy(connect, {
      apply(target, self, args) {
        const sql = Reflect.apply(target, self, args);
        try {
          instrumentation._patchQuery(Object.getPrototypeOf(sql.unsafe("")), sql.options);
        } catch (error) {
          instrumentation._diag.warn("queries of postgres.js make no spans", error);
        }
        return sql;
      },
    });
  }

  // the queries of every client are of one class
  _patchQuery(prototype) {
    if (isWrapped(prototype.handle)) return;
    const instrumentation = this;
    this._wrap(prototype, "handle", (handle) => function tracedHandle(...args) {
      // only the first wait sends it; a query outside of a trace (a pool's own) explains nothing
      const parent = this.executed ? undefined : trace.getSpan(context.active());
      try {
        if (parent) watch(instrumentation.tracer, this, parent);
      } catch (error) {
        instrumentation._diag.warn("a query of postgres.js makes no span", error);
      }
      return handle.apply(this, args);
    });
  }
}

function watch(tracer, query, parent) {
  const text = query.tagged ? query.strings.join("?") : String(query.strings[0] ?? "");
  count(parent, text);
  const operation = (OPERATION.exec(text)?.[1] ?? "query").toUpperCase();
  const span = tracer.startSpan(operation, {
    kind: SpanKind.CLIENT,
    attributes: { "db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": text },
  });
  const { resolve, reject } = query;
  query.resolve = (answer) => {
    if (typeof answer?.count === "number") span.setAttribute("db.response.returned_rows", answer.count);
    span.end();
    return resolve(answer);
  };
  query.reject = (error) => {
    if (error?.code) span.setAttribute("db.response.status_code", String(error.code));
    // the server's sentence may quote a value
    span.setStatus({ code: SpanStatusCode.ERROR, message: error?.code ? `PostgreSQL ${error.code}` : error?.name });
    span.end();
    return reject(error);
  };
}

module.exports = { PostgresJsInstrumentation };
