"""The pages for people: what they say, and that nothing on them can be HTML by accident."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from supercheck_exporter import pages
from supercheck_exporter.alertmanager import NOBODY
from supercheck_exporter.collectors import pgbouncer, postgres, queues, redis
from supercheck_exporter.config import load
from supercheck_exporter.core import Run, Sample
from supercheck_exporter.rules import bundle_root

MARKUP = '<script>alert("x")</script>&'
CANARY = "canary-44ab"


def run(*samples: Sample, name: str = "queues", error: str = "") -> Run:
    return Run(name, not error, 0.0123, 0.0, samples, error)


def status(*runs: Run, problems: dict[str, str] | None = None, **env: str) -> str:
    settings = load({"REDIS_HOST": "redis"} | env)
    page = pages.status_page(settings, runs, {run.collector: None for run in runs}, problems or {})
    assert page.status == 200
    return page.body


def text(body: str) -> str:
    """What a person reads, roughly: tags become spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", body.split("<body>")[1]).split())


# -- the status page -------------------------------------------------------------------------------


def test_all_is_well() -> None:
    found = text(status(run(), run(redis.UP(1, "redis:6379", "master"), name="redis")))
    assert "nothing is over its threshold" in found
    assert "Over their threshold now Nothing. Sources" in found
    assert "Redis redis:6379 up Collectors" in found
    assert "queues ok 12 ms 0 values" in found


def test_redis_is_down_and_why() -> None:
    down = "Redis at redis:6379 does not answer"
    found = text(
        status(
            run(error=down),
            run(redis.UP(0, "redis:6379", "master"), name="redis"),
            problems={"redis:6379": down},
        )
    )
    assert "Supercheck exporter: Redis is down Over" in found
    assert f"Redis redis:6379 down {down} Collectors" in found
    assert "Nothing, as far as it can be read." in found
    assert f"queues failed 12 ms {down} (no success yet)" in found


def test_databases_and_what_is_wrong_with_them() -> None:
    why = "PostgreSQL at db:5432 does not answer in time"
    runs = [run(postgres.UP(0), name="postgres", error=why), run(pgbouncer.UP(1), name="pgbouncer")]
    server, console = (f"postgres://u:{CANARY}@{where}" for where in ("db/x", "pooler/pgbouncer"))
    body = status(*runs, REDIS_HOST="", DATABASE_URL=server, PGBOUNCER_URL=console)
    found = text(body)
    assert "Supercheck exporter: PostgreSQL is down Over" in found
    assert f"Sources PgBouncer PGBOUNCER_URL up PostgreSQL DATABASE_URL down {why} Collectors" in found
    assert CANARY not in body
    assert "Redis" not in found


def test_a_node_of_a_cluster_is_down() -> None:
    nodes = [redis.UP(1, "a:1", "master"), redis.UP(0, "b:2", "replica"), redis.UP(1, "c:3", "master")]
    found = text(status(run(*nodes, name="redis"), problems={"b:2": "it is frozen"}, REDIS_CLUSTER="true"))
    assert "Redis is down at b:2 (replica) Over" in found
    assert "Redis a:1 (master) up Redis b:2 (replica) down it is frozen Redis c:3 (master) up" in found


def test_a_forbidden_read_is_no_server_that_is_down() -> None:
    found = text(status(run(error="it refuses a read"), run(redis.UP(1, "redis:6379", "master"), name="redis")))
    assert "Redis redis:6379 up Collectors" in found
    assert "queues failed 12 ms it refuses a read" in found
    assert "Supercheck exporter: can't read queues Over".replace("'", "&#x27;") in found


def test_without_the_redis_collector_the_others_tell() -> None:
    assert "Redis redis:6379 down no answer" in text(status(run(error="no answer")))
    assert "Redis redis:6379 up" in text(status(run()))


def test_a_signal_over_its_threshold() -> None:
    body = status(run(queues.BACKLOG(960, "k6-global"), queues.CAPACITY(1000, "k6-global")))
    assert '<span class="bad">1 signal over the threshold</span>' in body
    assert "critical QueueDepthHigh k6-global 96.0% (limit 95.0%)" in text(body)
    assert '<a href="/runbooks/QueueDepthHigh">' in body


def test_redis_and_signals_are_in_the_first_line() -> None:
    body = status(
        run(queues.STALLED(3, "a"), queues.STALLED(1, "b")), run(redis.UP(0, "redis:6379", "master"), name="redis")
    )
    assert '<span class="bad">Redis is down</span>, <span class="warn">2 signals over the threshold</span>' in body


def test_when_a_collector_last_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 10_000.0)
    settings = load({"REDIS_HOST": "redis"})
    page = pages.status_page(settings, [run(error="down")], {"queues": 10_000.0 - 3700}, {})
    assert "down (last success 1h 1m ago)" in text(page.body)


def test_whatever_comes_from_outside_is_text() -> None:
    body = status(
        run(queues.STALLED(3, MARKUP), error=""),
        run(name=MARKUP, error=MARKUP),
        run(redis.UP(0, MARKUP, MARKUP), name="redis"),
        problems={MARKUP: MARKUP},
        REDIS_CLUSTER="true",
    )
    assert "<script" not in body
    assert body.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;") == 6


def test_the_password_is_on_no_page() -> None:
    assert CANARY not in status(run(error="down"), REDIS_PASSWORD=CANARY)


def test_every_page_is_made_for_phones() -> None:
    for page in (pages.document("x", ""), pages.runbook_index(), pages.no_dashboards()):
        assert 'name="viewport" content="width=device-width,initial-scale=1"' in page.body


# -- runbooks --------------------------------------------------------------------------------------


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with one runbook, and a file beside the folder that is nobody's business."""
    folder = tmp_path / "alert-rules/runbooks"
    folder.mkdir(parents=True)
    (folder / "QueueOdd.md").write_text(
        "# QueueOdd\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nredis-cli ping\n```\n\n<script>x</script>\n"
        "[bad](javascript:alert(1)) [good](/runbooks/QueueOdd)\n"
    )
    (tmp_path / "alert-rules/secret.md").write_text(CANARY)
    (tmp_path / "secret.md").write_text(CANARY)
    monkeypatch.setattr(pages, "bundle_root", lambda: tmp_path)
    return tmp_path


def test_a_runbook_is_html(bundle: Path) -> None:
    page = pages.runbook("QueueOdd")
    assert page.status == 200
    assert "<h1>QueueOdd</h1>" in page.body
    assert "<td>1</td>" in page.body
    assert "<pre><code>redis-cli ping" in page.body
    assert '<a href="/runbooks/QueueOdd">good</a>' in page.body


def test_html_in_a_runbook_is_text(bundle: Path) -> None:
    body = pages.runbook("QueueOdd").body
    assert "<script" not in body
    assert 'href="javascript:' not in body


@pytest.mark.parametrize(
    "name",
    ["../secret", "../../secret", "..", ".", "", "/etc/passwd", "%2e%2e/secret", "..%2fsecret", "secret",
     "QueueOdd\x00", "QueueOdd/../../secret", "..\\secret", "QueueOdd.md", "Queue*", MARKUP],
)  # fmt: skip
def test_nothing_but_runbooks_is_shown(bundle: Path, name: str) -> None:
    page = pages.runbook(name)
    assert page.status == 404
    assert CANARY not in page.body
    assert "<script" not in page.body


def test_the_list_of_runbooks(bundle: Path) -> None:
    assert '<li><a href="/runbooks/QueueOdd">QueueOdd</a></li>' in pages.runbook_index().body


@pytest.mark.promise("links open")
def test_every_shipped_runbook_opens() -> None:
    names = [path.stem for path in (bundle_root() / "alert-rules/runbooks").glob("*.md")]
    assert names
    for name in names:
        assert pages.runbook(name).status == 200
        assert f'"/runbooks/{name}"' in pages.runbook_index().body


def test_where_the_dashboards_are_is_a_setting() -> None:
    page = pages.no_dashboards()
    assert page.status == 404
    assert "GRAFANA_URL" in page.body


# -- who is paged ----------------------------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(body: object, status_code: int = 200) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status_code)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


@pytest.fixture
def alertmanager() -> Iterator[Callable[[Answer], str]]:
    """Give the URL of a server that answers every GET in one way, and notes the paths."""
    servers: list[ThreadingHTTPServer] = []

    def start(how: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/api/v2/receivers"
                how(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


AlertmanagerOf = Callable[[Answer], str]


def test_alertmanager_that_pages_somebody_is_not_mentioned(alertmanager: AlertmanagerOf) -> None:
    assert pages.who_is_paged(alertmanager(answer([{"name": "critical"}, {"name": "warning"}]))) == []


def test_no_alertmanager_is_not_mentioned() -> None:
    assert pages.who_is_paged(None) == []


def test_alertmanager_that_pages_nobody(alertmanager: AlertmanagerOf) -> None:
    [line] = pages.who_is_paged(alertmanager(answer([{"name": NOBODY}])))
    assert line.startswith("Nobody is paged")
    assert "ALERT_" in line


@pytest.mark.parametrize(
    ("body", "status_code"),
    [([], 500), (b"not json", 200), ({"a": 1}, 200), ([{"title": "x"}], 200), ([3], 200), (b"", 204)],
)
def test_alertmanager_that_makes_no_sense(alertmanager: AlertmanagerOf, body: object, status_code: int) -> None:
    [line] = pages.who_is_paged(alertmanager(answer(body, status_code)))
    assert "does not answer" in line


def test_alertmanager_that_is_frozen(alertmanager: AlertmanagerOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "ASK_SECONDS", 0.05)
    thawed = threading.Event()

    def freeze(_: BaseHTTPRequestHandler) -> None:
        thawed.wait(30)

    try:
        [line] = pages.who_is_paged(alertmanager(freeze))
    finally:
        thawed.set()
    assert "does not answer" in line


def test_alertmanager_that_is_down_and_its_login(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = pages.who_is_paged(f"http://admin:{CANARY}@127.0.0.1:9")
    assert line == "Alertmanager does not answer at http://127.0.0.1:9: nobody may be paged."


@pytest.mark.promise("nobody is paged is said")
def test_the_status_page_says_that_nobody_is_paged(alertmanager: AlertmanagerOf) -> None:
    url = alertmanager(answer([{"name": NOBODY}]))
    assert "Nobody is paged" in text(status(run(), ALERTMANAGER_URL=url))
