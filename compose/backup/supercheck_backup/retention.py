"""What is past its time. The newest verified full backup and what leads on from it stay, however old they are."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from supercheck_backup.bucket import Bucket
from supercheck_backup.names import ESCROW, FULL, INCREMENTAL, Backup
from supercheck_backup.settings import Settings

log = logging.getLogger(__name__)


def expired(
    fulls: Iterable[Backup], incrementals: Iterable[Backup], keep: Backup | None, now: datetime, days: int
) -> list[Backup]:
    """What may go: whatever is older than `days`, and increments that no remaining full backup precedes.

    `keep` is the newest full backup that was verified; without one nothing goes.
    """
    if keep is None:
        return []
    cutoff = min(now - timedelta(days=days), keep.at)
    old_fulls = [full for full in fulls if full.at < cutoff]
    first = min((full.at for full in fulls if full.at >= cutoff), default=keep.at)
    return old_fulls + [increment for increment in incrementals if increment.at < max(cutoff, first)]


def prune(settings: Settings, bucket: Bucket, now: datetime) -> int:
    """Delete what is past its time; returns how many objects went."""
    fulls = bucket.backups(settings.database, FULL)
    incrementals = bucket.backups(settings.database, INCREMENTAL)
    keep = bucket.newest_verified(settings.database, FULL)
    going = expired(fulls, incrementals, keep, now, settings.retention_days)
    keys = [backup.key for backup in going]
    stamps = {full.key.rsplit("/", 1)[-1][:16] for full in fulls} - {key.rsplit("/", 1)[-1][:16] for key in keys}
    escrowed = [key for key, _ in bucket.keys(f"{settings.database}/{ESCROW}/")]
    # a key is kept as long as a full backup of its time, and the newest in any case
    keys += [key for key in escrowed[:-1] if key.rsplit("/", 1)[-1][:16] not in stamps] if keep else []
    for key in keys:
        bucket.delete(key)
    if keys:
        log.info("%d objects were past their %d days and are deleted", len(keys), settings.retention_days)
    return len(keys)
