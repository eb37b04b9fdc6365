"""The job's settings, from the environment; secrets from files only. Every problem is told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from supercheck_backup.errors import BackupError
from supercheck_backup.names import SUFFIX

LEAST_KEY = 32
"""Characters of the key's file: 32 random bytes in base64 are 44."""


@dataclass(frozen=True)
class Settings:
    """What is set."""

    database_url: str
    database: str
    """The first part of every key; the name of the database where it is not set."""
    bucket: str
    endpoint: str | None
    region: str
    access_key: str
    secret_key: str
    ca_file: str | None
    key_file: Path
    secret_encryption_key: str | None
    """Supercheck's SECRET_ENCRYPTION_KEY, where its file is given."""
    retention_days: int
    packing: str
    full_at: int
    """Minutes after midnight, UTC."""
    incremental_hours: int
    restore_test_days: int
    slot: str
    work: Path
    programs: Path | None
    """Folder of PostgreSQL's programs; None: the newest that is installed."""


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def text(self, *names: str, default: str = "") -> str:
        """The first of these that is set, by itself or by a file."""
        for name in names:
            if self.env.get(name):
                return self.env[name]
            path = self.env.get(f"{name}_FILE")
            if path:
                return self.file(f"{name}_FILE", path) or ""
        return default

    def file(self, name: str, path: str) -> str | None:
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.problems.append(f"{name} names {path}, which cannot be read ({reason}): mount the file, or unset it.")
            return None

    def need(self, *names: str, what: str) -> str:
        value = self.text(*names)
        if not value and not any(problem.startswith(names) for problem in self.problems):
            self.problems.append(f"{names[0]} is not set: set it to {what}.")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.env.get(name) or str(default)
        if not text.isdigit() or not low <= int(text) <= high:
            self.problems.append(f'{name}: read "{text}", allowed is a whole number from {low} to {high}.')
            return default
        return int(text)


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises BackupError with every problem.
    """
    read = _Reader(env)
    url = read.need("BACKUP_DATABASE_URL", what="PostgreSQL itself, with the role of role.sql")
    database = read.text("BACKUP_DATABASE")
    try:
        database = database or str(conninfo_to_dict(url).get("dbname", "")) or "supercheck"
    except ProgrammingError:  # its text shows the URL
        read.problems.append(
            "BACKUP_DATABASE_URL is not a URL of libpq: postgresql://user:password@host:port/database."
        )
    if database and not re.fullmatch(r"[A-Za-z0-9_.-]{1,63}", database):
        read.problems.append("BACKUP_DATABASE: allowed are letters, digits, dot, hyphen and underscore.")
    full_at = env.get("BACKUP_FULL_AT") or "01:00"
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", full_at):
        read.problems.append(f'BACKUP_FULL_AT: read "{full_at}", allowed is a time of the day in UTC such as 01:00.')
        full_at = "01:00"
    packing = env.get("BACKUP_COMPRESSION") or "zstd"
    if packing not in SUFFIX:
        read.problems.append(f'BACKUP_COMPRESSION: read "{packing}", allowed is zstd or gzip.')
    key_file = env.get("BACKUP_KEY_FILE", "")
    if not key_file:
        read.problems.append("BACKUP_KEY_FILE is not set: set it to the file with the key (README.md says how).")
    elif (key := read.file("BACKUP_KEY_FILE", key_file)) is not None and len(key) < LEAST_KEY:
        read.problems.append(f"BACKUP_KEY_FILE: the key has fewer than {LEAST_KEY} characters (README.md says how).")
    settings = Settings(
        database_url=url,
        database=database,
        bucket=read.need("S3_BACKUP_BUCKET_NAME", what="the bucket that backups go to, one of their own"),
        endpoint=read.text("BACKUP_S3_ENDPOINT", "S3_ENDPOINT") or None,
        region=read.text("BACKUP_AWS_REGION", "AWS_REGION", default="us-east-1"),
        access_key=read.need("BACKUP_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", what="a login of the object store"),
        secret_key=read.need("BACKUP_AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", what="the secret of that login"),
        ca_file=env.get("S3_CA_FILE") or None,
        key_file=Path(key_file),
        secret_encryption_key=read.text("SECRET_ENCRYPTION_KEY") or None,
        retention_days=read.number("BACKUP_RETENTION_DAYS", 90, 1, 3650),
        packing=packing,
        full_at=int(full_at[:2]) * 60 + int(full_at[3:]),
        incremental_hours=read.number("BACKUP_INCREMENTAL_HOURS", 6, 1, 24),
        restore_test_days=read.number("BACKUP_RESTORE_TEST_DAYS", 30, 1, 31),
        slot=env.get("BACKUP_SLOT") or "supercheck_backup",
        work=Path(env.get("BACKUP_WORK") or "/var/lib/supercheck-backup"),
        programs=Path(env["BACKUP_PROGRAMS"]) if env.get("BACKUP_PROGRAMS") else None,
    )  # fmt: skip
    if read.problems:
        raise BackupError("\n".join(read.problems))
    return settings
