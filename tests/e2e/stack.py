"""The whole chain in real programs: Redis, BullMQ, exporter, Prometheus, Alertmanager, and receivers of messages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from e2e.database_site import DatabaseSite
from e2e.faults import CANARY, Site
from e2e.shorten import DIVISOR, shorten_folder, shortened_thresholds
from servers.exporter import Exporter
from servers.kubernetes import KubernetesServer, Pod
from servers.monitoring import Alertmanager, Prometheus
from servers.process import wait_for
from servers.redis import RedisServer
from servers.sinks import Sinks
from servers.supercheck import Supercheck
from servers.vault import Secret, VaultServer
from supercheck_exporter.render import OPTIONAL_TARGETS

from compose.demo.programs import version_of

GRAFANA_URL = "http://grafana.example.com"

# Prometheus' own flags that are durations, divided as the rules are (5m and 1m as shipped).
PROMETHEUS_FLAGS = (
    f"--query.lookback-delta={300_000 // DIVISOR}ms",
    f"--rules.alert.resend-delay={60_000 // DIVISOR}ms",
)


class Stack:
    """Started by `with`; everything it starts ends with it.

    `database` adds PostgreSQL and PgBouncer, `supercheck` also the demo's small Supercheck on them, `beside` Vault and
    Kubernetes by recorded answers; `settings` are more of the exporter's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: bool = False,
        supercheck: bool = False,
        beside: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.sinks = Sinks()
        self.redis = RedisServer(password=CANARY)
        self.site = Site(self.redis)
        self.database = DatabaseSite() if database or supercheck else None
        self.supercheck: Supercheck | None = None
        if self.database is not None and supercheck:
            self.supercheck = Supercheck(self.redis, self.database.pooler.url(), DIVISOR)
        thresholds = shortened_thresholds()
        # the timeout is below the shortened one of a scrape, as the manual asks
        more = {"REDIS_TIMEOUT_SECONDS": "0.3", "GRAFANA_URL": GRAFANA_URL, **(settings or {})}
        more |= {"WORKERS_STEADY_SECONDS": str(300 / DIVISOR), "ANALYTICS_READ_SECONDS": "1"}
        if self.database is not None:
            more |= self.database.settings()
        if self.supercheck is not None:
            more["POLAR_ACCESS_TOKEN"] = "set"  # its organizations have plans
        self.vault = VaultServer(secrets={"smtp": Secret(days=3)}) if beside else None
        self.kubernetes = KubernetesServer() if beside else None
        if self.vault is not None and self.kubernetes is not None:
            more |= self.vault.settings(folder) | self.kubernetes.settings(folder)
            more |= {"VAULT_KV_PATHS": "secret", "VAULT_TIMEOUT_SECONDS": "1", "EXECUTION_TIMEOUT_SECONDS": "1"}
        self.exporter = Exporter(self.site.settings() | thresholds | more)
        assert self.exporter.env is not None
        self.exporter.env["PUBLIC_URL"] = self.exporter.url
        self.alertmanager = Alertmanager(folder / "alertmanager/alertmanager.yml")
        self.prometheus = Prometheus(folder / "prometheus/prometheus.yml", *PROMETHEUS_FLAGS)
        self._folder = folder
        self._thresholds = thresholds

    def __enter__(self) -> Self:
        try:
            self.sinks.start()
            self._render()
            self.redis.start()
            self.site.start()
            if self.database is not None:
                self.database.start()
            if self.supercheck is not None:
                self.supercheck.start()
            for answers in (self.vault, self.kubernetes):
                if answers is not None:
                    answers.__enter__()
            for server in (self.exporter, self.alertmanager, self.prometheus):
                server.start()
            wait_for(self._measures, 60, "Prometheus has the exporter's series")
        except BaseException:
            self.stop()
            raise
        return self

    def _measures(self) -> bool:
        """Whether the counters of the events exist: an increase is seen only from then on."""
        return self.prometheus.value('supercheck_queue_jobs_failed_total{queue="failing"}') is not None

    def _render(self) -> None:
        """As compose and the demo do it: `supercheck-exporter render`; then only durations are shortened."""
        channels = ["slack", "pagerduty", "mail"]
        env = {
            **dict.fromkeys(OPTIONAL_TARGETS, ""),  # none of these runs here
            **self._thresholds,
            **self.sinks.settings(*channels),
            "ALERT_DEADMAN_URL": f"{self.sinks.url}/deadman",
            "ALERTMANAGER_VERSION": version_of(self.alertmanager.program),
            "PUBLIC_URL": self.exporter.url,
            "EXPORTER_TARGETS": f"127.0.0.1:{self.exporter.port}",
            "PROMETHEUS_TARGET": self.prometheus.address,
            "ALERTMANAGER_TARGET": self.alertmanager.address,
        }
        program = Path(sys.executable).parent / "supercheck-exporter"
        said = subprocess.run(
            [program, "render", "--out", self._folder], env=env, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
        assert "warning" not in said.stderr, said.stderr
        shorten_folder(self._folder)

    def fill_cluster(self) -> None:
        """No room for another test, and one waits."""
        assert self.kubernetes is not None
        self.kubernetes.pods = [Pod("Pending", 400)]
        self.kubernetes.quotas = [
            {"hard": {"pods": "10", "requests.cpu": "4"}, "used": {"pods": "10", "requests.cpu": "3"}}
        ]

    def empty_cluster(self) -> None:
        """Room again."""
        assert self.kubernetes is not None
        self.kubernetes.pods, self.kubernetes.quotas = [], None

    def stop(self) -> None:
        """End all, in the order in which nothing complains about what is gone."""
        if self.supercheck is not None:
            self.supercheck.stop()
        for server in (self.prometheus, self.alertmanager, self.exporter, self.site, self.redis, self.sinks):
            server.stop()
        if self.database is not None:
            self.database.stop()
        for answers in (self.vault, self.kubernetes):
            if answers is not None:
                answers.__exit__()

    def __exit__(self, *_: object) -> None:
        self.stop()
