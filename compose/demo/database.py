"""PostgreSQL and PgBouncer as processes of this machine: their files, and the user that they run as.

Both refuse to run as root. Where we are root they run as the user postgres, which Debian's package made.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from compose.demo.programs import find

ROOT = Path(__file__).resolve().parents[2]
TABLES = Path(__file__).with_name("site") / "supercheck.sql"
ROLE = ROOT / "exporters/sql/role.sql"
SUPERUSER = "postgres"
SETUP_SECONDS = 60.0

Command = Sequence[str | Path]


class DatabaseError(RuntimeError):
    """A database can't be made; the message says why."""


def unprivileged(*command: str | Path) -> list[str | Path]:
    """The command as the user postgres where we are root; the kernel still ends it when its parent dies."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL", "--", *command]


def give_away(path: Path) -> None:
    """Let the user postgres own a folder and what is in it."""
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise DatabaseError("PostgreSQL refuses to run as root, and this machine has no user postgres") from None
    for entry in [path, *path.rglob("*")]:
        os.chown(entry, user.pw_uid, user.pw_gid)


def initialize(initdb: Path, data: Path, access: Sequence[str], settings: Mapping[str, object]) -> None:
    """Make a server's folder `data` inside one that belongs to it; DatabaseError with what initdb said.

    `access` are the lines of pg_hba.conf, `settings` those of postgresql.conf. It is not kept safe against a crash.
    """
    command = unprivileged(
        initdb, "-D", data, "-U", SUPERUSER, "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8",
        "--no-instructions",
    )  # fmt: skip
    # a group of its own: initdb starts programs, which must not go on when we are told to stop
    with subprocess.Popen(
        command, cwd=data.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        try:
            _, said = process.communicate(timeout=SETUP_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        hint = f" (the user postgres must be let into {data.parent}: set TMPDIR)" if "denied" in said else ""
        raise DatabaseError(f"initdb: {said.strip()}{hint}")
    (data / "pg_hba.conf").write_text("".join(f"{line}\n" for line in access), encoding="utf-8")
    small = {"listen_addresses": "127.0.0.1", "fsync": "off", "shared_buffers": "32MB", "lc_messages": "C"}
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in {**small, **settings}.items())


def grant_exporter(url: str, password: str) -> None:
    """Make the exporter's role with exporters/sql/role.sql, as the manual says; `url` is a superuser's."""
    psql = find("psql")
    if psql is None:
        raise DatabaseError("the program psql is missing")
    done = subprocess.run(
        [psql, "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1", "-f", ROLE, url],
        env={"PATH": os.environ.get("PATH", os.defpath), "EXPORTER_PASSWORD": password},
        capture_output=True, text=True, timeout=SETUP_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DatabaseError(f"role.sql: {done.stderr.strip()}")


def pooler_files(folder: Path, target: str, users: Mapping[str, str], settings: Mapping[str, object]) -> Path:
    """Write PgBouncer's two files into a folder that belongs to it; return the path of its configuration.

    `target` is the line of [databases], `users` are the passwords by name; the rest is as compose/pgbouncer has it.
    """
    (folder / "users.txt").touch(mode=0o600)
    (folder / "users.txt").write_text("".join(f'"{name}" "{word}"\n' for name, word in users.items()), encoding="utf-8")
    lines = {
        "listen_addr": "127.0.0.1", "unix_socket_dir": "", "pool_mode": "transaction", "auth_type": "scram-sha-256",
        "auth_file": folder / "users.txt", "max_client_conn": 2000, "default_pool_size": 80, "max_db_connections": 80,
        "ignore_startup_parameters": "extra_float_digits", **settings,
    }  # fmt: skip
    path = folder / "pgbouncer.ini"
    text = f"[databases]\n{target}\n[pgbouncer]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.write_text(text, encoding="utf-8")
    give_away(folder)
    return path
