"""The dashboards, drawn by the preview in Chromium: no empty panel, no unreadable text, no error. And the preview.

Two stories (history.py): a site at rest and one in trouble. Pictures are kept in artifacts/dashboards.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from contract.dashboard_queries import language_of, load, panels
from e2e import preview_faults
from e2e.preview_page import ARTIFACTS, Look, look_at, may_be_empty, open_page, wait_until_drawn
from e2e.preview_stack import PREVIEW, ROOT, chromium, served, server_module, told
from playwright.sync_api import Browser, expect

DASHBOARDS = sorted(file.stem for file in (ROOT / "dashboards").glob("*.json"))
MAX_SOURCE_LINES = 800
EXPORTER = "http://exporter.test"
# A fixed moment, so that labels of time axes stand at the same places in every run: 2026-01-15 10:07:30 UTC.
MOMENT = 1_768_471_650.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def prometheus_of() -> Iterator[dict[str, str]]:
    """Address of a Prometheus by the story it holds."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(told(name, MOMENT)).url for name in ("rest", "trouble")}


@pytest.fixture(scope="module")
def fixtures(prometheus_of: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the preview with the dashboards of preview_faults.py, on the story of trouble."""
    folder = preview_faults.write(tmp_path_factory.mktemp("dashboards"))
    with served(prometheus_of["trouble"], folder, exporter_url=EXPORTER) as url:
        yield url


@pytest.mark.promise("dashboards are drawn")
@pytest.mark.parametrize("uid", DASHBOARDS)
@pytest.mark.parametrize("story", ["rest", "trouble"])
def test_a_dashboard_can_be_read(story: str, uid: str, prometheus_of: dict[str, str], browser: Browser) -> None:
    with served(prometheus_of[story]) as url:
        look = look_at(browser, f"{url}/d/{uid}?refresh=&from=now-1h&to=now", MOMENT, ARTIFACTS / story / f"{uid}.png")
    look.page.close()
    assert look.console == []
    assert look.findings == set()
    assert look.states
    assert look.in_state("empty") - may_be_empty(uid, story) == set()
    # Loki and Tempo are asked by Grafana alone: the preview shows what they would be asked
    assert look.in_state("undrawn") == {panel["title"] for panel in panels(load(uid)) if language_of(panel) != "promql"}
    assert look.in_state("ok") | look.in_state("empty") | look.in_state("undrawn") == look.states.keys()


@pytest.mark.parametrize("fault", preview_faults.FAULTS)
def test_a_fault_is_found(fault: str, fixtures: str, browser: Browser) -> None:
    look = look_at(browser, f"{fixtures}/d/fault-{fault.replace(' ', '-')}?refresh=", MOMENT)
    look.page.close()
    (state,) = look.states.values()
    rules = {rule for _panel, rule, _detail in look.findings}
    assert fault.split()[0] in rules | {state}
    assert (fault == "error") == bool(look.console)


@pytest.fixture
def sound(fixtures: str, browser: Browser) -> Iterator[Look]:
    look = look_at(browser, f"{fixtures}/d/sound?refresh=", MOMENT, ARTIFACTS / "fixtures" / "sound.png")
    yield look
    look.page.close()


def test_a_sound_dashboard_has_no_findings(sound: Look) -> None:
    assert sound.console == []
    assert sound.findings == set()
    assert set(sound.states.values()) == {"ok"}
    assert len(sound.states) == 7
    expect(sound.page.locator(".notice")).to_contain_text("preview")
    expect(sound.page.locator(".notice")).to_contain_text("run Grafana")


def test_units_mappings_and_names(sound: Look) -> None:
    table = sound.page.locator('[data-panel-title="Table"]')
    expect(table.locator("[role=columnheader]")).to_have_text(["Queue", "Backlog", "Age"])
    expect(table.get_by_role("row", name="k6-global")).to_have_text("k6-global8.85 K25 mins")  # 8850 jobs, 1500 seconds
    expect(table.get_by_role("row", name="k6-job-scheduler")).to_have_text("k6-job-scheduler0none")  # 0 is mapped
    expect(sound.page.locator('[data-panel-title="Gauge"]')).to_contain_text("88.5%")
    expect(sound.page.locator('[data-panel-title="Graph of All"]')).to_contain_text("k6-global")


def test_links_lead_on(sound: Look) -> None:
    page = sound.page
    expect(page.locator('[data-panel-title="Stat"] a.panel-link')).to_have_attribute("href", f"{EXPORTER}/runbooks/X")
    links = page.locator("a.dashboard-link")
    assert f"{EXPORTER}/" in {link.get_attribute("href") for link in links.all()}
    href = page.get_by_role("link", name="other", exact=True).get_attribute("href") or ""
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(href).query)
    assert asked["from"] == ["now-1h"]
    assert asked["var-queue"] == ["All"]
    page.locator('[data-panel-title="Table"]').get_by_role("link", name="k6-global").click()
    page.wait_for_url("**/d/other?var-queue=k6-global&from=now-1h&to=now")
    expect(page.locator('[data-variable="queue"]')).to_contain_text("k6-global")


def test_a_point_of_a_graph_has_a_tooltip_with_links(sound: Look) -> None:
    page = sound.page
    plot = page.locator('[data-panel-title="Graph of All"] .u-over').bounding_box()
    assert plot is not None
    # On the x axis, where every queue's line lies before the trouble.
    page.mouse.move(plot["x"] + plot["width"] / 5, plot["y"] + plot["height"] - 1)
    tooltip = page.locator("#root ~ div")
    expect(
        tooltip.filter(has_text=re.compile(r"\d\d:\d\d:\d\d.*(scheduler|global|local|render|cleanup)"))
    ).to_be_visible()
    page.mouse.down()
    page.mouse.up()
    expect(tooltip.get_by_role("link", name="Alone")).to_have_attribute(
        "href", re.compile(r"^/d/other\?var-queue=[a-z]")
    )


def test_dragging_zooms(sound: Look) -> None:
    page = sound.page
    plot = page.locator('[data-panel-title="Graph of All"] .u-over').bounding_box()
    assert plot is not None
    page.mouse.move(plot["x"] + plot["width"] / 4, plot["y"] + 20)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 30, steps=5)
    page.mouse.up()
    page.wait_for_url("**/d/sound?*from=1*")
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)
    minutes = (int(asked["to"][0]) - int(asked["from"][0])) / 60_000
    assert 14 < minutes < 16
    expect(page.get_by_label("Time range")).to_have_value(re.compile(" to "))


def test_alerts_are_marked(sound: Look) -> None:
    titles = [mark.get_attribute("title") for mark in sound.page.locator(".annotation").all()]
    # one mark an alert, however many queues it is about
    assert len(titles) == len(set(titles))
    assert {"Pages: NoWorkersForQueue", "Pages: QueueNotProcessing"} <= set(titles)


def test_variables_and_time_are_asked_for(fixtures: str, browser: Browser) -> None:
    chosen = "var-queue=k6-local&var-queue=job-scheduler&from=now-15m&to=now"
    look = open_page(browser, f"{fixtures}/d/sound?refresh=&{chosen}", MOMENT)
    queries: list[dict[str, str]] = []
    look.page.on("request", lambda request: queries.append(dict(urllib.parse.parse_qsl(request.url.partition("?")[2]))))
    wait_until_drawn(look.page)
    look.page.get_by_label("Refresh", exact=True).click()
    expect(look.page.locator('[data-panel-title^="Graph of"]')).to_have_attribute(
        "data-panel-title", "Graph of k6-local + job-scheduler"
    )
    wait_until_drawn(look.page)
    (graph,) = [q for q in queries if q.get("step") and q["query"].startswith("supercheck_queue_backlog_jobs")][-1:]
    assert graph["query"] == 'supercheck_queue_backlog_jobs{queue=~"(k6-local|job-scheduler)"}'
    assert graph["step"] == "15"
    assert int(graph["end"]) - int(graph["start"]) in (885, 900, 915)
    look.page.close()


def test_rows_fold(fixtures: str, browser: Browser) -> None:
    look = open_page(browser, f"{fixtures}/d/sound?refresh=", MOMENT)
    wait_until_drawn(look.page)
    folded = look.page.locator('[data-panel-title="Folded"]')
    expect(folded).to_have_count(0)
    look.page.get_by_role("button", name="More").click()
    expect(folded).to_have_attribute("data-state", "ok")
    look.page.get_by_role("button", name="More").click()
    expect(folded).to_have_count(0)
    look.page.close()


def test_it_refreshes_by_itself(fixtures: str, browser: Browser) -> None:
    look = open_page(browser, f"{fixtures}/d/other?refresh=5s", MOMENT)
    wait_until_drawn(look.page)
    with look.page.expect_request("**/prometheus/api/v1/query?*", timeout=20_000):
        pass
    look.page.close()


def test_an_error_of_the_query_is_shown(fixtures: str, browser: Browser) -> None:
    look = look_at(browser, f"{fixtures}/d/fault-error?refresh=", MOMENT)
    expect(look.page.locator(".panel-error")).to_contain_text("parse error")
    look.page.close()


def test_another_panel_shows_what_it_asks(fixtures: str, browser: Browser) -> None:
    look = look_at(browser, f"{fixtures}/d/fault-undrawn?refresh=", MOMENT)
    expect(look.page.locator("[data-state=undrawn] pre")).to_contain_text("supercheck_queue_backlog_jobs{queue=~")
    look.page.close()


def test_a_silent_prometheus_is_named(tmp_path: Path, browser: Browser) -> None:
    with served("http://127.0.0.1:1", preview_faults.write(tmp_path)) as url:
        look = open_page(browser, f"{url}/d/sound?refresh=", MOMENT)
        expect(look.page.locator("[data-testid*='Alert']").first).to_contain_text("http://127.0.0.1:1 does not answer")
        look.page.close()


def test_the_index_lists_the_dashboards(fixtures: str, browser: Browser) -> None:
    look = open_page(browser, f"{fixtures}/", MOMENT)
    look.page.get_by_role("link", name="other", exact=True).click()
    look.page.wait_for_url("**/d/other")
    assert look.console == []
    look.page.close()


def test_the_way_to_prometheus_only_reads(fixtures: str) -> None:
    assert requests.get(f"{fixtures}/prometheus/api/v1/query?query=1", timeout=10).json()["status"] == "success"
    assert requests.post(f"{fixtures}/prometheus/api/v1/admin/tsdb/delete_series", timeout=10).status_code == 501
    raw = http.client.HTTPConnection(urllib.parse.urlsplit(fixtures).netloc, timeout=10)
    raw.request("GET", "/../serve.py")  # as requests would not send it
    assert raw.getresponse().status == 404
    raw.close()
    assert requests.get(f"{fixtures}/dashboards/nothing.json", timeout=10).status_code == 404


def test_without_a_build_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="npm run build"):
        server_module().make_server(("127.0.0.1", 0), "http://127.0.0.1:9090", dist=tmp_path)


def test_the_sources_stay_small() -> None:
    lines = sum(len(file.read_text("utf-8").splitlines()) for file in (PREVIEW / "src").iterdir())
    assert lines < MAX_SOURCE_LINES


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((PREVIEW / "package-lock.json").read_text("utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
