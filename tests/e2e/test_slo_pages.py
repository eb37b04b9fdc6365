"""From an app that answers 503 to the page about its error budget, durations shortened and nothing else.

That it resolves takes hours by its nature: alert-rules/tests/slo.yaml proves that.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from e2e.stack import Stack
from servers.process import wait_for
from servers.web import Asked, Reply, Web

FIRE_SECONDS = 120.0


@pytest.mark.promise("page arrives")
def test_an_app_that_is_away_burns_its_budget_and_pages(tmp_path: Path) -> None:
    well = True

    def answer(_asked: Asked) -> Reply:
        body = b'{"status": "ok", "checks": {}}' if well else b'{"status": "unhealthy", "checks": {}}'
        return Reply(200 if well else 503, {"Content-Type": "application/json"}, body)

    with Web(answer) as app:
        settings = {"SUPERCHECK_APP_URL": app.url, "PROBE_INTERVAL_SECONDS": "1", "PROBE_TIMEOUT_SECONDS": "1"}
        with Stack(tmp_path, settings=settings) as stack:
            good = 'supercheck_endpoint_probes_total{endpoint="app",outcome="ok"} > 10'
            wait_for(lambda: stack.prometheus.value(good) is not None, 60, "the app is probed")
            assert stack.prometheus.firing(alertname="UptimeBudgetBurning") == []
            began = time.time()
            well = False
            page = stack.sinks.wait_message("pagerduty", "firing", "UptimeBudgetBurning", FIRE_SECONDS, began)
            assert any(link.endswith("/runbooks/UptimeBudgetBurning") for link in page.links)
            assert any(link.endswith("/d/supercheck-scorecard") for link in page.links)
