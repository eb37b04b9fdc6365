"""From a pool that is lent out, alerts that fail, a server that is gone, a Vault that is sealed, to a page; and back.

Durations are shortened (shorten.py), nothing else. The warnings about the same database are held back meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from e2e.stack import Stack
from servers.process import wait_for

FIRE_SECONDS, RESOLVE_SECONDS = 100.0, 120.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A healthy site with a database."""
    with Stack(tmp_path_factory.mktemp("rendered"), database=True, beside=True) as running:
        yield running


def test_a_healthy_database_is_silent(stack: Stack) -> None:
    wait_for(lambda: stack.prometheus.value("site:supercheck_postgres_connections:ratio"), 60, "it is measured")
    assert stack.prometheus.alerts(component="database") == []


@pytest.mark.promise("page arrives")
def test_a_pool_that_is_lent_out_pages_and_resolves(stack: Stack) -> None:
    assert stack.database is not None
    began = time.time()
    stack.database.crowd()
    page = stack.sinks.wait_message("pagerduty", "firing", "PgBouncerClientsWaiting", FIRE_SECONDS, began)
    assert "CRITICAL" in page.title
    assert "supercheck" in page.title
    assert any(link.endswith("/runbooks/PgBouncerClientsWaiting") for link in page.links)
    wait_for(lambda: stack.prometheus.firing(alertname="PgBouncerPoolSaturated"), FIRE_SECONDS, "it is saturated")
    held = wait_for(lambda: stack.alertmanager.alerts(alertname="PgBouncerPoolSaturated"), 60, "Alertmanager has it")
    assert all(alert.inhibited_by for alert in held), "the page says it already"
    stack.database.disperse()
    stack.sinks.wait_message("pagerduty", "resolved", "PgBouncerClientsWaiting", RESOLVE_SECONDS, began)


@pytest.mark.promise("page arrives")
def test_alerts_of_supercheck_that_fail_page_and_resolve(stack: Stack) -> None:
    assert stack.database is not None
    began = time.time()
    counter = 'supercheck_notifications_total{provider="slack",status="failed"}'
    wait_for(lambda: stack.prometheus.value(counter) == 0, 60, "Prometheus has the counter from before the failures")
    stack.database.notify("failed", 8)
    page = stack.sinks.wait_message("pagerduty", "firing", "NotificationsFailing", FIRE_SECONDS, began)
    assert "slack" in page.title
    assert any(link.endswith("/runbooks/NotificationsFailing") for link in page.links)
    stack.database.notify("sent", 200)
    stack.sinks.wait_message("pagerduty", "resolved", "NotificationsFailing", RESOLVE_SECONDS, began)


@pytest.mark.promise("page arrives")
def test_a_vault_that_is_sealed_pages_and_resolves(stack: Stack) -> None:
    assert stack.vault is not None
    began = time.time()
    wait_for(lambda: stack.prometheus.value("supercheck_vault_sealed") == 0, 60, "Vault is measured")
    stack.vault.state = "sealed"
    page = stack.sinks.wait_message("pagerduty", "firing", "VaultSealed", FIRE_SECONDS, began)
    assert "vault-1" in page.title
    assert any(link.endswith("/runbooks/VaultSealed") for link in page.links)
    assert any(link.endswith("/d/supercheck-secrets") for link in page.links)
    stack.vault.state = "active"
    stack.sinks.wait_message("pagerduty", "resolved", "VaultSealed", RESOLVE_SECONDS, began)


@pytest.mark.promise("page arrives")
def test_a_server_that_is_gone_pages_and_resolves(stack: Stack) -> None:
    assert stack.database is not None
    began = time.time()
    stack.database.server.kill()
    page = stack.sinks.wait_message("pagerduty", "firing", "PostgresDown", FIRE_SECONDS, began)
    assert any(link.endswith("/d/supercheck-database") for link in page.links)
    stack.database.server.start()
    stack.sinks.wait_message("pagerduty", "resolved", "PostgresDown", RESOLVE_SECONDS, began)
