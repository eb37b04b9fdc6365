"""A PostgreSQL of our own on a restored directory: reached by a socket only, and it archives nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg

from supercheck_backup.errors import BackupError
from supercheck_backup.programs import as_server, give_to_server, postgres_program
from supercheck_backup.settings import Settings

POLL_SECONDS = 0.2
STOP_SECONDS = 300.0
SOCKET_PORT = 5432


@contextmanager
def server(settings: Settings, data: Path, extra: Mapping[str, str]) -> Iterator[str]:
    """Start it on a data directory; gives the start of a connection string when it takes connections.

    While it recovers it takes none. Raises BackupError with its own last word when it ends by itself.
    """
    # the path of a socket may have 107 characters
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    hba = folder / "pg_hba.conf"
    hba.write_text("local all all trust\n")
    give_to_server(folder)
    options = {
        # nothing of the site's own configuration reaches out, or needs what is not here
        "listen_addresses": "", "unix_socket_directories": str(folder), "port": str(SOCKET_PORT), "hba_file": str(hba),
        "ssl": "off", "archive_mode": "off", "shared_preload_libraries": "", "hot_standby": "off",
        "primary_conninfo": "", "logging_collector": "off", "log_destination": "stderr", "lc_messages": "C",
        "autovacuum": "off", **extra,
    }  # fmt: skip
    log_path = folder / "log"
    with log_path.open("wb") as log:
        flags = [f"--{key}={value}" for key, value in options.items()]
        command = as_server(postgres_program(settings, "postgres"), "-D", data, *flags)
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    target = f"host={folder} port={SOCKET_PORT} connect_timeout=10"
    try:
        while not _takes_connections(target):
            if process.poll() is not None:
                raise BackupError(f"recovery failed: {_last_word(log_path)}")
            time.sleep(POLL_SECONDS)
        yield target
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # fast: it ends our connections, and writes everything down
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def recover(settings: Settings, data: Path, log_folder: Path, until: datetime | None) -> None:
    """Let PostgreSQL replay the log to its end, or to a moment, and shut down well."""
    (data / "recovery.signal").touch()
    give_to_server(data / "recovery.signal")
    options = {"restore_command": f'cp "{log_folder}/%f" "%p"'}
    if until is not None:
        options |= {
            "recovery_target_time": f"{until:%Y-%m-%d %H:%M:%S}+00", "recovery_target_action": "promote",
        }  # fmt: skip
    with server(settings, data, options):
        pass
    state = (data / "postmaster.pid").exists()
    if state or (data / "recovery.signal").exists():
        raise BackupError("recovery did not come to its end: the restored server did not stop well")


def _takes_connections(target: str) -> bool:
    try:
        psycopg.connect(f"{target} user=postgres dbname=template1").close()
    except psycopg.OperationalError as error:
        # no such role: the server is there, and the site's superuser has another name
        return "does not exist" in str(error)
    return True


def _last_word(path: Path) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR"))] or lines
    text = told[-1].strip()[:300] if told else "the server ended and said nothing"
    if any("No space left on device" in line for line in lines):
        return "the disk is full: make room, or mount a larger volume"
    return text
