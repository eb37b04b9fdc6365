"""When what is due, read from the bucket: a job that was away does at once what it missed, and nothing twice.

This is a loop and not cron: cron wants root, keeps nobody's secrets from its environment files, forgets what fell
into an outage, and tries nothing again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from supercheck_backup.bucket import CHAIN, Bucket
from supercheck_backup.errors import BackupError, ChainBrokenError, in_words
from supercheck_backup.names import FULL, INCREMENTAL
from supercheck_backup.restore_test import run_test
from supercheck_backup.retention import prune
from supercheck_backup.settings import Settings
from supercheck_backup.take import take_full, take_incremental

log = logging.getLogger(__name__)

RETRY_MINUTES = (5, 15, 30, 60)
"""Pauses after the first, second, ... failure in a row; the last one goes on."""

LOOK_SECONDS = 300
"""Between two looks into the bucket at what is due."""

LATE_MINUTES = 15
"""How far a healthy loop may be behind when it does nothing."""


@dataclass(frozen=True)
class Done:
    """The newest verified backups and the last restore test of a database; None where there is none."""

    full: datetime | None
    incremental: datetime | None
    tested: datetime | None
    test_passed: bool = True
    broken: bool = False
    """Whether the log has a gap since the newest full backup."""


def full_before(now: datetime, full_at: int) -> datetime:
    """The last moment, up to now, at which a full backup was due."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=full_at)
    return today if today <= now else today - timedelta(days=1)


def slot_before(now: datetime, full_at: int, every_hours: int) -> datetime:
    """The last moment, up to now, at which an incremental backup was due: in steps from the full one's time."""
    start, step = full_before(now, full_at), timedelta(hours=every_hours)
    return start + step * int((now - start) / step)


def due(now: datetime, done: Done, settings: Settings) -> list[str]:
    """What must be done now, in order."""
    tasks = []
    # first what closes the old chain, then what begins the new one
    slot = slot_before(now, settings.full_at, settings.incremental_hours)
    if done.incremental is None or done.incremental < slot:
        tasks.append(INCREMENTAL)
    if done.full is None or done.full < full_before(now, settings.full_at) or done.broken:
        tasks.append(FULL)
    if done.tested is None or now - done.tested >= timedelta(
        days=settings.restore_test_days if done.test_passed else 1
    ):
        tasks.append("restore-test")
    return tasks


def read_done(settings: Settings, bucket: Bucket) -> Done:
    """What the bucket says."""
    full = bucket.newest_verified(settings.database, FULL)
    incremental = bucket.newest_verified(settings.database, INCREMENTAL)
    since = [b for b in bucket.backups(settings.database, INCREMENTAL) if full is not None and b.at > full.at]
    tests = [test for test in bucket.restore_tests() if test.get("database") == settings.database]
    return Done(
        full=full.at if full else None,
        incremental=incremental.at if incremental else None,
        tested=datetime.fromisoformat(tests[-1]["started"]) if tests else None,
        test_passed=bool(tests[-1].get("success")) if tests else True,
        broken=any(bucket.tags(backup.key).get(CHAIN) == "begins" for backup in since),
    )


def perform(settings: Settings, bucket: Bucket) -> None:
    """Do what is due. Raises BackupError; what was done before it stays done."""
    for task in due(datetime.now(UTC), read_done(settings, bucket), settings):
        if task == INCREMENTAL:
            try:
                take_incremental(settings, bucket)
            except ChainBrokenError as error:
                log.warning("%s", error)
        elif task == FULL:
            take_full(settings, bucket)
            prune(settings, bucket, datetime.now(UTC))
        else:
            result = run_test(settings, bucket)
            if not result["success"]:
                raise BackupError(f"the restore test failed: {result.get('error') or result.get('differences')}")
    if read_done(settings, bucket).broken:
        take_full(settings, bucket)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Refuse to work where another process does so on the same folder; the kernel forgets who has died."""
    settings.work.mkdir(parents=True, exist_ok=True)
    with (settings.work / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("another backup runs here (perhaps the schedule): wait for its end.") from None
        yield


class Loop:
    """Performs what is due, again and again, until it is told to stop."""

    def __init__(self, settings: Settings, bucket: Bucket, stopping: threading.Event) -> None:
        self._settings, self._bucket, self._stopping = settings, bucket, stopping
        self._failures = 0

    def run(self, work: Callable[[Settings, Bucket], None] = perform) -> None:
        """Until it is stopped."""
        while not self._stopping.is_set():
            self._stopping.wait(self.step(work))

    def step(self, work: Callable[[Settings, Bucket], None] = perform) -> float:
        """Once; returns the seconds to wait."""
        self._note(busy=True)
        try:
            with alone(self._settings):
                work(self._settings, self._bucket)
        except (BackupError, OSError) as error:
            pause = 60 * RETRY_MINUTES[min(self._failures, len(RETRY_MINUTES) - 1)]
            self._failures += 1
            text = in_words(error) if isinstance(error, OSError) else error
            log.error("%s; tried again in %d minutes", text, pause // 60)
        else:
            self._failures, pause = 0, LOOK_SECONDS
        self._note(busy=False, pause=pause)
        return pause

    def _note(self, *, busy: bool, pause: float = 0) -> None:
        next_at = datetime.now(UTC) + timedelta(seconds=pause, minutes=LATE_MINUTES)
        state = {"busy": busy, "failures": self._failures, "expected_until": next_at.isoformat()}
        path = state_path(self._settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(path)


def state_path(settings: Settings) -> Path:
    """Where the loop says how it is."""
    return settings.work / "state.json"


def is_healthy(settings: Settings, now: datetime) -> str:
    """Empty where the loop lives and its last attempt worked; else what is wrong."""
    try:
        state = json.loads(state_path(settings).read_text())
    except (OSError, ValueError):
        return "the loop has not begun"
    if state["failures"]:
        return f"{state['failures']} attempts in a row failed: see the log"
    if not state["busy"] and datetime.fromisoformat(state["expected_until"]) < now:
        return "the loop has stopped"
    return ""
