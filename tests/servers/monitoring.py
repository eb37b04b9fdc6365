"""Real Prometheus and Alertmanager on free ports, run on what `supercheck-exporter render` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from compose.demo.programs import BUILT_TOOLS
from servers.process import Server, free_port, require_program
from servers.redis import LOOPBACK

HTTP_SECONDS = 10.0


def monitoring_program(name: str) -> Path:
    """A program of Prometheus' family: the one built from source, else the distribution's.

    `name` is prometheus, promtool, alertmanager or amtool.
    """
    built = BUILT_TOOLS / name
    if built.is_file():
        return built
    return require_program("prometheus-alertmanager" if name == "alertmanager" else name)


@dataclass(frozen=True)
class Alert:
    """One alert as Prometheus or Alertmanager shows it; `state` is pending, firing, active, suppressed, ..."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    inhibited_by: Sequence[str] = ()
    silenced_by: Sequence[str] = ()
    since: float = 0.0
    """Unix seconds: when its condition came (Prometheus), when it fired (Alertmanager)."""

    @property
    def name(self) -> str:
        """Its alertname."""
        return self.labels["alertname"]

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether it has all these labels."""
        return labels.items() <= self.labels.items()


def _epoch(moment: str) -> float:
    """Unix seconds of a time in RFC 3339."""
    return datetime.fromisoformat(moment).timestamp()


class _Monitor(Server):
    """What both have: an address, readiness, JSON answers, a reload."""

    def __init__(self, configuration: Path) -> None:
        super().__init__()
        self.configuration = configuration
        self.port = free_port()
        self.address = f"{LOOPBACK}:{self.port}"
        self.url = f"http://{self.address}"
        self._session = requests.Session()

    def ready(self) -> bool:
        """Says that it is ready to work."""
        return self._session.get(f"{self.url}/-/ready", timeout=HTTP_SECONDS).status_code == 200

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The JSON answer of a GET, which must succeed."""
        answer = self._session.get(self.url + path, params=parameters, timeout=HTTP_SECONDS)
        assert answer.ok, f"{path} answered {answer.status_code}: {answer.text[:500]}"
        return answer.json()

    def stop(self) -> None:
        """End it and close the connection to it."""
        self._session.close()
        super().stop()


class Prometheus(_Monitor):
    """Prometheus on `configuration` (prometheus.yml); `args` are further options."""

    name = "prometheus"

    def __init__(self, configuration: Path, *args: str) -> None:
        self.program = monitoring_program("prometheus")
        super().__init__(configuration)
        self.args = args

    def command(self) -> list[str | Path]:
        """Prometheus with its data in the scratch directory."""
        return [
            self.program,
            f"--config.file={self.configuration}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            *self.args,
        ]

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """An instant vector as {labels: value}."""
        answer = self.get("/api/v1/query", {"query": expression})
        return {frozenset(item["metric"].items()): float(item["value"][1]) for item in answer["data"]["result"]}

    def value(self, expression: str) -> float | None:
        """The one value of an instant vector, None when it is empty."""
        found = self.query(expression)
        assert len(found) < 2, f"{expression} is {len(found)} series"
        return next(iter(found.values()), None)

    def alerts(self, **labels: str) -> list[Alert]:
        """Pending and firing alerts that have these labels."""
        found = self.get("/api/v1/alerts")["data"]["alerts"]
        alerts = [
            Alert(item["labels"], item["annotations"], item["state"], since=_epoch(item["activeAt"])) for item in found
        ]
        return [alert for alert in alerts if alert.has(labels)]

    def firing(self, **labels: str) -> list[Alert]:
        """Firing alerts that have these labels."""
        return [alert for alert in self.alerts(**labels) if alert.state == "firing"]


class Alertmanager(_Monitor):
    """Alertmanager on `configuration` (alertmanager.yml), alone, without a cluster."""

    name = "alertmanager"

    def __init__(self, configuration: Path) -> None:
        self.program = monitoring_program("alertmanager")
        super().__init__(configuration)

    def command(self) -> list[str | Path]:
        """Alertmanager with its data in the scratch directory."""
        return [
            self.program,
            f"--config.file={self.configuration}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]

    def alerts(self, **labels: str) -> list[Alert]:
        """Alerts that have these labels, with what inhibits or silences them."""
        found = []
        for item in self.get("/api/v2/alerts"):
            status = item["status"]
            alert = Alert(
                item["labels"],
                item["annotations"],
                status["state"],
                status["inhibitedBy"],
                status["silencedBy"],
                _epoch(item["startsAt"]),
            )
            if alert.has(labels):
                found.append(alert)
        return found

    def fire(self, *alerts: Mapping[str, str], seconds: float | None = None, **annotations: str) -> None:
        """Hand in alerts given by their labels; they end in `seconds` (negative: have ended), if given."""
        start = datetime.now(UTC)
        end = {}
        if seconds is not None:
            stop = start + timedelta(seconds=seconds)
            start = min(start, stop - timedelta(seconds=1))
            end = {"endsAt": stop.isoformat()}
        body = [
            {"labels": labels, "annotations": annotations, "startsAt": start.isoformat(), **end} for labels in alerts
        ]
        self._post("/api/v2/alerts", body)

    def silence(self, seconds: float = 600, **labels: str) -> str:
        """Silence the alerts that have these labels; return the silence's id."""
        now = datetime.now(UTC)
        matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()]
        body = {
            "matchers": matchers,
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
            "createdBy": "test",
            "comment": "test",
        }
        identifier: str = self._post("/api/v2/silences", body).json()["silenceID"]
        return identifier

    def _post(self, path: str, body: object) -> requests.Response:
        answer = self._session.post(self.url + path, json=body, timeout=HTTP_SECONDS)
        assert answer.ok, f"{path} answered {answer.status_code}: {answer.text[:500]}"
        return answer
