"""The names that the alerts on the pipeline ask for, on the page of a real collector in trouble."""

from __future__ import annotations

import re
from pathlib import Path

import requests
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from servers.collector import Collector, page, series
from servers.otlp import OtlpSink
from servers.process import wait_for
from servers.spans import Sent, send

ROOT = Path(__file__).resolve().parents[2]
ALERTS = {"CollectorDroppingData", "CollectorQueueFilling"}
QUEUE_BYTES = 20_000
HTTP_SECONDS = 30.0


def asked() -> set[str]:
    """Every metric of the collector that these alerts name."""
    groups = yaml.safe_load((ROOT / "alert-rules/alerts/observability.yaml").read_text(encoding="utf-8"))["groups"]
    rules = [rule["expr"] for group in groups for rule in group["rules"] if rule["alert"] in ALERTS]
    return {name for text in rules for name in re.findall(r"otelcol_\w+", text)}


def named(collector: Collector) -> set[str]:
    """The names as they stand on its page: a parser would add `_total` to a counter's, which Prometheus does not."""
    return set(re.findall(r"^(\w+)[ {]", page(collector.metrics_target), re.MULTILINE))


def send_line(endpoint: str, text: str) -> None:
    """Send one log line; the answer may be that there is no room."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = text
    headers = {"Content-Type": "application/x-protobuf"}
    requests.post(f"{endpoint}/v1/logs", request.SerializeToString(), headers=headers, timeout=HTTP_SECONDS)


def test_a_collector_in_trouble_has_every_name_that_is_asked() -> None:
    """Tempo and Loki refuse for good, Jaeger is away, and the room for what waits is small."""
    with (
        OtlpSink() as refusing,
        Collector(tempo=refusing.url, loki=refusing.url, COLLECTOR_QUEUE_BYTES=str(QUEUE_BYTES)) as collector,
    ):
        refusing.status = 400
        for text in ("short", "x" * 2 * QUEUE_BYTES):  # one is refused by the store, one by the queue
            assert send(collector.endpoint, [Sent("GET /api/lost", attributes={"text": text})]) == 200
            send_line(collector.endpoint, text)
            what = "send_failed" if text == "short" else "enqueue_failed"
            names = {f"otelcol_exporter_{what}_{kind}" for kind in ("spans", "log_records")}
            wait_for(lambda names=names: names <= named(collector), 60, f"{what} is counted")  # type: ignore[misc]
        wait_for(lambda: asked() <= named(collector), 60, "every name is on the page")
        waits = {dict(labels)["exporter"] for name, labels in series(collector.metrics_target) if "queue_size" in name}
        assert waits == {"otlp_http/tempo", "otlp_http/jaeger", "otlp_http/loki"}
        assert collector.own("otelcol_exporter_queue_capacity", exporter="otlp_http/jaeger") == QUEUE_BYTES
