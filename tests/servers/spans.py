"""Sends spans by OTLP over HTTP, as an instrumented process would."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

INTERNAL, SERVER, CLIENT = 1, 2, 3
HTTP_SECONDS = 30.0
Value = str | int | bool | list[str]


@dataclass(frozen=True)
class Sent:
    """One span to be sent. ``seconds`` is its length, ``ago`` how long before now it ended; ids are hex."""

    name: str
    kind: int = SERVER
    attributes: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None
    """The sentence of its status, when it failed."""
    seconds: float = 0.01
    ago: float = 0.0
    events: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    parent: str = ""
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    id: str = field(default_factory=lambda: secrets.token_hex(8))


def message(spans: Iterable[Sent], service: str | None = "supercheck-app", **resource: Value) -> bytes:
    """The body of one request with these spans of one process; without a service name for None."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    named = {} if service is None else {"service.name": service}
    group.resource.attributes.extend(_pairs(named | resource))
    scope = group.scope_spans.add()
    now = time.time_ns()
    for sent in spans:
        span = scope.spans.add()
        span.trace_id, span.span_id = bytes.fromhex(sent.trace), bytes.fromhex(sent.id)
        span.parent_span_id = bytes.fromhex(sent.parent)
        span.name, span.kind = sent.name, sent.kind
        span.end_time_unix_nano = now - round(sent.ago * 1e9)
        span.start_time_unix_nano = span.end_time_unix_nano - round(sent.seconds * 1e9)
        span.attributes.extend(_pairs(sent.attributes))
        if sent.error is not None:
            span.status.code, span.status.message = 2, sent.error
        for name, attributes in sent.events.items():
            event = span.events.add()
            event.name = name
            event.attributes.extend(_pairs(attributes))
    body: bytes = request.SerializeToString()
    return body


def send(endpoint: str, spans: Iterable[Sent], service: str | None = "supercheck-app", **resource: Value) -> int:
    """Send them in one request and return the HTTP status: 200, or 503 from one that has no room."""
    headers = {"Content-Type": "application/x-protobuf"}
    body = message(spans, service, **resource)
    return requests.post(f"{endpoint}/v1/traces", body, headers=headers, timeout=HTTP_SECONDS).status_code


def _pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
