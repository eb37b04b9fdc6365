"""From the bucket to a data directory: unpacked and recovered beside the target, and put in its place at the end."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from supercheck_backup import names
from supercheck_backup.bucket import UNPACKED, Bucket
from supercheck_backup.errors import BackupError, in_words
from supercheck_backup.names import FULL, INCREMENTAL, Backup
from supercheck_backup.programs import give_to_server, major
from supercheck_backup.scratch import recover
from supercheck_backup.settings import Settings
from supercheck_backup.take import fetch

log = logging.getLogger(__name__)

SPARE = 1.1
"""Room that is asked for, over what the backup had when it was verified."""


@dataclass(frozen=True)
class Plan:
    """What is restored: a full backup and what follows it."""

    full: Backup
    increments: tuple[Backup, ...]


def plan(settings: Settings, bucket: Bucket, until: datetime | None) -> Plan:
    """The newest verified full backup, before `until` where that is given, and the increments after it."""
    fulls = [full for full in bucket.backups(settings.database, FULL) if until is None or full.at <= until]
    full = next((full for full in reversed(fulls) if bucket.is_verified(full)), None)
    if full is None:
        when = f" before {until:%Y-%m-%dT%H:%M:%SZ}" if until else ""
        raise BackupError(f"there is no verified full backup of {settings.database}{when} in {bucket.name}.")
    following = []
    for increment in bucket.backups(settings.database, INCREMENTAL):
        if increment.at > full.at:
            following.append(increment)
            if until is not None and increment.at >= until:
                break  # this one holds the moment
    return Plan(full, tuple(following))


def restore(settings: Settings, bucket: Bucket, target: Path, until: datetime | None = None) -> datetime:
    """Restore into a data directory; what was there stays beside it under another name. Returns the backup's time.

    Until the new directory is recovered the target is not touched. Raises BackupError, and leaves nothing behind.
    """
    target = target.absolute()
    _check_target(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.restoring-", dir=target.parent))
    except OSError as error:
        raise BackupError(f"restoring into {target}: {in_words(error)}") from error
    try:
        return _restore(settings, bucket, target, fresh, until)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _restore(settings: Settings, bucket: Bucket, target: Path, fresh: Path, until: datetime | None) -> datetime:
    chosen = plan(settings, bucket, until)
    log.info("restoring %s and %d incremental backups", chosen.full.key, len(chosen.increments))
    _check_room(bucket, chosen, target.parent)
    try:
        build(settings, bucket, chosen, fresh, until)
        old = target.with_name(f"{target.name}.before-{names.stamp(datetime.now(UTC))}")
        if target.exists():
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        if old.exists():
            log.info("what was there is now %s: delete it when the site is well", old)
    except OSError as error:
        raise BackupError(f"restoring into {target}: {in_words(error)}") from error
    log.info("%s is restored: start PostgreSQL", target)
    return chosen.full.at


def build(settings: Settings, bucket: Bucket, chosen: Plan, folder: Path, until: datetime | None) -> None:
    """Unpack a plan into an empty folder and let PostgreSQL recover it to its end."""
    fetch(settings, bucket, chosen.full, folder)
    version = (folder / "PG_VERSION").read_text().strip()
    if version != major(settings):
        raise BackupError(
            f"the backup is of PostgreSQL {version}, the programs here are of {major(settings)}: "
            "use the image of that version."
        )
    log_folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}-wal-", dir=folder.parent))
    try:
        for increment in chosen.increments:
            fetch(settings, bucket, increment, log_folder)
        _check_chain(folder, log_folder, chosen)
        folder.chmod(0o700)
        give_to_server(folder)
        give_to_server(log_folder)
        recover(settings, folder, log_folder, until)
    finally:
        shutil.rmtree(log_folder, ignore_errors=True)


def _check_target(target: Path) -> None:
    if target.is_mount():
        raise BackupError(f"{target} is a mount point, which can't be swapped: mount the folder above it.")
    if (target / "postmaster.pid").exists():
        raise BackupError(
            f"{target} has a postmaster.pid: stop PostgreSQL first (if it crashed, and nothing runs, delete that file)."
        )
    if target.exists() and any(target.iterdir()) and not (target / "PG_VERSION").exists():
        raise BackupError(f"{target} holds something that is no data directory of PostgreSQL: name another folder.")


def _check_room(bucket: Bucket, chosen: Plan, folder: Path) -> None:
    need = SPARE * sum(int(bucket.tags(b.key).get(UNPACKED, b.size)) for b in (chosen.full, *chosen.increments))
    free = shutil.disk_usage(folder).free
    if free < need:
        raise BackupError(
            f"the disk of {folder} is too full: the restore needs {need / 1e9:.2f} GB, {free / 1e9:.2f} GB are free."
        )


def _check_chain(folder: Path, log_folder: Path, chosen: Plan) -> None:
    """Refuse a log with a gap: recovery would end before it and say that all is well."""
    segments = sorted(path for path in log_folder.iterdir() if len(path.name) == 24)
    if not segments:
        return
    size = segments[0].stat().st_size
    end = json.loads((folder / "backup_manifest").read_text())["WAL-Ranges"][-1]["End-LSN"]
    reached = names.number_at(end, size)
    for number in sorted({names.number(path.name, size) for path in segments}):
        if number > reached + 1:
            before = [b for b in chosen.increments if names.number(b.last, size) <= reached]
            until = before[-1].at if before else chosen.full.at
            raise BackupError(
                f"the log has a gap after the backup of {until:%Y-%m-%dT%H:%M:%SZ}: restore to a moment "
                "before it (--until), or take a later full backup."
            )
        reached = max(reached, number)
