"""Two S3 servers on free ports: versitygw over a folder, and moto for what versitygw lacks.

versitygw is a real server (listings, faults, canary, backups) without storage classes and lifecycle rules; moto knows
these. It is built by `make tools`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from compose.demo.programs import BUILT_TOOLS
from servers.process import Server, ServerError, free_port, missing, require_program
from servers.redis import LOOPBACK, Certificates

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY, SECRET_KEY = "supercheck-admin", "storage-secret-word"
BUCKETS = (
    "playwright-test-artifacts",
    "playwright-job-artifacts",
    "playwright-monitor-artifacts",
    "k6-test-artifacts",
    "k6-job-artifacts",
    "status-page-artifacts",
    "test-requirement-artifacts",
    "project-data-files",
)
"""Supercheck's, by their default names: five of artifacts, three that are kept."""
CLIENT_SECONDS = 10


def s3_client(url: str, access: str = ACCESS_KEY, secret: str = SECRET_KEY, ca: Path | None = None) -> S3Client:
    """A client of a server; the caller closes it."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        verify=str(ca) if ca else None,
        config=Config(
            connect_timeout=CLIENT_SECONDS,
            read_timeout=CLIENT_SECONDS,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
        ),
    )


class S3Server(Server):
    """What both have: an address, an administrator's client, Supercheck's eight buckets."""

    def __init__(self, tls: Certificates | None = None, buckets: Sequence[str] = BUCKETS) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self.port}"
        self.buckets = buckets
        self.ca_path: Path | None = None
        self.certificate: tuple[Path, Path] | None = None
        if tls is not None:
            self.ca_path, *pair = tls.write(self.directory)
            self.certificate = (pair[0], pair[1])
        self._client: S3Client | None = None

    def client(self) -> S3Client:
        """The administrator's client; the same one each time, closed by `stop()`."""
        if self._client is None:
            self._client = s3_client(self.url, ca=self.ca_path)
        return self._client

    def ready(self) -> bool:
        """Lists its buckets, and makes those that it shall have."""
        try:
            there = {bucket["Name"] for bucket in self.client().list_buckets()["Buckets"]}
            for name in self.buckets:
                if name not in there:
                    self.client().create_bucket(Bucket=name)
        except (BotoCoreError, ClientError):
            return False
        return True

    def stop(self) -> None:
        """End it and close its client."""
        if self._client is not None:
            self._client.close()
            self._client = None
        super().stop()

    def exporter_env(self, access: str = ACCESS_KEY, secret: str = SECRET_KEY) -> dict[str, str]:
        """The settings, by Supercheck's names, with which the exporter reads this server."""
        env = {"S3_ENDPOINT": self.url, "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
        if self.ca_path is not None:
            env["S3_CA_FILE"] = str(self.ca_path)
        return env


class VersityServer(S3Server):
    """versitygw: each bucket is a folder of `data`, each object a file, whose time is the object's.

    With `tls` it speaks TLS only, as pgBackRest wants it.
    """

    name = "versitygw"

    def __init__(self, tls: Certificates | None = None, buckets: Sequence[str] = BUCKETS) -> None:
        self.program = BUILT_TOOLS / "versitygw"
        if not self.program.is_file():
            missing("versitygw (make tools)")
        super().__init__(tls, buckets)
        self.data = self.directory / "data"
        self._users = self.directory / "users"
        self.data.mkdir()
        self._users.mkdir()
        self.env = dict(os.environ) | {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}

    def command(self) -> list[str | Path]:
        """The server; its keys stand in its environment."""
        options: list[str | Path] = ["--port", f"{LOOPBACK}:{self.port}", "--quiet", "--keep-alive"]
        options += ["--iam-dir", self._users, "--iam-cache-disable"]
        if self.certificate is not None:
            options += ["--cert", self.certificate[0], "--key", self.certificate[1]]
        return [self.program, *options, "posix", *self._metadata(), self.data]

    def _metadata(self) -> list[str | Path]:
        """Beside the data where the file system has no extended attributes."""
        try:
            os.setxattr(self.data, "user.probe", b"1")
            os.removexattr(self.data, "user.probe")
        except OSError:
            beside = self.directory / "metadata"
            beside.mkdir(exist_ok=True)
            return ["--sidecar", beside]
        return []

    def add_user(self, access: str, secret: str) -> None:
        """A user who may do nothing with other people's buckets."""
        user = ["--access", access, "--secret", secret, "--role", "user"]
        done = subprocess.run(
            [self.program, "admin", "--endpoint-url", self.url, "--allow-insecure", "create-user", *user],
            env=(self.env or {}) | {"ADMIN_ACCESS_KEY": ACCESS_KEY, "ADMIN_SECRET_KEY": SECRET_KEY},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"create-user: {done.stderr}")

    def put(self, bucket: str, key: str, size: int = 1, *, age: float = 0.0, now: float | None = None) -> None:
        """An object of so many bytes, last written `age` seconds before `now` (a Unix time)."""
        self.client().put_object(Bucket=bucket, Key=key, Body=b"x" * size)
        if age:
            path = self.data / bucket / key
            moment = (path.stat().st_mtime if now is None else now) - age
            os.utime(path, (moment, moment))


class MotoServer(S3Server):
    """moto's server, in memory; it knows lifecycle rules and storage classes, and takes any login."""

    name = "moto"

    def command(self) -> list[str | Path]:
        """The server as a process, so that it can be frozen and killed as others are."""
        return [require_program("moto_server"), "-H", LOOPBACK, "-p", str(self.port)]

    def rules(self, bucket: str) -> list[Any]:
        """The lifecycle rules of a bucket."""
        try:
            return list(self.client().get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
        except ClientError as error:
            if error.response["Error"].get("Code") == "NoSuchLifecycleConfiguration":
                return []
            raise
