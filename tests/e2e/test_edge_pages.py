"""From a CDN that does not serve a file to a page, and back; the pages of the edge's other subjects stay audible.

Durations are shortened (shorten.py), nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from e2e.stack import Stack
from servers.process import wait_for
from servers.web import HANG, Reply, Web

FIRE_SECONDS, RESOLVE_SECONDS = 100.0, 120.0


class Running(NamedTuple):
    """A stack and the CDN that it probes."""

    stack: Stack
    cdn: Web


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A healthy site with a CDN."""
    with Web(Reply(200, {"Cache-Status": "CDN; hit", "Age": "60"}, b"logo")) as cdn:
        probes = {"CDN_PROBE_URLS": f"logo={cdn.url}/logo.png", "CDN_PROBE_INTERVAL_SECONDS": "1"}
        settings = probes | {"CDN_PROBE_TIMEOUT_SECONDS": "1"}
        with Stack(tmp_path_factory.mktemp("rendered"), settings=settings) as stack:
            yield Running(stack, cdn)


def test_a_cdn_that_serves_is_silent(running: Running) -> None:
    wait_for(lambda: running.stack.prometheus.value("supercheck_cdn_probe_up"), 60, "it is probed")
    assert running.stack.prometheus.alerts(component="edge") == []


@pytest.mark.promise("page arrives")
def test_a_cdn_that_hangs_pages_and_resolves(running: Running) -> None:
    stack, cdn = running
    began = time.time()
    cdn.answer = HANG
    page = stack.sinks.wait_message("pagerduty", "firing", "CdnDown", FIRE_SECONDS, began)
    assert "CRITICAL" in page.title
    assert any(link.endswith("/runbooks/CdnDown") for link in page.links)
    assert any(link.endswith("/d/supercheck-edge") for link in page.links)
    assert cdn.url not in str(page.body), "the file's name is told, and not its address"
    cdn.answer = Reply(200, {"Cache-Status": "CDN; hit"}, b"logo")
    stack.sinks.wait_message("pagerduty", "resolved", "CdnDown", RESOLVE_SECONDS, began)
