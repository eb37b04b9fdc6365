"""Whether backups are made, verified, encrypted, restorable, and gone when their time is over.

Source: the backup bucket by the contract of the package backups (names, sizes, tags, first bytes, results of restore
tests), and pgBackRest's info where its file is set. Both are read in the background.

    supercheck_backup_last_success_timestamp_seconds{database="supercheck",type="full"} 1795482000.0
    supercheck_backup_verification_failures{database="supercheck",type="full"} 0.0
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from supercheck_exporter.backups.reader import BackupReader, Facts
from supercheck_exporter.backups.stored import FULL, Stored
from supercheck_exporter.core import Collector, Sample, gauge

DAY_SECONDS = 86400.0
GRACE_DAYS = 1
"""Who cleans up once a day is a day late at most."""

MEDIAN_DAYS, LEAST_FOR_MEDIAN = 7, 3

LAST_SUCCESS = gauge(
    "supercheck_backup_last_success_timestamp_seconds",
    "When the newest backup was begun, by its name; absent while there is none.",
    "database",
    "type",
)
LAST_SIZE = gauge("supercheck_backup_last_size_bytes", "Size of the newest backup as it is stored.", "database", "type")
MEDIAN_SIZE = gauge(
    "supercheck_backup_median_size_bytes",
    "Median size of the backups in the week before the newest one; absent with fewer than three.",
    "database",
    "type",
)
LAST_VERIFIED = gauge(
    "supercheck_backup_last_verified_timestamp_seconds",
    "When the newest backup that was read back and found whole was begun.",
    "database",
    "type",
)
FAILURES = gauge(
    "supercheck_backup_verification_failures",
    "Newest backups in a row that are not verified: 0 where the newest is.",
    "database",
    "type",
)
RETAINED = gauge("supercheck_backup_retained", "Backups that are there.", "database", "type")
OLDEST = gauge(
    "supercheck_backup_oldest_timestamp_seconds", "When the oldest backup was begun, by its name.", "database", "type"
)
ENCRYPTED = gauge(
    "supercheck_backup_encrypted",
    "Whether the newest backup is encrypted (1) or not (0), by its first bytes; absent where they do not tell.",
    "database",
    "type",
)
PAST_RETENTION = gauge(
    "supercheck_backup_past_retention",
    "Backups a day or more past BACKUP_RETENTION_DAYS and still there; what the newest whole full backup needs stays.",
    "database",
    "type",
)
RESTORE_TEST = gauge(
    "supercheck_backup_last_restore_test_timestamp_seconds",
    "When the last restore test was begun, whatever came of it.",
    "database",
)
RESTORE_OK = gauge(
    "supercheck_backup_last_restore_test_success", "Whether the last restore test succeeded (1) or not (0).", "database"
)


class BackupsCollector(Collector):
    """Samples of what the reader last saw."""

    name = "backups"
    descs = (
        LAST_SUCCESS, LAST_SIZE, MEDIAN_SIZE, LAST_VERIFIED, FAILURES, RETAINED, OLDEST, ENCRYPTED, PAST_RETENTION,
        RESTORE_TEST, RESTORE_OK,
    )  # fmt: skip

    def __init__(self, reader: BackupReader, retention_days: int) -> None:
        self._reader = reader
        self._retention_days = retention_days

    def start(self) -> None:
        """Start reading."""
        self._reader.start()

    def stop(self) -> None:
        """Stop it."""
        self._reader.stop()

    def collect(self) -> Iterator[Sample]:
        """What the reader last saw, against the clock of now."""
        yield from samples(self._reader.facts(), time.time(), self._retention_days)


def samples(facts: Facts, now: float, retention_days: int) -> Iterator[Sample]:
    """Every sample of the facts."""
    cutoff = now - (retention_days + GRACE_DAYS) * DAY_SECONDS
    for (database, kind), stored in facts.backups.items():
        yield RETAINED(len(stored), database, kind)
        needed = _needed_from(facts.backups.get((database, FULL), ()))
        past = [backup for backup in stored if backup.at < cutoff and (needed is None or backup.at < needed)]
        yield PAST_RETENTION(len(past), database, kind)
        if stored:
            yield from _newest(stored, database, kind)
    for database, tested in facts.tests.items():
        yield RESTORE_TEST(tested.at, database)
        yield RESTORE_OK(float(tested.success), database)


def _newest(stored: tuple[Stored, ...], database: str, kind: str) -> Iterator[Sample]:
    newest = stored[-1]
    yield LAST_SUCCESS(newest.at, database, kind)
    yield OLDEST(stored[0].at, database, kind)
    yield LAST_SIZE(newest.size, database, kind)
    week = [b.size for b in stored[:-1] if b.at >= newest.at - MEDIAN_DAYS * DAY_SECONDS]
    if len(week) >= LEAST_FOR_MEDIAN:
        yield MEDIAN_SIZE(statistics.median(week), database, kind)
    if newest.encrypted is not None:
        yield ENCRYPTED(float(newest.encrypted), database, kind)
    verified = [backup.at for backup in stored if backup.verified]
    if verified:
        yield LAST_VERIFIED(verified[-1], database, kind)
    if newest.verified is not None:
        failures = 0
        while failures < len(stored) and stored[-1 - failures].verified is False:
            failures += 1
        yield FAILURES(failures, database, kind)


def _needed_from(fulls: tuple[Stored, ...]) -> float | None:
    """When the newest full backup that is whole was begun: it and what follows it must stay."""
    whole = [backup.at for backup in fulls if backup.verified] or [backup.at for backup in fulls]
    return whole[-1] if whole else None
