"""How near to its rate limits the app's users are, and how often a login is locked out; whose, nobody is told.

Source: the limiters' windows in Redis, counted in the background (limits/windows.py); of trigger keys the limits that
the table apikey gives each.

    supercheck_rate_limit_windows{limiter="signin_check"} 12.0
    supercheck_rate_limit_hottest_ratio{limiter="signin_check"} 0.35
"""

from __future__ import annotations

from collections.abc import Iterator

from supercheck_exporter.core import Collector, Sample, SourceError, counter, gauge
from supercheck_exporter.limits.api_keys import MAX_AGE_SECONDS as MAX_KEYS_AGE_SECONDS
from supercheck_exporter.limits.api_keys import ApiKeys
from supercheck_exporter.limits.windows import WindowReader

MAX_AGE_SECONDS = 180.0
FIRST_WALK_SECONDS = 1.0
"""So long a page waits for the first walk."""

WINDOWS = gauge(
    "supercheck_rate_limit_windows",
    "Windows of the limiter with a request in them: users, keys or addresses.",
    "limiter",
)
NEAR = gauge(
    "supercheck_rate_limit_windows_near_limit",
    "Windows of which more than THRESHOLD_RATE_LIMIT_NEAR_RATIO is used, those at their limit among them; absent where "
    "a window's limit is not known.",
    "limiter",
)
AT = gauge(
    "supercheck_rate_limit_windows_at_limit",
    "Windows that are used up, so that the next request is refused; absent where a window's limit is not known.",
    "limiter",
)
HOTTEST = gauge(
    "supercheck_rate_limit_hottest_ratio",
    "Use over limit of the window where this is the most; absent where a window's limit is not known.",
    "limiter",
)
LOCKOUTS = counter(
    "supercheck_login_lockouts_total",
    "Times that an e-mail address or an IP address was locked out after failed logins, since the exporter started; "
    "those that logged in between two looks are missed.",
)
LOCKED = gauge("supercheck_logins_locked", "E-mail addresses and IP addresses that are locked out now.")


class RateLimitsCollector(Collector):
    """Shows what the last walk found."""

    name = "rate_limits"
    descs = (WINDOWS, NEAR, AT, HOTTEST, LOCKOUTS, LOCKED)

    def __init__(self, reader: WindowReader, keys: ApiKeys | None) -> None:
        self._reader = reader
        self._keys = keys

    def start(self) -> None:
        """Start the background reads; the rows first, so that the first walk may know them."""
        for follower in filter(None, (self._keys, self._reader)):
            follower.start()

    def stop(self) -> None:
        """Stop them."""
        for follower in filter(None, (self._reader, self._keys)):
            follower.stop()

    def collect(self) -> list[Sample]:
        """What is known; where only the database fails, Redis's side goes out with the failure."""
        self._reader.first_success.wait(FIRST_WALK_SECONDS)
        self._reader.require_fresh(MAX_AGE_SECONDS, "The rate limits' windows")
        samples = list(self._of_redis())
        if self._keys is not None:
            try:
                self._keys.require_fresh(MAX_KEYS_AGE_SECONDS, "The limits of trigger keys")
            except SourceError as error:
                raise SourceError(str(error), samples) from error
        return samples

    def _of_redis(self) -> Iterator[Sample]:
        found = self._reader.found
        if found is None:
            return
        for limiter, windows in found.windows.items():
            yield WINDOWS(windows.windows, limiter)
            if limiter not in found.unknown:
                yield NEAR(windows.near, limiter)
                yield AT(windows.at, limiter)
                yield HOTTEST(windows.hottest, limiter)
        yield LOCKOUTS(self._reader.lockouts)
        yield LOCKED(found.locked)
