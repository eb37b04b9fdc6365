"""From a real fault to a page: BullMQ in Redis -> exporter -> Prometheus -> Alertmanager -> Slack, PagerDuty, mail.

One stack for all tests, and all faults at once. Stages come one after the other as module fixtures, each of which needs
the one before: broken -> frozen -> mended -> blind -> silent. Durations are shortened (shorten.py), nothing else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
import yaml
from e2e.faults import CALM, CANARY
from e2e.stack import GRAFANA_URL, Stack
from servers.process import wait_for
from servers.sinks import Message
from supercheck_exporter.rules import render_rules
from supercheck_exporter.thresholds import default_thresholds

FIRE_SECONDS = 100.0  # the longest rule waits 15 minutes: 45 seconds here
RESOLVE_SECONDS = 60.0


@dataclass(frozen=True)
class Page:
    """An alert that a fault must bring, and what its message calls it."""

    alert: str
    severity: str
    subject: str

    @property
    def text(self) -> str:
        """What the title of its message says."""
        return f"{self.alert} ({self.subject})"

    @property
    def channels(self) -> tuple[str, str]:
        """Where its severity goes, of the channels that are set."""
        return ("pagerduty", "slack") if self.severity == "critical" else ("slack", "mail")


PAGES = [
    Page("QueueNotProcessing", "critical", "queue stopped"),
    Page("QueueDepthHigh", "warning", "queue depth"),
    Page("QueueDepthHigh", "critical", "queue full"),
    Page("QueueJobsWaitingTooLong", "warning", "queue waiting"),
    Page("QueueJobsWaitingTooLong", "critical", "queue waiting"),
    Page("QueueJobStuckActive", "warning", "queue stuck"),
    Page("QueueFailureRateHigh", "warning", "queue failing"),
    Page("QueueSchedulesWillVanish", "warning", "queue vanish"),
    Page("QueueSchedulesWillVanish", "critical", "queue vanish-soon"),
    Page("QueueSchedulesGone", "critical", "queue gone"),
    Page("QueueSchedulesLate", "warning", "queue late"),
    Page("QueueJobsStalled", "warning", "queue stalled"),
    Page("QueuePausedWithBacklog", "warning", "queue paused"),
    Page("QueueEventsLost", "warning", "queue lost"),
    Page("NoWorkersForQueue", "critical", "queue unserved"),
    Page("WorkersLost", "warning", "location fewer"),
    Page("LocationWithoutWorkers", "warning", "location none-a; location none-b"),
    Page("WorkerUtilizationHigh", "warning", "queue k6-slow"),
    Page("ExecutionQuotaExhausted", "warning", "dependency execution, resource pods"),
    Page("ExecutionPodsPending", "warning", "dependency execution"),
    Page("WorkersNotScaling", "warning", "location fewer; location none-a; location none-b; and more, 4 in all"),
]
# what the tables of features.md call queue and worker alerts, in each severity that is shipped
COMPONENTS = ("queue", "worker")
CRITICAL = [page for page in PAGES if page.severity == "critical"]


def test_every_queue_and_worker_alert_is_made_to_fire() -> None:
    rules = render_rules(default_thresholds(), "http://127.0.0.1:9820")
    shipped = {
        (rule["alert"], rule["labels"]["severity"])
        for path, text in rules.items()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if path.startswith("alerts/") and rule["labels"]["component"] in COMPONENTS
    }
    assert {(page.alert, page.severity) for page in PAGES} == shipped


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The healthy site, watched."""
    with Stack(tmp_path_factory.mktemp("rendered"), beside=True) as running:
        yield running


@pytest.fixture(scope="module")
def broken(stack: Stack) -> Stack:
    """Every fault made. Two of them are losses: of what Prometheus must have seen before."""
    stack.alertmanager.silence(alertname="QueuePausedWithBacklog", queue="paused-silenced")
    stack.site.break_everything()
    stack.fill_cluster()
    schedules = 'queue:supercheck_queue_schedules:max10m{queue="gone"} > 0'
    wait_for(lambda: stack.prometheus.query(schedules), 60, "Prometheus remembers the schedules")
    stack.site.lose_schedules()
    # "fewer than 15 minutes ago" lasts as long as there were more before
    workers = 'location:supercheck_workers_serving:max{location="fewer"} offset 15s == 2'
    wait_for(lambda: stack.prometheus.query(workers), 60, "Prometheus remembers two workers")
    stack.site.lose_a_worker()
    return stack


def arrived(stack: Stack, page: Page, status: str, channel: str) -> Message:
    timeout = FIRE_SECONDS if status == "firing" else RESOLVE_SECONDS
    prefix = page.severity.upper() if status == "firing" else "RESOLVED"
    return stack.sinks.wait_message(channel, status, f"{prefix}: {page.text}", timeout)


@pytest.mark.promise("each alert fires")
@pytest.mark.promise("page arrives")
@pytest.mark.promise("links open")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.alert}-{page.severity}")
def test_each_alert_arrives_and_says_what_and_how_much_and_where_to_look(broken: Stack, page: Page) -> None:
    first, second = (arrived(broken, page, "firing", channel) for channel in page.channels)
    slack = first if first.channel == "slack" else second
    attachment = slack.body["attachments"][0]
    fields = {entry["title"]: entry["value"] for entry in attachment["fields"]}
    assert re.search(r"\d|down", fields["Now"]), fields
    assert fields["Threshold"] not in ("", "none"), fields
    assert attachment["text"].count("\n") >= 1, "a summary, and a description of each alert"
    for message in (first, second):
        runbook = f"{broken.exporter.url}/runbooks/{page.alert}"
        (dashboard,) = set(message.links) - {runbook}
        assert runbook in message.links
        opened = requests.get(runbook, timeout=10)
        assert opened.status_code == 200, runbook
        assert page.alert in opened.text
        assert dashboard.startswith(f"{broken.exporter.url}/d/supercheck-")
        sent = requests.get(dashboard, timeout=10, allow_redirects=False)
        assert sent.headers["Location"].startswith(dashboard.replace(broken.exporter.url, GRAFANA_URL))
    assert broken.sinks.messages("refused") == []


def test_a_page_is_an_event_that_pagerduty_takes(broken: Stack) -> None:
    message = arrived(broken, PAGES[0], "firing", "pagerduty")
    payload = message.body["payload"]
    assert message.body["event_action"] == "trigger"
    assert (payload["class"], payload["component"], payload["group"]) == ("QueueNotProcessing", "queue", "stopped")
    assert payload["severity"] == "critical"
    assert payload["custom_details"]["value"].startswith("3 ")


def test_warnings_page_nobody(broken: Stack) -> None:
    for page in PAGES:
        arrived(broken, page, "firing", "slack")
    events = broken.sinks.messages("pagerduty")
    assert {event.body["payload"]["severity"] for event in events} == {"critical"}


def test_alerts_of_one_rule_come_as_one_message(broken: Stack) -> None:
    page = next(page for page in PAGES if page.alert == "LocationWithoutWorkers")
    text = arrived(broken, page, "firing", "mail").body["text"]
    assert "- location none-a: now 0 " in text
    assert "- location none-b: now 0 " in text


@pytest.mark.promise("no wide silence")
def test_a_critical_silences_the_same_warning_of_its_queue_and_no_other(broken: Stack) -> None:
    arrived(broken, Page("QueueDepthHigh", "critical", "queue full"), "firing", "pagerduty")
    arrived(broken, Page("QueueDepthHigh", "warning", "queue depth"), "firing", "slack")
    (silenced,) = broken.alertmanager.alerts(alertname="QueueDepthHigh", severity="warning", queue="full")
    assert silenced.state == "suppressed"
    assert silenced.inhibited_by
    assert broken.sinks.messages("mail", text="QueueDepthHigh (queue full)") == []


@pytest.mark.promise("silenced is silent")
def test_a_silenced_alert_is_not_sent(broken: Stack) -> None:
    arrived(broken, Page("QueuePausedWithBacklog", "warning", "queue paused"), "firing", "slack")
    found = wait_for(
        lambda: broken.alertmanager.alerts(alertname="QueuePausedWithBacklog", queue="paused-silenced"),
        FIRE_SECONDS,
        "the silenced alert is known",
    )
    assert found[0].silenced_by
    assert broken.sinks.messages(text="QueuePausedWithBacklog (queue paused-silenced)") == []


def test_the_dead_man_switch_is_pinged(broken: Stack) -> None:
    before = len(broken.sinks.messages("dead-man"))
    wait_for(lambda: len(broken.sinks.messages("dead-man")) >= before + 3, 60, "three more pings")
    assert broken.sinks.messages(text="Watchdog") == []


@dataclass(frozen=True)
class Frozen:
    """The stack after Redis stood still from `since` to `until`; its own page came at `paged` (epoch seconds)."""

    stack: Stack
    since: float
    paged: float
    until: float


@pytest.fixture(scope="module")
def frozen(broken: Stack) -> Frozen:
    """Redis frozen while pages are open; let go when their series have been gone for three group intervals."""
    for page in CRITICAL:
        arrived(broken, page, "firing", "pagerduty")
    since = time.time()
    broken.redis.freeze()
    try:
        paged = broken.sinks.wait_message("pagerduty", "firing", "RedisDown", 60).received
        gone = 'absent_over_time(supercheck_queue_backlog_jobs{queue="stopped"}[9s])'
        wait_for(lambda: broken.prometheus.query(gone), 60, "the queue's series have been gone for a while")
    finally:
        until = time.time()
        broken.redis.thaw()
    healthy = "min(supercheck_scrape_collector_success) == 1"
    wait_for(lambda: broken.prometheus.query(healthy), 60, "the exporter reads Redis again")
    return Frozen(broken, since, paged, until)


@pytest.mark.promise("no false all-clear")
def test_a_dead_source_is_no_all_clear(frozen: Frozen) -> None:
    """Redis froze during the pages: none of them resolved before Redis' own page, nor while it stood still."""
    assert frozen.since < frozen.paged < frozen.until
    resolved = [m for m in frozen.stack.sinks.messages("pagerduty", "resolved") if m.received < frozen.until]
    assert [m.title for m in resolved if any(page.text in m.title for page in CRITICAL)] == []
    arrived(frozen.stack, Page("RedisDown", "critical", f"node {frozen.stack.redis.address}"), "firing", "slack")


@pytest.fixture(scope="module")
def mended(frozen: Frozen) -> Stack:
    """Everything put right."""
    frozen.stack.site.mend_everything()
    frozen.stack.empty_cluster()
    return frozen.stack


@pytest.mark.promise("resolve arrives")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.alert}-{page.severity}")
def test_each_alert_ends(mended: Stack, page: Page) -> None:
    wait_for(
        lambda: (
            not [
                alert
                for alert in mended.prometheus.firing(alertname=page.alert, severity=page.severity)
                if alert.labels.get("queue", alert.labels.get("location", "")) in page.subject
            ]
        ),
        RESOLVE_SECONDS,
        f"{page.text} no longer fires",
    )


@pytest.mark.promise("resolve arrives")
@pytest.mark.parametrize("page", CRITICAL, ids=lambda page: page.alert)
def test_each_page_is_resolved_under_its_own_key(mended: Stack, page: Page) -> None:
    firing, resolved = (arrived(mended, page, status, "pagerduty") for status in ("firing", "resolved"))
    assert resolved.body["event_action"] == "resolve"
    assert resolved.body["dedup_key"] == firing.body["dedup_key"]
    slack = arrived(mended, page, "resolved", "slack").body["attachments"][0]
    assert slack["color"] == "good"
    assert slack["text"].startswith("Well again: ")


# On these queues a critical alert came later. Alertmanager sends nothing about a warning while one silences it, not
# even its end; the end of the critical one tells both.
OVERTAKEN = {f"queue {name}" for name in ("depth", "waiting", "failing", "late", "paused")}
ENDING = [page for page in PAGES if page.severity == "warning" and page.subject not in OVERTAKEN]


@pytest.mark.parametrize("page", ENDING, ids=lambda page: page.alert)
def test_the_end_of_a_warning_is_told(mended: Stack, page: Page) -> None:
    subjects = [part for part in page.subject.split("; ") if not part.startswith("and more")]

    def told() -> bool:
        lines = [
            line
            for message in mended.sinks.messages("mail", text=page.alert)
            for line in str(message.body["text"]).partition("Well again:\n")[2].splitlines()
        ]
        return all(any(line.startswith(f"- {subject}: was ") for line in lines) for subject in subjects)

    wait_for(told, RESOLVE_SECONDS, f"a mail says that {page.text} is well again")


def test_what_is_healthy_was_never_named(mended: Stack) -> None:
    """One worker that ran a 3-minute test with one job behind it, in the middle of all that."""
    assert mended.site.queues[CALM].counts()["completed"] == 2
    assert mended.prometheus.query(f'count_over_time(ALERTS{{alertstate="firing",queue="{CALM}"}}[1h])') == {}
    assert mended.sinks.messages(text=CALM) == []


@pytest.mark.promise("privacy")
def test_no_secret_of_the_site_is_in_any_message_page_or_log(mended: Stack) -> None:
    wait_for(lambda: mended.site.queues["failing"].counts()["completed"] >= 3000, 60, "results with the canary")
    texts = {
        "messages": str(mended.sinks.messages()),
        "metrics": mended.exporter.page("/metrics"),
        "status page": mended.exporter.page("/"),
        **{f"log of {part.name}": part.log() for part in (mended.exporter, mended.prometheus, mended.alertmanager)},
    }
    assert [name for name, text in texts.items() if CANARY in text or not text] == []


@pytest.fixture(scope="module")
def blind(mended: Stack) -> Stack:
    """The exporter dead."""
    mended.exporter.kill()
    return mended


def test_a_dead_exporter_pages(blind: Stack) -> None:
    page = Page("ExporterDown", "critical", f"node 127.0.0.1:{blind.exporter.port}")
    for channel in page.channels:
        arrived(blind, page, "firing", channel)


@pytest.fixture(scope="module")
def silent(blind: Stack) -> Stack:
    """Prometheus dead as well: nothing can fire any more, and no alert says so."""
    blind.prometheus.kill()
    return blind


@pytest.mark.promise("watchdog stops")
def test_a_dead_prometheus_lets_the_dead_man_switch_fall_silent(silent: Stack) -> None:
    def quiet() -> bool:
        return time.time() - silent.sinks.messages("dead-man")[-1].received > 12  # four pings are missing

    wait_for(quiet, 90, "the pings stop")
    assert silent.alertmanager.ready(), "it is the Watchdog that is missing, not Alertmanager"
