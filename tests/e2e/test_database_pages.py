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


@pytest.fixture(scope="module")
def outside(stack: Stack) -> float:
    """What is outside of the database breaks: Supercheck's alerts fail, and Vault is sealed. When, in epoch seconds."""
    assert stack.database is not None
    assert stack.vault is not None
    failed = 'supercheck_notifications_total{provider="slack",status="failed"}'
    wait_for(lambda: stack.prometheus.value(failed) == 0, 60, "Prometheus has the counter from before the failures")
    wait_for(lambda: stack.prometheus.value("supercheck_vault_sealed") == 0, 60, "Vault is measured")
    began = time.time()
    stack.database.notify("failed", 8)
    stack.vault.state = "sealed"
    return began


OUTSIDE = {
    "NotificationsFailing": ("slack", "supercheck-dependencies"),
    "VaultSealed": ("vault-1", "supercheck-secrets"),
}


@pytest.mark.promise("page arrives")
@pytest.mark.parametrize("alert", OUTSIDE)
def test_what_fails_outside_pages(stack: Stack, outside: float, alert: str) -> None:
    page = stack.sinks.wait_message("pagerduty", "firing", alert, FIRE_SECONDS, outside)
    subject, dashboard = OUTSIDE[alert]
    assert subject in page.title
    assert any(link.endswith(f"/runbooks/{alert}") for link in page.links)
    assert any(link.endswith(f"/d/{dashboard}") for link in page.links)


@pytest.fixture(scope="module")
def mended(stack: Stack, outside: float) -> float:
    """Both are well again, once both have paged."""
    assert stack.database is not None
    assert stack.vault is not None
    for alert in OUTSIDE:
        stack.sinks.wait_message("pagerduty", "firing", alert, FIRE_SECONDS, outside)
    stack.database.notify("sent", 200)
    stack.vault.state = "active"
    return outside


@pytest.mark.promise("page arrives")
@pytest.mark.usefixtures("mended")  # what is mended resolves while this one pages
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


@pytest.mark.promise("resolve arrives")
@pytest.mark.parametrize("alert", OUTSIDE)
def test_what_is_well_again_outside_resolves(stack: Stack, mended: float, alert: str) -> None:
    stack.sinks.wait_message("pagerduty", "resolved", alert, RESOLVE_SECONDS, mended)


@pytest.mark.promise("page arrives")
def test_a_server_that_is_gone_pages_and_resolves(stack: Stack) -> None:
    assert stack.database is not None
    began = time.time()
    stack.database.server.kill()
    page = stack.sinks.wait_message("pagerduty", "firing", "PostgresDown", FIRE_SECONDS, began)
    assert any(link.endswith("/d/supercheck-database") for link in page.links)
    stack.database.server.start()
    stack.sinks.wait_message("pagerduty", "resolved", "PostgresDown", RESOLVE_SECONDS, began)
