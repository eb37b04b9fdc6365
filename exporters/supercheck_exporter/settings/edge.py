"""The site's edge, its CDN, its report cache, and the rate limits that nobody else knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from supercheck_exporter.limits.limiters import NAMES
from supercheck_exporter.settings.fields import Group, setting

MAX_PROBES = 20


def _probes(text: object) -> object:
    """Read ``name=url`` pairs, separated by commas or spaces."""
    if not isinstance(text, str):
        return text
    probes: dict[str, str] = {}
    for item in re.split(r"[,\s]+", text.strip()):
        name, _, url = item.partition("=")
        if not item:
            continue
        parts = urlsplit(url)  # a ValueError where it is none
        named = re.fullmatch(r"[A-Za-z0-9._-]{1,40}", name) and name not in probes
        if not named or parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("not name=url")
        _ = parts.port  # likewise
        probes[name] = url
    if len(probes) > MAX_PROBES:
        raise ValueError("too many")
    return probes


def _limits(text: object) -> object:
    """Read ``limiter=requests`` pairs, separated by commas."""
    if not isinstance(text, str):
        return text
    limits: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (part.strip() for part in item.partition("="))
        if name not in NAMES or not (number.isascii() and number.isdecimal() and int(number) > 0):
            raise ValueError(f"{item!r} is not limiter=requests")
        limits[name] = int(number)
    return limits


Probes = Annotated[dict[str, str], BeforeValidator(_probes)]
Limits = Annotated[dict[str, int], BeforeValidator(_limits)]


class EdgeSettings(Group):
    """The site's edge, its CDN, its report cache, and the rate limits that nobody else knows."""

    edge_access_log: Path | None = setting(
        None, "the path of a file", "The edge's access log (compose/edge); unset: no edge is watched."
    )
    cdn_probe_urls: Probes = setting(
        {},
        f"at most {MAX_PROBES} name=url pairs without a login, separated by commas",
        "Public sample files that the CDN serves; the names become labels.",
    )
    cdn_probe_interval_seconds: Annotated[float, Field(ge=1, le=3600)] = setting(
        30.0, "seconds from 1 to 3600", "Time from one probe of a file to the next."
    )
    cdn_probe_timeout_seconds: Annotated[float, Field(ge=0.1, le=10)] = setting(
        5.0, "seconds from 0.1 to 10", "A probe that has no whole answer by then has failed."
    )
    report_cache_redis_url: SecretStr | None = setting(
        None,
        "redis://user:password@host:port/0, or rediss:// for TLS",
        "A Redis that caches reports and nothing else; unset: none.",
    )
    rate_limits: Limits = setting(
        {},
        f"limiter=requests pairs, separated by commas; limiters are {', '.join(NAMES)}",
        "Limits of a window that the exporter can't know, such as those of AI by plan.",
    )

    @field_validator("report_cache_redis_url")
    @classmethod
    def _redis(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError("not a URL of Redis")
        _ = parts.port
        return url
