"""From a mail server that is stopped to a page; and back when it is there again.

Durations are shortened (shorten.py), nothing else: the breaker keeps its own. The dashboard's queries are asked of this
stack, since the demo has nothing that is probed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.stack import Stack
from e2e.test_dashboards_live import ENOUGH_SECONDS, Asked, all_filled, every_query
from servers.authority import Authority
from servers.mail import MailServer
from servers.process import wait_for
from servers.web import Asked as Request
from servers.web import Reply, Web

DASHBOARD = "supercheck-dependencies"
FIRE_SECONDS, RESOLVE_SECONDS = 120.0, 150.0
WITHOUT = {
    ("Alerts about dependencies and endpoints", "A"): "none fires",
    ("Alerts about dependencies and endpoints", "B"): "none fires",
    ("Share of alerts that failed", "A"): "there is no database",
}
"""Queries that have no data here, and why."""


def supercheck(asked: Request) -> Reply:
    """The app's health, and a worker's."""
    said = {"status": "ok", "ready": True, "checks": {name: {"status": "ok"} for name in ("database", "redis", "s3")}}
    return Reply(body=json.dumps(said).encode())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def mail(authority: Authority) -> Iterator[MailServer]:
    with MailServer(authority.server()) as server:
        yield server


@pytest.fixture
def stack(tmp_path: Path, mail: MailServer, authority: Authority) -> Iterator[Stack]:
    """A site whose mail server, app and worker are probed every second."""
    with Web(supercheck) as web:
        settings = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail.port),
            "PROBE_CA_FILE": str(authority.path),
            "SUPERCHECK_APP_URL": web.url,
            "SUPERCHECK_WORKER_URL": web.url,
            "PROBE_INTERVAL_SECONDS": "1",
            "PROBE_TIMEOUT_SECONDS": "1",
        }
        with Stack(tmp_path / "rendered", settings=settings) as running:
            yield running


@pytest.mark.promise("page arrives")
def test_a_mail_server_that_is_gone_pages_and_resolves(stack: Stack, mail: MailServer, authority: Authority) -> None:
    wanted = [asked for asked in every_query() if is_answered(asked)]
    assert len(wanted) > 20
    all_filled(stack, wanted, ENOUGH_SECONDS)
    assert stack.prometheus.alerts(component="dependency") == []

    began = time.time()
    mail.__exit__()
    page = stack.sinks.wait_message("pagerduty", "firing", "CircuitBreakerOpen", FIRE_SECONDS, began)
    assert "CRITICAL" in page.title
    assert "smtp" in page.title
    assert any(link.endswith("/runbooks/CircuitBreakerOpen") for link in page.links)
    assert any(link.endswith(f"/d/{DASHBOARD}") for link in page.links)
    assert stack.exporter.get("/breakers/smtp").status_code in (429, 503)
    assert set(mail.verbs) == {"EHLO", "STARTTLS", "NOOP", "QUIT"}
    with MailServer(authority.server(), port=mail.port):
        stack.sinks.wait_message("pagerduty", "resolved", "CircuitBreakerOpen", RESOLVE_SECONDS, began)
        wait_for(lambda: stack.exporter.get("/breakers/smtp").status_code == 200, RESOLVE_SECONDS, "it is closed")
        stack.exporter.terminate()


def is_answered(asked: Asked) -> bool:
    return asked.uid == DASHBOARD and (asked.query.panel, asked.query.ref) not in WITHOUT
