"""How backups are named, judged and counted; pgBackRest's own account of them."""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path

import pytest
from supercheck_exporter.backups import pgbackrest
from supercheck_exporter.backups.reader import Facts
from supercheck_exporter.backups.stored import RestoreTest, Stored, is_encrypted, time_of
from supercheck_exporter.collectors.backups import DAY_SECONDS, samples
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.core import SourceError

NOW = 1_795_500_000.0
FULL, INCREMENTAL = ("supercheck", "full"), ("supercheck", "incremental")
PRINTED = Path(__file__).with_name("pgbackrest_info.json")
AT = 1795482000.0  # 2026-11-24T01:00:00Z


@pytest.mark.parametrize(
    "name",
    [
        "20261124T010000Z.tar.zst.gpg",
        "20261124T010000Z/base.tar.gz",
        "2026-11-24T01:00:00Z.dump",
        "2026-11-24T01:00:00.250+00:00",
        "2026-11-24T01-00-00.sql.gz",
        "2026-11-24_01.00",
        "20261124010000",
    ],
)
def test_a_time_is_read_in_the_common_forms(name: str) -> None:
    assert time_of(name) == AT


@pytest.mark.parametrize(
    "name",
    ["backup-20261124T010000Z", "20261324T010000Z", "20261124", "20261124T0100000Z", "latest", "", "2026-11-24T"],
)
def test_what_bears_no_time_is_no_backup(name: str) -> None:
    assert time_of(name) is None


def openpgp(version: int, cipher: int) -> bytes:
    return bytes([0x8C, 13, version, cipher, 3, 2]) + os.urandom(506)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (openpgp(4, 9), True),
        (openpgp(5, 9), True),
        (openpgp(4, 3), False),  # CAST5, gpg's default of old
        (openpgp(4, 7), False),  # AES with 128 bits
        (b"\x85\x01\x0c\x03" + os.urandom(508), True),
        (b"Salted__" + os.urandom(504), True),
        (b"U2FsdGVkX19" + b"A" * 501, True),
        (b"age-encryption.org/v1\n", True),
        (b"-----BEGIN PGP MESSAGE-----\n", True),
        (b"PGDMP\x01\x0e", False),
        (gzip.compress(b"CREATE TABLE", mtime=0), False),
        (b"\x28\xb5\x2f\xfd\x04", False),
        (b"base/1/1".ljust(257, b"\0") + b"ustar", False),
        (b"-- PostgreSQL database dump\n", False),
        (b"\x00\x9f\xff" * 100, None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_whether_it_is_encrypted(header: bytes, expected: bool | None) -> None:
    assert is_encrypted(header) is expected


def days(ago: float, size: int = 100, verified: bool | None = None, encrypted: bool | None = None) -> Stored:
    return Stored(NOW - ago * DAY_SECONDS, size, verified, encrypted)


def values(facts: Facts, retention: int = 90) -> dict[str, float]:
    """Short name and labels -> value."""
    return {
        " ".join([s.desc.name.removeprefix("supercheck_backup_"), *s.labels]): s.value  # type: ignore[misc]
        for s in samples(facts, NOW, retention)
    }


def test_a_database_without_backups_reads_zero_and_nothing_else() -> None:
    assert values(Facts({FULL: (), INCREMENTAL: ()}, {})) == {
        "retained supercheck full": 0,
        "past_retention supercheck full": 0,
        "retained supercheck incremental": 0,
        "past_retention supercheck incremental": 0,
    }


def test_everything_of_a_chain() -> None:
    stored = (days(4, 100), days(3, 120), days(2, 110, True), days(1, 130, False), days(0.5, 40, False, True))
    found = values(Facts({FULL: stored}, {"supercheck": RestoreTest(NOW - 5, True)}))
    assert found == {
        "retained supercheck full": 5,
        "past_retention supercheck full": 0,
        "last_success_timestamp_seconds supercheck full": NOW - DAY_SECONDS / 2,
        "oldest_timestamp_seconds supercheck full": NOW - 4 * DAY_SECONDS,
        "last_size_bytes supercheck full": 40,
        "median_size_bytes supercheck full": 115,
        "encrypted supercheck full": 1,
        "last_verified_timestamp_seconds supercheck full": NOW - 2 * DAY_SECONDS,
        "verification_failures supercheck full": 2,
        "last_restore_test_timestamp_seconds supercheck": NOW - 5,
        "last_restore_test_success supercheck": 1,
    }


def test_what_is_unknown_is_absent() -> None:
    found = values(Facts({FULL: (days(2), days(1))}, {}))
    for name in ("encrypted", "last_verified_timestamp_seconds", "verification_failures", "median_size_bytes"):
        assert f"{name} supercheck full" not in found


def test_a_verified_one_has_no_failures_and_only_failures_have_no_verified_time() -> None:
    assert values(Facts({FULL: (days(1, verified=True),)}, {}))["verification_failures supercheck full"] == 0
    found = values(Facts({FULL: (days(2, verified=False), days(1, verified=False))}, {}))
    assert found["verification_failures supercheck full"] == 2
    assert "last_verified_timestamp_seconds supercheck full" not in found


def test_the_median_is_of_the_week_before() -> None:
    stored = (*(days(ago, 1000) for ago in (20, 15, 10)), days(6, 10), days(4, 20), days(2, 30), days(1, 5))
    assert values(Facts({FULL: stored}, {}))["median_size_bytes supercheck full"] == 20
    assert "median_size_bytes supercheck full" not in values(Facts({FULL: stored[:5]}, {})), "two are no median"


def test_a_day_s_grace_and_what_a_restore_needs() -> None:
    fulls = (days(92), days(90.5), days(1, verified=True))
    increments = (days(92), days(91.5), days(0.2))
    found = values(Facts({FULL: fulls, INCREMENTAL: increments}, {}))
    assert found["past_retention supercheck full"] == 1
    assert found["past_retention supercheck incremental"] == 2
    # nothing newer is whole: the old chain is all there is
    fulls = (days(120), days(100, verified=True), days(95, verified=False))
    increments = (days(119), days(99), days(94))
    found = values(Facts({FULL: fulls, INCREMENTAL: increments}, {}))
    assert found["past_retention supercheck full"] == 1
    assert found["past_retention supercheck incremental"] == 1
    assert values(Facts({FULL: (days(32), days(1))}, {}), retention=30)["past_retention supercheck full"] == 1


# ---- pgBackRest


def test_what_pgbackrest_printed() -> None:
    """Printed by pgBackRest 2.45 on PostgreSQL 15: a full, a differential and an incremental backup, encrypted."""
    found = pgbackrest.parse(json.loads(PRINTED.read_text()))
    assert set(found) == {("main", "full"), ("main", "incremental")}
    (full,) = found["main", "full"]
    diff, incr = found["main", "incremental"]
    assert full.at < diff.at < incr.at
    assert full.size > 1_000_000 > diff.size > 0
    assert full.encrypted is True
    assert (full.verified, incr.verified) == (None, None)


def test_a_stanza_without_backups_and_a_damaged_one() -> None:
    printed = json.loads(PRINTED.read_text())
    printed[0]["backup"][-1]["error"] = True
    printed[0]["repo"][0]["cipher"] = "none"
    printed.append({"name": "empty", "status": {"code": 1}})
    found = pgbackrest.parse(printed)
    assert found["empty", "full"] == ()
    assert found["main", "incremental"][-1].verified is False
    assert found["main", "full"][0].encrypted is False


def test_a_file_that_is_missing_old_or_something_else_says_so(tmp_path: Path) -> None:
    path = tmp_path / "info.json"
    with pytest.raises(SourceError, match="BACKUP_PGBACKREST_INFO_FILE can't be read"):
        pgbackrest.read(path)
    for text in (
        "",
        "{}",
        "[1]",
        '[{"name": "a", "backup": [{"type": "full"}]}]',
        '[{"name": "a", "backup": [{"type": "x"}]}]',
    ):
        path.write_text(text)
        with pytest.raises(SourceError, match="does not hold what pgBackRest prints"):
            pgbackrest.read(path)
    path.write_text(PRINTED.read_text())
    assert pgbackrest.read(path)
    old = time.time() - 5 * 3600
    os.utime(path, (old, old))
    with pytest.raises(SourceError, match="was last written 5 hours ago: let cron"):
        pgbackrest.read(path)


# ---- settings


def test_the_names_of_databases_are_names() -> None:
    assert load({"BACKUP_DATABASES": "a, b,a"}).backup_databases == ("a", "b")
    assert load({}).backup_databases == ("supercheck",)
    with pytest.raises(ConfigError, match=r"BACKUP_DATABASES: read .* allowed is names"):
        load({"BACKUP_DATABASES": "a/b"})


def test_the_store_of_the_backups_replaces_only_what_is_set() -> None:
    settings = load({"S3_ENDPOINT": "http://minio:9000", "AWS_ACCESS_KEY_ID": "a"})
    assert settings.backup_store() == {}
    settings = load({"S3_ENDPOINT": "http://minio:9000", "BACKUP_S3_ENDPOINT": "https://far.example.com/"})
    assert settings.backup_store() == {"s3_endpoint": "https://far.example.com"}
