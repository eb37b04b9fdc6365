"""Looks at the running demo from outside, and tells what is new: alerts' states, messages that arrived.

It asks Prometheus and the receiver over HTTP, as a person would; nothing is read from the parts' insides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests

TIMEOUT_SECONDS = 5.0
TARGETS = 3  # the exporter, Prometheus and Alertmanager are scraped


@dataclass(frozen=True)
class Alert:
    """One alert that Prometheus holds pending or firing. Times are seconds since the epoch."""

    name: str
    severity: str
    subject: str  # its own labels, as name=value
    state: str  # pending or firing
    since: float
    wait_seconds: float  # the rule's `for`
    keep_seconds: float  # the rule's `keep_firing_for`
    kept_since: float | None  # its condition is gone since then, and it is kept firing

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while its state changes."""
        return (self.name, self.severity, self.subject)

    def __str__(self) -> str:
        return f"{self.severity} {self.name} {self.subject}".rstrip()


_COMMON_LABELS = {"alertname", "severity", "component", "job", "instance", "role"}


def _epoch(text: str | None) -> float | None:
    """Seconds since the epoch of Prometheus' RFC 3339 time; None for none (Go writes year 1)."""
    if not text or text.startswith("0001"):
        return None
    return datetime.fromisoformat(text).timestamp()


def parse_waits(rules: dict[str, Any]) -> dict[str, float]:
    """Each alerting rule's longest `for` in seconds, from an answer of Prometheus' /api/v1/rules."""
    waits: dict[str, float] = {}
    for group in rules["data"]["groups"]:
        for rule in group["rules"]:
            waits[rule["name"]] = max(waits.get(rule["name"], 0.0), float(rule.get("duration", 0)))
    return waits


def parse_alerts(rules: dict[str, Any]) -> list[Alert]:
    """The alerts in an answer of Prometheus' /api/v1/rules."""
    found = []
    for group in rules["data"]["groups"]:
        for rule in group["rules"]:
            for alert in rule.get("alerts", []):
                labels = alert["labels"]
                own = {name: value for name, value in labels.items() if name not in _COMMON_LABELS}
                found.append(
                    Alert(
                        name=labels["alertname"],
                        severity=labels.get("severity", ""),
                        subject=" ".join(f"{name}={value}" for name, value in sorted(own.items())),
                        state=alert["state"],
                        since=_epoch(alert["activeAt"]) or 0.0,
                        wait_seconds=float(rule.get("duration", 0)),
                        keep_seconds=float(rule.get("keepFiringFor", 0)),
                        kept_since=_epoch(alert.get("keepFiringSince")),
                    )
                )
    return found


@dataclass
class Pages:
    """What the pager got: the text of each page, and which of them are still open."""

    arrived: dict[str, str] = field(default_factory=dict)  # PagerDuty's dedup_key -> text
    open: set[str] = field(default_factory=set)

    def take(self, message: dict[str, Any]) -> None:
        """Take one PagerDuty event."""
        key = message["body"].get("dedup_key", "")
        if message["status"] == "firing":
            self.arrived.setdefault(key, message["title"])
            self.open.add(key)
        else:
            self.open.discard(key)


def _page_text(message: dict[str, Any]) -> str:
    """What a person reads first on the pager: the value, the threshold, the runbook."""
    details = message["body"].get("payload", {}).get("custom_details", {})
    numbers = [details[name] for name in ("value", "threshold") if details.get(name)]
    return f": {'; threshold: '.join(numbers)}  {message['links'][0] if message['links'] else ''}".rstrip()


class Watcher:
    """Polls; each call of `news()` gives one line for each thing that happened since the last."""

    def __init__(self, prometheus: str, receiver: str) -> None:
        self._prometheus = prometheus
        self._receiver = receiver
        self._known: dict[tuple[str, str, str], Alert] = {}
        self._seen_messages = 0
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of this shell is not for 127.0.0.1
        self.pages = Pages()
        self.fired: dict[tuple[str, str, str], Alert] = {}
        self.refused: list[str] = []
        self.waits: dict[str, float] = {}  # alert -> its rule's `for`, in seconds
        self.watchdog = False
        self._scraped_at: float | None = None  # when every target had been scraped, in seconds since the epoch

    @property
    def alerts(self) -> list[Alert]:
        """The alerts that were pending or firing at the last look, Watchdog left out."""
        return list(self._known.values())

    def ready(self, url: str) -> bool:
        """Whether an address answers 200."""
        try:
            return self._http.get(url, timeout=TIMEOUT_SECONDS).status_code == 200
        except requests.RequestException:
            return False

    def news(self) -> Iterator[str]:
        """One line an event; an answer that does not come now is asked for again the next time."""
        try:
            rules = self._get(f"{self._prometheus}/api/v1/rules?type=alert")
            messages = self._get(f"{self._receiver}/messages")
        except requests.RequestException:
            return
        self.waits = parse_waits(rules)
        yield from self._alert_news(parse_alerts(rules))
        fresh = messages[self._seen_messages :]
        self._seen_messages = len(messages)
        for message in fresh:
            yield from self._message_news(message)

    def value(self, query: str) -> float | None:
        """The value of a query that gives one series; None when there is none."""
        found = self._ask(query)
        return found[0][1] if found else None

    def largest(self, query: str, label: str) -> tuple[str, float] | None:
        """The series with the highest value, by one of its labels; None when there is none."""
        found = self._ask(f"topk(1, {query})")
        return (found[0][0][label], found[0][1]) if found else None

    def _ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series; none while Prometheus does not answer."""
        try:
            answer = self._get(f"{self._prometheus}/api/v1/query", {"query": query})
        except requests.RequestException:
            return []
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def _get(self, url: str, params: dict[str, str] | None = None) -> Any:
        answer = self._http.get(url, params=params, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def _alert_news(self, alerts: list[Alert]) -> Iterator[str]:
        if self._scraped_at is None and self.value("sum(up)") == TARGETS:
            self._scraped_at = time.time()
        now = {alert.key: alert for alert in alerts if alert.name != "Watchdog" and self._counts(alert)}
        self.watchdog = any(alert.name == "Watchdog" and alert.state == "firing" for alert in alerts)
        for key, alert in now.items():
            before = self._known.get(key)
            if alert.state == "firing":
                self.fired[key] = alert
            if before is None or before.state != alert.state:
                wait = f" (fires after {span(alert.wait_seconds)})" if alert.state == "pending" else ""
                yield f"alert {alert.state}: {alert}{wait}"
            if alert.kept_since and not (before and before.kept_since):
                until = clock(alert.kept_since + alert.keep_seconds)
                yield f"condition gone: {alert}; kept firing until {until}, in case its source went away with it"
            if before and before.kept_since and not alert.kept_since and alert.state == "firing":
                yield f"condition back: {alert}"
        for key, alert in self._known.items():
            if key not in now:
                ended = "resolved" if alert.state == "firing" else "no longer pending"
                yield f"alert {ended}: {alert}"
        self._known = now

    def _counts(self, alert: Alert) -> bool:
        # before the first scrape every source looks as if it were down
        return alert.state == "firing" or (self._scraped_at is not None and alert.since > self._scraped_at)

    def _message_news(self, message: dict[str, Any]) -> Iterator[str]:
        channel, status, title = message["channel"], message["status"], message["title"]
        if channel == "pagerduty":
            self.pages.take(message)
            if status == "firing":
                yield f"PAGE ARRIVED: {title}{_page_text(message)}"
            else:
                opened = self.pages.arrived.get(message["body"].get("dedup_key", ""), "")
                yield f"PAGE RESOLVED: {opened}"
        elif channel == "refused":
            self.refused.append(title)
            yield f"the receiver refused a message: {title}"
        elif channel != "dead-man":
            yield f"chat message ({channel}): {title}"


def span(seconds: float) -> str:
    """A duration as people write it: 45 s, 1 min 30 s, 10 min."""
    minutes, rest = divmod(round(seconds), 60)
    parts = ([f"{minutes} min"] if minutes else []) + ([f"{rest} s"] if rest or not minutes else [])
    return " ".join(parts)


def clock(epoch: float) -> str:
    """A moment as the local time of day."""
    return datetime.fromtimestamp(epoch).strftime("%H:%M:%S")
