"""Jaeger 2 on the configuration that is shipped, with ports and a folder of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from compose.demo.programs import BUILT_TOOLS
from servers.process import Server, free_port, missing
from servers.redis import LOOPBACK

CONFIGURATION = Path(__file__).resolve().parents[2] / "compose/jaeger/jaeger.yaml"
HTTP_SECONDS = 10.0


def jaeger_program() -> Path:
    """The Jaeger that `make tools` built; it has no pages, but its whole API."""
    built = BUILT_TOOLS / "jaeger"
    return built if os.access(built, os.X_OK) else missing("the program jaeger (make tools)")


@dataclass(frozen=True)
class StoredSpan:
    """One span as Jaeger gives it back; `parent` is the id of the span that it is a child of, empty for a root."""

    id: str
    parent: str
    name: str
    service: str
    attributes: dict[str, str]


class Jaeger(Server):
    """`jaeger` on compose/jaeger/jaeger.yaml; ``settings`` are further environment variables that it reads.

    Its store lives as long as this object, through restarts.
    """

    name = "jaeger"

    def __init__(self, **settings: str) -> None:
        self.program = jaeger_program()
        super().__init__()
        otlp, query, query_grpc, health, metrics = (free_port() for _ in range(5))
        self.storage = self.directory / "storage"
        self.endpoint = f"http://{LOOPBACK}:{otlp}"
        """Where it takes OTLP over HTTP."""
        self.url = f"http://{LOOPBACK}:{query}"
        """Its API."""
        self.metrics_target = f"{LOOPBACK}:{metrics}"
        self._health = f"http://{LOOPBACK}:{health}/status"
        self._session = requests.Session()
        self.env = {
            "PATH": os.environ["PATH"],
            "JAEGER_OTLP_ADDRESS": f"{LOOPBACK}:{otlp}",
            "JAEGER_QUERY_ADDRESS": f"{LOOPBACK}:{query}",
            "JAEGER_QUERY_GRPC_ADDRESS": f"{LOOPBACK}:{query_grpc}",
            "JAEGER_HEALTH_ADDRESS": f"{LOOPBACK}:{health}",
            "JAEGER_METRICS_HOST": LOOPBACK,
            "JAEGER_METRICS_PORT": str(metrics),
            "JAEGER_STORAGE": str(self.storage),
            **settings,
        }

    def command(self) -> list[str | Path]:
        """Jaeger with the file that is shipped."""
        return [self.program, "--config", CONFIGURATION]

    def ready(self) -> bool:
        """What compose's health check asks."""
        return requests.get(self._health, timeout=HTTP_SECONDS).status_code == 200

    def stop(self) -> None:
        """End it and close the connection to it."""
        self._session.close()
        super().stop()

    def services(self) -> set[str]:
        """Every service that it has spans of."""
        return set(self._get("/api/services") or [])

    def trace(self, identifier: str) -> list[StoredSpan]:
        """The spans of a trace (its id in hex); empty when it has none."""
        answer = self._session.get(f"{self.url}/api/traces/{identifier}", timeout=HTTP_SECONDS)
        if answer.status_code == 404:
            return []
        answer.raise_for_status()
        return [span for trace in answer.json()["data"] for span in _spans(trace)]

    def traces(self, service: str, operation: str = "") -> list[list[StoredSpan]]:
        """The newest traces with a span of this service, and of this name."""
        found = self._get("/api/traces", service=service, operation=operation, lookback="1h", limit="100") or []
        return [_spans(trace) for trace in found]

    def _get(self, path: str, **parameters: str) -> Any:
        given = {name: value for name, value in parameters.items() if value}
        answer = self._session.get(self.url + path, params=given, timeout=HTTP_SECONDS)
        answer.raise_for_status()
        return answer.json()["data"]


def _spans(trace: Any) -> list[StoredSpan]:
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [
        StoredSpan(
            span["spanID"],
            next((it["spanID"] for it in span["references"] if it["refType"] == "CHILD_OF"), ""),
            span["operationName"],
            services[span["processID"]],
            {tag["key"]: str(tag["value"]) for tag in span["tags"]},
        )
        for span in trace["spans"]
    ]
