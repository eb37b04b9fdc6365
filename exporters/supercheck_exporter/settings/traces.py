"""Where the exporter's own traces go; the names are OpenTelemetry's."""

from __future__ import annotations

from typing import Literal

from supercheck_exporter.settings.fields import Group, Url, setting


class TraceSettings(Group):
    """Where the exporter's own traces go; the names are OpenTelemetry's."""

    otel_exporter_otlp_endpoint: Url | None = setting(
        None, "a URL that starts with http:// or https://", "OTLP receiver of the exporter's own traces; unset: none."
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf", "grpc"] = setting(
        "http/protobuf", "http/protobuf (port 4318 as a rule) or grpc (4317)", "How that receiver is spoken to."
    )
