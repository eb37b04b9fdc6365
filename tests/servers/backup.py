"""The backup job of compose/backup against a PostgreSQL and an S3 server, prepared as its README says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from supercheck_backup.bucket import Bucket
from supercheck_backup.settings import Settings, load

from servers.postgres import DATABASE, PostgresServer
from servers.process import ServerError, require_program
from servers.redis import LOOPBACK
from servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server

FOLDER = Path(__file__).resolve().parents[2] / "compose/backup"
BUCKET = "supercheck-backups"
ROLE, PASSWORD = "supercheck_backup", "backup-secret-word"
KEY = "key-secret-word-of-forty-characters-0123"
RUN_SECONDS = 120


class BackupJob:
    """The job's settings, its modules on these settings, and its command line as a process."""

    def __init__(self, server: PostgresServer, store: S3Server) -> None:
        for name in ("gpg", "zstd", "tar", "setpriv"):
            require_program(name)
        self.server, self.store = server, store
        self.directory = Path(tempfile.mkdtemp(prefix="backup-job-"))
        self.directory.chmod(0o755)  # the server's user goes through it
        self.key_file = self.directory / "key"
        self.key_file.write_text(f"{KEY}\n")
        self.env = {
            "BACKUP_DATABASE_URL": f"postgresql://{ROLE}:{PASSWORD}@{server.address}/{DATABASE}",
            "BACKUP_KEY_FILE": str(self.key_file),
            "BACKUP_WORK": str(self.directory / "work"),
            "S3_BACKUP_BUCKET_NAME": BUCKET,
            "S3_ENDPOINT": store.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
        self._buckets: list[Bucket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bucket in self._buckets:
            bucket.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def prepare_server(self) -> None:
        """What the README asks for: role.sql, and a line in pg_hba.conf."""
        done = subprocess.run(
            [
                require_program("psql"), "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1", "-f", FOLDER / "role.sql",
                f"postgresql://postgres@{self.server.address}/{DATABASE}",
            ],
            env={"PATH": os.environ["PATH"], "BACKUP_PASSWORD": PASSWORD},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ServerError(f"role.sql: {done.stderr}")
        with (self.server.data / "pg_hba.conf").open("a") as file:
            file.write(f"host replication {ROLE} {LOOPBACK}/32 scram-sha-256\n")
        self.server.run("SELECT pg_reload_conf()")

    def settings(self, **changed: str) -> Settings:
        """The job's settings, some of them changed."""
        return load(self.env | changed)

    def bucket(self, **changed: str) -> Bucket:
        """The bucket as the job sees it."""
        self._buckets.append(Bucket(self.settings(**changed)))
        return self._buckets[-1]

    def run(self, *arguments: str | Path, **changed: str) -> subprocess.CompletedProcess[str]:
        """One command of its command line."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FOLDER), **self.env, **changed}
        return subprocess.run(
            [sys.executable, "-m", "supercheck_backup", *map(str, arguments)],
            env=env, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
        )  # fmt: skip

    def tags(self, key: str) -> dict[str, str]:
        """The tags of an object, asked of the store itself."""
        answer = self.store.client().get_object_tagging(Bucket=BUCKET, Key=key)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def keys(self, prefix: str = "") -> list[str]:
        """What lies in the bucket, asked of the store itself."""
        answer: Any = self.store.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """An object's content."""
        return self.store.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
