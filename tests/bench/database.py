"""What a scrape costs of a whole site, PgBouncer, PostgreSQL and Redis: a small one beside a large one, in one run.

Statements are counted by the servers, not by us: pg_stat_statements and the sessions of PostgreSQL, PgBouncer's log.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import psycopg
from servers.postgres import DATABASE, EXPORTER, PgBouncerServer, PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from supercheck_exporter import retention
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import load
from supercheck_exporter.core import Runner
from supercheck_exporter.followers import Follower
from supercheck_exporter.site import Site

STATEMENTS = 500
"""Statements that differ, in pg_stat_statements: a site of Supercheck has some hundred."""

FASTER: dict[str, str | int] = {
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
}


@dataclass(frozen=True)
class Size:
    """Rows of the tables that matter; monitors and jobs are as many as organizations."""

    runs: int
    results: int
    organizations: int


SMALL, LARGE = Size(1_000, 1_000, 1_000), Size(1_000_000, 5_000_000, 10_000)

# ids are numbers, so that rows find their parents without a join, and indexes are filled in order
FILL = """
CREATE FUNCTION pg_temp.key(n int) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;
INSERT INTO plan_limits (plan, running_capacity, queued_capacity, data_retention_days, job_data_retention_days)
    VALUES ('unlimited', 999, 9999, 7, 90), ('plus', 5, 50, 7, 30), ('pro', 10, 100, 7, 90);
INSERT INTO organization (id, name, slug, subscription_plan, subscription_status)
    SELECT pg_temp.key(n), 'o', 'o' || n, 'pro', 'active' FROM generate_series(1, {organizations}) n;
INSERT INTO projects (id, organization_id) SELECT id, id FROM organization;
INSERT INTO jobs (id, organization_id, project_id, name, cron_schedule, next_run_at)
    SELECT id, id, id, 'j', '* * * * *', now() FROM organization;
INSERT INTO monitors (id, organization_id, project_id, name, frequency_minutes, last_check_at, created_at)
    SELECT id, id, id, 'm', 5, now(), now() FROM organization;
INSERT INTO runs (id, job_id, project_id, status, created_at, completed_at)
    SELECT pg_temp.key(n), k, k, CASE WHEN n <= {organizations} THEN 'running' ELSE 'passed' END, t,
        CASE WHEN n > {organizations} THEN t END
    FROM (SELECT n, pg_temp.key(n % {organizations} + 1) AS k,
        (now() AT TIME ZONE 'utc') - n * interval '9 seconds' AS t FROM generate_series(1, {runs}) n) r;
INSERT INTO monitor_results (id, monitor_id, checked_at, response_time_ms, is_status_change)
    SELECT pg_temp.key(n), pg_temp.key(n % {organizations} + 1), (now() AT TIME ZONE 'utc') - n * interval '1 second',
        n % 900, n % 500 = 0 FROM generate_series(1, {results}) n
"""
INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname IN ('runs', 'monitor_results') AND NOT i.indisprimary
"""


def fill(server: PostgresServer, size: Size) -> None:
    """So many rows, and a server that has seen some hundred statements."""
    indexes = server.run(INDEXES)
    with server.connect(DATABASE) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute("TRUNCATE runs, monitor_results")
            for index in indexes:
                connection.execute(f"DROP INDEX {index['name']}")
            for statement in FILL.format(**vars(size)).split(";\n"):
                connection.execute(statement)
            for index in indexes:
                connection.execute(index["made"])
        connection.execute("VACUUM ANALYZE")
        for number in range(STATEMENTS):
            connection.execute(f"SELECT {'1, ' * number}1")  # type: ignore[call-overload,unused-ignore]


def fill_redis(server: RedisServer, size: Size) -> None:
    """Every organization holds a slot, and every tenth has runs parked."""
    pipe = server.client().pipeline(transaction=False)
    for number in range(1, size.organizations + 1):
        key = f"{number:032x}"
        organization = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
        pipe.set(f"capacity:running:{organization}", number % 5 + 1)
        if number % 10 == 0:
            parked = {f"{number:08x}-{run:04x}-4000-8000-000000000000": 1_700_000_000_000 + run for run in range(5)}
            pipe.zadd(f"capacity:queued:{organization}", parked)
    pipe.execute()


class WatchedSite:
    """All servers of one site, and every collector on them, without the HTTP server."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._asked = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.postgres = stack.enter_context(PostgresServer(FASTER))
            fill(self.postgres, self.size)
            self.pooler = stack.enter_context(PgBouncerServer(self.postgres, {"verbose": 1}))
            self.redis = stack.enter_context(RedisServer())
            fill_redis(self.redis, self.size)
            env = self.postgres.exporter_env() | self.pooler.exporter_env() | self.redis.exporter_env()
            self.site = Site(load(env | {"POLAR_ACCESS_TOKEN": "x"}))
            stack.callback(self.site.redis.close)
            self._look()
            self.runner = self._runner()
            self._stack = stack.pop_all()
        return self

    def _look(self) -> None:
        """Let everything that reads in the background read once, and stop: it keeps what it knows.

        It would share the processor with what is measured.
        """
        runner = self._runner()
        runner.start()

        def looked() -> bool:
            counted = len(self.site.retention.counts()) == len(retention.statements(True))
            return counted and all(run.success for run in runner.scrape())

        try:
            wait_for(looked, 120, "the first look in the background")
        finally:
            runner.stop()

    def _runner(self) -> Runner:
        return Runner([make(self.site) for name, (_, make) in TABLE.items() if not missing(name, self.site.settings)])

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def scrape(self, *names: str) -> None:
        """One run of all collectors, or of some, side by side as on a real scrape."""
        for run in self.runner.scrape(names or None):
            assert run.success, f"{run.collector}: {run.error}"

    def logins(self) -> None:
        """As many logins as a scrape makes, one after the other, and nothing asked."""
        for url in (self.postgres.url(), self.postgres.url(), self.pooler.console_url()):
            psycopg.connect(url, autocommit=True).close()

    def readers(self) -> list[tuple[Follower, float]]:
        """What reads the database in the background, and the seconds from one look to the next."""
        site = self.site
        assert site.runs is not None
        assert site.directory is not None
        every = site.settings.database_read_seconds
        return [(site.runs, every), (site.monitors, every), (site.directory, 60.0), (site.retention, 600.0)]

    def counts(self) -> dict[str, int]:
        """Statements and sessions so far, as the servers count them."""
        (row,) = self.postgres.run(
            "SELECT pg_stat_get_db_sessions(oid) AS sessions, (SELECT coalesce(sum(calls), 0)::int8 "
            "FROM pg_stat_statements(false) s JOIN pg_roles r ON r.oid = s.userid "
            f"WHERE r.rolname = '{EXPORTER}') AS statements "
            f"FROM pg_database WHERE datname = '{DATABASE}'"
        )
        self._asked += 1  # that was a session of ours
        return {
            "statements": row["statements"],
            "sessions": row["sessions"] - self._asked,
            "console": self.pooler.log().count("DEBUG got admin query: "),
        }

    def counted(self, act: Callable[[], object], times: int = 1) -> dict[str, float]:
        """What the servers count more for each time that this was done."""
        before = self.counts()
        for _ in range(times):
            act()
        after = self.counts()
        return {name: (after[name] - before[name]) / times for name in before}
