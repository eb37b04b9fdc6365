"""The pure parts of the backup job: names, what is due, what is past its time, settings, and failing programs."""

from __future__ import annotations

import errno
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from supercheck_backup import names
from supercheck_backup.errors import BackupError, in_words
from supercheck_backup.names import FULL, INCREMENTAL, Backup
from supercheck_backup.pipes import Pipe, explain, run
from supercheck_backup.restore_test import differences
from supercheck_backup.retention import expired
from supercheck_backup.schedule import Done, due, slot_before
from supercheck_backup.settings import Settings, load

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SEGMENT = 16 * 1024 * 1024


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "key").write_text("k" * 44 + "\n")
    (tmp_path / "url").write_text("postgresql://supercheck_backup:pass-word@db:5432/supercheck\n")
    return {
        "BACKUP_DATABASE_URL_FILE": str(tmp_path / "url"),
        "BACKUP_KEY_FILE": str(tmp_path / "key"),
        "S3_BACKUP_BUCKET_NAME": "supercheck-backups",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "pass-word",
    }


@pytest.fixture
def settings(env: dict[str, str]) -> Settings:
    return load(env)


def test_the_defaults_are_the_design_s(settings: Settings) -> None:
    assert settings.database == "supercheck"
    assert (settings.full_at, settings.incremental_hours) == (60, 6)
    assert (settings.retention_days, settings.restore_test_days) == (90, 30)
    assert settings.packing == "zstd"


def test_every_problem_is_told_at_once_and_no_secret(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "short").write_text("short")
    del env["AWS_SECRET_ACCESS_KEY"]
    env |= {
        "BACKUP_DATABASE_URL_FILE": str(tmp_path / "gone"),
        "BACKUP_KEY_FILE": str(tmp_path / "short"),
        "S3_BACKUP_BUCKET_NAME": "",
        "BACKUP_COMPRESSION": "rar",
        "BACKUP_FULL_AT": "25:00",
        "BACKUP_RETENTION_DAYS": "ninety",
    }
    with pytest.raises(BackupError) as told:
        load(env)
    lines = str(told.value).splitlines()
    for name in (
        "BACKUP_DATABASE_URL_FILE", "BACKUP_KEY_FILE", "S3_BACKUP_BUCKET_NAME", "BACKUP_COMPRESSION", "BACKUP_FULL_AT",
        "BACKUP_RETENTION_DAYS", "BACKUP_AWS_SECRET_ACCESS_KEY",
    ):  # fmt: skip
        assert len([line for line in lines if line.startswith(name)]) == 1, name
    assert len(lines) == 7
    assert "short" not in str(told.value)


def test_a_url_that_is_none_is_not_shown(env: dict[str, str]) -> None:
    del env["BACKUP_DATABASE_URL_FILE"]
    with pytest.raises(BackupError, match="not a URL of libpq") as told:
        load(env | {"BACKUP_DATABASE_URL": "postgresql://u:pass-word@[::"})
    assert "pass-word" not in str(told.value)


def test_an_empty_key_is_no_key(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    with pytest.raises(BackupError, match="fewer than 32 characters"):
        load(env)


def test_the_backups_may_have_a_store_of_their_own(env: dict[str, str]) -> None:
    both = load(env | {"S3_ENDPOINT": "http://minio:9000", "BACKUP_S3_ENDPOINT": "https://far.example.com"})
    assert both.endpoint == "https://far.example.com"
    assert load(env | {"S3_ENDPOINT": "http://minio:9000"}).endpoint == "http://minio:9000"


# ---- names


def test_a_name_is_read_as_it_was_written() -> None:
    first, last = "0000000100000000000000FE", "000000010000000100000001"
    key = names.incremental_key("supercheck", NOW, "gzip", first, last)
    assert names.parse(key, 7) == Backup(NOW, key, 7, "gzip", first, last)
    key = names.full_key("supercheck", NOW, "zstd")
    assert names.parse(key, 7) == Backup(NOW, key, 7, "zstd")
    for foreign in ("supercheck/full/readme.txt", "supercheck/full/20261399T000000Z.tar.zst.gpg"):
        assert names.parse(foreign, 7) is None


def test_segments_follow_each_other_across_the_end_of_a_log_file() -> None:
    assert names.follows("0000000100000000000000FF", "000000010000000100000000", SEGMENT)
    assert names.follows("000000010000000000000005", "000000010000000000000003", SEGMENT), "some of it twice"
    assert not names.follows("000000010000000000000005", "000000010000000000000007", SEGMENT)
    assert not names.follows("000000010000000000000005", "000000020000000000000006", SEGMENT), "a restored server"
    assert names.number_at("1/2000060", SEGMENT) == names.number("000000010000000100000002", SEGMENT)


# ---- what is due


def done(full: float | None, incremental: float | None, tested: float | None = 24.0, **more: bool) -> Done:
    """Hours ago."""

    def at(hours: float | None) -> datetime | None:
        return None if hours is None else NOW - timedelta(hours=hours)

    return Done(at(full), at(incremental), at(tested), more.get("test_passed", True), more.get("broken", False))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (done(13, 1), []),
        (done(None, None, None), [INCREMENTAL, FULL, "restore-test"]),
        (done(13, 1.1), [INCREMENTAL]),  # 12:54: the one of 13:00 is missing
        (done(13.1, 1), [FULL]),  # 00:54: today's is missing
        (done(37, 7), [INCREMENTAL, FULL]),
        (done(13, 1, 30 * 24 - 1), []),
        (done(13, 1, 30 * 24), ["restore-test"]),
        (done(13, 1, 23, test_passed=False), []),
        (done(13, 1, 24, test_passed=False), ["restore-test"]),
        (done(2, 1, broken=True), [FULL]),
    ],
)
def test_what_is_due(settings: Settings, state: Done, expected: list[str]) -> None:
    assert due(NOW, state, settings) == expected


@pytest.mark.parametrize(
    ("hour", "every", "expected"),
    [(0.5, 6, 19 - 24), (1, 6, 1), (6.9, 6, 1), (7, 6, 7), (23.9, 6, 19), (1.5, 7, 1), (2, 5, 1), (6, 5, 6)],
)
def test_the_full_backup_s_time_is_always_one_of_the_incremental_ones(hour: float, every: int, expected: int) -> None:
    midnight = NOW.replace(hour=0)
    found = slot_before(midnight + timedelta(hours=hour), 60, every)
    assert (found - midnight) / timedelta(hours=1) == expected


# ---- what is past its time


def backup(days: float, kind: str = "") -> Backup:
    return Backup(NOW - timedelta(days=days), f"{kind}{days}", 1, "zstd")


def test_what_is_older_goes_and_increments_without_their_full_backup() -> None:
    fulls = [backup(days) for days in (91, 90.5, 89.5, 1)]
    increments = [backup(days, "i") for days in (91, 90.2, 89.8, 89.4, 0.5)]
    gone = expired(fulls, increments, fulls[-1], NOW, 90)
    assert [b.key for b in gone] == ["91", "90.5", "i91", "i90.2", "i89.8"]


def test_the_newest_verified_chain_stays_however_old_it_is() -> None:
    fulls = [backup(days) for days in (200, 150, 140)]
    increments = [backup(days, "i") for days in (199, 149, 100)]
    gone = expired(fulls, increments, fulls[1], NOW, 90)
    assert [b.key for b in gone] == ["200", "i199"]
    assert expired(fulls, increments, None, NOW, 90) == [], "where nothing is verified nothing goes"


# ---- the restore test's judgement


def test_a_count_between_the_two_of_the_source_passes() -> None:
    before, after = {"a": 5, "b": 1000, "c": 0, "gone": 1}, {"a": 5, "b": 1100, "c": 3}
    assert differences(before, after, {"a": 5, "b": 1050, "c": 2}) == []
    assert differences(before, after, {"a": 5, "b": 990, "c": 2}) == [], "within a hundredth"
    assert differences(before, after, {"a": 4, "b": 900}) == [
        "a: 4 rows restored, 5 to 5 in the source",
        "b: 900 rows restored, 1000 to 1100 in the source",
        "c is missing",
    ]


# ---- programs that fail


def test_the_end_of_a_pipe_comes_only_when_all_went_well() -> None:
    pipe = Pipe("packing", ["cat"], ["gzip", "-c"], feed=io.BytesIO(b"x" * 100_000))
    assert len(pipe.read()) > 10
    assert pipe.read() == b""
    bad = Pipe("packing", ["sh", "-c", "echo some; echo 'the word' >&2; exit 3"], ["cat"])
    assert bad.read(5) == b"some\n"
    with pytest.raises(BackupError, match="packing: sh failed: the word"):
        bad.read(5)


def test_the_program_that_broke_the_pipe_is_blamed() -> None:
    pipe = Pipe("copy", ["yes"], ["sh", "-c", "echo 'tar: x: No space left on device' >&2; exit 2"])
    with pytest.raises(BackupError, match="copy: the disk is full"):
        pipe.drain()


def test_what_a_disk_refuses_is_said_in_words() -> None:
    assert in_words(OSError(errno.ENOSPC, "x", "/f")) == "the disk is full: make room, or mount a larger volume (/f)"
    assert "may not write there (/f): give the folder to that user" in in_words(
        PermissionError(errno.EACCES, "x", "/f")
    )
    assert in_words(OSError(errno.EIO, "Input/output error")) == "Input/output error"


def test_a_program_that_says_nothing_is_named() -> None:
    with pytest.raises(BackupError, match="asking: false failed and said nothing"):
        run("asking", "false")
    assert explain("", "tar", "first\nlast\n") == "tar failed: last"
