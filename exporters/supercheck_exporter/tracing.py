"""Traces by OpenTelemetry: one a scrape, a span a collector, and below it what psycopg, redis and requests did.

Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set, so that a site without traces pays neither the SDK's memory nor
its time. What the SDK reads from its own OTEL_ variables (headers, certificates, batch sizes) works as it documents.

A background reader asks Redis several times a second. Its calls belong to no scrape, so they make no trace.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceState
from opentelemetry.util.types import Attributes

from supercheck_exporter import __version__, telemetry

log = logging.getLogger(__name__)

LONGEST_TEXT = 2048
"""Characters of an attribute: the pipeline of 500 queues is a statement of 7,000 commands."""

EXPORT_SECONDS = 3.0
"""Longest wait for the receiver, also at the end: Docker kills us after ten seconds."""


class OnlyScrapes(Sampler):
    """Every scrape begins a trace, and nothing else does."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Sampled where the name is that of a scrape."""
        chosen = ALWAYS_ON if name == telemetry.SCRAPE else ALWAYS_OFF
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """As the SDK shows it."""
        return "OnlyScrapes"


class OpenTelemetryTracer:
    """What telemetry.span and telemetry.current_ids go to."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, str | int | float]) -> Iterator[telemetry.Failed]:
        """A span around a block; what it yields marks it as failed, with the reason."""
        with self._tracer.start_as_current_span(name, attributes=attributes) as current:
            yield lambda reason: current.set_status(Status(StatusCode.ERROR, reason))

    def current_ids(self) -> tuple[str, str] | None:
        """Trace id and span id in hex, as stores write them; None outside of a trace that is kept."""
        context = trace.get_current_span().get_span_context()
        if not context.trace_flags.sampled:
            return None
        return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def start(exporter: SpanExporter) -> Callable[[], None]:
    """Send spans to an exporter from now on; returns what ends it, with a last attempt to deliver."""
    provider = TracerProvider(
        sampler=ParentBased(OnlyScrapes()),
        resource=Resource.create({"service.name": telemetry.SERVICE, "service.version": __version__}),
        span_limits=SpanLimits(max_span_attribute_length=LONGEST_TEXT),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    instrumentors = (PsycopgInstrumentor(), RedisInstrumentor(), RequestsInstrumentor())
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    telemetry.use(OpenTelemetryTracer(provider.get_tracer(__name__, __version__)))

    def stop() -> None:
        telemetry.use(None)
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        provider.shutdown()

    return stop


def otlp(endpoint: str, protocol: str) -> SpanExporter:
    """An exporter to an OTLP receiver, by HTTP or gRPC; it connects when there are spans."""
    if protocol == "grpc":
        # grpcio is the largest of our dependencies: only who asks for it loads it
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http(endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS)
