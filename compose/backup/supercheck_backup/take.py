"""Taking backups: full ones by pg_basebackup, incremental ones by pg_receivewal, each read back before it counts.

A full backup is a copy of the whole server with the log that makes it consistent: it restores by itself. An
incremental one is every segment of the log since the one before: with the full backup it leads to any moment in it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from supercheck_backup import names
from supercheck_backup.bucket import CHAIN, UNPACKED, VERIFIED, Bucket
from supercheck_backup.database import close_segment, connect, libpq_environment, make_slot, release_slot, segment_bytes
from supercheck_backup.errors import BackupError, ChainBrokenError
from supercheck_backup.names import ESCROW, FULL, INCREMENTAL, Backup
from supercheck_backup.pipes import Pipe, run
from supercheck_backup.programs import gpg, pack, postgres_program, unpack
from supercheck_backup.settings import Settings

log = logging.getLogger(__name__)


def take_full(settings: Settings, bucket: Bucket) -> Backup:
    """Copy the server into the bucket, read the copy back, and tag it."""
    with connect(settings.database_url) as connection:
        make_slot(connection, settings.slot)
    at = datetime.now(UTC)
    key = names.full_key(settings.database, at, settings.packing)
    log.info("full backup %s begins", key)
    with gpg(settings) as (encrypt, _):
        pipe = Pipe(
            "full backup",
            [postgres_program(settings, "pg_basebackup"), "--pgdata=-", "--format=tar", "--wal-method=fetch",
             "--checkpoint=fast", "--no-password"],
            pack(settings.packing), encrypt, env=libpq_environment(settings),
        )  # fmt: skip
        try:
            bucket.upload(key, pipe, {VERIFIED: "false"})
        finally:
            pipe.close()
    _escrow(settings, bucket, at)
    backup = _stored(bucket, settings.database, FULL, key)
    verify(settings, bucket, backup)
    return backup


def take_incremental(settings: Settings, bucket: Bucket) -> Backup:
    """Fetch the log up to now, store it, read it back, and forget what was fetched.

    The server keeps the log, and the work folder what was fetched of it, until it was found whole in the bucket. Raises
    ChainBrokenError, with the backup stored, where it does not follow the one before: a full backup is due.
    """
    folder = settings.work / "wal"
    folder.mkdir(parents=True, exist_ok=True)
    before = bucket.backups(settings.database, INCREMENTAL)
    with connect(settings.database_url) as connection:
        made = make_slot(connection, settings.slot)
        if made:  # the log that lies there led to another place
            shutil.rmtree(folder)
            folder.mkdir()
        until, size = close_segment(connection), segment_bytes(connection)
    run(
        "fetching the log", postgres_program(settings, "pg_receivewal"), f"--directory={folder}",
        f"--slot={settings.slot}", f"--endpos={until}", "--no-loop", "--no-password", "--status-interval=0",
        env=libpq_environment(settings),
    )  # fmt: skip
    segments = sorted(path.name for path in folder.iterdir() if len(path.name) == 24)
    if not segments:
        raise BackupError("fetching the log: the server sent none")
    at = datetime.now(UTC)
    key = names.incremental_key(settings.database, at, settings.packing, segments[0], segments[-1])
    extra = sorted(path.name for path in folder.glob("*.history"))
    log.info("incremental backup %s begins: %d segments", key, len(segments))
    with gpg(settings) as (encrypt, _):
        pipe = Pipe(
            "incremental backup", ["tar", "-C", folder, "-cf", "-", *segments, *extra], pack(settings.packing), encrypt
        )
        try:
            bucket.upload(key, pipe, {VERIFIED: "false"})
        finally:
            pipe.close()
    backup = _stored(bucket, settings.database, INCREMENTAL, key)
    verify(settings, bucket, backup)
    # only now may the server forget it: whatever failed above, the next attempt begins at the same place
    with connect(settings.database_url) as connection:
        release_slot(connection, settings.slot, until)
    for name in segments:
        (folder / name).unlink()
    if made or (before and not names.follows(before[-1].last, backup.first, size)):
        bucket.tag(key, {**bucket.tags(key), CHAIN: "begins"})
        raise ChainBrokenError(
            f"{key} does not follow the incremental backup before it (a new slot, a restored server, or a job that was "
            "away for too long): a full backup begins a new chain"
        )
    return backup


def verify(settings: Settings, bucket: Bucket, backup: Backup) -> None:
    """Read a backup back, unpack it, check what is inside, and tag it as verified.

    A full one by its own manifest (each file's checksum, and the log that it needs), an incremental one by the size
    and the sequence of its segments. Raises BackupError; the tag then stays `verified=false`.
    """
    settings.work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="verify-", dir=settings.work))
    try:
        fetch(settings, bucket, backup, folder)
        if backup.first:
            size = _check_segments(backup, folder)
        else:
            run(f"checking {backup.key}", postgres_program(settings, "pg_verifybackup"), "--quiet", folder)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bucket.tag(backup.key, {VERIFIED: "true", UNPACKED: str(size)})
    log.info("%s is whole: %d bytes, %d unpacked", backup.key, backup.size, size)


def fetch(settings: Settings, bucket: Bucket, backup: Backup, folder: Path) -> None:
    """Read a backup of the bucket, decrypt and unpack it into a folder."""
    with gpg(settings) as (_, decrypt):
        pipe = Pipe(
            f"reading {backup.key}", decrypt, unpack(backup.packing),
            ["tar", "-C", folder, "--no-same-owner", "-xf", "-"], feed=bucket.open(backup.key),
        )  # fmt: skip
        try:
            pipe.drain()
        finally:
            pipe.close()


def _check_segments(backup: Backup, folder: Path) -> int:
    found = sorted(path.name for path in folder.iterdir() if len(path.name) == 24)
    sizes = {(folder / name).stat().st_size for name in found}
    if not found or (found[0], found[-1]) != (backup.first, backup.last) or len(sizes) != 1:
        raise BackupError(f"checking {backup.key}: it does not hold the segments that its name states")
    size = sizes.pop()
    numbers = [names.number(name, size) for name in found]
    for name, at, following in zip(found, numbers, numbers[1:], strict=False):
        if following > at + 1:
            raise BackupError(f"checking {backup.key}: the segment after {name} is missing")
    return size * len(found)


def _escrow(settings: Settings, bucket: Bucket, at: datetime) -> None:
    """Keep Supercheck's own key beside the backup, encrypted with the backup's: without it its secrets are noise."""
    if settings.secret_encryption_key is None:
        log.warning(
            "SECRET_ENCRYPTION_KEY_FILE is not set: the secrets in this backup can be read with that key only, "
            "and it is not kept here. Keep it elsewhere."
        )
        return
    with gpg(settings) as (encrypt, _):
        pipe = Pipe("escrow", encrypt, feed=_Once(settings.secret_encryption_key.encode()))
        try:
            bucket.put(f"{settings.database}/{ESCROW}/{names.stamp(at)}.key.gpg", pipe.read())
            pipe.drain()
        finally:
            pipe.close()


class _Once:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _size: int = -1, /) -> bytes:
        data, self._data = self._data, b""
        return data


def recover_key(settings: Settings, bucket: Bucket, target: Path) -> str:
    """Write the newest key that was kept into a file that only its owner reads; returns where it came from."""
    kept = [key for key, _ in bucket.keys(f"{settings.database}/{ESCROW}/")]
    if not kept:
        raise BackupError("no SECRET_ENCRYPTION_KEY is kept in this bucket: SECRET_ENCRYPTION_KEY_FILE was never set.")
    target.touch(mode=0o600)
    with gpg(settings) as (_, decrypt), target.open("wb") as file:
        pipe = Pipe(f"reading {kept[-1]}", decrypt, feed=bucket.open(kept[-1]))
        try:
            while chunk := pipe.read(4096):
                file.write(chunk)
        except BackupError:
            target.unlink()
            raise
        finally:
            pipe.close()
    return kept[-1]


def _stored(bucket: Bucket, database: str, kind: str, key: str) -> Backup:
    for backup in bucket.backups(database, kind):
        if backup.key == key:
            return backup
    raise BackupError(f"{key} was uploaded and is not in the bucket")
