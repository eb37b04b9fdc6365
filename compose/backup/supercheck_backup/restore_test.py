"""The monthly proof: the newest chain restored into a scratch server, its rows counted against the source's.

The source goes on living, so it is counted before and after the moment that is restored: a table passes where the
restored count lies between the two, give or take a hundredth. The result goes to restore-tests/<time>.json:

    {"database": "supercheck", "backup": "supercheck/full/...", "started": "2026-11-24T02:00:00Z", "finished": "...",
     "success": true, "tables": 63, "rows": 120394, "differences": [], "secrets": "decrypts"}
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from supercheck_backup import envelope, names
from supercheck_backup.bucket import Bucket
from supercheck_backup.database import Connection, connect, count_rows, row
from supercheck_backup.errors import BackupError, ChainBrokenError
from supercheck_backup.restore import build, plan
from supercheck_backup.scratch import server
from supercheck_backup.settings import Settings
from supercheck_backup.take import take_full, take_incremental

log = logging.getLogger(__name__)

SLACK = 100
"""One row in so many may differ: rows come and go between the two counts."""

MOST_DIFFERENCES = 20

_ENVELOPE = """
SELECT project_id::text AS project, encrypted_value AS value FROM project_variables
WHERE encrypted_value LIKE 'enc:v1:%' LIMIT 1
"""


def run_test(settings: Settings, bucket: Bucket) -> dict[str, Any]:
    """Test, and store the result whatever it is; returns it."""
    started = datetime.now(UTC)
    result: dict[str, Any] = {"database": settings.database, "started": _iso(started), "success": False}
    try:
        result |= _test(settings, bucket)
    except BackupError as error:
        result["error"] = str(error)
    result["finished"] = _iso(datetime.now(UTC))
    bucket.put(f"{names.RESTORE_TESTS}/{names.stamp(started)}.json", json.dumps(result, indent=1).encode())
    return result


def _test(settings: Settings, bucket: Bucket) -> dict[str, Any]:
    with connect(settings.database_url) as source:
        before = count_rows(source)
    try:
        take_incremental(settings, bucket)
    except ChainBrokenError as error:
        log.warning("%s", error)
        take_full(settings, bucket)
    with connect(settings.database_url) as source:
        after = count_rows(source)
    chosen = plan(settings, bucket, None)
    settings.work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="restore-test-", dir=settings.work))
    folder.chmod(0o755)  # PostgreSQL's user goes through it
    data = folder / "data"
    data.mkdir()
    try:
        build(settings, bucket, chosen, data, None)
        with server(settings, data, {}) as socket, connect(_restored(settings, socket)) as restored:
            counted = count_rows(restored)
            secrets = _secrets(settings, restored)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong = differences(before, after, counted)
    return {
        "backup": chosen.full.key,
        "increments": len(chosen.increments),
        "tables": len(counted),
        "rows": sum(counted.values()),
        "differences": wrong[:MOST_DIFFERENCES],
        "secrets": secrets,
        "success": not wrong and secrets not in ("malformed", "wrong key"),
    }


def differences(before: dict[str, int], after: dict[str, int], restored: dict[str, int]) -> list[str]:
    """One sentence a table whose restored count is not what it should be."""
    wrong = []
    for table in sorted(set(before) & set(after)):
        low, high = sorted((before[table], after[table]))
        slack = high // SLACK
        rows = restored.get(table)
        if rows is None:
            wrong.append(f"{table} is missing")
        elif not low - slack <= rows <= high + slack:
            wrong.append(f"{table}: {rows} rows restored, {low} to {high} in the source")
    return wrong


def _restored(settings: Settings, socket: str) -> str:
    source = conninfo_to_dict(settings.database_url)
    return make_conninfo(socket, user=str(source.get("user", "postgres")), dbname=str(source.get("dbname", "postgres")))


def _secrets(settings: Settings, restored: Connection) -> str:
    if not row(restored, "SELECT to_regclass('public.project_variables') IS NOT NULL AS there")["there"]:
        return "none stored"
    secret = row(restored, _ENVELOPE)
    if not secret:
        return "none stored"
    return envelope.judge(str(secret["value"]), str(secret["project"]), settings.secret_encryption_key)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
