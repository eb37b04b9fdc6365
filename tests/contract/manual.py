"""The parts of exporters/README.md that are made from the program: `make manual` rewrites them.

A part stands between the lines `<!-- made: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from supercheck_exporter.catalogue import markdown
from supercheck_exporter.channels import SETTINGS as CHANNEL_SETTINGS
from supercheck_exporter.check.redis import NEEDED, NODE_NEEDED, OPTIONAL
from supercheck_exporter.limits.limiters import KEYS as LIMITER_KEYS
from supercheck_exporter.rules import format_number
from supercheck_exporter.settings import Settings
from supercheck_exporter.thresholds import THRESHOLDS

MANUAL = Path(__file__).resolve().parents[2] / "exporters" / "README.md"
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


PARTS: dict[str, Callable[[], str]] = {
    "metrics": markdown,
    "settings": settings,
    "thresholds": thresholds,
    "channels": channels,
    "redis user": redis_user,
}


def renewed(text: str) -> str:
    """The manual with every part made anew; ValueError when a part's two lines are not there once."""
    for name, make in PARTS.items():
        begin, end = f"<!-- made: {name} -->\n", f"<!-- end: {name} -->\n"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the part {name!r} is not marked exactly once")
        before, after = text.partition(begin)[0], text.partition(end)[2]
        text = f"{before}{begin}\n{make().strip()}\n\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Rewrite the manual, or compare it: 1 when it differs."""
    text = MANUAL.read_text(encoding="utf-8")
    new = renewed(text)
    if arguments == ["--write"]:
        MANUAL.write_text(new, encoding="utf-8")
        return 0
    if new != text:
        print(f"{MANUAL.name} is not what the program says of itself: run make manual", file=sys.stderr)
    return int(new != text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
