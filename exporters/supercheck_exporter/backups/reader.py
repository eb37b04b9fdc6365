"""Lists the backup bucket in the background: names and sizes each time, tags and first bytes of what is new only."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from supercheck_exporter.backups import pgbackrest
from supercheck_exporter.backups.stored import (
    AHEAD_SECONDS,
    HEADER_BYTES,
    TYPES,
    Group,
    RestoreTest,
    Stored,
    is_encrypted,
    time_of,
)
from supercheck_exporter.core import NoData, SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.settings import Settings
from supercheck_exporter.settings.backup import NAME
from supercheck_exporter.sources.s3 import S3Error, S3Source

log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 900.0
"""And never less than three looks."""
MAX_DATABASES = 50
MAX_TAGS = 100
"""So many of the newest backups are asked for their tags; the count of those that are not verified stops there."""

MAX_TESTS = 50
MAX_TEST_BYTES = 1024 * 1024
RESTORE_TESTS = "restore-tests/"

NO_STORE = "S3_BACKUP_BUCKET_NAME is set and no object store is: set BACKUP_S3_ENDPOINT, or S3_ENDPOINT"


class Facts(NamedTuple):
    """Backups by database and type, and the last restore test of each database."""

    backups: Group
    tests: dict[str, RestoreTest]


class _Object(NamedTuple):
    key: str
    etag: str
    size: int


class BackupReader(Follower):
    """Keeps the last whole picture; it is too old after a while."""

    name = "backups"
    retry_seconds = 30.0

    def __init__(self, settings: Settings, source: S3Source) -> None:
        super().__init__()
        self._settings = settings
        self._source = source
        self._bucket = settings.s3_backup_bucket_name
        self._facts = Facts({}, {})
        self._verified: set[_Object] = set()
        self._encrypted: dict[_Object, bool | None] = {}
        self._tests: dict[_Object, tuple[str, RestoreTest] | None] = {}

    def facts(self) -> Facts:
        """What was there at the last look. Raises SourceError where that is too long ago."""
        if not self.last_success and not self.error:
            raise NoData  # the first look is not over
        self.require_fresh(max(MAX_AGE_SECONDS, 3 * self._settings.backup_read_seconds), "the backups")
        return self._facts

    def step(self) -> float:
        """Look, and keep what was seen."""
        self._facts = self.look()
        return self._settings.backup_read_seconds

    def look(self) -> Facts:
        """What is there now. Raises SourceError."""
        backups: Group = {}
        tests: dict[str, RestoreTest] = {}
        if self._bucket is not None:
            backups, tests = self._read_bucket(self._bucket)
        path = self._settings.backup_pgbackrest_info_file
        if path is not None:
            for key, stored in pgbackrest.read(path).items():
                both = (*backups.get(key, ()), *stored)
                backups[key] = tuple(sorted(both, key=lambda backup: backup.at))
        return Facts(backups, tests)

    def stop(self) -> None:
        """End, and close the connections."""
        super().stop()
        self._source.close()

    def _read_bucket(self, bucket: str) -> tuple[Group, dict[str, RestoreTest]]:
        if not self._source.where:
            raise SourceError(NO_STORE)
        backups: Group = {}
        seen: set[_Object] = set()
        for database in self._databases(bucket):
            for kind in TYPES:
                groups = self._groups(bucket, f"{database}/{kind}/")
                seen.update(part for parts in groups.values() for part in parts)
                if groups or database in self._settings.backup_databases:
                    backups[database, kind] = self._stored(bucket, groups)
        self._verified &= seen
        self._encrypted = {part: value for part, value in self._encrypted.items() if part in seen}
        return backups, self._read_tests(bucket, {database for database, _ in backups})

    def _databases(self, bucket: str) -> list[str]:
        """Those that must be there, and those that are."""
        names = list(self._settings.backup_databases)
        for answer in self._pages(bucket, Delimiter="/"):
            for prefix in answer.get("CommonPrefixes", ()):
                name = prefix["Prefix"].rstrip("/")
                if f"{name}/" != RESTORE_TESTS and NAME.fullmatch(name) and name not in names:
                    names.append(name)
        return names[:MAX_DATABASES]

    def _groups(self, bucket: str, prefix: str) -> dict[float, list[_Object]]:
        """Objects by the time in their names; what has none, is empty or comes from the future is no backup."""
        found: dict[float, list[_Object]] = defaultdict(list)
        latest = time.time() + AHEAD_SECONDS
        for part in self._objects(bucket, prefix):
            at = time_of(part.key.removeprefix(prefix))
            if at is not None and at <= latest and part.size:
                found[at].append(part)
        return dict(sorted(found.items()))

    def _stored(self, bucket: str, groups: dict[float, list[_Object]]) -> tuple[Stored, ...]:
        """Oldest first. Tags are read from the newest on, up to the first that is verified."""
        stored: list[Stored] = []
        asking = True
        for age, (at, parts) in enumerate(reversed(groups.items())):
            verified = self._is_verified(bucket, parts) if asking and age < MAX_TAGS else None
            asking = asking and verified is False
            encrypted = self._is_encrypted(bucket, max(parts, key=lambda part: part.size)) if age == 0 else None
            stored.append(Stored(at, sum(part.size for part in parts), verified, encrypted))
        return tuple(reversed(stored))

    def _is_verified(self, bucket: str, parts: list[_Object]) -> bool | None:
        """None where this kind of store has no tags."""
        for part in parts:
            if part in self._verified:
                continue
            try:
                answer = self._source.call("get_object_tagging", Bucket=bucket, Key=part.key)
            except S3Error as error:
                if error.kind == "unsupported":
                    return None
                raise
            if {"Key": "verified", "Value": "true"} not in answer["TagSet"]:
                return False
            self._verified.add(part)
        return True

    def _is_encrypted(self, bucket: str, part: _Object) -> bool | None:
        if part not in self._encrypted:
            self._encrypted[part] = is_encrypted(self._bytes(bucket, part, HEADER_BYTES))
        return self._encrypted[part]

    def _read_tests(self, bucket: str, databases: set[str]) -> dict[str, RestoreTest]:
        """The newest test of each database, as far as the newest MAX_TESTS tell."""
        found: dict[str, RestoreTest] = {}
        dated = []
        for part in self._objects(bucket, RESTORE_TESTS):
            at = time_of(part.key.removeprefix(RESTORE_TESTS))
            if at is not None and part.key.endswith(".json") and at <= time.time() + AHEAD_SECONDS:
                dated.append((at, part))
        newest = sorted(dated, reverse=True)[:MAX_TESTS]
        for at, part in newest:
            if part not in self._tests:
                self._tests[part] = self._read_test(bucket, part, at)
            result = self._tests[part]
            if result is not None:
                found.setdefault(*result)
            if databases <= set(found):
                break
        keep = {part for _, part in newest}
        self._tests = {part: result for part, result in self._tests.items() if part in keep}
        return {database: tested for database, tested in found.items() if database in databases}

    def _read_test(self, bucket: str, part: _Object, at: float) -> tuple[str, RestoreTest] | None:
        try:
            result: Any = json.loads(self._bytes(bucket, part, MAX_TEST_BYTES))
            database, success = result["database"], result["success"]
        except (ValueError, KeyError, TypeError):
            database = success = None
        if not isinstance(database, str) or not isinstance(success, bool):
            log.warning("%s in the backup bucket has no database and success: it counts for nothing", part.key)
            return None
        return database, RestoreTest(at, success)

    def _bytes(self, bucket: str, part: _Object, most: int) -> bytes:
        answer = self._source.call("get_object", Bucket=bucket, Key=part.key, Range=f"bytes=0-{most - 1}")
        with answer["Body"] as body:
            try:
                data: bytes = body.read(most)
            except OSError as error:
                raise SourceError(f"{part.key} in the backup bucket could not be read") from error
        return data

    def _objects(self, bucket: str, prefix: str) -> Iterator[_Object]:
        for answer in self._pages(bucket, Prefix=prefix):
            for entry in answer.get("Contents", ()):
                yield _Object(entry["Key"], entry["ETag"], entry["Size"])

    def _pages(self, bucket: str, **parameters: str) -> Iterator[Any]:
        """A listing, page after page."""
        more: dict[str, str] = {}
        while True:
            answer = self._source.call("list_objects_v2", Bucket=bucket, **parameters, **more)
            yield answer
            token = answer.get("NextContinuationToken")
            if not answer.get("IsTruncated") or not token or self.stopping.is_set():
                return
            more = {"ContinuationToken": token}
