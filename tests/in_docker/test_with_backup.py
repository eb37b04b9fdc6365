"""The profile backup on the demo's database and an S3 server of this folder, set up as its manual says."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest
from servers.bundle import Bundle
from servers.docker_engine import DockerEngine
from servers.process import missing

from compose.demo.programs import find

BUCKET = "supercheck-backups"
SETTINGS = {"S3_BACKUP_BUCKET_NAME": BUCKET, "BACKUP_S3_ENDPOINT": "http://s3:7070", "AWS_REGION": "us-east-1"}
FIRST_BACKUP_SECONDS = 300.0
COMPOSE = ("--profile", "backup")


@pytest.fixture(scope="module")
def store(engine: DockerEngine, bundle: Bundle) -> Iterator[str]:
    """An S3 server where the job looks for one; its container."""
    program = find("versitygw") or missing("versitygw (make tools)")
    words = [
        "run", "--detach", f"--network={bundle.network}", "--network-alias=s3", f"--volume={program}:/versitygw:ro",
        "--env=ROOT_ACCESS_KEY", "--env=ROOT_SECRET_KEY", "debian:12.12-slim",
        "sh", "-c", f"mkdir -p /data/{BUCKET} && exec /versitygw --port :7070 posix /data",
    ]  # fmt: skip
    keys = {"ROOT_ACCESS_KEY": bundle.word, "ROOT_SECRET_KEY": bundle.word * 2}
    name = engine.command(["docker", *words], more=keys).stdout.strip()
    try:
        yield name
    finally:
        engine.run("rm", "--force", "--volumes", name)


@pytest.fixture(scope="module")
def role(engine: DockerEngine, bundle: Bundle) -> None:
    """The role, and the line that lets it in."""
    server = bundle.container("demo-postgres")["Id"]
    script = (bundle.folder / "compose/backup/role.sql").read_text(encoding="utf-8")
    psql = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "supercheck"]
    engine.run("exec", "--interactive", f"--env=BACKUP_PASSWORD={bundle.word}", server, *psql, text=script)
    line = 'echo "host replication supercheck_backup all trust" >> "$PGDATA/pg_hba.conf"'
    engine.run("exec", server, "sh", "-c", line)
    engine.run("exec", server, *psql, "-c", "select pg_reload_conf()")


def files(engine: DockerEngine, store: str) -> set[str]:
    """What lies in the bucket."""
    return set(engine.run("exec", store, "sh", "-c", f"cd /data/{BUCKET} && find . -type f").stdout.split())


@pytest.mark.usefixtures("role")
def test_the_first_backup_is_taken_and_survives_the_job(engine: DockerEngine, bundle: Bundle, store: str) -> None:
    said = bundle.compose(*COMPOSE, "run", "--rm", "backup", "check", settings=SETTINGS)
    assert bundle.word not in said
    bundle.compose(*COMPOSE, "up", "--detach", "--no-build", "backup", settings=SETTINGS)
    bundle.wait_states({"backup": "healthy"}, FIRST_BACKUP_SECONDS)
    full = {name for name in files(engine, store) if "/full/" in name}
    assert full
    before = bundle.container("backup")["State"]["StartedAt"]
    os.kill(bundle.container("backup")["State"]["Pid"], signal.SIGKILL)
    bundle.wait_states({"backup": "healthy"}, FIRST_BACKUP_SECONDS)
    assert bundle.container("backup")["State"]["StartedAt"] != before
    assert full <= files(engine, store)
    assert bundle.word not in json.dumps(bundle.container("backup"))
