"""Rows that are past their retention and still there, counted slowly in the background.

Supercheck's cleanups run once a day, so a row counts one day after its time. Every count stops at
MAX_ROWS, reads by an index on the row's time where there is one, and gives up at the database's timeout: an
entity that could not be counted has no number.
"""

from __future__ import annotations

import time

from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.postgres import PostgresSource

READ_SECONDS = 600.0
MAX_AGE_SECONDS = 7200.0
MAX_ROWS = 100_000
ALERT_DAYS, AUDIT_DAYS, PLAYGROUND_DAYS, HOURLY_DAYS = 90, 365, 30, 7
"""Supercheck's own; of the audit log the longest class stands for all."""

_NOW = "(now() AT TIME ZONE 'utc')"
_ROWS = "SELECT count(*) AS rows FROM (SELECT {} LIMIT " + str(MAX_ROWS) + ") overdue"  # noqa: S608  texts of ours


def _before(days: str | int) -> str:
    return f"{_NOW} - ({days} + 1) * interval '1 day'"


def statements(cloud: bool) -> dict[str, str]:
    """A statement an entity; in the cloud an organization's own plan decides, else the plan ``unlimited``."""
    plan = "o.subscription_plan" if cloud else "'unlimited'"
    owner = f"JOIN organization o ON o.id = x.organization_id JOIN plan_limits l ON l.plan = {plan}"

    def least(column: str) -> str:
        """The shortest retention of any plan that counts: what is younger need not be looked at."""
        counts = "" if cloud else " WHERE plan = 'unlimited'"
        return _before(f"(SELECT min({column}) FROM plan_limits{counts})")  # noqa: S608

    results = f"""FROM monitor_results r JOIN monitors x ON x.id = r.monitor_id {owner}
        WHERE r.checked_at < {least("data_retention_days")} AND r.checked_at < {_before("l.data_retention_days")}
          AND NOT coalesce(r.is_status_change, false)"""
    runs = f"""FROM runs r JOIN projects x ON x.id = r.project_id {owner}
        WHERE r.job_id IS NOT NULL AND r.created_at < {least("job_data_retention_days")}
          AND r.created_at < {_before("l.job_data_retention_days")}"""
    playground = f"FROM runs WHERE job_id IS NULL AND created_at < {_before(PLAYGROUND_DAYS)}"
    aggregates = f"FROM monitor_aggregates WHERE period_type = 'hourly' AND period_start < {_before(HOURLY_DAYS)}"
    parts = {
        "monitor_results": results,
        "job_runs": runs,
        "playground_runs": playground,
        "monitor_aggregates_hourly": aggregates,
        "audit_logs": f"FROM audit_logs WHERE created_at < {_before(AUDIT_DAYS)}",
        "alert_history": f"FROM alert_history WHERE sent_at < {_before(ALERT_DAYS)}",
    }
    return {entity: _ROWS.format(part) for entity, part in parts.items()}


class RetentionReader(Follower):
    """Counts each entity on a connection of its own, one after the other."""

    name = "retention"
    retry_seconds = 300.0

    def __init__(self, source: PostgresSource, *, cloud: bool) -> None:
        super().__init__()
        self._source = source
        self._statements = statements(cloud)
        self._counts: dict[str, tuple[int, float]] = {}

    def step(self) -> float:
        """Count every entity once; the failure of one does not cost the others."""
        problems = []
        for entity, statement in self._statements.items():
            if self.stopping.is_set():
                break
            try:
                with self._source.session() as session:
                    rows = session.rows(statement)[0]["rows"]
            except SourceError as error:
                problems.append(f"{entity}: {error}")
                continue
            self._counts = {**self._counts, entity: (rows, time.monotonic())}
        if problems:
            raise SourceError("; ".join(problems))
        return READ_SECONDS

    def counts(self) -> dict[str, int]:
        """Overdue rows by entity, as far as they were counted lately; MAX_ROWS is that many or more."""
        now = time.monotonic()
        return {entity: rows for entity, (rows, at) in self._counts.items() if now - at <= MAX_AGE_SECONDS}
