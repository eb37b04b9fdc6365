"""What the demo finds on this machine, and what it says where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose.demo import database, programs, store


def script(path: Path, text: str, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\nexit\n{more}")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("says", "holds", "version"),
    [
        ("echo 'alertmanager, version 0.25.0 (branch: debian)'", "", "0.25.0"),
        ("echo 'alertmanager, version 0.26.0' >&2", "", "0.26.0"),
        # as `go install` makes it
        (
            "echo 'alertmanager, version'",
            "mod\tgithub.com/prometheus/alertmanager\tv0.28.1\th1:x",
            "0.28.1",
        ),
        ("echo nothing", "", ""),
    ],
)
def test_a_program_s_version(tmp_path: Path, says: str, holds: str, version: str) -> None:
    assert programs.version_of(script(tmp_path / "alertmanager", says, holds)) == version


def test_the_newest_postgresql_is_taken_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "DEBIAN_POSTGRES", tmp_path)
    for version in ("9.6", "15", "17"):
        script(tmp_path / version / "bin/initdb", "")
    assert programs.find_postgres("initdb") == tmp_path / "17/bin/initdb"


@pytest.fixture
def secret(tmp_path: Path) -> store.Secret:
    return lambda name, text: tmp_path / name


@pytest.mark.parametrize(
    ("gone", "named"), [("initdb", "PostgreSQL's initdb"), ("postgres", "PostgreSQL"), ("pgbouncer", "PgBouncer")]
)
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: store.Secret, gone: str, named: str
) -> None:
    def found(name: str) -> Path | None:
        return None if name == gone else tmp_path / name

    monkeypatch.setattr(store, "find", found)
    monkeypatch.setattr(store, "find_postgres", found)
    with pytest.raises(database.DatabaseError, match=f"^{named} is missing: run compose/install.sh demo$"):
        store.Store(tmp_path, (1, 2), secret)


def test_root_without_the_user_postgres_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("pwd.getpwnam", nobody)
    with pytest.raises(database.DatabaseError, match="refuses to run as root, and this machine has no user postgres"):
        database.give_away(tmp_path)


def test_a_folder_that_the_database_may_not_enter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    initdb = script(tmp_path / "initdb", "echo 'could not access directory: Permission denied' >&2; exit 1")
    with pytest.raises(database.DatabaseError, match=f"Permission denied .*be let into {tmp_path}: set TMPDIR"):
        database.initialize(initdb, tmp_path / "data", [], {})
