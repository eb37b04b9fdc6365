"""A local receiver of alerts: Slack, PagerDuty, Discord, Telegram, webhook, dead-man switch, mail server.

It stands where the real services would, for the demo and the tests, and refuses what they refuse (400, or 550
for mail), so that a badly formed message is noticed here. Messages stay in memory: GET /messages lists them.

    python receiver.py --http-port 0 --smtp-port 0     # 0: a free port; the first line says which

Paths: /services/T/B/X (Slack), /v2/enqueue (PagerDuty), /api/webhooks/1/x (Discord), /bot1:x/sendMessage
(Telegram), /webhook, /deadman.
"""

from __future__ import annotations

import argparse
import asyncio
import email.policy
import html
import json
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

Json = dict[str, Any]
KEEP = 5000  # messages; the oldest go first


@dataclass(frozen=True)
class Message:
    """One message that arrived; `status` is firing or resolved, `body` the service's own format."""

    channel: str
    status: str
    title: str
    body: Json
    links: list[str] = field(default_factory=list)
    received: float = field(default_factory=time.time)  # seconds since the epoch


class RefusedError(Exception):
    """The service would refuse this; the text is what it would answer."""


class Inbox:
    """Everything received, safe to use from the HTTP and the mail threads."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        with self._lock:
            self._messages.append(message)
            del self._messages[:-KEEP]
            if message.channel != "dead-man":  # one a minute, for ever
                clock = time.strftime("%H:%M:%S", time.localtime(message.received))
                print(f"{clock}  {message.channel:<9}  {message.status:<8}  {message.title}", flush=True)

    def list(self) -> list[Json]:
        with self._lock:
            return [asdict(message) for message in self._messages]


def need(condition: object, refusal: str) -> None:
    if not condition:
        raise RefusedError(refusal)


def is_link(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+\S*", value) is not None


def is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest


def state_of(title: str) -> str:
    return "resolved" if title.startswith("RESOLVED") else "firing"


def read_slack(body: Json) -> tuple[Message, Any]:
    """Incoming webhook, https://api.slack.com/messaging/webhooks with attachments."""
    attachments, bad, links = body.get("attachments", []), "invalid_attachments", []
    need(is_text(body.get("text"), 40000) or attachments, "no_text")
    need(isinstance(attachments, list) and len(attachments) <= 100, bad)
    for part in attachments:
        need(part.get("text") or part.get("fallback"), bad)
        need(not part.get("title_link") or is_link(part["title_link"]), bad)
        need(re.fullmatch(r"good|warning|danger|#[0-9A-Fa-f]{6}", part.get("color", "good")), bad)
        need(all(entry.get("title") and entry.get("value") for entry in part.get("fields", [])), bad)
        actions = part.get("actions", [])
        need(
            len(actions) <= 5 and all(action["type"] == "button" and action["text"] for action in actions),
            bad,
        )
        links += [action["url"] for action in actions]
    need(all(map(is_link, links)), bad)
    first = attachments[0] if attachments else {}
    title = html.unescape(first.get("fallback") or body.get("text", ""))
    return Message("slack", "resolved" if first.get("color") == "good" else "firing", title, body, links), "ok"


def read_pagerduty(body: Json) -> tuple[Message, Any]:
    """Events API v2, https://developer.pagerduty.com/docs/send-alert-event."""
    errors = []
    if not re.fullmatch(r"[0-9A-Za-z]{32}", str(body.get("routing_key", ""))):
        errors.append("'routing_key' is missing or is not an integration key")
    action, payload = body.get("event_action"), body.get("payload") or {}
    if action not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' must be one of: 'trigger', 'acknowledge', 'resolve'")
    if action == "trigger":
        for name, longest in (("summary", 1024), ("source", 1024)):
            if not is_text(payload.get(name), longest):
                errors.append(f"'payload.{name}' is missing or blank")
        if payload.get("severity") not in ("critical", "error", "warning", "info"):
            errors.append("'payload.severity' must be one of: 'critical', 'error', 'warning', 'info'")
        if not isinstance(payload.get("custom_details", {}), dict):
            errors.append("'payload.custom_details' must be an object")
    elif not body.get("dedup_key"):
        errors.append("'dedup_key' is missing or blank")
    if len(str(body.get("dedup_key", ""))) > 255:
        errors.append("'dedup_key' is longer than 255 characters")
    if not all(is_link(link.get("href")) for link in body.get("links") or []):
        errors.append("'links' must each have an 'href'")
    if errors:
        answer = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        raise RefusedError(json.dumps(answer))
    key = body.get("dedup_key") or f"made-here-{time.time_ns()}"
    body = {**body, "routing_key": "(not kept)"}
    links = [link["href"] for link in body.get("links") or []]
    status = {"trigger": "firing"}.get(str(action), "resolved")
    message = Message("pagerduty", status, payload.get("summary", ""), body, links)
    return message, {"status": "success", "message": "Event processed", "dedup_key": key}


def read_discord(body: Json) -> tuple[Message, Any]:
    """Execute Webhook, https://discord.com/developers/docs/resources/webhook."""
    embeds = body.get("embeds") or []
    need(body.get("content") or embeds, '{"message": "Cannot send an empty message", "code": 50006}')
    need(len(embeds) <= 10, '{"embeds": ["Must be 10 or fewer in length."]}')
    for embed in embeds:
        fits = is_text(embed.get("title"), 256) and is_text(embed.get("description"), 4096)
        need(fits, '{"embeds": ["title or description is empty or too long"]}')
    text = embeds[0]["description"] if embeds else body["content"]
    title = re.sub(r"\\(.)", r"\1", embeds[0]["title"] if embeds else body["content"])
    return Message("discord", state_of(title), title, body, re.findall(r"\]\((https?://[^)\s]+)\)", text)), ""


class _Tags(HTMLParser):
    """Checks the few tags that Telegram knows, their nesting, and collects links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        need(tag in ("b", "i", "u", "s", "a", "code", "pre"), f"unsupported start tag {tag}")
        self.open.append(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        need(self.open and self.open.pop() == tag, f"unexpected end tag {tag}")


def read_telegram(body: Json) -> tuple[Message, Any]:
    """Bot API sendMessage, https://core.telegram.org/bots/api#sendmessage."""
    need(re.fullmatch(r"-?\d+", str(body.get("chat_id", ""))), "Bad Request: chat_id is empty")
    need(is_text(body.get("text"), 4096), "Bad Request: message text is empty or too long")
    tags = _Tags()
    if body.get("parse_mode") == "HTML":
        try:
            tags.feed(body["text"])
            tags.close()
            need(not tags.open, f"can't find end tag corresponding to {tags.open[-1:]}")
        except RefusedError as error:
            raise RefusedError(f"Bad Request: can't parse entities: {error}") from None
    first = html.unescape(re.sub(r"<[^>]+>", "", body["text"].partition("\n")[0]))
    chat = {"id": int(body["chat_id"]), "type": "group"}
    answer = {"ok": True, "result": {"message_id": 1, "date": int(time.time()), "chat": chat, "text": ""}}
    return Message("telegram", state_of(first), first, body, tags.links), answer


def read_webhook(body: Json) -> tuple[Message, Any]:
    """Alertmanager's own format, version 4."""
    need(body.get("version") == "4" and isinstance(body.get("alerts"), list), "not Alertmanager's version 4")
    need(body["alerts"] and body.get("status") in ("firing", "resolved"), "no alerts")
    labels = body.get("commonLabels", {})
    links = [url for alert in body["alerts"] for name, url in alert["annotations"].items() if name.endswith("_url")]
    title = f"{labels.get('severity', '')} {labels.get('alertname', '')} ({len(body['alerts'])})"
    return Message("webhook", body["status"], title, body, links), {}


def read_deadman(_: Json) -> tuple[Message, Any]:
    """Any request is a ping, as at the usual services; what it holds is not kept."""
    return Message("dead-man", "firing", "ping", {}), "OK"


READERS: tuple[tuple[str, Callable[[Json], tuple[Message, Any]], int], ...] = (
    (r"/services/\w+/\w+/\w+", read_slack, 200),
    (r"/v2/enqueue", read_pagerduty, 202),
    (r"/api/webhooks/\d+/\w+", read_discord, 204),
    (r"/bot\d+:\w+/sendMessage", read_telegram, 200),
    (r"/webhook", read_webhook, 200),
    (r"/deadman", read_deadman, 200),
)


class Handler(BaseHTTPRequestHandler):
    """Routes a request to the service that it is meant for."""

    inbox: Inbox

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/messages":
            self.answer(200, self.inbox.list())
        else:  # a dead-man switch may be pinged with GET; the others answer 400
            self.do_POST()

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for pattern, read, code in READERS:
            if not re.fullmatch(pattern, urlsplit(self.path).path):
                continue
            try:
                body = {} if read is read_deadman else json.loads(raw)
                need(isinstance(body, dict), "invalid_payload")
                message, answer = read(body)
            except (RefusedError, ValueError, KeyError, TypeError, AttributeError) as error:
                refusal = str(error) if isinstance(error, RefusedError) else f"invalid_payload ({error!r})"
                self.inbox.add(Message("refused", "firing", f"{read.__name__[5:]}: {refusal}", {}))
                self.answer(400, refusal)
                return
            self.inbox.add(message)
            self.answer(code, answer)
            return
        self.answer(404, "no_service")

    def answer(self, code: int, body: Any) -> None:
        plain = isinstance(body, str)
        data = b"" if code == 204 else (body if plain else json.dumps(body)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the inbox prints a line a message, and paths hold tokens."""


class MailHandler:
    """Takes mail that has what a person's mail program needs: addresses, a subject, text and HTML."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        mail = email.message_from_bytes(bytes(envelope.original_content or b""), policy=email.policy.default)
        text, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
        lacking = [name for name in ("From", "To", "Subject", "Date", "Message-Id") if not mail[name]]
        if lacking or text is None or page is None:
            self.inbox.add(Message("refused", "firing", f"mail without {lacking or 'text and HTML'}", {}))
            return "550 5.6.0 message is malformed"
        subject, content = str(mail["Subject"]), text.get_content().replace("\r\n", "\n")
        body = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": content}
        body["html"] = page.get_content()
        links = re.findall(r"https?://\S+", content)
        self.inbox.add(Message("mail", state_of(subject), subject, body, links))
        return "250 OK"


async def serve(host: str, http_port: int, smtp_port: int) -> None:
    """Serve both protocols until SIGINT or SIGTERM."""
    inbox = Handler.inbox = Inbox()
    http = ThreadingHTTPServer((host, http_port), Handler)
    loop = asyncio.get_running_loop()
    mail = await loop.create_server(lambda: SMTP(MailHandler(inbox)), host, smtp_port)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    smtp = mail.sockets[0].getsockname()[1]
    print(f"receiver: http://{host}:{http.server_port} smtp {host}:{smtp}", flush=True)
    await stopped.wait()
    mail.close()
    http.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, default=0)
    parser.add_argument("--smtp-port", type=int, default=0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.http_port, arguments.smtp_port))


if __name__ == "__main__":
    main()
