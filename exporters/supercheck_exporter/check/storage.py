"""The part of ``check`` that tries the object store and each bucket."""

from __future__ import annotations

from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.s3 import S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket, watched
from supercheck_exporter.storage.rules import read_rules

NO_LOGIN = "AWS_ACCESS_KEY_ID is not set: requests are signed as the role of this machine, where it has one."
CANARY_AMONG_THEM = "S3_CANARY_BUCKET_NAME is a bucket of Supercheck: the probe writes there. Give it one of its own."
VERSIONS = "{} keeps older versions of its objects: they cost as well, and are in no figure and no plan."


def check_storage(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try S3_ENDPOINT, where it is set: what the collectors read of each bucket."""
    if settings.s3_endpoint is None:
        return
    source = S3Source(settings)
    if settings.aws_access_key_id is None:
        notes.append(NO_LOGIN)
    if settings.s3_canary_bucket_name in {bucket.name for bucket in watched(settings)}:
        notes.append(CANARY_AMONG_THEM)
    try:
        for bucket in watched(settings):
            _check_bucket(source, bucket, problems, notes)
    except S3Error as error:  # the server itself: the next bucket would say the same
        problems.append(f"{error}.")
    finally:
        source.close()


def _check_bucket(source: S3Source, bucket: Bucket, problems: list[str], notes: list[str]) -> None:
    try:
        source.call("list_objects_v2", Bucket=bucket.name, MaxKeys=1)
    except S3Error as error:
        if error.kind not in ("missing", "forbidden", "refused"):
            raise
        problems.append(f"{error} ({bucket.setting}).")
        return
    try:
        source.call("list_multipart_uploads", Bucket=bucket.name, MaxUploads=1)
        if bucket.artifacts:
            read_rules(source, bucket.name)
        if source.call("get_bucket_versioning", Bucket=bucket.name).get("Status") == "Enabled":
            notes.append(VERSIONS.format(bucket.name))
    except S3Error as error:
        if error.kind not in ("forbidden", "unsupported"):
            raise
        note = f"{error}: without it some figures are missing."
        if error.kind == "forbidden" or not any(error.code in known for known in notes):
            notes.append(note)
