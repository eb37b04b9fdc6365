"""Where alerts can be sent: one Alertmanager integration for each channel that is set in the environment.

A channel that is set only in part is left out, and says in one sentence what is missing: a site's monitor
must start even when somebody mistypes a channel.
Secrets are named by file and stay there; the rendered configuration holds the file's path, never its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["pager", "chat", "mail", "dead-man"]
Config = dict[str, Any]

# Telegram's, Discord's and the webhook's secrets: older versions refuse some of these files, or crash.
FILES_SINCE = (0, 28)

_URL = re.compile(r"https?://[^\s/]+\S*")
_TELEGRAM_TOKEN = re.compile(r"\d+:\S+")
_ONE_WORD = re.compile(r"\S+")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^\s:/]+):\d{1,5}")

RUNBOOK = '{{ template "supercheck.runbook" . }}'
DASHBOARD = '{{ template "supercheck.dashboard" . }}'


@dataclass(frozen=True)
class Channel:
    """One integration of a receiver: `config` is an entry of Alertmanager's list `integration`."""

    name: str
    kind: Kind
    integration: str
    config: Config


class IncompleteError(ValueError):
    """A channel is set only in part, or wrongly; the message names the setting and how to mend it."""


class _Settings:
    """The environment, as the channels read it; an empty value is an unset one (compose passes those)."""

    def __init__(self, env: Mapping[str, str], version: tuple[int, ...] | None) -> None:
        self.values = {name: value.strip() for name, value in env.items() if value.strip()}
        self.version = version

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def need(self, name: str, meaning: str) -> str:
        value = self.get(name)
        if value is None:
            raise IncompleteError(f"{name} is not set: it is {meaning}")
        return value

    def secret(self, name: str, shape: re.Pattern[str], meaning: str) -> str:
        """Path of the file that `name` points to, if its text looks like `meaning`; the text is not kept."""
        plain = name.removesuffix("_FILE")
        if self.get(name) is None and self.get(plain) is not None:
            raise IncompleteError(
                f"{plain} holds the secret itself: write it to a file and set {name} to the file's path"
            )
        path = Path(self.need(name, f"the path of a file that holds {meaning}")).absolute()
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise IncompleteError(
                f"{name} names {path}, which cannot be read ({why}): write {meaning} to that file"
            ) from error
        if not text:
            raise IncompleteError(f"{name} names {path}, which is empty: write {meaning} to that file")
        if not shape.fullmatch(text):
            raise IncompleteError(f"{name} names {path}, whose text is not {meaning}: correct the file")
        return str(path)

    def address(self, name: str, secret_name: str, meaning: str, field: str = "url") -> Config:
        """A webhook's address: from a file, or in the open where it is no secret (so too before 0.28)."""
        value = self.get(name)
        if value is None or self.get(secret_name) is not None:
            path = self.secret(secret_name, _URL, meaning)
            self.needs_files(secret_name, f", or, if the address is no secret, set {name}")
            return {f"{field}_file": path}
        return {field: checked_url(name, value)}

    def needs_files(self, name: str, otherwise: str = "") -> None:
        if self.version is not None and self.version < FILES_SINCE:
            running, since = (".".join(map(str, v)) for v in (self.version, FILES_SINCE))
            raise IncompleteError(
                f"{name} needs Alertmanager {since} or newer, this one is {running}: upgrade it{otherwise}"
            )


def checked_url(name: str, value: str) -> str:
    """`value` when it is an http(s) address without user, password or white space; else an error."""
    if not _URL.fullmatch(value):
        raise IncompleteError(f"{name} is not an address: give one that begins with http:// or https://")
    if "@" in urlsplit(value).netloc:
        raise IncompleteError(f"{name} holds a user or a password: put the address in a file and set {name}_FILE")
    return value


def _slack(settings: _Settings) -> Config:
    path = settings.secret("ALERT_SLACK_WEBHOOK_URL_FILE", _URL, "the incoming webhook's address")
    channel = settings.get("ALERT_SLACK_CHANNEL")
    fields = ("subject", "value", "threshold", "since")
    return {
        "api_url_file": path,
        **({"channel": channel} if channel else {}),
        "color": '{{ template "supercheck.slack.color" . }}',
        "title": '{{ template "supercheck.slack.title" . }}',
        "title_link": DASHBOARD,
        "fallback": '{{ template "supercheck.slack.fallback" . }}',
        "text": '{{ template "supercheck.slack.text" . }}',
        "fields": [
            {
                "title": f'{{{{ template "supercheck.slack.{name}.title" . }}}}',
                "value": f'{{{{ template "supercheck.slack.{name}" . }}}}',
                "short": True,
            }
            for name in fields
        ],
        "actions": [
            {"type": "button", "text": "Runbook", "url": RUNBOOK},
            {"type": "button", "text": "Dashboard", "url": DASHBOARD},
        ],
        "footer": "Supercheck observability",
        "mrkdwn_in": ["text", "fields"],
    }


def _pagerduty(settings: _Settings) -> Config:
    path = settings.secret(
        "ALERT_PAGERDUTY_ROUTING_KEY_FILE", _ONE_WORD, "the integration key of an Events API v2 integration"
    )
    url = settings.get("ALERT_PAGERDUTY_URL")
    return {
        "routing_key_file": path,
        **({"url": checked_url("ALERT_PAGERDUTY_URL", url)} if url else {}),
        "description": '{{ template "supercheck.title" . }}',
        "severity": '{{ template "supercheck.pagerduty.severity" . }}',
        "class": "{{ .CommonLabels.alertname }}",
        "component": "{{ .CommonLabels.component }}",
        "group": "{{ .CommonLabels.queue }}",
        "client": "Supercheck observability",
        "client_url": DASHBOARD,
        "details": {
            name: f'{{{{ template "supercheck.pagerduty.{name}" . }}}}'
            for name in ("subject", "value", "threshold", "firing", "resolved")
        }
        | {"runbook": RUNBOOK, "dashboard": DASHBOARD},
        "links": [{"href": RUNBOOK, "text": "Runbook"}, {"href": DASHBOARD, "text": "Dashboard"}],
    }


def _email(settings: _Settings) -> Config:
    to = settings.need("ALERT_EMAIL_TO", "who gets the mail, addresses separated by commas")
    sender = settings.need("ALERT_EMAIL_FROM", "the address that the mail comes from")
    for name, value in (("ALERT_EMAIL_TO", to), ("ALERT_EMAIL_FROM", sender)):
        if not all(_MAIL.fullmatch(part.strip()) for part in value.split(",")):
            raise IncompleteError(f"{name} is {value!r}, which is not an e-mail address: give one like ops@example.com")
    smarthost = settings.need("ALERT_EMAIL_SMARTHOST", "the mail server as host:port, for example mail:587")
    if not _HOST_PORT.fullmatch(smarthost):
        raise IncompleteError(f"ALERT_EMAIL_SMARTHOST is {smarthost!r}: give host:port, for example mail:587")
    tls = (settings.get("ALERT_EMAIL_REQUIRE_TLS") or "true").lower()
    if tls not in ("true", "false"):
        raise IncompleteError(f"ALERT_EMAIL_REQUIRE_TLS is {tls!r}: allowed are true and false")
    username = settings.get("ALERT_EMAIL_USERNAME")
    login: Config = {}
    if username or settings.get("ALERT_EMAIL_PASSWORD_FILE") or settings.get("ALERT_EMAIL_PASSWORD"):
        login["auth_username"] = username or settings.need("ALERT_EMAIL_USERNAME", "the user of that password")
        login["auth_password_file"] = settings.secret(
            "ALERT_EMAIL_PASSWORD_FILE", re.compile(r"(?s).+"), "the mail server's password"
        )
    return {
        "to": to,
        "from": sender,
        "smarthost": smarthost,
        "require_tls": tls == "true",
        **login,
        "headers": {"Subject": '{{ template "supercheck.title" . }}'},
        "text": '{{ template "supercheck.email.text" . }}',
        "html": '{{ template "supercheck.email.html" . }}',
    }


def _telegram(settings: _Settings) -> Config:
    path = settings.secret(
        "ALERT_TELEGRAM_BOT_TOKEN_FILE", _TELEGRAM_TOKEN, "the bot's token (digits, a colon, letters)"
    )
    chat = settings.need("ALERT_TELEGRAM_CHAT_ID", "the number of the chat, which is negative for a group")
    if not re.fullmatch(r"-?\d+", chat):
        raise IncompleteError(f"ALERT_TELEGRAM_CHAT_ID is {chat!r}: give the chat's number, such as -1001234567890")
    url = settings.get("ALERT_TELEGRAM_API_URL")
    settings.needs_files("ALERT_TELEGRAM_BOT_TOKEN_FILE")
    return {
        "bot_token_file": path,
        "chat_id": int(chat),
        **({"api_url": checked_url("ALERT_TELEGRAM_API_URL", url)} if url else {}),
        "parse_mode": "HTML",
        "message": '{{ template "supercheck.telegram.message" . }}',
    }


def _discord(settings: _Settings) -> Config:
    path = settings.secret("ALERT_DISCORD_WEBHOOK_URL_FILE", _URL, "the webhook's address")
    settings.needs_files("ALERT_DISCORD_WEBHOOK_URL_FILE")
    return {
        "webhook_url_file": path,
        "title": '{{ template "supercheck.discord.title" . }}',
        "message": '{{ template "supercheck.discord.message" . }}',
    }


def _webhook(settings: _Settings) -> Config:
    return settings.address("ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_URL_FILE", "the address to post to")


def _dead_man(settings: _Settings) -> Config:
    return settings.address("ALERT_DEADMAN_URL", "ALERT_DEADMAN_URL_FILE", "the address to ping")


_CHANNELS: tuple[tuple[str, Kind, str, str, Callable[[_Settings], Config]], ...] = (
    ("pagerduty", "pager", "pagerduty_configs", "ALERT_PAGERDUTY_", _pagerduty),
    ("telegram", "pager", "telegram_configs", "ALERT_TELEGRAM_", _telegram),
    ("webhook", "pager", "webhook_configs", "ALERT_WEBHOOK_", _webhook),
    ("slack", "chat", "slack_configs", "ALERT_SLACK_", _slack),
    ("discord", "chat", "discord_configs", "ALERT_DISCORD_", _discord),
    ("e-mail", "mail", "email_configs", "ALERT_EMAIL_", _email),
    ("dead-man switch", "dead-man", "webhook_configs", "ALERT_DEADMAN_", _dead_man),
)

# What each setting means; the manual's table and the check for mistyped names are made from it.
SETTINGS: dict[str, str] = {
    "ALERT_SLACK_WEBHOOK_URL_FILE": "file with the address of a Slack incoming webhook",
    "ALERT_SLACK_CHANNEL": "Slack channel, where the webhook may choose one",
    "ALERT_PAGERDUTY_ROUTING_KEY_FILE": "file with the key of a PagerDuty Events API v2 integration",
    "ALERT_PAGERDUTY_URL": "address of the Events API, where it is not PagerDuty's own",
    "ALERT_EMAIL_TO": "who gets the mail, addresses separated by commas",
    "ALERT_EMAIL_FROM": "the address that the mail comes from",
    "ALERT_EMAIL_SMARTHOST": "the mail server as host:port",
    "ALERT_EMAIL_USERNAME": "user at the mail server, where it asks for one",
    "ALERT_EMAIL_PASSWORD_FILE": "file with that user's password",
    "ALERT_EMAIL_REQUIRE_TLS": "false for a mail server without STARTTLS (default true)",
    "ALERT_TELEGRAM_BOT_TOKEN_FILE": "file with the token of a Telegram bot",
    "ALERT_TELEGRAM_CHAT_ID": "number of the Telegram chat",
    "ALERT_TELEGRAM_API_URL": "address of the Bot API, where it is not Telegram's own",
    "ALERT_DISCORD_WEBHOOK_URL_FILE": "file with the address of a Discord webhook",
    "ALERT_WEBHOOK_URL_FILE": "file with an address that gets Alertmanager's JSON",
    "ALERT_WEBHOOK_URL": "the same in the open, for an address that is no secret",
    "ALERT_DEADMAN_URL_FILE": "file with the address of a dead-man switch, pinged once a minute",
    "ALERT_DEADMAN_URL": "the same in the open, for an address that is no secret",
}


def read_channels(env: Mapping[str, str], version: tuple[int, ...] | None = None) -> tuple[list[Channel], list[str]]:
    """The channels that are set, and one sentence for each that is set wrongly and therefore left out.

    `version` is Alertmanager's, None for a current one: an old one refuses some secrets in files.
    """
    settings = _Settings(env, version)
    channels: list[Channel] = []
    problems: list[str] = []
    for name, kind, integration, prefix, build in _CHANNELS:
        given = [setting for setting in settings.values if setting.startswith(prefix)]
        for setting in given:
            if f"{setting}_FILE" in given:
                problems.append(f"{setting} is not read, because {setting}_FILE is set: unset one of them")
            elif setting not in SETTINGS and f"{setting}_FILE" not in SETTINGS:
                near = get_close_matches(setting, SETTINGS, n=1)
                problems.append(f"{setting} is not a setting: {f'did you mean {near[0]}?' if near else 'remove it'}")
        if not given:
            continue
        try:
            config = build(settings)
        except IncompleteError as error:
            problems.append(f"{name} is left out: {error}")
            continue
        channels.append(Channel(name, kind, integration, {"send_resolved": kind != "dead-man"} | config))
    return channels, problems
