"""The backups collector on a real S3 server, and the shipped rules on what it says of a bucket with every fault."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from servers.process import require_program
from servers.s3 import ACCESS_KEY, SECRET_KEY, MotoServer, VersityServer
from supercheck_exporter.backups.reader import BackupReader
from supercheck_exporter.backups.stored import Stored
from supercheck_exporter.check import check
from supercheck_exporter.collectors.backups import samples
from supercheck_exporter.config import load
from supercheck_exporter.core import NoData, SourceError
from supercheck_exporter.site import Site

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "supercheck-backups"
SEALED = bytes([0x8C, 0x0D, 4, 9])
HOUR, DAY = 3600.0, 86400.0
EVAL_HOURS = 2


@pytest.fixture(scope="module")
def store() -> Iterator[VersityServer]:
    with VersityServer(buckets=[BUCKET, "other"]) as server:
        yield server


class Bucket:
    """What a backup job would have left."""

    def __init__(self, server: VersityServer | MotoServer, name: str = BUCKET) -> None:
        self.client, self.name, self.now = server.client(), name, time.time()
        self.env = server.exporter_env() | {"S3_BACKUP_BUCKET_NAME": name}
        self.tested = 0

    def stamp(self, age: float) -> str:
        return datetime.fromtimestamp(self.now - age, UTC).strftime("%Y%m%dT%H%M%SZ")

    def put(
        self, database: str, age: float, kind: str = "full", *, size: int = 1000, head: bytes = SEALED,
        verified: str | None = "true",
    ) -> str:  # fmt: skip
        key = f"{database}/{kind}/{self.stamp(age)}.tar.zst.gpg"
        body = (head + b"\x9f" * size)[:size]
        tags = {} if verified is None else {"Tagging": f"verified={verified}"}
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **tags)  # type: ignore[arg-type]
        return key

    def test(self, database: str, age: float, body: str | None = None, **result: object) -> None:
        text = json.dumps({"database": database, "success": True} | result) if body is None else body
        self.client.put_object(Bucket=self.name, Key=f"restore-tests/{self.stamp(age)}.json", Body=text.encode())

    def well(self, database: str) -> None:
        """A week as it should be."""
        for days in range(7, 0, -1):
            self.put(database, days * DAY + HOUR)
        self.put(database, HOUR)
        self.put(database, HOUR, "incremental")
        self.test(database, 3 * DAY + 60 * self.tested)
        self.tested += 1  # each result has a name of its own

    def clear(self) -> None:
        """Nothing is left."""
        for entry in self.client.list_objects_v2(Bucket=self.name).get("Contents", ()):
            self.client.delete_object(Bucket=self.name, Key=entry["Key"])


@pytest.fixture
def bucket(store: VersityServer) -> Iterator[Bucket]:
    made = Bucket(store)
    yield made
    made.clear()


@pytest.fixture
def readers() -> Iterator[list[BackupReader]]:
    made: list[BackupReader] = []
    yield made
    for reader in made:
        reader.stop()


@pytest.fixture
def reader(bucket: Bucket, readers: list[BackupReader]) -> BackupReader:
    readers.append(Site(load(bucket.env)).backups)
    return readers[-1]


def of(reader: BackupReader, database: str, kind: str = "full") -> tuple[Stored, ...]:
    return reader.look().backups[database, kind]


def test_an_empty_bucket_says_that_nothing_is_there(reader: BackupReader) -> None:
    assert reader.look() == ({("supercheck", "full"): (), ("supercheck", "incremental"): ()}, {})


def test_before_the_first_look_there_is_nothing_to_say(reader: BackupReader) -> None:
    with pytest.raises(NoData):
        reader.facts()
    reader.attempt()
    assert reader.facts().backups


def test_other_databases_are_found_and_what_is_no_backup_is_not_counted(bucket: Bucket, reader: BackupReader) -> None:
    bucket.put("other", HOUR)
    bucket.put("supercheck", -2 * HOUR)  # from the future
    bucket.put("supercheck", HOUR, size=0)
    bucket.client.put_object(Bucket=BUCKET, Key="supercheck/full/readme.txt", Body=b"hello")
    bucket.client.put_object(Bucket=BUCKET, Key="supercheck/escrow/20261124T010000Z.key.gpg", Body=b"x")
    bucket.client.put_object(Bucket=BUCKET, Key="notes/readme.txt", Body=b"hello")
    found = reader.look().backups
    assert {key: len(stored) for key, stored in found.items()} == {
        ("supercheck", "full"): 0,
        ("supercheck", "incremental"): 0,
        ("other", "full"): 1,
    }


def test_objects_of_one_time_are_one_backup(bucket: Bucket, reader: BackupReader) -> None:
    for name, size, verified in (("base.tar.gpg", 900, "true"), ("wal.tar.gpg", 100, "false")):
        key = f"supercheck/full/{bucket.stamp(HOUR)}/{name}"
        bucket.client.put_object(
            Bucket=BUCKET, Key=key, Body=(SEALED + b"\0" * size)[:size], Tagging=f"verified={verified}"
        )
    (stored,) = of(reader, "supercheck")
    assert (stored.size, stored.verified, stored.encrypted) == (1000, False, True)
    assert abs(stored.at - (bucket.now - HOUR)) < 1


def test_tags_are_asked_up_to_the_newest_verified_one_and_what_is_known_is_not_asked_again(
    bucket: Bucket, reader: BackupReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("supercheck", 3 * DAY, verified="false")
    bucket.put("supercheck", 2 * DAY)
    newest = bucket.put("supercheck", DAY, verified=None)
    asked: list[tuple[str, str]] = []
    call = reader._source.call

    def counted(operation: str, **parameters: str) -> object:
        asked.append((operation, parameters.get("Key", "")))
        return call(operation, **parameters)

    monkeypatch.setattr(reader._source, "call", counted)
    assert [stored.verified for stored in of(reader, "supercheck")] == [None, True, False]
    assert len([1 for operation, _ in asked if operation == "get_object_tagging"]) == 2
    assert len([1 for operation, _ in asked if operation == "get_object"]) == 1
    asked.clear()
    bucket.client.put_object_tagging(
        Bucket=BUCKET, Key=newest, Tagging={"TagSet": [{"Key": "verified", "Value": "true"}]}
    )
    assert [stored.verified for stored in of(reader, "supercheck")] == [None, None, True]
    assert [key for operation, key in asked if operation.startswith("get_object")] == [newest]
    asked.clear()
    of(reader, "supercheck")
    assert not [key for operation, key in asked if operation.startswith("get_object")], "nothing is new"


def test_the_last_restore_test_of_each_database_counts(bucket: Bucket, reader: BackupReader) -> None:
    bucket.put("other", HOUR)
    bucket.test("supercheck", 40 * DAY)
    bucket.test("supercheck", 10 * DAY, success=False)
    bucket.test("other", 20 * DAY)
    bucket.test("gone", 5 * DAY)
    bucket.test("", DAY, body="no JSON")
    bucket.test("", DAY / 2, body='{"database": "supercheck", "success": "yes"}')
    tests = reader.look().tests
    assert {database: tested.success for database, tested in tests.items()} == {"supercheck": False, "other": True}
    assert abs(tests["supercheck"].at - (bucket.now - 10 * DAY)) < 1
    assert reader.look().tests == tests


def faults(bucket: Bucket) -> None:
    """One database a fault, and one that is well."""
    for database in ("well", "unverified", "readable", "shrunk", "kept", "failed", "slow"):
        bucket.well(database)
    for days in (5, 4, 3, 2):
        bucket.put("late", days * DAY)
    bucket.put("late", 27 * HOUR)
    bucket.test("late", 2 * DAY)
    bucket.put("unverified", HOUR / 2, verified="false")
    bucket.put("readable", HOUR / 2, head=b"PGDMP")
    bucket.put("shrunk", HOUR / 2, size=400)
    bucket.put("kept", 92 * DAY)
    bucket.test("failed", DAY, success=False)
    bucket.put("slow", 8 * HOUR, "incremental")
    newer = f"slow/incremental/{bucket.stamp(HOUR)}.tar.zst.gpg"
    bucket.client.delete_object(Bucket=bucket.name, Key=newer)
    for age in (9.0, 8.0, 1 / 24):
        bucket.put("untested", age * DAY)


EXPECTED = {
    ("BackupMissing", "critical", "late"),
    ("BackupUnverified", "critical", "unverified"),
    ("BackupNotEncrypted", "critical", "readable"),
    ("BackupShrunk", "warning", "shrunk"),
    ("BackupPastRetention", "warning", "kept"),
    ("BackupRestoreFailed", "critical", "failed"),
    ("BackupMissing", "warning", "slow"),
    ("BackupRestoreUntested", "warning", "untested"),
}


def test_each_fault_in_the_bucket_gives_its_alert_and_no_other(
    bucket: Bucket, readers: list[BackupReader], tmp_path: Path
) -> None:
    """Promtool's clock begins at 0, so every time is given from now on; two hours later this is what fires."""
    faults(bucket)
    readers.append(Site(load(bucket.env | {"BACKUP_DATABASES": "well,untested"})).backups)
    series = []
    for sample in samples(readers[-1].look(), bucket.now, 90):
        assert isinstance(sample.value, float | int)
        value: float = sample.value - bucket.now * sample.desc.name.endswith("_timestamp_seconds")
        labels = ",".join(f'{name}="{text}"' for name, text in zip(sample.desc.labels, sample.labels, strict=True))
        series.append({"series": f"{sample.desc.name}{{{labels}}}", "values": f"{value:.0f}x180"})
    fired = [
        {
            "labels": f'ALERTS{{alertname="{name}",alertstate="firing",component="backup",database="{database}",'
            + (f'type="{"incremental" if database == "slow" else "full"}",' if "Restore" not in name else "")
            + f'severity="{severity}"}}',
            "value": 1,
        }
        for name, severity, database in sorted(EXPECTED)
    ]
    test = {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{EVAL_HOURS}h", "exp_samples": fired}
        ],
    }
    path = tmp_path / "faults.yaml"
    rules = str(ROOT / "alert-rules/alerts/backup.yaml")
    path.write_text(yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(
        [require_program("promtool"), "test", "rules", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---- what can be wrong with the bucket


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"S3_BACKUP_BUCKET_NAME": "no-such-bucket"}, "has no bucket no-such-bucket: make it, or set its name"),
        ({"BACKUP_AWS_SECRET_ACCESS_KEY": "wrong-secret-word"}, "refuses the login"),
        ({"BACKUP_S3_ENDPOINT": "http://127.0.0.1:9"}, "takes no connection"),
        ({"S3_ENDPOINT": ""}, "set BACKUP_S3_ENDPOINT, or S3_ENDPOINT"),
        ({"BACKUP_PGBACKREST_INFO_FILE": "/nonexistent/info"}, "BACKUP_PGBACKREST_INFO_FILE can't be read"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    bucket: Bucket, readers: list[BackupReader], changed: dict[str, str], told: str
) -> None:
    readers.append(Site(load(bucket.env | changed)).backups)
    readers[-1].attempt()
    with pytest.raises(SourceError, match="the backups could not be read yet") as caught:
        readers[-1].facts()
    assert told in str(caught.value)
    problems, _ = check(bucket.env | changed)
    assert any(told in problem for problem in problems)
    for secret in (SECRET_KEY, ACCESS_KEY, "wrong-secret-word"):
        assert secret not in str(caught.value)


def test_a_login_that_may_not_read_tags_fails_loudly(store: VersityServer, readers: list[BackupReader]) -> None:
    """Not as "unverified", which would page about the backups, and not as nothing."""
    other = Bucket(store, "other")
    other.put("supercheck", HOUR)
    store.add_user("reader", "reader-secret-word")
    actions = ["s3:ListBucket", "s3:GetObject"]
    resources = ["arn:aws:s3:::other", "arn:aws:s3:::other/*"]
    statement = {"Effect": "Allow", "Principal": {"AWS": ["reader"]}, "Action": actions, "Resource": resources}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    other.client.put_bucket_policy(Bucket="other", Policy=json.dumps(policy))
    login = {"BACKUP_AWS_ACCESS_KEY_ID": "reader", "BACKUP_AWS_SECRET_ACCESS_KEY": "reader-secret-word"}
    readers.append(Site(load(other.env | login)).backups)
    with pytest.raises(SourceError, match="forbids GetObjectTagging on other"):
        readers[-1].look()
    statement["Action"] = [*actions, "s3:GetObjectTagging"]
    other.client.put_bucket_policy(Bucket="other", Policy=json.dumps(policy))
    assert of(readers[-1], "supercheck")[0].verified is True


def test_moto_s_server_says_the_same(readers: list[BackupReader]) -> None:
    with MotoServer(buckets=[BUCKET]) as server:
        bucket = Bucket(server)
        bucket.put("supercheck", DAY)
        bucket.put("supercheck", HOUR, verified="false")
        readers.append(Site(load(bucket.env)).backups)
        assert [(b.verified, b.encrypted) for b in of(readers[-1], "supercheck")] == [(True, None), (False, True)]


def test_check_tells_what_is_missing(bucket: Bucket) -> None:
    env = dict(bucket.env)
    env["BACKUP_S3_ENDPOINT"] = env.pop("S3_ENDPOINT")  # Supercheck's own buckets are not looked at
    problems, notes = check(env)
    assert problems == []
    assert {"No full backup of supercheck is there.", "No incremental backup of supercheck is there."} <= set(notes)
