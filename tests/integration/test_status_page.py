"""The status page in a real browser of a phone's width: can it be read, and does it say what is wrong.

Pictures are kept in artifacts/status-page/.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright
from servers.bullmq import BullMQ
from servers.exporter import Exporter
from servers.process import require_program, wait_for
from servers.redis import RedisServer

PHONE: ViewportSize = {"width": 390, "height": 844}
LEAST_FONT_PIXELS = 14
LEAST_CONTRAST = 4.5
PICTURES = Path(__file__).parents[2] / "artifacts/status-page"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

# Every piece of text that is seen: its size in pixels, and its contrast with the first background behind it.
TEXTS = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(behind(element))].sort((x, y) => y - x);
    found.push({ text, size: parseFloat(style.fontSize), contrast: (a + 0.05) / (b + 0.05) });
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = require_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page that fails the test when the console shows an error."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, color_scheme=request.param)
    page = context.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def check_words_are_whole(page: Page) -> None:
    """A short word that stands in two lines can't be read: ok, up, down, failed, critical."""
    for found in page.locator("td span").all():
        lines = found.evaluate("e => e.getClientRects().length")
        assert lines == 1, f"{found.inner_text()!r} stands in {lines} lines"


def picture(page: Page, name: str) -> None:
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{scheme}.png", full_page=True)


def check_readable(page: Page) -> None:
    """No need to scroll sideways or to zoom, on a phone."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], f"the page is {wide} pixels wide"
    check_words_are_whole(page)
    texts = page.evaluate(TEXTS)
    assert texts
    for found in texts:
        assert found["size"] >= LEAST_FONT_PIXELS, found
        assert found["contrast"] >= LEAST_CONTRAST, found


def section(page: Page, heading: str) -> str:
    """The text of what follows a heading, in one line."""
    script = "h => { let t = ''; for (let e = h.nextElementSibling; e && e.tagName !== 'H2'; e = e.nextElementSibling)"
    found: str = page.get_by_role("heading", name=heading, exact=True).evaluate(
        script + " t += e.innerText; return t; }"
    )
    return " ".join(found.split())


@pytest.mark.promise("status page")
def test_all_is_well(phone: Page, redis_server: RedisServer) -> None:
    with Exporter(redis_server.exporter_env()) as exporter:
        wait_for(lambda: exporter.get("/-/ready").status_code == 200, 60, "every source was read")
        phone.goto(exporter.url)
        assert "nothing is over its threshold" in phone.inner_text("h1")
        assert section(phone, "Over their threshold now") == "Nothing."
        assert f"{redis_server.address} up" in section(phone, "Sources")
        assert section(phone, "Collectors").count("ok") == 6
        check_readable(phone)
        picture(phone, "well")


def test_a_queue_is_too_deep(phone: Page, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str) -> None:
    queue = bullmq_newest.queue(queue_name)
    queue.add_many(12)
    settings = {"BULLMQ_QUEUES": queue.name, "QUEUE_CAPACITY": f"{queue.name}=12"}
    with Exporter(redis_server.exporter_env() | settings) as exporter:
        wait_for(lambda: exporter.get("/-/ready").status_code == 200, 60, "every source was read")
        phone.goto(exporter.url)
        assert "over the threshold" in phone.inner_text("h1")
        assert phone.get_by_role("row", name="NoWorkersForQueue").count() >= 1
        row = phone.get_by_role("row", name="QueueDepthHigh")
        for text in ("critical", queue.name, "100.0%", "95.0%"):
            assert text in row.inner_text()
        check_readable(phone)
        picture(phone, "queue-too-deep")
        row.get_by_role("link").click()
        assert phone.url == f"{exporter.url}/runbooks/QueueDepthHigh"
        check_readable(phone)
        picture(phone, "runbook")


@pytest.mark.promise("status page")
def test_redis_is_gone_and_comes_back(phone: Page) -> None:
    with RedisServer() as server, Exporter(server.exporter_env()) as exporter:
        wait_for(lambda: exporter.get("/-/ready").status_code == 200, 60, "every source was read")
        server.kill()
        exporter.scrape()
        phone.goto(exporter.url)
        assert "Redis is down" in phone.inner_text("h1")
        sources = section(phone, "Sources")
        assert f"{server.address} down" in sources
        assert "check REDIS_HOST, REDIS_PORT and that it runs" in sources
        assert section(phone, "Over their threshold now") == "Nothing, as far as it can be read."
        check_readable(phone)
        picture(phone, "redis-down")
        server.start()
        wait_for(lambda: exporter.scrape().value("supercheck_redis_node_up") == 1, 60, "Redis is seen again")
        phone.reload()
        assert f"{server.address} up" in section(phone, "Sources")


def test_long_names_and_errors_do_not_break_the_page(phone: Page, redis_server: RedisServer) -> None:
    settings = {"BULLMQ_QUEUES": "q" * 200, "ALERTMANAGER_URL": f"http://{'a' * 60}.invalid:9093"}
    redis_server.client().rpush(f"bull:{'q' * 200}:wait", *range(3))
    with Exporter(redis_server.exporter_env() | settings | {"MAX_QUEUE_DEPTH": "2"}) as exporter:
        phone.goto(exporter.url)
        assert "nobody may be paged" in phone.inner_text("main")
        assert "q" * 200 in section(phone, "Over their threshold now")
        check_readable(phone)
        picture(phone, "long-names")


def test_the_list_of_runbooks(phone: Page, exporter: Exporter) -> None:
    phone.goto(f"{exporter.url}/runbooks/")
    assert phone.get_by_role("link", name="QueueNotProcessing").count() == 1
    check_readable(phone)
    picture(phone, "runbooks")
