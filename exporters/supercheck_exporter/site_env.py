"""Supercheck's own .env file, read as it is: SUPERCHECK_ENV_FILE names it.

A value that is read from a file stands in no container's description, where `docker inspect` shows every variable.
What is set in the environment itself wins, also by `<NAME>_FILE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

SETTING = "SUPERCHECK_ENV_FILE"

DATABASE = ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME")
"""Supercheck takes its database in these pieces where DATABASE_URL is not set."""

DEFAULTS = {"REDIS_HOST": "redis"}
"""What Supercheck's compose files call it, where its .env does not say."""

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(?P<value>.*)")
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:#.*)?""")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def parse(text: str) -> dict[str, str]:
    """The variables of an .env file, as compose reads them: quotes, `export`, comments after a space.

    Lines that are no assignment are passed over; of a name that stands twice the last one counts. References to
    other variables are left as they are: a generated secret may hold a `$`.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        value = match["value"].strip()
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            value = re.split(r"(?:^|\s)#", value, maxsplit=1)[0].rstrip()
        elif quoted["quote"] == '"':
            value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), quoted["text"])
        else:
            value = quoted["text"]
        found[match["name"]] = value
    return found


def dump(values: Mapping[str, str]) -> str:
    """The text that `parse` reads back."""
    escapes = {ord(char): f"\\{letter}" for letter, char in _ESCAPES.items() if char != "$"}
    return "".join(f'{name}="{value.translate(escapes)}"\n' for name, value in values.items())


def wanted(values: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Of a site's variables those that are used here: settings by their `names`, and the database's pieces."""
    known = {*names, *DATABASE}
    return {name: value for name, value in values.items() if name in known and value}


def complete(env: Mapping[str, str], names: Iterable[str]) -> Mapping[str, str]:
    """`env`, and of `names` what only the file has. Unset or empty: `env` as it is.

    Raises OSError and UnicodeDecodeError where the file can't be read.
    """
    path = env.get(SETTING, "")
    if not path:
        return env
    site = wanted(parse(Path(path).read_text(encoding="utf-8")), names)
    if not site.get("DATABASE_URL") and site.get("DB_PASSWORD"):
        site["DATABASE_URL"] = _database_url(site)
    for name in DATABASE:
        site.pop(name, None)
    return {
        **env,
        **{
            name: value
            for name, value in {**DEFAULTS, **site}.items()
            if not env.get(name) and not env.get(f"{name}_FILE")
        },
    }


def _database_url(site: Mapping[str, str]) -> str:
    user, password = (quote(site.get(name, ""), safe="") for name in ("DB_USER", "DB_PASSWORD"))
    host, port = site.get("DB_HOST", "postgres"), site.get("DB_PORT", "5432")
    return f"postgresql://{user or 'postgres'}:{password}@{host}:{port}/{site.get('DB_NAME', 'supercheck')}"
