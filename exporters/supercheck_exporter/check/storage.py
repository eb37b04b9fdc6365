"""The part of ``check`` that tries the object store and each bucket."""

from __future__ import annotations

from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.s3 import S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket, watched

NO_LOGIN = "AWS_ACCESS_KEY_ID is not set: requests are signed as the role of this machine, where it has one."


def check_storage(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try S3_ENDPOINT, where it is set: a listing of each bucket."""
    if settings.s3_endpoint is None:
        return
    source = S3Source(settings)
    if settings.aws_access_key_id is None:
        notes.append(NO_LOGIN)
    try:
        for bucket in watched(settings):
            _check_bucket(source, bucket, problems)
    except S3Error as error:  # the server itself: the next bucket would say the same
        problems.append(f"{error}.")
    finally:
        source.close()


def _check_bucket(source: S3Source, bucket: Bucket, problems: list[str]) -> None:
    try:
        source.call("list_objects_v2", Bucket=bucket.name, MaxKeys=1)
    except S3Error as error:
        if error.kind not in ("missing", "forbidden"):
            raise
        problems.append(f"{error} ({bucket.setting}).")
