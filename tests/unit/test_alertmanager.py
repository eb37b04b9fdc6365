"""Alertmanager's configuration as data: what each setting gives, what is left out, what inhibits what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from supercheck_exporter.alertmanager import FED_BY, NOBODY, SUBJECT, inhibitions, plan
from supercheck_exporter.channels import SETTINGS
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.rules import render_rules
from supercheck_exporter.thresholds import default_thresholds

SECRET = "canary-9f1c"


class Site:
    """Settings of every channel, with the secrets in files; a test takes what it needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slack = {
            "ALERT_SLACK_WEBHOOK_URL_FILE": self.file("slack", f"https://hooks.example.com/{SECRET}\n"),
            "ALERT_SLACK_CHANNEL": "#on-call",
        }
        self.pagerduty = {"ALERT_PAGERDUTY_ROUTING_KEY_FILE": self.file("pagerduty", SECRET)}
        self.mail = {
            "ALERT_EMAIL_TO": "on-call@example.com,lead@example.com",
            "ALERT_EMAIL_FROM": "alerts@example.com",
            "ALERT_EMAIL_SMARTHOST": "mail.example.com:587",
        }
        self.login = {
            "ALERT_EMAIL_USERNAME": "alerts",
            "ALERT_EMAIL_PASSWORD_FILE": self.file("mail", SECRET),
        }
        self.telegram = {
            "ALERT_TELEGRAM_BOT_TOKEN_FILE": self.file("telegram", f"12345:{SECRET}"),
            "ALERT_TELEGRAM_CHAT_ID": "-1001234",
        }
        self.discord = {"ALERT_DISCORD_WEBHOOK_URL_FILE": self.file("discord", f"https://discord.example.com/{SECRET}")}
        self.webhook = {"ALERT_WEBHOOK_URL_FILE": self.file("webhook", f"https://hook.example.com/{SECRET}")}
        self.deadman = {"ALERT_DEADMAN_URL_FILE": self.file("deadman", f"https://ping.example.com/{SECRET}")}
        self.everything = (
            self.slack
            | self.pagerduty
            | self.mail
            | self.login
            | self.telegram
            | self.discord
            | self.webhook
            | self.deadman
        )

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def receiver(config: dict[str, Any], severity: str) -> dict[str, Any]:
    """The receiver of a severity, by the routes' matchers; "none" stands for the Watchdog."""
    wanted = 'alertname="Watchdog"' if severity == "none" else f'severity="{severity}"'
    name = next(route["receiver"] for route in config["route"]["routes"] if wanted in route["matchers"])
    found: dict[str, Any] = next(item for item in config["receivers"] if item["name"] == name)
    return found


def reached(config: dict[str, Any], severity: str) -> set[str]:
    return {key.removesuffix("_configs") for key in receiver(config, severity) if key != "name"}


def test_with_nothing_set_the_page_says_that_nobody_is_paged() -> None:
    delivery = plan({"ALERT_SLACK_CHANNEL": "", "SMTP_HOST": "mail.example.com"})  # the app's own mail is not ours
    assert delivery.problems == []
    assert delivery.config["route"]["receiver"] == NOBODY
    assert receiver(delivery.config, "critical") == {"name": NOBODY}
    assert receiver(delivery.config, "warning") == {"name": NOBODY}
    assert any(line.startswith("nobody is paged") for line in delivery.warnings)


def test_everything_set_sends_critical_to_pager_and_chat_and_warning_to_chat_and_mail(site: Site) -> None:
    delivery = plan(site.everything)
    assert delivery.problems == []
    assert delivery.warnings == []
    assert reached(delivery.config, "critical") == {"pagerduty", "telegram", "webhook", "slack", "discord"}
    assert reached(delivery.config, "warning") == {"slack", "discord", "email"}
    assert reached(delivery.config, "none") == {"webhook"}
    assert delivery.config["route"]["receiver"] == "warning"  # an alert of no known severity is still read


@pytest.mark.parametrize(
    ("channels", "critical", "warning", "warned"),
    [
        (["mail"], {"email"}, {"email"}, "no pager is set, so critical alerts go to e-mail only"),
        (["slack"], {"slack"}, {"slack"}, "no pager is set, so critical alerts go to slack only"),
        (["slack", "mail"], {"slack", "email"}, {"slack", "email"}, "go to slack, e-mail only"),
        (["pagerduty"], {"pagerduty"}, set(), "nobody reads warnings"),
        (["pagerduty", "mail"], {"pagerduty"}, {"email"}, ""),
        (["webhook", "slack"], {"webhook", "slack"}, {"slack"}, ""),
        (["telegram", "discord"], {"telegram", "discord"}, {"discord"}, ""),
        (["deadman"], set(), set(), "nobody is paged"),
    ],
)
def test_a_critical_alert_reaches_whatever_is_set(
    site: Site, channels: list[str], critical: set[str], warning: set[str], warned: str
) -> None:
    env = {name: value for channel in channels for name, value in getattr(site, channel).items()}
    delivery = plan(env)
    assert reached(delivery.config, "critical") == critical
    assert reached(delivery.config, "warning") == warning
    others = [line for line in delivery.warnings if "dead-man" not in line]
    assert [warned in line for line in others] == ([True] if warned else [])


def test_no_secret_is_in_the_configuration(site: Site) -> None:
    text = plan(site.everything).to_yaml()
    assert SECRET not in text
    for name, value in site.everything.items():
        if name.endswith("_FILE"):
            assert value in text, f"{name} is not used"


def test_what_is_written_is_the_configuration(site: Site) -> None:
    delivery = plan(site.everything)
    assert yaml.safe_load(delivery.to_yaml()) == delivery.config


def test_resolves_are_sent_to_all_but_the_dead_man_switch(site: Site) -> None:
    config = plan(site.everything).config
    integrations = [
        (item["name"], entry["send_resolved"])
        for item in config["receivers"]
        for key, entries in item.items()
        if key != "name"
        for entry in entries
    ]
    assert len(integrations) == 9
    assert {sends for name, sends in integrations if name != "dead-man-switch"} == {True}
    assert ("dead-man-switch", False) in integrations


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([smh])", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60, "h": 3600}[unit]


def test_the_dead_man_switch_is_pinged_once_a_minute(site: Site) -> None:
    route = plan(site.deadman).config["route"]["routes"][0]
    interval, repeat = seconds(route["group_interval"]), seconds(route["repeat_interval"])
    ticks = -(-repeat // interval)  # a repeat is looked for at each interval
    assert ticks * interval == 60


def incomplete() -> Iterator[Any]:
    """(settings as a function of the site, what the one sentence must contain)."""
    yield lambda s: {"ALERT_SLACK_CHANNEL": "#x"}, ["slack is left out", "ALERT_SLACK_WEBHOOK_URL_FILE is not set"]
    yield (
        lambda s: {"ALERT_SLACK_WEBHOOK_URL_FILE": "/nonexistent/slack"},
        ["ALERT_SLACK_WEBHOOK_URL_FILE names /nonexistent/slack, which cannot be read", "write the incoming"],
    )
    yield (
        lambda s: {"ALERT_SLACK_WEBHOOK_URL_FILE": s.file("empty", " \n")},
        ["ALERT_SLACK_WEBHOOK_URL_FILE names", "which is empty"],
    )
    yield (
        lambda s: {"ALERT_SLACK_WEBHOOK_URL_FILE": s.file("odd", SECRET)},
        ["ALERT_SLACK_WEBHOOK_URL_FILE names", "is not the incoming webhook's address"],
    )
    yield (
        lambda s: {"ALERT_SLACK_WEBHOOK_URL": f"https://hooks.example.com/{SECRET}"},
        ["ALERT_SLACK_WEBHOOK_URL holds the secret itself", "set ALERT_SLACK_WEBHOOK_URL_FILE"],
    )
    yield (
        lambda s: {"ALERT_PAGERDUTY_URL": "https://events.example.com"},
        ["pagerduty is left out", "ALERT_PAGERDUTY_ROUTING_KEY_FILE is not set"],
    )
    yield lambda s: s.pagerduty | {"ALERT_PAGERDUTY_URL": "events"}, ["ALERT_PAGERDUTY_URL is not an address"]
    yield lambda s: {"ALERT_EMAIL_TO": "a@example.com"}, ["e-mail is left out: ALERT_EMAIL_FROM is not set"]
    yield lambda s: s.mail | {"ALERT_EMAIL_TO": "on-call"}, ["ALERT_EMAIL_TO is 'on-call'"]
    yield lambda s: s.mail | {"ALERT_EMAIL_SMARTHOST": "mail"}, ["ALERT_EMAIL_SMARTHOST is 'mail': give host:port"]
    yield lambda s: s.mail | {"ALERT_EMAIL_REQUIRE_TLS": "perhaps"}, ["allowed are true and false"]
    yield lambda s: s.mail | {"ALERT_EMAIL_USERNAME": "me"}, ["ALERT_EMAIL_PASSWORD_FILE is not set"]
    yield lambda s: s.mail | {"ALERT_EMAIL_PASSWORD": SECRET}, ["ALERT_EMAIL_USERNAME is not set"]
    yield (
        lambda s: s.mail | {"ALERT_EMAIL_USERNAME": "me", "ALERT_EMAIL_PASSWORD": SECRET},
        ["ALERT_EMAIL_PASSWORD holds the secret itself"],
    )
    yield lambda s: s.telegram | {"ALERT_TELEGRAM_CHAT_ID": "@ops"}, ["ALERT_TELEGRAM_CHAT_ID is '@ops'"]
    yield (
        lambda s: s.telegram | {"ALERT_TELEGRAM_BOT_TOKEN_FILE": s.file("token", SECRET)},
        ["is not the bot's token"],
    )
    yield (
        lambda s: s.webhook | {"ALERT_WEBHOOK_URL": "http://a.example.com"},
        ["ALERT_WEBHOOK_URL is not read, because ALERT_WEBHOOK_URL_FILE is set"],
    )
    yield (
        lambda s: {"ALERT_DEADMAN_URL": f"https://me:{SECRET}@ping.example.com"},
        ["ALERT_DEADMAN_URL holds a user or a password", "set ALERT_DEADMAN_URL_FILE"],
    )
    yield (
        lambda s: s.slack | {"ALERT_SLACK_CHANEL": "#x"},
        ["ALERT_SLACK_CHANEL is not a setting: did you mean ALERT_SLACK_CHANNEL?"],
    )


@pytest.mark.parametrize(("settings", "said"), list(incomplete()))
def test_an_incomplete_channel_is_left_out_with_one_sentence(site: Site, settings: Any, said: list[str]) -> None:
    alone = plan(settings(site))
    (problem,) = alone.problems
    for part in said:
        assert part in problem
    assert SECRET not in problem
    assert SECRET not in alone.to_yaml()
    # and the others are none the worse for it
    beside = plan(site.everything | settings(site))
    assert len(reached(beside.config, "critical")) >= 4
    assert SECRET not in beside.to_yaml()


def test_an_old_alertmanager_gets_only_what_it_loads(site: Site) -> None:
    delivery = plan(site.everything | {"ALERTMANAGER_VERSION": "0.25.0"})
    assert reached(delivery.config, "critical") == {"pagerduty", "slack"}
    assert len(delivery.problems) == 4
    assert all("needs Alertmanager 0.28 or newer, this one is 0.25.0" in line for line in delivery.problems)
    plain = plan({"ALERT_DEADMAN_URL": "http://10.0.0.1/ping", "ALERTMANAGER_VERSION": "v0.25.0"})
    assert plain.problems == []
    assert reached(plain.config, "none") == {"webhook"}
    assert plan(site.everything | {"ALERTMANAGER_VERSION": "v0.28.1"}).problems == []


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="ALERTMANAGER_VERSION is 'latest': give a version such as"):
        plan({"ALERTMANAGER_VERSION": "latest"})


def test_each_setting_is_read(site: Site) -> None:
    """A setting in the manual that nothing reads would be a promise that nobody keeps."""
    source = Path(plan.__code__.co_filename).with_name("channels.py").read_text()
    body = source[: source.index("SETTINGS: dict")]
    assert [name for name in SETTINGS if f'"{name}"' not in body] == []


# inhibition


def silences(source: dict[str, str], target: dict[str, str]) -> bool:
    """Whether a rule inhibits `target` while `source` fires, as Alertmanager's documentation says it works."""
    return any(
        all(_matches(m, source) for m in rule["source_matchers"])
        and all(_matches(m, target) for m in rule["target_matchers"])
        and all(source.get(label, "") == target.get(label, "") for label in rule.get("equal", []))
        for rule in inhibitions()
    )


def _matches(matcher: str, labels: dict[str, str]) -> bool:
    name, operator, value = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
    actual = labels.get(name, "")
    if operator == "=~":
        return re.fullmatch(value, actual) is not None
    return (actual == value) is (operator == "=")


def alert(name: str, severity: str, component: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, "component": component, **labels}


@pytest.mark.parametrize("label", SUBJECT)
def test_a_critical_silences_warnings_about_its_own_subject_and_no_other(label: str) -> None:
    critical = alert("Full", "critical", "part", **{label: "a"})
    assert silences(critical, alert("Slow", "warning", "part", **{label: "a"}))
    assert not silences(critical, alert("Slow", "warning", "part", **{label: "b"}))
    assert not silences(critical, alert("Slow", "warning", "part"))
    assert not silences(critical, alert("Slow", "warning", "other", **{label: "a"}))
    assert not silences(critical, alert("Worse", "critical", "part", **{label: "a"}))
    other = next(name for name in SUBJECT if name != label)
    assert not silences(critical, alert("Slow", "warning", "part", **{label: "a", other: "x"}))


def test_a_critical_about_nothing_in_particular_silences_only_its_own_warning_form() -> None:
    critical = alert("S3Unreachable", "critical", "storage")
    assert not silences(critical, alert("StorageCostOverBudget", "warning", "storage"))
    assert silences(alert("Waiting", "critical", "database"), alert("Waiting", "warning", "database"))


def test_a_failed_collector_silences_only_warnings_that_it_feeds() -> None:
    failing = alert("CollectorFailing", "warning", "observability", collector="queue_events", node="a:1")
    assert silences(failing, alert("QueueFailureRateHigh", "warning", "queue", queue="k6-global"))
    assert not silences(failing, alert("QueueDepthHigh", "warning", "queue", queue="k6-global"))
    assert not silences(failing, alert("QueueDepthHigh", "critical", "queue", queue="k6-global"))
    assert not silences(failing, alert("WorkersLost", "warning", "worker", location="eu"))
    for collector, own in FED_BY.items():
        failing = failing | {"collector": collector}
        found = [
            name
            for names in FED_BY.values()
            for name in names
            if silences(failing, alert(name, "warning", "any", node="b:2"))
        ]
        assert sorted(found) == sorted(own)


def shipped_alerts() -> list[dict[str, Any]]:
    rules = render_rules(default_thresholds(), "http://127.0.0.1:9820")
    return [
        rule
        for path, text in rules.items()
        if path.startswith("alerts/")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]


def test_no_critical_alert_can_be_inhibited() -> None:
    assert all('severity="warning"' in rule["target_matchers"] for rule in inhibitions())


def test_each_warning_names_the_collector_that_feeds_it() -> None:
    """All but those about the bundle itself and the host: they are what is left when a collector fails."""
    shipped = {
        rule["alert"]
        for rule in shipped_alerts()
        if rule["labels"]["severity"] == "warning" and rule["labels"]["component"] not in ("observability", "host")
    }
    # made of the edge's series or of the report cache's, of which a site mostly has one
    shipped -= {"ReportCacheHitRatioLow"}
    # made of spans, which come from no collector of the exporter's
    shipped -= {"ApiErrorRateHigh", "ApiLatencyHigh", "QueryRepetitionHigh"}
    assert sorted(shipped) == sorted(name for names in FED_BY.values() for name in names)


def test_a_collector_feeds_only_alerts_made_of_its_series() -> None:
    series = {name: {desc.name for desc in collector.descs} for name, (collector, _) in TABLE.items()}
    rules = render_rules(default_thresholds(), "http://127.0.0.1:9820")
    recorded: dict[str, str] = {}
    for path, text in rules.items():
        for group in yaml.safe_load(text)["groups"] if path.startswith("recording/") else ():
            for rule in group["rules"]:  # one metric may be recorded by several rules, which differ in their labels
                recorded[rule["record"]] = recorded.get(rule["record"], "") + rule["expr"]
    for collector, alerts in FED_BY.items():
        for rule in shipped_alerts():
            if rule["alert"] in alerts:
                expr = rule["expr"]
                for _ in range(3):  # a recording rule may be made of recording rules
                    expr = re.sub(r"\w+:\w+:\w+", lambda m: f"({recorded[m[0]]})", expr)
                used = set(re.findall(r"supercheck_\w+", expr))
                of_it = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} & series[collector]
                assert of_it, f"{rule['alert']} uses nothing of collector {collector}: {sorted(used)}"
