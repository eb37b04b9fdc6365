"""The backup bucket: what is in it, and how backups go there and come back. Nothing else here speaks to the store."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import IO, Any, cast

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from supercheck_backup.errors import BackupError
from supercheck_backup.names import RESTORE_TESTS, Backup, parse
from supercheck_backup.pipes import Source
from supercheck_backup.settings import Settings

log = logging.getLogger(__name__)

PART_BYTES = 64 * 1024 * 1024
"""Of an upload: 10,000 parts are possible, so a backup may have 640 GB."""

PARTS_IN_MEMORY = 2
NEWEST_TESTS = 10

VERIFIED = "verified"
UNPACKED = "unpacked-bytes"
CHAIN = "chain"
"""Set to `begins` on an incremental backup that does not follow the one before it."""


class Bucket:
    """One bucket."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.bucket
        self._where = f"the bucket {settings.bucket} at {settings.endpoint or 'AWS'}"
        self._client = boto3.client(
            "s3", endpoint_url=settings.endpoint, region_name=settings.region,
            aws_access_key_id=settings.access_key, aws_secret_access_key=settings.secret_key,
            verify=settings.ca_file,
            config=Config(
                s3={"addressing_style": "path"}, retries={"max_attempts": 5, "mode": "standard"},
                connect_timeout=10, read_timeout=60,
            ),
        )  # fmt: skip

    def upload(self, key: str, source: Source, tags: Mapping[str, str]) -> None:
        """Store what the source gives. A source that raises leaves nothing behind."""
        parts = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=PARTS_IN_MEMORY
        )
        # a stream is read ahead: ten parts by default, which is more memory than the container has
        parts.max_in_memory_upload_chunks = PARTS_IN_MEMORY
        body = cast(IO[bytes], source)
        try:
            self._client.upload_fileobj(body, self.name, key, ExtraArgs={"Tagging": _tagging(tags)}, Config=parts)
        except (ClientError, BotoCoreError, S3UploadFailedError) as error:
            raise self._error(f"uploading {key} to", error) from error

    def put(self, key: str, data: bytes) -> None:
        """Store a small object."""
        try:
            self._client.put_object(Bucket=self.name, Key=key, Body=data)
        except (ClientError, BotoCoreError) as error:
            raise self._error(f"writing {key} to", error) from error

    def open(self, key: str) -> Source:
        """An object to read."""
        try:
            body: Source = self._client.get_object(Bucket=self.name, Key=key)["Body"]
        except (ClientError, BotoCoreError) as error:
            raise self._error(f"reading {key} of", error) from error
        return _Body(body, self, key)

    def keys(self, prefix: str) -> list[tuple[str, int]]:
        """Keys below a prefix, in order, and their sizes."""
        found = []
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                found += [(entry["Key"], entry["Size"]) for entry in page.get("Contents", ())]
        except (ClientError, BotoCoreError) as error:
            raise self._error("listing", error) from error
        return sorted(found)

    def backups(self, database: str, kind: str) -> list[Backup]:
        """The backups of a database and type, oldest first."""
        found = (parse(key, size) for key, size in self.keys(f"{database}/{kind}/"))
        return sorted(backup for backup in found if backup is not None)

    def tags(self, key: str) -> dict[str, str]:
        """The tags of an object."""
        try:
            answer = self._client.get_object_tagging(Bucket=self.name, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._error(f"reading the tags of {key} in", error) from error
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of an object."""
        pairs: Any = [{"Key": name, "Value": value} for name, value in tags.items()]
        try:
            self._client.put_object_tagging(Bucket=self.name, Key=key, Tagging={"TagSet": pairs})
        except (ClientError, BotoCoreError) as error:
            raise self._error(f"tagging {key} in", error) from error

    def is_verified(self, backup: Backup) -> bool:
        """Whether the backup was read back and found whole."""
        return self.tags(backup.key).get(VERIFIED) == "true"

    def newest_verified(self, database: str, kind: str) -> Backup | None:
        """The newest backup that was found whole."""
        return next((b for b in reversed(self.backups(database, kind)) if self.is_verified(b)), None)

    def delete(self, key: str) -> None:
        """Remove an object."""
        try:
            self._client.delete_object(Bucket=self.name, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._error(f"deleting {key} from", error) from error

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def restore_tests(self) -> list[dict[str, Any]]:
        """The results of the newest restore tests, oldest first; one that cannot be read is left out."""
        results = []
        for key, _ in self.keys(f"{RESTORE_TESTS}/")[-NEWEST_TESTS:]:
            try:
                result = json.loads(self.open(key).read())
            except ValueError:
                log.warning("%s is not JSON: it is left out", key)
                continue
            if isinstance(result, dict):
                results.append(result)
        return results

    def _error(self, doing: str, error: BaseException) -> BackupError:
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            meaning = {
                "NoSuchBucket": "it does not exist: create it",
                "AccessDenied": "this login may not do that: README.md lists what it needs",
                "InvalidAccessKeyId": "this login is not known there (AWS_ACCESS_KEY_ID)",
                "SignatureDoesNotMatch": "the secret is wrong (AWS_SECRET_ACCESS_KEY)",
                "NoSuchKey": "it is gone",
            }.get(code, f"the store answered {code}")
        else:
            meaning = " ".join(str(error).split())[:300]
        return BackupError(f"{doing} {self._where}: {meaning}")


class _Body:
    """An object's content, whose errors are ours."""

    def __init__(self, body: Source, bucket: Bucket, key: str) -> None:
        self._body, self._bucket, self._key = body, bucket, key

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._body.read(size) if size >= 0 else self._body.read()
        except (BotoCoreError, OSError) as error:
            raise self._bucket._error(f"reading {self._key} of", error) from error


def _tagging(tags: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in tags.items())
