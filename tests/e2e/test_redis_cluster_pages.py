"""A real Redis Cluster loses a master, then its replica, and comes back empty: each page and each resolve arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from e2e.stack import Stack
from servers.process import wait_for
from servers.redis_cluster import Pair, RedisCluster
from servers.sinks import Message

SECONDS = 60.0
KEYS = 100
CLUSTER = "node cluster"


class ClusterStack(Stack):
    """The same programs on a cluster instead of the site's Redis, with keys in one pair of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cluster = RedisCluster()
        assert self.exporter.env is not None
        del self.exporter.env["REDIS_PASSWORD"]

    def __enter__(self) -> Self:
        try:
            with_slots = self.cluster.__enter__()
            assert self.exporter.env is not None
            self.exporter.env |= with_slots.exporter_env()
            self.sinks.start()
            self._render()
            for server in (self.exporter, self.alertmanager, self.prometheus):
                server.start()
            self.pair.master.client().mset({f"{{bull}}:{number}": number for number in range(KEYS)})
            self.wait(f'supercheck_redis_keys{{node="{self.pair.replica.address}"}} == {KEYS}')
            self.wait("supercheck_redis_cluster_failovers_total == 0")
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def pair(self) -> Pair:
        """The pair that holds the keys."""
        return self.cluster.pair_of("{bull}:0")

    def wait(self, query: str) -> None:
        """Wait until Prometheus finds something."""
        wait_for(lambda: self.prometheus.query(query), SECONDS, query)

    def arrived(self, alert: str, severity: str, subject: str, status: str = "firing") -> Message:
        """The message about an alert, in the channel of its severity; one message may name several nodes."""
        prefix = severity.upper() if status == "firing" else "RESOLVED"
        channel = "pagerduty" if severity == "critical" else "mail"

        def found() -> list[Message]:
            messages = self.sinks.messages(channel, status, f"{prefix}: {alert} (")
            return [message for message in messages if subject in message.title]

        return wait_for(found, SECONDS, f"a {status} {channel} message about {alert} and {subject}")[0]

    def stop(self) -> None:
        super().stop()
        self.cluster.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStack]:
    """A whole cluster, watched."""
    with ClusterStack(tmp_path_factory.mktemp("rendered")) as running:
        yield running


@pytest.fixture(scope="module")
def failed_over(stack: ClusterStack) -> tuple[ClusterStack, Pair]:
    """A master is dead, and its replica serves its slots."""
    pair = stack.pair
    stack.cluster.kill_master(pair)
    return stack, pair


def test_a_failover_pages_for_the_dead_node_only(failed_over: tuple[ClusterStack, Pair]) -> None:
    stack, pair = failed_over
    page = stack.arrived("RedisDown", "critical", f"node {pair.replica.address}")
    assert "/d/supercheck-redis" in str(page.body)
    stack.arrived("RedisClusterFailover", "warning", CLUSTER)
    stack.arrived("RedisClusterNoReplica", "warning", CLUSTER)
    assert stack.prometheus.firing(alertname="RedisClusterDegraded") == []
    assert stack.prometheus.firing(alertname="RedisRestartedEmpty") == []


@pytest.fixture(scope="module")
def degraded(failed_over: tuple[ClusterStack, Pair]) -> tuple[ClusterStack, Pair]:
    """The replica that took over is dead too."""
    stack, pair = failed_over
    stack.arrived("RedisClusterNoReplica", "warning", CLUSTER)
    pair.master.kill()
    return stack, pair


def test_slots_that_nobody_serves_page(degraded: tuple[ClusterStack, Pair]) -> None:
    stack, pair = degraded
    page = stack.arrived("RedisClusterDegraded", "critical", CLUSTER)
    assert "/runbooks/RedisClusterDegraded" in str(page.body)
    stack.arrived("RedisDown", "critical", f"node {pair.master.address}")


def test_the_cluster_s_page_silences_its_own_warnings(degraded: tuple[ClusterStack, Pair]) -> None:
    stack, _ = degraded

    def inhibited() -> bool:
        alerts = stack.alertmanager.alerts(alertname="RedisClusterNoReplica")
        return bool(alerts) and all(alert.inhibited_by for alert in alerts)

    wait_for(inhibited, SECONDS, "the warning about the replica is inhibited")


@pytest.fixture(scope="module")
def back_empty(degraded: tuple[ClusterStack, Pair]) -> tuple[ClusterStack, Pair]:
    """Both are back; the master has kept nothing, as it has no persistence."""
    stack, pair = degraded
    stack.arrived("RedisClusterDegraded", "critical", CLUSTER)
    for node in (pair.master, pair.replica):
        node.start()
    stack.cluster.wait_healthy()
    return stack, pair


def test_a_master_that_came_back_empty_pages(back_empty: tuple[ClusterStack, Pair]) -> None:
    stack, pair = back_empty
    page = stack.arrived("RedisRestartedEmpty", "critical", f"node {pair.master.address}")
    assert "0% of the keys left" in str(page.body)


@pytest.mark.parametrize("alert", ["RedisClusterDegraded", "RedisDown", "RedisRestartedEmpty"])
def test_each_page_resolves(back_empty: tuple[ClusterStack, Pair], alert: str) -> None:
    stack, pair = back_empty
    subject = CLUSTER if alert == "RedisClusterDegraded" else f"node {pair.master.address}"
    stack.arrived(alert, "critical", subject)
    stack.arrived(alert, "critical", subject, "resolved")
