"""Opens a dashboard in the preview and says what is wrong with it: states, unreadable texts, console errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

HERE = Path(__file__).resolve().parent
DASHBOARDS = HERE.parents[1] / "dashboards"
ARTIFACTS = HERE.parents[1] / "artifacts" / "dashboards"
WIDTH = 1600  # a 1920 screen with Grafana's menu open
NARROW = 1280  # a laptop
LOADED = """() => {
  const panels = [...document.querySelectorAll('[data-panel-id]')];
  const drawn = panels.filter((p) => p.dataset.panelType === 'timeseries' && p.dataset.state === 'ok');
  const folded = [...document.querySelectorAll('[data-collapsed=true]')];
  return (panels.length > 0 || folded.length > 0) && panels.every((p) => p.dataset.state !== 'loading')
    && drawn.every((p) => p.querySelector('canvas')?.__labels?.length > 0);
}"""
LOAD_MILLISECONDS = 30_000


@dataclass
class Look:
    """What one look at a dashboard found. `states` by panel title, `findings` as survey.js describes them."""

    page: Page
    states: dict[str, str] = field(default_factory=dict)
    findings: set[tuple[str, str, str]] = field(default_factory=set)
    console: list[str] = field(default_factory=list)

    def in_state(self, state: str) -> set[str]:
        """Return the titles of the panels in a state: loading, empty, error, ok, undrawn."""
        return {title for title, found in self.states.items() if found == state}


def open_page(browser: Browser, url: str, moment: float | None = None, width: int = WIDTH) -> Look:
    """Open a page of the preview and collect what goes wrong in its console from the start.

    `moment`, in Unix seconds, is the page's fixed "now" (in UTC); without it, now is now.
    """
    viewport = ViewportSize(width=width, height=1000)
    page = browser.new_page(viewport=viewport, timezone_id=None if moment is None else "UTC")
    if moment is not None:
        page.clock.set_fixed_time(datetime.fromtimestamp(moment, UTC))
    look = Look(page)

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            look.console.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    page.on("console", hear)
    page.on("pageerror", lambda error: look.console.append(f"exception: {error}"))
    page.add_init_script(path=HERE / "canvas.js")
    page.goto(url)
    return look


def wait_until_drawn(page: Page) -> None:
    """Wait until every panel has its answer, every graph its axes, and every font and icon is there."""
    page.wait_for_function(LOADED, timeout=LOAD_MILLISECONDS)
    page.wait_for_load_state("networkidle")
    page.evaluate("() => document.fonts.ready.then(() => null)")


def show_whole(page: Page) -> None:
    """Unfold all rows, and make the window so high that lists that draw only what is seen draw everything."""
    while folded := page.query_selector("[data-collapsed=true]"):
        folded.click()
    page.mouse.move(0, 0)
    height = page.evaluate("() => document.documentElement.scrollHeight")
    width = page.evaluate("() => window.innerWidth")
    page.set_viewport_size({"width": width, "height": height})
    wait_until_drawn(page)


def look_at(browser: Browser, url: str, moment: float | None, picture: Path | None = None, width: int = WIDTH) -> Look:
    """Open a dashboard with all rows unfolded and survey it; keep a picture of the whole page."""
    look = open_page(browser, url, moment, width)
    page = look.page
    wait_until_drawn(page)
    show_whole(page)
    for panel in page.query_selector_all("[data-panel-id]"):
        look.states[panel.get_attribute("data-panel-title") or ""] = panel.get_attribute("data-state") or ""
    found = page.evaluate(HERE.joinpath("survey.js").read_text("utf-8"))
    look.findings = {(one["panel"], one["rule"], one["detail"]) for one in found}
    if picture:
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture)
    return look


def may_be_empty(uid: str, story: str) -> set[str]:
    """Titles of the panels all of whose queries empty.yaml lists; in trouble, without those that trouble fills."""
    entries = yaml.safe_load((DASHBOARDS / "empty.yaml").read_text("utf-8")).get(uid, [])
    listed = {
        (entry["panel"], ref)
        for entry in entries
        for ref in entry["queries"]
        if story == "rest" or not entry.get("in_trouble")
    }
    panels = json.loads((DASHBOARDS / f"{uid}.json").read_text("utf-8"))["panels"]
    asked = {panel["title"]: {(panel["title"], t["refId"]) for t in panel.get("targets", [])} for panel in panels}
    return {title for title, queries in asked.items() if queries and queries <= listed}
