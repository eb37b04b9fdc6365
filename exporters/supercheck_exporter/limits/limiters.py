"""Supercheck's rate limiters as they lie in Redis: one sorted set a window, its members scored by time; pure.

A key ends in whom it limits, which may be an e-mail address or an IP address: it is never shown, logged or kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MS, SECONDS = 1000.0, 1.0
"""What a score of one second is: some limiters write milliseconds, some seconds."""

API_KEY = "api_key"


@dataclass(frozen=True)
class Limiter:
    """One kind of window.

    ``limit`` is None where it is not the same for all of them, or where nobody but the app knows it. ``cloud``: a
    self-hosted app writes these windows as well, but limits nothing by them.
    """

    name: str
    pattern: str
    score: float
    window_seconds: float
    limit: int | None
    cloud: bool = False


_AI = "supercheck:ai:ratelimit"
_SESSION = "supercheck:session:ratelimit"

LIMITERS = (
    Limiter(API_KEY, r"supercheck:apikey:ratelimit:(?P<id>[^:]+)", SECONDS, 60, None),
    # the user's and the organization's depend on the plan of whoever asks
    *(
        Limiter(f"ai_{whose}_{window}", rf"{_AI}:{whose}:.+:{window}", SECONDS, seconds, None, cloud=True)
        for whose in ("user", "org")
        for window, seconds in (("minute", 60), ("hour", 3600), ("day", 86400))
    ),
    Limiter("ai_ip_minute", rf"{_AI}:ip:.+:minute", SECONDS, 60, 5, cloud=True),
    Limiter("ai_ip_hour", rf"{_AI}:ip:.+:hour", SECONDS, 3600, 30, cloud=True),
    Limiter("monitor", rf"{_SESSION}:monitor:.+", MS, 60, 20),
    Limiter("impersonation", rf"{_SESSION}:admin:.+", MS, 300, 20),
    Limiter("password_reset", rf"{_SESSION}:password-reset:.+", MS, 900, 3),
    Limiter("email_verification", rf"{_SESSION}:email-verification:.+", MS, 300, 3),
    Limiter("verify_key", r"supercheck:verify-key:ratelimit:.+", MS, 60, 10),
    Limiter("signin_check", r"supercheck:signin-check:ratelimit:.+", MS, 60, 20),
    Limiter("verify_invited", r"supercheck:verify-invited:ratelimit:.+", MS, 60, 10),
    Limiter("invite_resend", r"supercheck:invite:resend:ratelimit:.+", MS, 3600, 5),
    Limiter("invite", r"supercheck:invite:ratelimit:.+", MS, 3600, 10),
)
"""Every limiter of Supercheck 1.3.5 in Redis, but `supercheck:ai:ratelimit:tokens:`, whose scores are no times."""

NAMES = tuple(limiter.name for limiter in LIMITERS)
WALKED = "supercheck:*"
"""One pass for all of them: a pattern each would be as many passes over all keys."""

KEYS = ("supercheck:*ratelimit:*", "supercheck:login:lockout:*")
"""The keys of it that are read: what a Redis user must be allowed."""

ATTEMPTS, LOCKED = b"supercheck:login:lockout:attempts:", b"supercheck:login:lockout:locked:"
FIRST_LOCKOUT = 5
"""Failed logins after which each one more locks; while locked none is counted."""

_EACH = [(limiter, re.compile(limiter.pattern.encode() + rb"\Z", re.DOTALL)) for limiter in LIMITERS]


def limiter_of(key: bytes) -> tuple[Limiter, str] | None:
    """The limiter of a key, and of a trigger key's window the key's id; None where it is no limiter's."""
    for limiter, pattern in _EACH:
        match = pattern.match(key)
        if match:
            return limiter, match["id"].decode("utf-8", "replace") if limiter.name == API_KEY else ""
    return None


def lockouts(attempts: int) -> int:
    """How often somebody with so many failed logins in a row was locked out."""
    return max(0, attempts - FIRST_LOCKOUT + 1)


@dataclass
class Windows:
    """What was found of one limiter."""

    windows: int = 0
    near: int = 0
    at: int = 0
    hottest: float = 0.0

    def add(self, used: int, limit: int, near_ratio: float) -> None:
        """Add a window of which this much is used."""
        ratio = used / limit
        self.near += ratio > near_ratio
        self.at += used >= limit
        self.hottest = max(self.hottest, ratio)
