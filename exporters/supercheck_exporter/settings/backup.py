"""Where backups of the database are looked for, and how long they are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr

from supercheck_exporter.settings.fields import Count, Group, Positive, Url, setting

_URL = "a URL that starts with http:// or https://"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")
"""Of a database, as the first part of an object's name."""


def _names(text: object) -> object:
    if not isinstance(text, str):
        return text
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not all(NAME.fullmatch(name) for name in names):
        raise ValueError("not the name of a database")
    return names


class BackupSettings(Group):
    """Where backups of the database are looked for, and how long they are kept."""

    s3_backup_bucket_name: str | None = setting(
        None, "the name of a bucket", "The bucket of the backups; unset: none are looked for in a bucket."
    )
    backup_databases: Annotated[tuple[str, ...], BeforeValidator(_names)] = setting(
        ("supercheck",),
        "names, separated by commas",
        "Databases that must have backups; others are found by themselves.",
    )
    backup_retention_days: Count = setting(
        90, "a whole number over 0", "How long backups are kept: 90 days for production, 30 for development."
    )
    backup_read_seconds: Positive = setting(120, "seconds over 0", "How often the backup bucket is looked at.")
    backup_s3_endpoint: Url | None = setting(None, _URL, "Object store of the backups; unset: S3_ENDPOINT.")
    backup_aws_region: str | None = setting(None, "the name of a region", "Its region; unset: AWS_REGION.")
    backup_aws_access_key_id: SecretStr | None = setting(
        None, "any text", "Access key of a user who may read it; unset: AWS_ACCESS_KEY_ID."
    )
    backup_aws_secret_access_key: SecretStr | None = setting(None, "any text", "Its secret key.")
    backup_pgbackrest_info_file: Path | None = setting(
        None, "the path of a file", "What `pgbackrest --output=json info` printed lately; unset: no pgBackRest."
    )

    def backup_store(self) -> dict[str, Any]:
        """The settings of the object store that the backups have of their own, by the names of Supercheck's."""
        own = {
            "s3_endpoint": self.backup_s3_endpoint,
            "aws_region": self.backup_aws_region,
            "aws_access_key_id": self.backup_aws_access_key_id,
            "aws_secret_access_key": self.backup_aws_secret_access_key,
        }
        return {name: value for name, value in own.items() if value is not None}
