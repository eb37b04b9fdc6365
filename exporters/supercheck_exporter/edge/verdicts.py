"""What a cache says of its answer, in the three languages that are spoken; pure.

``Cache-Status`` is RFC 9211. ``CF-Cache-Status`` is Cloudflare's (its documentation: "Cloudflare cache responses").
``X-Cache`` is everybody's own: CloudFront ("Hit from cloudfront"), Fastly (one word a server, the nearest last), Akamai
("Hit from child", "TCP_HIT from a...") and Squid ("HIT from host").
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HIT, MISS, STALE, REVALIDATED, EXPIRED, BYPASS, NONE, UNKNOWN = VERDICTS = (
    "hit", "miss", "stale", "revalidated", "expired", "bypass", "none", "unknown",
)  # fmt: skip
"""hit, stale: the origin was not asked; revalidated: it was asked, and sent nothing anew; expired, miss: it sent it;
bypass: it is not cached; none: no cache says anything; unknown: one says what is not known here."""

_CLOUDFLARE = {
    "HIT": HIT, "MISS": MISS, "EXPIRED": EXPIRED, "STALE": STALE, "UPDATING": STALE, "REVALIDATED": REVALIDATED,
    "BYPASS": BYPASS, "DYNAMIC": BYPASS, "NONE": BYPASS, "UNKNOWN": BYPASS, "NONE/UNKNOWN": BYPASS,
}  # fmt: skip
_FORWARDED = {
    "uri-miss": MISS, "vary-miss": MISS, "miss": MISS, "partial": MISS, "stale": EXPIRED, "bypass": BYPASS,
    "method": BYPASS, "request": BYPASS,
}  # fmt: skip
_X_CACHE = (
    (r"refresh_?hit|revalidated|tcp_refresh_hit|tcp_expired_hit", REVALIDATED),
    (r"hit_?stale|stale|tcp_stale_hit", STALE),
    (r"expired|refresh_?miss", EXPIRED),
    (r"pass|bypass|uncacheable|notcacheable|not_cacheable|config_nocache|error|redirect|constructed|lambda", BYPASS),
    (r"hit", HIT),
    (r"miss", MISS),
)
"""In this order: TCP_REFRESH_HIT holds the word hit as well."""

_STRING = r'"(?:[^"\\]|\\.)*"'


def verdict(headers: Mapping[str, str]) -> str:
    """One of VERDICTS, of the cache that is nearest to us; header names in lower case."""
    for name, read in (("cache-status", _cache_status), ("cf-cache-status", _cloudflare), ("x-cache", _x_cache)):
        text = headers.get(name, "").strip()
        if text:
            return read(text)
    return NONE


def _cache_status(text: str) -> str:
    """The list's last member is the cache nearest to the reader (RFC 9211 section 2)."""
    last = _split(text, ",")[-1]
    parameters = {}
    for part in _split(last, ";")[1:]:
        key, _, value = part.partition("=")
        parameters[key.strip()] = value.strip()
    fwd = parameters.get("fwd")
    if fwd is not None:
        revalidated = fwd == "stale" and parameters.get("fwd-status") == "304"
        return REVALIDATED if revalidated else _FORWARDED.get(fwd, UNKNOWN)
    if parameters.get("hit", "?0") not in ("", "?1"):  # a parameter without a value is true (RFC 8941)
        return UNKNOWN
    return STALE if parameters.get("ttl", "").startswith("-") else HIT


def _cloudflare(text: str) -> str:
    return _CLOUDFLARE.get(text.upper(), UNKNOWN)


def _x_cache(text: str) -> str:
    """Of several servers the nearest: Fastly and Squid append, so it is the last; Akamai names the child first."""
    words = [word.strip().lower() for word in text.split(",")]
    near = next((word for word in words if "child" in word), words[-1])
    kind = near.split(" from ")[0]
    return next((said for pattern, said in _X_CACHE if re.search(pattern, kind)), UNKNOWN)


def _split(text: str, at: str) -> list[str]:
    """Split a structured field, but not inside its strings."""
    return [part.strip() for part in re.findall(rf"(?:{_STRING}|[^{at}\"])+", text)] or [""]


def age(headers: Mapping[str, str]) -> float | None:
    """Seconds of the Age header (RFC 9111 section 5.1: digits alone), None where there is none."""
    text = headers.get("age", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
