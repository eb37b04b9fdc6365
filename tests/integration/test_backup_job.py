"""The backup job on a real PostgreSQL and a real S3 server: what it stores comes back, or says why not."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.backup import BUCKET, KEY, PASSWORD, BackupJob
from servers.postgres import PostgresServer
from servers.process import wait_for
from servers.s3 import SECRET_KEY, VersityServer
from supercheck_backup import names, take
from supercheck_backup.bucket import UNPACKED
from supercheck_backup.errors import BackupError, ChainBrokenError
from supercheck_backup.pipes import Pipe
from supercheck_backup.restore import restore
from supercheck_backup.restore_test import run_test
from supercheck_backup.schedule import LOOK_SECONDS, Loop, alone, is_healthy, perform
from unit.test_backup_envelope import PROJECT, SITE_KEY, seal

DATABASE = "supercheck"
FAST = {"full_page_writes": "off", "checkpoint_timeout": "1h"}


@pytest.fixture(scope="module")
def store() -> Iterator[VersityServer]:
    with VersityServer(buckets=[BUCKET]) as server:
        yield server


@pytest.fixture(scope="module")
def job(store: VersityServer) -> Iterator[BackupJob]:
    """A server with rows and a secret, and one whole chain of it in the bucket: a full and an incremental backup."""
    with PostgresServer(FAST, statements=False) as server, BackupJob(server, store) as job:
        job.prepare_server()
        server.run("INSERT INTO organization (name) SELECT 'o' || i FROM generate_series(1, 500) i")
        server.run(f"INSERT INTO organization (id, name) VALUES ('{PROJECT}', 'secret')")
        server.run(f"INSERT INTO projects (id, organization_id) VALUES ('{PROJECT}', '{PROJECT}')")
        server.run(
            f"INSERT INTO project_variables (project_id, encrypted_value) VALUES ('{PROJECT}', '{seal('hush')}')"
        )
        first = job.run("due", SECRET_ENCRYPTION_KEY=SITE_KEY)
        assert (first.returncode, first.stderr) == (0, "")
        yield job


def organizations(server: PostgresServer) -> int:
    return int(server.run("SELECT count(*) AS rows FROM organization")[0]["rows"])


def add_organizations(server: PostgresServer, number: int) -> None:
    server.run(f"INSERT INTO organization (name) SELECT 'more' FROM generate_series(1, {number})")


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the server's user can go through."""
    path = Path(tempfile.mkdtemp(prefix="restore-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_what_was_due_is_in_the_bucket_encrypted_verified_and_tested(job: BackupJob) -> None:
    (full,) = job.keys(f"{DATABASE}/full/")
    # the restore test's own: what came before the first full backup leads nowhere, and is gone
    (increment,) = job.keys(f"{DATABASE}/incremental/")
    (escrowed,) = job.keys(f"{DATABASE}/escrow/")
    tested = job.keys("restore-tests/")[0]
    for key in (full, increment):
        assert job.tags(key)["verified"] == "true"
        assert int(job.tags(key)[UNPACKED]) > len(job.read(key))
    for key in (full, increment, escrowed):
        # OpenPGP: a key that a passphrase encrypts (tag 3), version 4, cipher 9 = AES-256
        assert job.read(key)[:4] == bytes([0x8C, 0x0D, 4, 9])
    result = json.loads(job.read(tested))
    assert result["success"] is True
    assert result["backup"] == full
    assert result["rows"] == 503
    assert result["differences"] == []
    assert result["secrets"] == "decrypts"


def test_nothing_secret_is_told(job: BackupJob) -> None:
    said = job.run("check", SECRET_ENCRYPTION_KEY=SITE_KEY)
    wrong = job.run("check", AWS_SECRET_ACCESS_KEY="other-secret-word")
    assert said.returncode == 0
    assert wrong.returncode == 1
    assert "AWS_SECRET_ACCESS_KEY" in wrong.stderr
    everything = said.stdout + said.stderr + wrong.stdout + wrong.stderr
    everything += "".join(job.read(key).decode() for key in job.keys("restore-tests/"))
    for secret in (PASSWORD, KEY, SECRET_KEY, SITE_KEY, "other-secret-word", "hush"):
        assert secret not in everything


def test_backup_wipe_restore_same_rows(store: VersityServer) -> None:
    with PostgresServer(FAST, statements=False) as server, BackupJob(server, store) as job:
        job.env["BACKUP_DATABASE"] = "wiped"
        job.prepare_server()
        settings, bucket = job.settings(), job.bucket()
        with pytest.raises(ChainBrokenError, match="a full backup begins a new chain"):
            take.take_incremental(settings, bucket)
        take.take_full(settings, bucket)
        add_organizations(server, 300)
        take.take_incremental(settings, bucket)
        moment = server.run("SELECT to_char(now() AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS') AS at")[0]["at"]
        later = f"SELECT now() AT TIME ZONE 'utc' > timestamp '{moment}' + interval '1 second' AS later"
        wait_for(lambda: server.run(later)[0]["later"], 30, "what comes now is of another second")
        add_organizations(server, 40)
        take.take_incremental(settings, bucket)
        rows = organizations(server)
        assert rows == 340

        server.terminate()
        shutil.rmtree(server.data)
        done = job.run("restore", "--into", server.data)
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(path.name for path in server.directory.iterdir()) == ["data", "log"], "nothing is left behind"
        server.start()
        assert organizations(server) == rows

        # the restored server is another timeline: what follows says so, and begins a new chain
        perform(settings, bucket)
        assert len(job.keys("wiped/full/")) == 2
        assert bucket.restore_tests()[-1]["success"] is True

        # and back to a moment, over what is there: that stays beside it
        server.terminate()
        done = job.run("restore", "--into", server.data, "--until", f"{moment}Z")
        assert (done.returncode, done.stderr) == (0, "")
        (kept,) = server.directory.glob("data.before-*")
        assert (kept / "PG_VERSION").exists()
        server.start()
        assert organizations(server) == 300


def test_the_same_with_the_newest_version(store: VersityServer) -> None:
    with PostgresServer(FAST, statements=False, version=18) as server, BackupJob(server, store) as job:
        job.env |= {"BACKUP_DATABASE": "newest", "BACKUP_PROGRAMS": str(server.programs["postgres"].parent)}
        job.prepare_server()
        add_organizations(server, 30)
        with pytest.raises(ChainBrokenError):
            take.take_incremental(job.settings(), job.bucket())
        take.take_full(job.settings(), job.bucket())
        add_organizations(server, 3)
        take.take_incremental(job.settings(), job.bucket())
        server.terminate()
        shutil.rmtree(server.data)
        done = job.run("restore", "--into", server.data)
        assert (done.returncode, done.stderr) == (0, "")
        server.start()
        assert organizations(server) == 33


def failed_restore(job: BackupJob, target: Path, **changed: str) -> str:
    """The one sentence of a restore that fails, which changed nothing."""
    target.mkdir()
    (target / "PG_VERSION").write_text("15\n")
    (target / "precious").write_text("what was there")
    done = job.run("restore", "--into", target, **changed)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in target.parent.iterdir()) == [target.name]
    assert (target / "precious").read_text() == "what was there"
    return done.stderr


def test_a_wrong_key_is_said_and_nothing_is_restored(job: BackupJob, room: Path) -> None:
    other = job.directory / "other-key"
    other.write_text("another-key-of-more-than-thirty-two-characters")
    told = failed_restore(job, room / "data", BACKUP_KEY_FILE=str(other))
    assert "the key is not the one that it was encrypted with (BACKUP_KEY_FILE)" in told


@pytest.fixture
def cut(job: BackupJob) -> Iterator[str]:
    """A newer full backup that was cut short; its key."""
    whole = job.keys(f"{DATABASE}/full/")[-1]
    key = names.full_key(DATABASE, datetime.now(UTC) + timedelta(hours=1), "zstd")
    client = job.store.client()
    client.put_object(Bucket=BUCKET, Key=key, Body=job.read(whole)[:1_000_000], Tagging="verified=false")
    yield key
    client.delete_object(Bucket=BUCKET, Key=key)


def test_a_cut_object_is_not_verified(job: BackupJob, cut: str) -> None:
    bucket = job.bucket()
    backup = bucket.backups(DATABASE, "full")[-1]
    assert backup.key == cut
    with pytest.raises(BackupError, match=r"the object is damaged or cut short"):
        take.verify(job.settings(), bucket, backup)
    assert job.tags(cut) == {"verified": "false"}
    assert bucket.newest_verified(DATABASE, "full") == bucket.backups(DATABASE, "full")[0]
    assert not list((job.directory / "work").glob("verify-*"))


def test_a_cut_object_that_was_once_whole_is_said_and_nothing_is_restored(job: BackupJob, cut: str, room: Path) -> None:
    job.bucket().tag(cut, {"verified": "true"})
    told = failed_restore(job, room / "data")
    assert f"reading {cut}: the object is damaged or cut short" in told


@pytest.fixture
def small_disk(room: Path) -> Iterator[Path]:
    """A disk of 24 MB, on which a server does not fit."""
    disk = room / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", disk], check=False)
    if done.returncode:
        pytest.skip("no disk may be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(job: BackupJob, small_disk: Path) -> None:
    told = failed_restore(job, small_disk / "data")
    assert f"the disk of {small_disk} is too full: the restore needs 0." in told


def test_a_disk_that_fills_is_said_and_nothing_is_restored(job: BackupJob, small_disk: Path) -> None:
    # the room that a backup needs is known from its tag; without that it shows while it is unpacked
    bucket = job.bucket()
    tags = {b.key: bucket.tags(b.key) for kind in ("full", "incremental") for b in bucket.backups(DATABASE, kind)}
    try:
        for key in tags:
            bucket.tag(key, {"verified": "true"})
        told = failed_restore(job, small_disk / "data")
    finally:
        for key, before in tags.items():
            bucket.tag(key, before)
    assert "the disk is full: make room, or mount a larger volume" in told


def test_a_full_disk_of_the_work_folder_leaves_the_backup_unverified(job: BackupJob, small_disk: Path) -> None:
    bucket = job.bucket()
    backup = bucket.backups(DATABASE, "full")[-1]
    with pytest.raises(BackupError, match="the disk is full"):
        take.verify(job.settings(BACKUP_WORK=str(small_disk)), bucket, backup)
    assert not list(small_disk.iterdir())


def test_a_running_server_and_a_foreign_folder_are_not_overwritten(job: BackupJob, room: Path) -> None:
    with pytest.raises(BackupError, match="stop PostgreSQL first"):
        restore(job.settings(), job.bucket(), job.server.data)
    (room / "photos").mkdir()
    (room / "photos/cat").write_text("meow")
    with pytest.raises(BackupError, match="holds something that is no data directory"):
        restore(job.settings(), job.bucket(), room / "photos")


def test_a_gap_in_the_log_is_said(job: BackupJob, room: Path) -> None:
    settings, bucket = job.settings(), job.bucket()
    take.take_incremental(settings, bucket)
    take.take_incremental(settings, bucket)
    missing = bucket.backups(DATABASE, "incremental")[-2]
    body, tags = job.read(missing.key), bucket.tags(missing.key)
    bucket.delete(missing.key)
    try:
        with pytest.raises(BackupError, match=r"the log has a gap after the backup of .*--until"):
            restore(settings, bucket, room / "data")
        assert not list(room.iterdir())
    finally:
        bucket.put(missing.key, body)
        bucket.tag(missing.key, tags)


def test_what_could_not_be_stored_is_taken_again(job: BackupJob) -> None:
    settings, bucket = job.settings(), job.bucket()
    before = bucket.backups(DATABASE, "incremental")[-1]
    with pytest.raises(BackupError, match=r"the bucket no-such-bucket .* it does not exist: create it"):
        take.take_incremental(settings, job.bucket(S3_BACKUP_BUCKET_NAME="no-such-bucket"))
    shutil.rmtree(job.directory / "work/wal")  # even where the work folder is lost
    backup = take.take_incremental(settings, bucket)
    size = 16 * 1024 * 1024
    assert names.number(backup.first, size) == names.number(before.last, size) + 1


def test_a_large_backup_goes_in_parts_and_only_whole(job: BackupJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supercheck_backup.bucket.PART_BYTES", 5 * 1024 * 1024)
    bucket, key = job.bucket(), "large/full/20261124T010000Z.tar.zst.gpg"
    with pytest.raises(BackupError, match="sh failed: no more"):
        bucket.upload(key, Pipe("it", ["sh", "-c", "head -c 12000000 /dev/zero; echo no more >&2; exit 1"]), {})
    assert job.keys("large/") == []
    assert not job.store.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    bucket.upload(key, Pipe("it", ["head", "-c", "12000000", "/dev/zero"]), {"verified": "false"})
    assert bucket.keys("large/") == [(key, 12_000_000)]
    assert job.tags(key) == {"verified": "false"}
    bucket.delete(key)


def test_a_failed_pg_basebackup_leaves_no_object(job: BackupJob) -> None:
    before = job.keys()
    job.server.run("ALTER ROLE supercheck_backup NOREPLICATION")
    try:
        with pytest.raises(BackupError, match=r"the role may not replicate: run role.sql"):
            take.take_full(job.settings(), job.bucket())
    finally:
        job.server.run("ALTER ROLE supercheck_backup REPLICATION")
    assert job.keys() == before


def test_a_server_that_lets_nobody_in_is_said_by_check(job: BackupJob) -> None:
    hba = job.server.data / "pg_hba.conf"
    text = hba.read_text()
    hba.write_text("\n".join(line for line in text.splitlines() if not line.startswith("host replication")) + "\n")
    job.server.run("SELECT pg_reload_conf()")
    try:
        told = job.run("check")
    finally:
        hba.write_text(text)
        job.server.run("SELECT pg_reload_conf()")
    assert told.returncode == 1
    assert "add the line of README.md to pg_hba.conf" in told.stderr


def test_a_server_that_would_keep_its_log_for_ever_is_refused(job: BackupJob) -> None:
    job.server.run("ALTER SYSTEM SET max_slot_wal_keep_size = -1")
    job.server.run("SELECT pg_reload_conf()")
    try:
        told = job.run("check")
    finally:
        job.server.run("ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'")
        job.server.run("SELECT pg_reload_conf()")
    assert told.returncode == 1
    assert "ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'" in told.stderr


def test_a_wrong_site_key_fails_the_restore_test(job: BackupJob) -> None:
    bucket = job.bucket()
    wrong = run_test(job.settings(SECRET_ENCRYPTION_KEY="f" * 64), bucket)
    assert (wrong["success"], wrong["secrets"]) == (False, "wrong key")


def test_the_kept_key_comes_back(job: BackupJob, tmp_path: Path) -> None:
    done = job.run("recover-key", tmp_path / "key")
    assert done.returncode == 0
    assert (tmp_path / "key").read_text() == SITE_KEY
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    assert SITE_KEY not in done.stdout + done.stderr


def test_the_loop_tries_again_and_its_health_says_so(job: BackupJob) -> None:
    settings = job.settings(BACKUP_AWS_SECRET_ACCESS_KEY="wrong")
    loop = Loop(settings, job.bucket(BACKUP_AWS_SECRET_ACCESS_KEY="wrong"), threading.Event())
    assert loop.step() == 5 * 60
    assert loop.step() == 15 * 60
    now = datetime.now(UTC)
    assert is_healthy(settings, now) == "2 attempts in a row failed: see the log"
    well = Loop(job.settings(), job.bucket(), threading.Event())
    assert well.step() == LOOK_SECONDS, "nothing is due"
    assert is_healthy(settings, now) == ""
    assert is_healthy(settings, now + timedelta(hours=1)) == "the loop has stopped"


def test_two_at_once_on_one_work_folder_are_refused(job: BackupJob) -> None:
    with alone(job.settings()):
        done = job.run("incremental")
    assert (done.returncode, done.stderr) == (1, "another backup runs here (perhaps the schedule): wait for its end.\n")


def test_the_programs_of_another_version_are_refused(
    job: BackupJob, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supercheck_backup.restore.major", lambda _: "18")
    with pytest.raises(BackupError, match=r"the backup is of PostgreSQL 15, the programs here are of 18"):
        restore(job.settings(), job.bucket(), room / "data")
    assert not list(room.iterdir())
