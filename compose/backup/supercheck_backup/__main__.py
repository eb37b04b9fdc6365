"""The command line: supercheck-backup COMMAND."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from supercheck_backup.bucket import Bucket
from supercheck_backup.database import check
from supercheck_backup.errors import BackupError, in_words
from supercheck_backup.restore import restore
from supercheck_backup.restore_test import run_test
from supercheck_backup.retention import prune
from supercheck_backup.schedule import Loop, alone, is_healthy, perform
from supercheck_backup.settings import Settings, load
from supercheck_backup.take import recover_key, take_full, take_incremental

log = logging.getLogger("supercheck_backup")


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def parser() -> argparse.ArgumentParser:
    """Every command."""
    top = argparse.ArgumentParser(prog="supercheck-backup", description="Backups of Supercheck's PostgreSQL.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("schedule", help="do what is due, until it is stopped")
    commands.add_parser("due", help="do what is due, once")
    commands.add_parser("check", help="try the settings, the server and the bucket")
    commands.add_parser("full", help="take a full backup now")
    commands.add_parser("incremental", help="take an incremental backup now")
    commands.add_parser("prune", help="delete what is past its time")
    commands.add_parser("restore-test", help="restore into a scratch server and count")
    commands.add_parser("healthy", help="whether the schedule runs well; for a health check")
    one = commands.add_parser("restore", help="restore into a data directory")
    one.add_argument("--into", type=Path, required=True, help="the data directory; PostgreSQL must be stopped")
    one.add_argument("--until", type=_moment, help="a moment in UTC, such as 2026-11-24T05:30:00Z; default: the end")
    two = commands.add_parser("recover-key", help="write the SECRET_ENCRYPTION_KEY that was kept into a file")
    two.add_argument("file", type=Path)
    return top


ALONE = {"due", "full", "incremental", "prune", "restore-test"}
"""Commands that the schedule does as well: never two at once on one work folder."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one command."""
    if arguments.command in ALONE:
        with alone(settings):
            return _run(arguments, settings)
    return _run(arguments, settings)


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.command == "healthy":
        problem = is_healthy(settings, datetime.now(UTC))
        print(problem or "healthy")
        return 1 if problem else 0
    bucket = Bucket(settings)
    if arguments.command == "schedule":
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        Loop(settings, bucket, stopping).run()
    elif arguments.command == "due":
        perform(settings, bucket)
    elif arguments.command == "check":
        check(settings.database_url)
        bucket.backups(settings.database, "full")
        log.info("the server and the bucket answer")
    elif arguments.command == "full":
        take_full(settings, bucket)
    elif arguments.command == "incremental":
        take_incremental(settings, bucket)
    elif arguments.command == "prune":
        prune(settings, bucket, datetime.now(UTC))
    elif arguments.command == "restore-test":
        result = run_test(settings, bucket)
        log.info("restore test: %s", result)
        return 0 if result["success"] else 1
    elif arguments.command == "restore":
        restore(settings, bucket, arguments.into, arguments.until)
    else:
        source = recover_key(settings, bucket, arguments.file)
        log.info("%s is written to %s", source, arguments.file)
    return 0


def main() -> int:
    """The command line; 1 with one sentence where something failed, 2 where the settings are wrong."""
    arguments = parser().parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = load(os.environ)
    except BackupError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return run(arguments, settings)
    except BackupError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(in_words(error), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
