"""The programs that the job calls: PostgreSQL's, the packer, gpg, tar."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supercheck_backup.errors import BackupError
from supercheck_backup.pipes import run
from supercheck_backup.settings import Settings

Command = list[str | Path]
SERVER_USER = "postgres"


def postgres_program(settings: Settings, name: str) -> Path:
    """One of PostgreSQL's own, of the newest version that is installed."""
    folders = [settings.programs] if settings.programs else _by_version(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise BackupError(f"PostgreSQL's program {name} is not installed here: set BACKUP_PROGRAMS to its folder.")


def _by_version(folders: Iterator[Path]) -> list[Path]:
    return sorted(folders, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True)


def major(settings: Settings) -> str:
    """The version of the programs, as a data directory states its own."""
    text = run("asking postgres for its version", postgres_program(settings, "postgres"), "--version")
    found = re.search(r"(\d+)", text)
    return found[1] if found else ""


def pack(packing: str) -> Command:
    """Compress standard input to standard output."""
    return ["zstd", "-q", "-c"] if packing == "zstd" else ["gzip", "-c"]


def unpack(packing: str) -> Command:
    """The reverse of pack()."""
    return ["zstd", "-q", "-d", "-c"] if packing == "zstd" else ["gzip", "-d", "-c"]


@contextmanager
def gpg(settings: Settings) -> Iterator[tuple[Command, Command]]:
    """The commands that encrypt and decrypt standard input with the key, as long as the block lasts.

    AES-256 in OpenPGP's form: its first bytes state the cipher, and a change or a cut is noticed when it is read.
    gpg wants a folder for its agent: an empty one, which is removed again, and the agent with it.
    """
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    common: Command = [
        "gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--no-symkey-cache", "--pinentry-mode", "loopback",
        "--passphrase-file", settings.key_file,
    ]  # fmt: skip
    try:
        yield (
            [*common, "--rfc4880", "--cipher-algo", "AES256", "--s2k-digest-algo", "SHA256", "--compress-algo", "none",
             "--symmetric", "--output", "-"],
            [*common, "--decrypt", "--output", "-"],
        )  # fmt: skip
    finally:
        shutil.rmtree(home, ignore_errors=True)


def as_server(*command: str | Path) -> Command:
    """The command as PostgreSQL's user where the job runs as root, which the server's programs refuse."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups", "--", *command]


def give_to_server(path: Path) -> None:
    """Let PostgreSQL's user own a folder and what is in it, where the job runs as root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(SERVER_USER)
        for entry in (path, *path.rglob("*")):
            os.chown(entry, user.pw_uid, user.pw_gid, follow_symlinks=False)
