"""Servers that several files of real-server tests share, one for each file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.postgres import PgBouncerServer, PostgresServer


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of a file that leave it well."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncerServer]:
    """A PgBouncer in front of it."""
    with PgBouncerServer(postgres) as server:
        yield server
