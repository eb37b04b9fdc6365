"""The OpenTelemetry Collector on the configuration that is shipped, with ports and folders of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from compose.demo.programs import BUILT_TOOLS
from servers.process import START_SECONDS, Server, free_port, missing, wait_for
from servers.redis import LOOPBACK

FOLDER = Path(__file__).resolve().parents[2] / "otel-collector"
HTTP_SECONDS = 10.0


def collector_program() -> Path:
    """The collector that `make tools` built."""
    built = BUILT_TOOLS / "otelcol"
    return built if os.access(built, os.X_OK) else missing("the program otelcol (make tools)")


class Collector(Server):
    """`otelcol` on ``configuration``; ``settings`` are further environment variables that it reads.

    Everything that it exports goes to ``tempo``, ``jaeger`` and ``loki`` (addresses of OTLP over HTTP); what is not
    given is an address where nothing listens. Intervals are short. Its storage lives as long as this
    object, through restarts.
    """

    name = "otelcol"

    def __init__(
        self, *, tempo: str = "", jaeger: str = "", loki: str = "", configuration: str = "config.yaml", **settings: str
    ) -> None:
        self.program = collector_program()
        self.configuration = FOLDER / configuration
        grpc, http, metrics, spans, health = (free_port() for _ in range(5))
        nobody = f"http://{LOOPBACK}:{free_port()}"
        super().__init__()
        self.storage = self.directory / "storage"
        self.endpoint = f"http://{LOOPBACK}:{http}"
        """Where it takes OTLP over HTTP."""
        self.grpc = f"{LOOPBACK}:{grpc}"
        self.metrics_target = f"{LOOPBACK}:{metrics}"
        """Where its own metrics are scraped."""
        self.spans_target = f"{LOOPBACK}:{spans}"
        """Where the metrics of spans are scraped."""
        self._health = f"http://{LOOPBACK}:{health}"
        self.env = {
            "PATH": os.environ["PATH"],
            "COLLECTOR_OTLP_GRPC_ADDRESS": self.grpc,
            "COLLECTOR_OTLP_HTTP_ADDRESS": f"{LOOPBACK}:{http}",
            "COLLECTOR_METRICS_HOST": LOOPBACK,
            "COLLECTOR_METRICS_PORT": str(metrics),
            "COLLECTOR_HEALTH_ADDRESS": f"{LOOPBACK}:{health}",
            "COLLECTOR_STORAGE": str(self.storage),
            "COLLECTOR_RETRY_MAX": "1s",
            "SPAN_METRICS_ADDRESS": self.spans_target,
            "SPAN_METRICS_INTERVAL": "200ms",
            "TRACES_DECISION_WAIT": "2s",
            "TRACES_DECISION_WAIT_AFTER_ROOT": "1s",
            "TRACES_KEEP_PERCENT": "100",
            "TEMPO_OTLP_URL": tempo or nobody,
            "JAEGER_OTLP_URL": jaeger or nobody,
            "LOKI_OTLP_URL": loki or nobody,
            **settings,
        }

    def command(self) -> list[str | Path]:
        """The collector with the file that is shipped."""
        return [self.program, "--config", self.configuration]

    def ready(self) -> bool:
        """Its health check says so: every part has started."""
        return requests.get(self._health, timeout=HTTP_SECONDS).status_code == 200

    def terminate(self) -> int:
        """Ask it to end, and give it the time to write down what it holds."""
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: not self.running(), START_SECONDS, f"{self.name} has ended")
        return super().terminate()

    def own(self, name: str, **labels: str) -> float:
        """The sum of its own metric ``name``, written as on its page, over the series with these labels.

        0 when there is none: a counter appears with its first increment.
        """
        # the parser gives every counter the ending that these do not have
        return total(self.metrics_target, name, labels) + total(self.metrics_target, f"{name}_total", labels)

    def spans(self, name: str, **labels: str) -> float:
        """The same of the metrics that it makes of spans, for example traces_span_metrics_calls_total."""
        return total(self.spans_target, name, labels)

    def page(self, target: str) -> str:
        """A whole page, in the format with exemplars."""
        return page(target)


def page(target: str) -> str:
    """What Prometheus would read, with exemplars."""
    answer = requests.get(
        f"http://{target}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        timeout=HTTP_SECONDS,
    )
    answer.raise_for_status()
    return answer.text


def series(target: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series of a page: {(name, labels): value}."""
    answer = requests.get(f"http://{target}/metrics", timeout=HTTP_SECONDS)
    answer.raise_for_status()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def total(target: str, name: str, labels: dict[str, str]) -> float:
    """The sum of the series of ``name`` that have these labels."""
    want = set(labels.items())
    return sum(value for (found, own), value in series(target).items() if found == name and want <= own)
