"""The rendered Alertmanager configuration in the real programs: it loads, routes, inhibits, and its messages arrive.

The receiver (compose/demo/receiver.py) refuses what Slack, PagerDuty, Discord, Telegram and a mail program would.
"""

from __future__ import annotations

import smtplib
import subprocess
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests
from servers.monitoring import Alertmanager, monitoring_program
from servers.process import wait_for
from servers.sinks import ROUTING_KEY, Sinks
from supercheck_exporter.render import Report, render

from compose.demo.programs import version_of

CHANNELS = ("slack", "pagerduty", "mail", "telegram", "discord", "webhook", "deadman")
OLD_CHANNELS = ("slack", "pagerduty", "mail")  # what Debian's 0.25 can read from files
DEBIAN = Path("/usr/bin/amtool")

SETS = [
    (),
    CHANNELS,
    *((channel,) for channel in CHANNELS),
    *(tuple(c for c in CHANNELS if c != left_out) for left_out in CHANNELS),
]
OLD_SETS = [(), OLD_CHANNELS, *((channel,) for channel in OLD_CHANNELS)]


@pytest.fixture(scope="module")
def sinks() -> Iterator[Sinks]:
    with Sinks() as server:
        yield server


@pytest.fixture(scope="module")
def strict_sinks() -> Iterator[Sinks]:
    """One of its own for bad messages: in the other one nothing may ever be refused."""
    with Sinks() as server:
        yield server


@pytest.fixture(scope="module")
def amtool() -> Path:
    return monitoring_program("amtool")


def settings_of(sinks: Sinks, channels: tuple[str, ...]) -> dict[str, str]:
    return sinks.settings(*channels) if channels else {}


def named(channels: tuple[str, ...]) -> str:
    missing = set(CHANNELS) - set(channels)
    return f"all but {missing.pop()}" if len(missing) == 1 else " ".join(channels) or "none"


def checked(program: Path, folder: Path) -> str:
    config = folder / "alertmanager/alertmanager.yml"
    said = subprocess.run([program, "check-config", config], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.mark.parametrize("channels", SETS, ids=named)
def test_alertmanager_accepts_each_set_of_channels(
    sinks: Sinks, amtool: Path, tmp_path: Path, channels: tuple[str, ...]
) -> None:
    if set(channels) - set(OLD_CHANNELS) and version_of(amtool) < "0.28":
        pytest.skip(f"amtool {version_of(amtool)} refuses secrets in files; the built one is missing")
    report = render(tmp_path, settings_of(sinks, channels))
    assert report.problems == []
    assert "- 1 templates" in checked(amtool, tmp_path)


@pytest.mark.parametrize("channels", OLD_SETS, ids=named)
def test_debians_alertmanager_accepts_what_it_is_given(sinks: Sinks, tmp_path: Path, channels: tuple[str, ...]) -> None:
    if not DEBIAN.exists():
        pytest.skip("Debian's prometheus-alertmanager is not installed")
    env = settings_of(sinks, channels) | {"ALERTMANAGER_VERSION": version_of(DEBIAN)}
    assert render(tmp_path, env).problems == []
    checked(DEBIAN, tmp_path)


def test_a_config_made_for_debians_alertmanager_leaves_out_what_it_refuses(sinks: Sinks, tmp_path: Path) -> None:
    if not DEBIAN.exists():
        pytest.skip("Debian's prometheus-alertmanager is not installed")
    report = render(tmp_path, sinks.settings() | {"ALERTMANAGER_VERSION": version_of(DEBIAN)})
    assert len(report.problems) == 4
    checked(DEBIAN, tmp_path)


ROUTES = [
    ({"alertname": "RedisDown", "severity": "critical"}, "critical"),
    ({"alertname": "QueueDepthHigh", "severity": "warning"}, "warning"),
    ({"alertname": "BucketWithoutLifecycle", "severity": "info"}, "not-sent"),
    ({"alertname": "Watchdog", "severity": "none"}, "dead-man-switch"),
    ({"alertname": "ASitesOwn"}, "warning"),
    ({"alertname": "ASitesOwn", "severity": "error"}, "warning"),
]


@pytest.mark.parametrize(("labels", "receiver"), ROUTES, ids=[f"{r} {list(a.values())}" for a, r in ROUTES])
def test_each_severity_goes_to_its_receiver(
    sinks: Sinks, amtool: Path, tmp_path: Path, labels: dict[str, str], receiver: str
) -> None:
    env = sinks.settings("slack", "pagerduty", "mail") | {"ALERT_DEADMAN_URL": f"{sinks.url}/deadman"}
    render(tmp_path, env)
    assert routed(amtool, tmp_path, labels) == receiver


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_with_nothing_set_alerts_go_to_nobody_by_name(amtool: Path, tmp_path: Path, severity: str) -> None:
    render(tmp_path, {})
    assert routed(amtool, tmp_path, {"alertname": "A", "severity": severity}) == "nobody-is-paged"


def routed(amtool: Path, folder: Path, labels: Mapping[str, str]) -> str:
    config = folder / "alertmanager/alertmanager.yml"
    arguments = [f"{name}={value}" for name, value in labels.items()]
    said = subprocess.run(
        [amtool, "config", "routes", "test", f"--config.file={config}", *arguments],
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


# messages, from a running Alertmanager

LINK = "http://127.0.0.1:9820"
# what each format takes for markup, in a name that BullMQ allows
AWKWARD = 'k6_a*b <i>&amp; "q" (x) ~y~ `z` |é\\'


def texts(name: str, queue: str = "") -> dict[str, str]:
    return {
        "summary": "A queue has jobs & <nobody> takes them.",
        "description": f"Queue {queue} has 12 jobs ready.",
        "value": "12 jobs ready",
        "threshold": "over 0 for 90 seconds",
        "runbook_url": f"{LINK}/runbooks/{name}",
        "dashboard_url": f"{LINK}/d/supercheck-workers?var-queue={queue}",
    }


class Running:
    """Alertmanager on the rendered configuration with the waits cut short, and everything sent to the sinks."""

    def __init__(self, sinks: Sinks, folder: Path) -> None:
        self.sinks = sinks
        self.program = monitoring_program("alertmanager")
        version = version_of(self.program)
        self.report: Report = render(folder, sinks.settings() | {"ALERTMANAGER_VERSION": version})
        self.all_channels = version >= "0.28"
        config = folder / "alertmanager/alertmanager.yml"
        text = config.read_text()
        for old, new in (("30s", "1s"), ("10s", "1s"), ("5m", "2s"), ("1m", "2s"), ("0s", "0s")):
            for name in ("group_wait", "group_interval"):
                text = text.replace(f"{name}: {old}\n", f"{name}: {new}\n")
        config.write_text(text)
        self.alertmanager = Alertmanager(config)

    def fire(self, name: str, severity: str, component: str, seconds: float | None = None, **labels: str) -> None:
        alert = {"alertname": name, "severity": severity, "component": component, **labels}
        self.alertmanager.fire(alert, seconds=seconds, **texts(name, labels.get("queue", "")))


@pytest.fixture(scope="module")
def running(sinks: Sinks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    system = Running(sinks, tmp_path_factory.mktemp("rendered"))
    with system.alertmanager:
        yield system


def channels_of(running: Running, severity: str) -> list[str]:
    critical = ["pagerduty", "slack"] + (["telegram", "webhook", "discord"] if running.all_channels else [])
    return critical if severity == "critical" else ["slack", "mail"] + ["discord"] * running.all_channels


@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize("queue", ["k6-global", AWKWARD], ids=["plain", "awkward"])
def test_firing_and_resolve_arrive_well_formed_and_name_everything(running: Running, severity: str, queue: str) -> None:
    name = f"Well{severity.title()}{'Plain' if queue == 'k6-global' else 'Awkward'}"
    running.fire(name, severity, "queue", seconds=4, queue=queue)
    for channel in channels_of(running, severity):
        firing = running.sinks.wait_message(channel, "firing", name)
        text = str(firing.body) if channel in ("pagerduty", "webhook") else visible(channel, firing.body)
        for part in ("12 jobs ready", "over 0 for 90 seconds"):
            assert part in text, (channel, part)
        assert f"{LINK}/runbooks/{name}" in firing.links, channel
        assert any(link.startswith(f"{LINK}/d/supercheck-workers?var-queue=") for link in firing.links), channel
        if channel != "webhook":
            assert queue in firing.title, channel
        resolved = running.sinks.wait_message(channel, "resolved", name)
        assert channel == "webhook" or "RESOLVED" in resolved.title
        assert firing.title != resolved.title or channel == "webhook"
    assert [m.title for m in running.sinks.messages("refused")] == []


def visible(channel: str, body: Mapping[str, object]) -> str:
    """What a person reads of it."""
    if channel == "slack":
        attachment = body["attachments"][0]  # type: ignore[index]
        fields = {entry["title"]: entry["value"] for entry in attachment["fields"]}
        assert {"Queue", "Threshold"} < set(fields)
        return f"{attachment['title']} {attachment['text']} {fields}"
    if channel == "mail":
        return f"{body['text']}"
    if channel == "discord":
        return str(body["embeds"])
    return str(body["text"])


def test_a_pagerduty_incident_is_one_problem_of_one_queue(running: Running) -> None:
    for queue in ("a", "b"):
        running.fire("Incident", "critical", "queue", seconds=4, queue=queue)
    found = {
        (queue, status): running.sinks.wait_message("pagerduty", status, f"Incident (queue {queue})")
        for queue in ("a", "b")
        for status in ("firing", "resolved")
    }
    keys = {queue: found[queue, "firing"].body["dedup_key"] for queue in ("a", "b")}
    assert keys["a"] != keys["b"]
    assert {queue: found[queue, "resolved"].body["dedup_key"] for queue in ("a", "b")} == keys
    event = found["a", "firing"].body
    assert event["event_action"] == "trigger"
    assert found["a", "resolved"].body["event_action"] == "resolve"
    assert (event["payload"]["class"], event["payload"]["component"]) == ("Incident", "queue")
    assert (event["payload"]["group"], event["payload"]["severity"]) == ("a", "critical")
    assert event["payload"]["custom_details"]["firing"].startswith("- queue a: now 12 jobs ready, threshold")


def test_alerts_of_one_rule_and_queue_come_as_one_readable_message(running: Running) -> None:
    for number in range(12):
        running.fire("Grouped", "critical", "redis", node=f"10.0.0.{number:02d}:6379", role="master")
    message = running.sinks.wait_message("slack", "firing", "Grouped")
    assert message.title.endswith(
        "(node 10.0.0.00:6379; node 10.0.0.01:6379; node 10.0.0.02:6379; and more, 12 in all)"
    )
    fields = {entry["title"]: entry["value"] for entry in message.body["attachments"][0]["fields"]}
    assert len(fields["About"].splitlines()) == 10  # and the text says that there are more
    assert len(fields["Now"].splitlines()) == 10
    assert "_and more: 12 in all_" in message.body["attachments"][0]["text"]
    # one of them is well again: the message is still a firing one, and says which
    running.fire("Grouped", "critical", "redis", seconds=-1, node="10.0.0.03:6379", role="master")
    after = running.sinks.wait_message("pagerduty", "firing", "Grouped", after=message.received + 0.5)
    assert "10.0.0.03" in after.body["payload"]["custom_details"]["resolved"]
    assert "10.0.0.03" not in after.body["payload"]["custom_details"]["firing"]


def test_info_is_not_sent_and_an_unknown_severity_is_read(running: Running) -> None:
    running.fire("OnlyInfo", "info", "storage")
    running.fire("OwnRule", "page-me", "mine")
    running.sinks.wait_message("slack", "firing", "OwnRule")
    running.sinks.wait_message("mail", "firing", "OwnRule")
    assert running.sinks.messages(text="OnlyInfo") == []
    assert running.sinks.messages("pagerduty", text="OwnRule") == []


@pytest.mark.promise("no wide silence")
def test_a_critical_silences_its_own_queue_and_no_other(running: Running) -> None:
    running.fire("CriticalOfA", "critical", "queue", queue="inhibit-a")
    running.sinks.wait_message("pagerduty", "firing", "CriticalOfA")
    running.fire("WarningOf", "warning", "queue", queue="inhibit-a")
    running.fire("WarningOf", "warning", "queue", queue="inhibit-b")
    running.fire("WarningOf", "warning", "queue")
    running.sinks.wait_message("slack", "firing", "WarningOf (queue inhibit-b)")
    running.sinks.wait_message("slack", "firing", "WarningOf (queue)")
    (silenced,) = running.alertmanager.alerts(alertname="WarningOf", queue="inhibit-a")
    assert silenced.state == "suppressed"
    assert silenced.inhibited_by
    assert running.sinks.messages("slack", text="WarningOf (queue inhibit-a)") == []


def test_a_failed_collector_silences_only_what_it_feeds(running: Running) -> None:
    running.fire("CollectorFailing", "warning", "observability", collector="queue_events", node="a:1")
    wait_for(lambda: running.alertmanager.alerts(alertname="CollectorFailing"), 60, "CollectorFailing is known")
    running.fire("QueueJobsStalled", "warning", "queue", queue="fed")
    running.fire("QueueJobStuckActive", "warning", "queue", queue="fed")
    running.fire("QueueNotProcessing", "critical", "queue", queue="fed-2")
    running.sinks.wait_message("slack", "firing", "QueueJobStuckActive (queue fed)")
    running.sinks.wait_message("pagerduty", "firing", "QueueNotProcessing (queue fed-2)")
    (silenced,) = running.alertmanager.alerts(alertname="QueueJobsStalled")
    assert silenced.state == "suppressed"
    assert running.sinks.messages(text="QueueJobsStalled") == []


@pytest.mark.promise("silenced is silent")
def test_a_silenced_alert_is_not_sent(running: Running) -> None:
    running.alertmanager.silence(alertname="Silenced", queue="quiet")
    running.fire("Silenced", "critical", "queue", queue="quiet")
    running.fire("Silenced", "critical", "queue", queue="loud")
    running.sinks.wait_message("pagerduty", "firing", "Silenced (queue loud)")
    (silenced,) = running.alertmanager.alerts(alertname="Silenced", queue="quiet")
    assert silenced.silenced_by
    assert running.sinks.messages(text="Silenced (queue quiet)") == []


@pytest.mark.promise("secrets stay in files")
def test_the_secrets_are_nowhere_to_be_read(running: Running) -> None:
    status = running.alertmanager.get("/api/v2/status")["config"]["original"]
    for secret in (ROUTING_KEY, "123456:secret", "/services/T00"):
        assert secret not in status
        assert secret not in running.alertmanager.log()
        assert not any(secret in str(message) for message in running.sinks.messages())


@pytest.mark.promise("nobody is paged is said")
def test_with_nothing_set_it_starts_and_its_page_says_so(tmp_path: Path) -> None:
    render(tmp_path, {})
    with Alertmanager(tmp_path / "alertmanager/alertmanager.yml") as alertmanager:
        receivers = [item["name"] for item in alertmanager.get("/api/v2/receivers")]
        assert "nobody-is-paged" in receivers
        alertmanager.fire({"alertname": "A", "severity": "critical"})
        groups = alertmanager.get("/api/v2/alerts/groups", {"receiver": "nobody-is-paged"})
        assert [alert["labels"]["alertname"] for group in groups for alert in group["alerts"]] == ["A"]


# the receiver refuses what the real services refuse

PAGE = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger",
    "payload": {"summary": "s", "source": "x", "severity": "critical"},
}
SLACK = "/services/T/B/X"
REFUSED = [
    (SLACK, {}),
    (SLACK, {"attachments": [{"title": "only a title"}]}),
    (SLACK, {"attachments": [{"text": "t", "color": "reddish"}]}),
    (SLACK, {"attachments": [{"text": "t", "actions": [{"type": "button", "text": "x", "url": ""}]}]}),
    (SLACK, {"attachments": [{"text": "t", "fields": [{"title": "x", "value": ""}]}]}),
    ("/v2/enqueue", PAGE | {"routing_key": "short"}),
    ("/v2/enqueue", PAGE | {"event_action": "fire"}),
    ("/v2/enqueue", PAGE | {"payload": {"summary": "s", "source": "x", "severity": "bad"}}),
    ("/v2/enqueue", PAGE | {"payload": {"summary": "", "source": "x", "severity": "info"}}),
    ("/v2/enqueue", PAGE | {"links": [{"href": "", "text": "x"}]}),
    ("/v2/enqueue", {"routing_key": ROUTING_KEY, "event_action": "resolve"}),
    ("/api/webhooks/1/x", {"content": ""}),
    ("/api/webhooks/1/x", {"embeds": [{"title": "t" * 257, "description": "d"}]}),
    ("/bot1:x/sendMessage", {"chat_id": "1", "text": "<b>open", "parse_mode": "HTML"}),
    ("/bot1:x/sendMessage", {"chat_id": "1", "text": "<div>x</div>", "parse_mode": "HTML"}),
    ("/bot1:x/sendMessage", {"chat_id": "me", "text": "x"}),
    ("/webhook", {"version": "3", "alerts": []}),
]


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_the_receiver_refuses_what_the_service_would(strict_sinks: Sinks, path: str, body: dict[str, object]) -> None:
    before = len(strict_sinks.messages())
    assert strict_sinks.post(path, body).status_code == 400
    assert [message.channel for message in strict_sinks.messages()[before:]] == ["refused"]


def test_the_receiver_answers_as_the_services_do(sinks: Sinks) -> None:
    slack = sinks.post(SLACK, {"text": "hello"})
    assert (slack.status_code, slack.text) == (200, "ok")
    page = sinks.post("/v2/enqueue", PAGE)
    assert page.status_code == 202
    assert page.json()["status"] == "success"
    assert page.json()["dedup_key"]
    assert sinks.post("/api/webhooks/1/x", {"content": "hello"}).status_code == 204
    assert sinks.post("/bot1:x/sendMessage", {"chat_id": "1", "text": "hello"}).json()["ok"] is True
    assert sinks.post("/nowhere", {}).status_code == 404


def test_a_mail_without_text_and_html_is_refused(strict_sinks: Sinks) -> None:
    host, port = strict_sinks.smarthost.split(":")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "only text"
    mail.set_content("text")
    with smtplib.SMTP(host, int(port)) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.send_message(mail)
    assert refused.value.smtp_code == 550
    assert strict_sinks.messages()[-1].channel == "refused"


def test_a_dead_man_switch_takes_any_request(strict_sinks: Sinks) -> None:
    assert requests.get(f"{strict_sinks.url}/deadman", timeout=5).ok
    assert requests.post(f"{strict_sinks.url}/deadman", data="anything", timeout=5).ok
    assert [message.channel for message in strict_sinks.messages()[-2:]] == ["dead-man", "dead-man"]
