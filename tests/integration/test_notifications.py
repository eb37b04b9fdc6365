"""Supercheck's own alerts and stored secrets on a real PostgreSQL: what is counted, and what is never read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from servers.exporter import Exporter
from servers.postgres import EXPORTER, EXPORTER_PASSWORD, PostgresServer

CANARY = "canary-2c8e"
UTC = "(now() AT TIME ZONE 'utc')"
JUST_NOW = f"{UTC} - interval '9 seconds'"
"""After the first look, which ends 10 seconds before it was made; and counted a second from now."""
NAME = "supercheck_notifications_total"
WAIT_SECONDS = 60.0
DAY = 86400


@pytest.fixture
def exporter(postgres: PostgresServer) -> Iterator[Exporter]:
    """An exporter that has looked once: what is added from now on is counted."""
    with Exporter(postgres.exporter_env()) as process:
        process.scrape("notifications")
        yield process


def provider(postgres: PostgresServer, kind: str) -> str:
    """A channel of a kind; its id."""
    made = str(uuid.uuid4())
    postgres.run(
        "INSERT INTO notification_providers (id, type, config) "
        f"""VALUES ('{made}', '{kind}', '{{"payload": "{CANARY}"}}')"""
    )
    return made


def send(postgres: PostgresServer, channel: str, status: str, number: int, when: str = JUST_NOW) -> None:
    """Rows as Supercheck writes them, one an alert and channel."""
    postgres.run(
        "INSERT INTO alert_history (message, target, provider, status, sent_at, error_message) "
        f"SELECT '{CANARY}', '{CANARY}', '{channel}', '{status}', {when}, '{CANARY}' FROM generate_series(1, {number})"
    )


def test_deliveries_and_failures_by_kind_of_channel(postgres: PostgresServer, exporter: Exporter) -> None:
    slack, other_slack, mail, new = (provider(postgres, kind) for kind in ("slack", "slack", "email", "pigeon"))
    send(postgres, slack, "sent", 40, f"{UTC} - interval '10 minutes'")  # before the exporter came
    send(postgres, slack, "sent", 3)
    send(postgres, other_slack, "sent", 1)
    send(postgres, slack, "failed", 2)
    send(postgres, mail, "pending", 1)
    send(postgres, str(uuid.uuid4()), "failed", 4)  # its channel was deleted
    send(postgres, new, "bounced", 1)
    send(postgres, mail, "sent", 5)  # the last one: once it is counted, all are
    samples = exporter.wait_value(5, NAME, timeout=WAIT_SECONDS, provider="email", status="sent")
    assert samples.values(NAME, "status", provider="slack") == {"sent": 4, "failed": 2, "pending": 0}
    assert samples.values(NAME, "status", provider="email") == {"sent": 5, "failed": 0, "pending": 1}
    assert samples.values(NAME, "status", provider="other") == {"sent": 0, "failed": 4, "pending": 0, "other": 1}
    assert samples.value(NAME, provider="webhook", status="failed") == 0, "a kind that was never used reads 0"
    again = exporter.scrape("notifications")
    assert again.value(NAME, provider="email", status="sent") == 5, "nothing is counted twice"
    assert CANARY not in samples.text + exporter.log() + exporter.page("/")
    assert slack not in samples.text


def test_what_was_sent_while_the_database_was_away_is_counted_when_it_is_back(postgres: PostgresServer) -> None:
    channel = provider(postgres, "discord")
    with Exporter(postgres.exporter_env()) as exporter:
        exporter.scrape("notifications")
        postgres.run("REVOKE SELECT (status) ON alert_history FROM supercheck_exporter")
        try:
            failed = exporter.scrape("notifications")
            send(postgres, channel, "sent", 6)
        finally:
            postgres.make_role()
        assert failed.value("supercheck_scrape_collector_success", collector="notifications") == 0
        assert failed.value(NAME, provider="discord", status="sent") is None, "all or nothing"
        exporter.wait_value(6, NAME, timeout=WAIT_SECONDS, provider="discord", status="sent")


@pytest.fixture
def secrets(postgres: PostgresServer) -> PostgresServer:
    """No variable yet."""
    postgres.run("TRUNCATE project_variables")
    return postgres


def store(postgres: PostgresServer, kind: str, secret: bool, made: float, changed: float | None = None) -> None:
    """A row that was made and last changed so many seconds ago."""
    last = "NULL" if changed is None else f"{UTC} - interval '{changed} seconds'"
    postgres.run(
        "INSERT INTO project_variables (key, value, encrypted_value, storage_path, type, is_secret, created_at, "
        f"updated_at) VALUES ('{CANARY}', '{CANARY}', '{CANARY}', '{CANARY}', '{kind}', {secret}, "
        f"{UTC} - interval '{made} seconds', {last})"
    )


def test_stored_secrets_and_the_one_that_was_not_changed_for_longest(secrets: PostgresServer) -> None:
    store(secrets, "secret", True, 200 * DAY, 10 * DAY)
    store(secrets, "secret", True, 100 * DAY, 90 * DAY)
    store(secrets, "secret", False, 5 * DAY)  # never changed, and the flag is missing
    store(secrets, "variable", True, 30 * DAY, 30 * DAY)  # from before there were types
    store(secrets, "variable", False, 900 * DAY, 900 * DAY)  # no secret
    store(secrets, "file", False, 900 * DAY, 900 * DAY)
    with Exporter(secrets.exporter_env()) as exporter:
        samples = exporter.scrape("stored_secrets")
        assert CANARY not in samples.text + exporter.log() + exporter.page("/")
    assert samples.values("supercheck_secrets_stored", "kind") == {"secret": 3, "variable": 1, "file": 0}
    ages = samples.values("supercheck_secrets_oldest_age_seconds", "kind")
    assert ages["file"] == 0
    assert 90 * DAY <= ages["secret"] < 90 * DAY + 600
    assert 30 * DAY <= ages["variable"] < 30 * DAY + 600


def test_a_site_without_secrets_reads_zero(secrets: PostgresServer) -> None:
    with Exporter(secrets.exporter_env()) as exporter:
        samples = exporter.scrape("stored_secrets")
    assert samples.values("supercheck_secrets_stored", "kind") == {"secret": 0, "variable": 0, "file": 0}
    assert set(samples.values("supercheck_secrets_oldest_age_seconds", "kind").values()) == {0}


@pytest.mark.promise("privacy")
def test_the_role_may_read_no_value_of_a_secret_and_no_configuration_of_a_channel(secrets: PostgresServer) -> None:
    """Whatever the exporter asked: PostgreSQL itself refuses it."""
    store(secrets, "secret", True, DAY)
    denied = {
        "project_variables": ("key", "value", "encrypted_value", "storage_path", "id", "project_id"),
        "notification_providers": ("config",),
        "alert_history": ("message", "target", "error_message"),
    }
    with secrets.connect("supercheck", EXPORTER, EXPORTER_PASSWORD) as connection:
        assert connection.execute("SELECT type, is_secret FROM project_variables").fetchall()
        for table, columns in denied.items():
            for column in (*columns, "*"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT {column} FROM {table}")


def test_a_missing_grant_is_named(secrets: PostgresServer) -> None:
    secrets.run("REVOKE SELECT (is_secret) ON project_variables FROM supercheck_exporter")
    try:
        with Exporter(secrets.exporter_env()) as exporter:
            exporter.scrape("stored_secrets")
            page = exporter.page("/")
    finally:
        secrets.make_role()
    assert "project_variables" in page
    assert "role.sql" in page
