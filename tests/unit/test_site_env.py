"""Supercheck's .env read as it is, and what the first start makes of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from supercheck_exporter import cli, config, prepare, site_env
from supercheck_exporter.settings import Settings

TEXT = """
# made by a script
export REDIS_PASSWORD='a b#c$d"e'
REDIS_HOST = cache.example.com   # the one in the cellar
DATABASE_URL="postgresql://app:secret%40x@postgres:5432/supercheck?application_name=x#y"
QUOTED="say \\"hi\\"\\nthen \\\\ go"
EMPTY=
HASHED=abc#def
SECRET_ENCRYPTION_KEY=nobody-else-s-business-0123456789
RUNNING_CAPACITY=1
RUNNING_CAPACITY=7
not an assignment
"""
NAMES = ["REDIS_HOST", "REDIS_PASSWORD", "DATABASE_URL", "RUNNING_CAPACITY"]


def test_it_is_read_as_compose_reads_it() -> None:
    assert site_env.parse(TEXT) == {
        "REDIS_PASSWORD": 'a b#c$d"e',
        "REDIS_HOST": "cache.example.com",
        "DATABASE_URL": "postgresql://app:secret%40x@postgres:5432/supercheck?application_name=x#y",
        "QUOTED": 'say "hi"\nthen \\ go',
        "EMPTY": "",
        "HASHED": "abc#def",
        "SECRET_ENCRYPTION_KEY": "nobody-else-s-business-0123456789",
        "RUNNING_CAPACITY": "7",
    }


def test_what_is_written_is_read_back() -> None:
    values = {"A": "plain", "B": 'it\'s "both" $HOME ${X} \\n', "C": "two\nlines\t#", "D": " spaces "}
    assert site_env.parse(site_env.dump(values)) == values


def load(path: Path, **env: str) -> Settings:
    return config.load({"SUPERCHECK_ENV_FILE": str(path), **env})


def test_the_environment_wins_and_the_file_fills_in(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    settings = load(path, RUNNING_CAPACITY="9", REDIS_PORT="")
    assert settings.running_capacity == 9
    assert settings.redis_host == "cache.example.com"
    assert settings.redis_password is not None
    assert settings.redis_password.get_secret_value() == 'a b#c$d"e'
    secret = tmp_path / "own"
    secret.write_text("from a file\n")
    # else a person's own login would be "both set"
    own = load(path, REDIS_PASSWORD_FILE=str(secret)).redis_password
    assert own is not None
    assert own.get_secret_value() == "from a file"


def test_a_database_in_pieces_is_one_address(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("DB_PASSWORD=pass@word/x\nDB_HOST=db\n")
    url = load(path).database_url
    assert url is not None
    assert url.get_secret_value() == "postgresql://postgres:pass%40word%2Fx@db:5432/supercheck"
    path.write_text("DB_HOST=db\n")
    assert load(path).database_url is None, "no password: nothing is guessed"


def test_without_a_word_the_redis_is_that_of_supercheck_s_compose_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("")
    assert load(tmp_path / ".env").redis_host == "redis"
    assert config.load({}).redis_host is None


def test_a_file_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=r"SUPERCHECK_ENV_FILE names .*gone.*No such file"):
        load(tmp_path / "gone")


# ---- the first start


def folders(tmp_path: Path) -> tuple[Path, Path]:
    out, given = tmp_path / "out", tmp_path / "given"
    (given / "grafana").mkdir(parents=True)
    return out, given


def test_secrets_are_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, given = folders(tmp_path)
    command = ["prepare", "--out", str(out), "--given", str(given)]
    assert cli.main(command) == 0
    made = {name: (out / name).read_text() for name in prepare.GENERATED}
    assert all(len(text) >= 24 for text in made.values())
    assert len(set(made.values())) == len(made)
    assert {stat.S_IMODE((out / name).stat().st_mode) for name in made} == {0o444}
    assert cli.main(command) == 0
    assert {name: (out / name).read_text() for name in made} == made
    said = "".join(capsys.readouterr())
    assert "grafana/admin_password: made" in said
    assert not any(text in said for text in made.values())
    assert not any(path.name.startswith(".") for path in out.rglob("*")), "no scratch file is left"


@pytest.mark.promise("nothing secret in docker inspect")
def test_of_supercheck_s_file_only_what_is_read_is_taken(tmp_path: Path) -> None:
    out, given = folders(tmp_path)
    (given / "site.env").write_text(TEXT)
    (line,) = prepare.prepare(out, given, NAMES)[2:]
    assert line == "of Supercheck's .env: REDIS_PASSWORD, REDIS_HOST, DATABASE_URL, RUNNING_CAPACITY"
    taken = (out / "exporter/site.env").read_text()
    assert set(site_env.parse(taken)) == set(NAMES)
    assert "nobody-else" not in taken
    # taken away again when it is gone
    (given / "site.env").unlink()
    prepare.prepare(out, given, NAMES)
    assert (out / "exporter/site.env").read_text() == ""


def test_a_person_s_own_file_is_used_and_never_written(tmp_path: Path) -> None:
    out, given = folders(tmp_path)
    own = given / "grafana/admin_password"
    own.write_text("chosen by hand\n")
    own.chmod(0o400)
    assert "grafana/admin_password: taken from compose/secrets" in prepare.prepare(out, given, NAMES)
    assert (out / "grafana/admin_password").read_text() == "chosen by hand\n"
    assert len(prepare.prepare(out, given, NAMES)) == 1, "and written once"
    assert own.read_text() == "chosen by hand\n"
    own.chmod(0o600)
    own.write_text("\n")
    with pytest.raises(prepare.PrepareError, match="admin_password is empty: put the secret in, or remove"):
        prepare.prepare(out, given, NAMES)


def test_what_can_t_be_read_is_named_with_its_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, given = folders(tmp_path)
    (given / "site.env").write_bytes(b"REDIS_PASSWORD=\xff\xfe")
    assert cli.main(["prepare", "--out", str(out), "--given", str(given)]) == 1
    assert "SUPERCHECK_ENV_OWNER in compose/.env must be" in capsys.readouterr().err


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    # Docker makes one where the host has no such file
    out, given = folders(tmp_path)
    (given / "site.env").mkdir()
    with pytest.raises(prepare.PrepareError, match="Is a directory"):
        prepare.prepare(out, given, NAMES)
