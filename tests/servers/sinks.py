"""The receiver of the demo as a child process, and the settings that send every channel to it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from servers.process import Server, wait_for

RECEIVER = Path(__file__).resolve().parents[2] / "compose/demo/receiver.py"
HTTP_SECONDS = 5.0
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Message:
    """One message that a channel got; `body` is in the service's own format."""

    channel: str
    status: str
    title: str
    body: dict[str, Any]
    links: list[str]
    received: float


class Sinks(Server):
    """Slack, PagerDuty, Discord, Telegram, webhook, dead-man switch and SMTP in one process."""

    name = "sinks"

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.smarthost = ""
        self._session = requests.Session()

    def command(self) -> list[str | Path]:
        """The receiver on two free ports, which its first line names."""
        return [sys.executable, "-u", RECEIVER, "--http-port", "0", "--smtp-port", "0"]

    def ready(self) -> bool:
        """Has said where it listens."""
        match = re.search(r"receiver: (\S+) smtp (\S+)\n", self.log())
        if match:
            self.url, self.smarthost = match.groups()
        return match is not None

    def messages(self, channel: str | None = None, status: str | None = None, text: str = "") -> list[Message]:
        """What arrived, in order; only of a channel and status, and with `text` in the title, if given."""
        answer = self._session.get(f"{self.url}/messages", timeout=HTTP_SECONDS)
        assert answer.ok, f"/messages answered {answer.status_code}"
        return [
            message
            for message in (Message(**item) for item in answer.json())
            if channel in (None, message.channel) and status in (None, message.status) and text in message.title
        ]

    def wait_message(self, channel: str, status: str, text: str, timeout: float = 30.0, after: float = 0.0) -> Message:
        """The first such message that came after the moment `after`; waits for it."""

        def found() -> list[Message]:
            return [m for m in self.messages(channel, status, text) if m.received > after]

        return wait_for(found, timeout, f"a {status} {channel} message with {text!r}")[0]

    def post(self, path: str, body: object) -> requests.Response:
        """Post JSON as a sender would."""
        return self._session.post(self.url + path, json=body, timeout=HTTP_SECONDS)

    def settings(self, *channels: str) -> dict[str, str]:
        """Settings that send these channels (all if none is named) here; secrets lie in files of this server."""
        secrets = {
            "slack": f"{self.url}/services/T00/B00/secret\n",
            "pagerduty": ROUTING_KEY + "\n",
            "telegram": "123456:secret\n",
            "discord": f"{self.url}/api/webhooks/1/secret\n",
            "webhook": f"{self.url}/webhook\n",
            "deadman": f"{self.url}/deadman\n",
        }
        paths = {name: self.directory / f"secret-{name}" for name in secrets}
        for name, text in secrets.items():
            paths[name].write_text(text)
        every = {
            "slack": {
                "ALERT_SLACK_WEBHOOK_URL_FILE": str(paths["slack"]),
                "ALERT_SLACK_CHANNEL": "#on-call",
            },
            "pagerduty": {
                "ALERT_PAGERDUTY_ROUTING_KEY_FILE": str(paths["pagerduty"]),
                "ALERT_PAGERDUTY_URL": f"{self.url}/v2/enqueue",
            },
            "mail": {
                "ALERT_EMAIL_TO": "on-call@example.com, lead@example.com",
                "ALERT_EMAIL_FROM": "alerts@example.com",
                "ALERT_EMAIL_SMARTHOST": self.smarthost,
                "ALERT_EMAIL_REQUIRE_TLS": "false",
            },
            "telegram": {
                "ALERT_TELEGRAM_BOT_TOKEN_FILE": str(paths["telegram"]),
                "ALERT_TELEGRAM_CHAT_ID": "-1001234",
                "ALERT_TELEGRAM_API_URL": self.url,
            },
            "discord": {"ALERT_DISCORD_WEBHOOK_URL_FILE": str(paths["discord"])},
            "webhook": {"ALERT_WEBHOOK_URL_FILE": str(paths["webhook"])},
            "deadman": {"ALERT_DEADMAN_URL_FILE": str(paths["deadman"])},
        }
        return {name: value for channel in channels or tuple(every) for name, value in every[channel].items()}

    def stop(self) -> None:
        """End it and close the connection to it."""
        self._session.close()
        super().stop()
