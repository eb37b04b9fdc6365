"""Settings: every one of them, and what a person reads when one can't be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.settings import Settings
from supercheck_exporter.settings.queues import QUEUES
from supercheck_exporter.thresholds import default_thresholds
from unit.setting_cases import BAD, READ

CANARY = "canary-5e1f"


def problems_of(env: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(env)
    return caught.value.problems


def test_the_defaults() -> None:
    settings = load({})
    assert settings.redis_host is None
    assert settings.redis_password is None
    assert (settings.redis_port, settings.redis_timeout_seconds) == (6379, 2.0)
    assert (settings.redis_tls_enabled, settings.redis_tls_reject_unauthorized) == (False, True)
    assert (settings.bullmq_prefix, settings.bullmq_queues) == ("bull", QUEUES)
    assert (settings.max_queue_depth, settings.queue_run_budget_seconds) == (10_000, 4800)
    assert (settings.workers_min, settings.workers_max) == (1, 10)
    assert (settings.workers_scale_down_below, settings.workers_scale_up_above) == (10, 50)
    assert settings.thresholds == default_thresholds()


@pytest.mark.parametrize(("variable", "text", "value"), READ, ids=[f"{name}={text}" for name, text, _ in READ])
def test_a_setting_is_read(variable: str, text: str, value: Any) -> None:
    assert getattr(load({variable: text}), variable.lower()) == value


def test_every_setting_is_tested_here() -> None:
    tested = {variable.lower() for variable, _, _ in READ} | {
        "probe_ca_file",
        "redis_tls_ca_file",
        "s3_ca_file",
        "thresholds",
        "vault_cacert",
    }
    assert tested == set(Settings.model_fields)


def test_the_database_s_own_url_comes_before_supercheck_s() -> None:
    assert load({}).database is None
    assert load({"DATABASE_URL": "postgres://h/app"}).database == ("DATABASE_URL", "postgres://h/app")
    both = {"DATABASE_URL": "postgres://h/app", "EXPORTER_DATABASE_URL": "postgres://h/own"}
    assert load(both).database == ("EXPORTER_DATABASE_URL", "postgres://h/own")


@pytest.mark.parametrize(
    "url",
    ["h/db", "mysql://u:word@h/db", "host=h password=word", "postgresql://u:word@h/db?schema=public"],
)
@pytest.mark.parametrize("variable", ["EXPORTER_DATABASE_URL", "DATABASE_URL", "PGBOUNCER_URL"])
def test_a_url_that_is_none_is_never_shown(variable: str, url: str) -> None:
    assert problems_of({variable: url}) == [
        f"{variable}: read a value, allowed is postgresql://user:password@host:port/database, with libpq's parameters."
    ]


def test_a_threshold_is_read() -> None:
    assert load({"THRESHOLD_QUEUE_DEPTH_WARNING_RATIO": "0.5"}).thresholds["queue_depth_warning_ratio"] == 0.5


def test_the_ca_file_must_exist(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    assert problems_of({"REDIS_TLS_CA_FILE": str(path)}) == [
        f'REDIS_TLS_CA_FILE: read "{path}", allowed is the path of a file.'
    ]
    path.write_text("certificate")
    assert load({"REDIS_TLS_CA_FILE": str(path)}).redis_tls_ca_file == path


def test_capacity_and_run_budget_of_a_queue() -> None:
    settings = load(
        {
            "MAX_QUEUE_DEPTH": "5",
            "QUEUE_CAPACITY": "a=7",
            "QUEUE_RUN_BUDGET_SECONDS": "50",
            "QUEUE_RUN_BUDGETS": "a=70",
        }
    )
    assert (settings.capacity("a"), settings.capacity("b")) == (7, 5)
    assert (settings.run_budget("a"), settings.run_budget("b")) == (70, 50)


def test_a_login_in_an_address_of_vault_is_refused_and_not_shown() -> None:
    assert problems_of({"VAULT_ADDRS": "https://user:word@vault"}) == [
        "VAULT_ADDRS: read a value, allowed is URLs or name=URL pairs, separated by commas."
    ]


@pytest.mark.parametrize("variable", sorted({name for name, _, _ in READ}))
def test_an_empty_setting_is_an_unset_one(variable: str) -> None:
    """Compose passes unset variables on as empty ones."""
    assert load({variable: ""}) == load({})


def test_other_variables_are_none_of_our_business() -> None:
    assert load({"PATH": "/bin", "REDIS_URL": "redis://:x@y", "EDITOR": "vi"}) == load({})


def test_supercheck_s_own_env_file_works_as_it_is() -> None:
    env = {
        "REDIS_HOST": "redis",
        "REDIS_PORT": "6379",
        "REDIS_PASSWORD": "supersecure-redis-password-change-this",
        "REDIS_URL": "redis://:supersecure-redis-password-change-this@redis:6379",
        "REDIS_TLS_ENABLED": "false",
        "REDIS_TLS_REJECT_UNAUTHORIZED": "true",
        "RUNNING_CAPACITY": "1",
        "QUEUED_CAPACITY": "10",
        "LOG_LEVEL": "info",
        "SELF_HOSTED": "true",
        "WORKER_LOCATION": "local",
    }
    settings = load(env)
    assert (settings.redis_host, settings.redis_port) == ("redis", 6379)
    assert settings.redis_password == SecretStr("supersecure-redis-password-change-this")


# -- bad values ------------------------------------------------------------------------------------


@pytest.mark.promise("settings are checked")
@pytest.mark.parametrize(("variable", "text"), BAD, ids=[f"{name}={text}" for name, text in BAD])
def test_a_bad_value_names_the_variable_and_what_was_read_and_what_is_allowed(variable: str, text: str) -> None:
    allowed = Settings.model_fields[variable.lower()].json_schema_extra
    assert isinstance(allowed, dict)
    assert problems_of({variable: text}) == [f'{variable}: read "{text}", allowed is {allowed["allowed"]}.']


def test_every_setting_says_what_it_is_and_what_is_allowed() -> None:
    for name, field in Settings.model_fields.items():
        if name == "thresholds":
            continue
        assert field.description
        assert field.description.endswith(".")
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["allowed"]


@pytest.mark.promise("settings are checked")
def test_all_problems_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        {
            "REDIS_PORT": "x",
            "LOG_LEVEL": "loud",
            "QUEUE_CAPACITY": "a",
            "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO": "80",
            "THRESHOLD_QUEUE_DEPHT_CRITICAL_RATIO": "0.9",
            "REDIS_PASSWORD_FILE": str(tmp_path / "missing"),
        }
    )
    named = sorted(problem.split(":")[0].split(" ")[0] for problem in problems)
    assert named == [
        "LOG_LEVEL",
        "QUEUE_CAPACITY",
        "REDIS_PASSWORD_FILE",
        "REDIS_PORT",
        "THRESHOLD_QUEUE_DEPHT_CRITICAL_RATIO",
        "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO",
    ]


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        (
            {"WORKERS_MIN": "4", "WORKERS_MAX": "3"},
            'WORKERS_MIN: read "4", allowed is at most WORKERS_MAX, which is "3".',
        ),
        (
            {"WORKERS_SCALE_DOWN_BELOW": "60"},
            'WORKERS_SCALE_DOWN_BELOW: read "60", allowed is at most WORKERS_SCALE_UP_ABOVE, which is "50".',
        ),
    ],
)
def test_two_settings_that_contradict_each_other(env: dict[str, str], problem: str) -> None:
    assert problems_of(env) == [problem]


# -- secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_from_a_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(f" {CANARY} ".encode() + ending.encode())
    assert load({"REDIS_PASSWORD_FILE": str(path)}).redis_password == SecretStr(f" {CANARY} ")


def test_an_empty_password_beside_a_file_is_an_unset_one(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(CANARY)
    settings = load({"REDIS_PASSWORD": "", "REDIS_PASSWORD_FILE": str(path)})
    assert settings.redis_password == SecretStr(CANARY)


def test_a_password_file_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    assert problems_of({"REDIS_PASSWORD_FILE": str(path)}) == [
        f"REDIS_PASSWORD_FILE names {path}, which cannot be read (No such file or directory): "
        "mount the file, or unset it."
    ]


def test_a_password_file_that_is_a_folder(tmp_path: Path) -> None:
    assert "Is a directory" in problems_of({"REDIS_PASSWORD_FILE": str(tmp_path)})[0]


def test_a_password_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(CANARY.encode() + b"\xff")
    [problem] = problems_of({"REDIS_PASSWORD_FILE": str(path)})
    assert "not UTF-8" in problem
    assert CANARY not in problem


def test_a_password_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(CANARY)
    [problem] = problems_of({"REDIS_PASSWORD": f"{CANARY}-2", "REDIS_PASSWORD_FILE": str(path)})
    assert problem == "REDIS_PASSWORD and REDIS_PASSWORD_FILE are both set: unset one of them."


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(CANARY)
    for env in ({"REDIS_PASSWORD": CANARY}, {"REDIS_PASSWORD_FILE": str(path)}):
        settings = load(env)
        for text in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
            assert CANARY not in text
        with pytest.raises(ConfigError) as caught:
            load(env | {"REDIS_PORT": "x"})
        assert CANARY not in repr(caught.value) + str(caught.value) + str(caught.value.problems)


@pytest.mark.parametrize(
    "variable",
    [
        "REDIS_HOST", "PUBLIC_URL", "GRAFANA_URL", "ALERTMANAGER_URL",
        "EXPORTER_DATABASE_URL", "DATABASE_URL", "PGBOUNCER_URL",
    ],
)  # fmt: skip
def test_a_login_inside_a_bad_address_is_not_shown(variable: str) -> None:
    [problem] = problems_of({variable: f"redis://:{CANARY}@redis:6379"})
    assert problem.startswith(f"{variable}: read a value, allowed is ")
    assert CANARY not in problem
