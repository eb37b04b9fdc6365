"""The parts of the manuals that are made from the program and the rules: `make manual` rewrites them.

A part stands between the lines `<!-- made: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import yaml
from pydantic import SecretStr
from supercheck_exporter.catalogue import markdown
from supercheck_exporter.channels import SETTINGS as CHANNEL_SETTINGS
from supercheck_exporter.check.redis import NEEDED, NODE_NEEDED, OPTIONAL
from supercheck_exporter.limits.limiters import KEYS as LIMITER_KEYS
from supercheck_exporter.rules import format_number
from supercheck_exporter.settings import Settings
from supercheck_exporter.thresholds import THRESHOLDS

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "exporters" / "README.md"
RULES = ROOT / "alert-rules" / "README.md"
CONNECTION = ("client|setname",)
"""What the client library sends on each connection."""
CLUSTER = ("cluster|info", "cluster|nodes", "cluster|slots", "command")
"""What finds the nodes of a cluster and tells how they are."""


def _table(*rows: tuple[str, ...]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _default(value: object) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    if isinstance(value, dict):  # CAPACITY_TIERS
        return f"`{','.join(f'{plan}={limits.running}/{limits.queued}' for plan, limits in value.items())}`"
    return f"`{format_number(value) if isinstance(value, int | float) else value}`"


def settings() -> str:
    """Every setting of the exporter."""
    rows = []
    for name, field in Settings.model_fields.items():
        if name == "thresholds":
            continue
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        variable = name.upper()
        secret = SecretStr in get_args(field.annotation)
        shown = f"`{variable}` or `{variable}_FILE`" if secret else f"`{variable}`"
        rows.append((shown, _default(field.default), str(extra["allowed"]), str(field.description)))
    return _table(("setting", "default", "allowed", "meaning"), *rows)


def thresholds() -> str:
    """Every threshold."""
    rows = [(f"`{t.variable}`", f"`{format_number(t.default)}`", t.unit, t.help) for t in THRESHOLDS]
    return _table(("setting", "default", "unit", "meaning"), *rows)


def channels() -> str:
    """Every setting of the alert channels."""
    return _table(("setting", "meaning"), *((f"`{name}`", meaning) for name, meaning in CHANNEL_SETTINGS.items()))


def _rights(commands: set[str]) -> str:
    return " ".join(f"+{command}" for command in sorted(commands))


def redis_user() -> str:
    """The Redis user with nothing but what is read, for one server and for a cluster."""
    needed = {str(command[0]).lower() for command in (*NEEDED, *NODE_NEEDED)} | {*CONNECTION}
    optional = {str(command[0]).lower().replace(" ", "|") for command in OPTIONAL}
    start = "ACL SETUSER supercheck-exporter on >PASSWORD resetkeys resetchannels -@all"
    keys = "%R~bull:* %R~supercheck:worker-heartbeat:* %R~capacity:running:* %R~capacity:queued:*"
    keys += "".join(f" %R~{pattern}" for pattern in LIMITER_KEYS)
    lines = [f"{start} {keys} {_rights(needed)} {_rights(optional)}", _rights({*CLUSTER})]
    return "```text\n" + lines[0] + "\n```\n\nOn each node of a Redis Cluster besides: `" + lines[1] + "`."


def alerts() -> str:
    """Every alert: who is told, about what, and its runbook. An alert of two severities has one row."""
    found: dict[str, tuple[list[str], str, str]] = {}
    for path in sorted([*RULES.parent.glob("alerts/*.yaml"), *RULES.parent.glob("loki/*.yaml")]):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in (rule for rule in group["rules"] if "alert" in rule):
                labels = rule["labels"]
                severities, _, _ = found.setdefault(
                    rule["alert"], ([], labels["component"], rule["annotations"]["summary"])
                )
                if labels["severity"] not in severities:
                    severities.append(labels["severity"])
    rows = [
        (component, f"[{name}](runbooks/{name}.md)", ", ".join(severities), summary)
        for name, (severities, component, summary) in sorted(found.items(), key=lambda item: (item[1][1], item[0]))
    ]
    return _table(("component", "alert", "severity", "what it says"), *rows)


Parts = dict[str, Callable[[], str]]
PARTS: Parts = {
    "metrics": markdown,
    "settings": settings,
    "thresholds": thresholds,
    "channels": channels,
    "redis user": redis_user,
}
RULES_PARTS: Parts = {"alerts": alerts}


def renewed(text: str, parts: Parts = PARTS) -> str:
    """The manual with every part made anew; ValueError when a part's two lines are not there once."""
    for name, make in parts.items():
        begin, end = f"<!-- made: {name} -->\n", f"<!-- end: {name} -->\n"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the part {name!r} is not marked exactly once")
        before, after = text.partition(begin)[0], text.partition(end)[2]
        text = f"{before}{begin}\n{make().strip()}\n\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Rewrite the manuals, or compare them: 1 when one differs."""
    differs = 0
    for path, parts in ((MANUAL, PARTS), (RULES, RULES_PARTS)):
        text = path.read_text(encoding="utf-8")
        new = renewed(text, parts)
        if arguments == ["--write"]:
            path.write_text(new, encoding="utf-8")
        elif new != text:
            print(
                f"{path.parent.name}/{path.name} is not what the program says of itself: run make manual",
                file=sys.stderr,
            )
            differs = 1
    return differs


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
