"""Answers of a real S3 server about a backup bucket, recorded once and played back: the golden file's input.

    PYTHONPATH=tests:exporters .venv/bin/python -m golden.tape_backups

records them anew; afterwards ``make golden``, and review the difference. What is kept is what the reader looks at.
"""

from __future__ import annotations

import io
import json
from collections import deque
from pathlib import Path
from typing import Any

from servers.s3 import VersityServer
from supercheck_exporter.backups.reader import BackupReader
from supercheck_exporter.config import load
from supercheck_exporter.site import Site

PATH = Path(__file__).parent / "answers_backups.json"
NOW = 1_795_521_600.0
"""2026-11-24T12:00:00Z."""

BUCKET = "supercheck-backups"
SEALED = bytes([0x8C, 0x0D, 4, 9]) + bytes(range(128, 256))
SIZES = {21: 400, 22: 410, 23: 405, 24: 420}
"""Size of the full backup of each day of November."""


def fill(server: VersityServer) -> None:
    """Four days of backups; the newest incremental one is not verified yet, and one full one is past its time."""
    stored = [(f"full/202611{day}T010000Z.tar.zst.gpg", size, "true") for day, size in SIZES.items()]
    stored.append(("full/20260801T010000Z.tar.zst.gpg", 300, "true"))
    stored.append(("incremental/20261124T010000Z.tar.zst.gpg", 140, "true"))
    stored.append(("incremental/20261124T070000Z.tar.zst.gpg", 150, "false"))
    for key, size, verified in stored:
        body = (SEALED * 4)[:size]
        server.client().put_object(Bucket=BUCKET, Key=f"supercheck/{key}", Body=body, Tagging=f"verified={verified}")
    result = json.dumps({"database": "supercheck", "success": True}).encode()
    server.client().put_object(Bucket=BUCKET, Key="restore-tests/20261101T020000Z.json", Body=result)


class Player:
    """Gives the recorded answers in the order in which the reader asks."""

    where = "recorded"

    def __init__(self, kept: list[Any]) -> None:
        self._kept = deque(kept)

    def call(self, operation: str, **_parameters: Any) -> Any:
        """The next answer, which must be one to this question."""
        asked, answer = self._kept.popleft()
        assert asked == operation
        return answer if "Body" not in answer else answer | {"Body": io.BytesIO(bytes.fromhex(answer["Body"]))}

    def close(self) -> None:
        """Nothing is open."""


def reader_on(source: Any) -> BackupReader:
    """A reader of that bucket."""
    return BackupReader(load({"S3_BACKUP_BUCKET_NAME": BUCKET}), source)


def recorded() -> list[Any]:
    """The answers, in order."""
    answers: list[Any] = json.loads(PATH.read_text(encoding="utf-8"))["answers"]
    return answers


def record() -> None:
    """Ask a real server, and keep what it says."""
    with VersityServer(buckets=[BUCKET]) as server:
        fill(server)
        reader = Site(load(server.exporter_env() | {"S3_BACKUP_BUCKET_NAME": BUCKET})).backups
        call, kept = reader._source.call, []

        def listen(operation: str, **parameters: Any) -> Any:
            answer: Any = call(operation, **parameters)
            if operation == "get_object":
                body = answer["Body"].read()
                kept.append((operation, {"Body": body.hex()}))
                return {"Body": io.BytesIO(body)}
            short = {name: answer[name] for name in ("CommonPrefixes", "TagSet", "IsTruncated") if name in answer}
            if "Contents" in answer:
                names = ("Key", "ETag", "Size")
                short["Contents"] = [{name: entry[name] for name in names} for entry in answer["Contents"]]
            kept.append((operation, short))
            return answer

        reader._source.call = listen  # type: ignore[method-assign]
        reader.look()
        reader.stop()
    PATH.write_text(json.dumps({"server": "versitygw", "answers": kept}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
