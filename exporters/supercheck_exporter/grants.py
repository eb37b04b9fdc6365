"""Which columns of Supercheck's tables are read, and which of them the role may not read.

exporters/sql/role.sql grants all of them. A right on a column is asked of the server itself: its own refusal names the
table only.
"""

from __future__ import annotations

from collections.abc import Mapping

from supercheck_exporter.sources.postgres import Session

GRANTS: Mapping[str, tuple[str, ...]] = {
    "organization": (
        "id", "slug", "subscription_plan", "subscription_status", "subscription_ends_at", "playwright_minutes_used",
        "k6_vu_minutes_used", "ai_credits_used",
    ),
    "plan_limits": (
        "plan", "running_capacity", "queued_capacity", "data_retention_days", "job_data_retention_days",
    ),
    "projects": ("id", "organization_id"),
    "runs": ("id", "job_id", "project_id", "status", "completed_at", "created_at", "duration_ms"),
    "usage_events": ("organization_id", "event_type", "units", "created_at"),
    "jobs": ("job_type", "cron_schedule", "next_run_at"),
    "monitors": (
        "id", "organization_id", "enabled", "status", "frequency_minutes", "last_check_at", "created_at",
    ),
    "monitor_results": ("monitor_id", "checked_at", "location", "status", "is_status_change"),
    "monitor_aggregates": ("period_type", "period_start"),
    "locations": ("code", "is_enabled"),
    "audit_logs": ("created_at",),
    "alert_history": ("sent_at", "status", "provider"),
    "notification_providers": ("id", "type"),
    "project_variables": ("type", "is_secret", "created_at", "updated_at"),
}  # fmt: skip
"""Table -> columns, in the schema public."""

_WANTED = ", ".join(f"('{table}', '{column}')" for table, columns in GRANTS.items() for column in columns)
STATEMENT = f"""
SELECT w.name, w.col, a.attnum IS NOT NULL AS there, format('%I', current_user) AS role,
       has_schema_privilege('public', 'USAGE') AS enters
FROM (VALUES {_WANTED}) w (name, col)
LEFT JOIN pg_class t ON t.relname = w.name AND t.relnamespace = 'public'::regnamespace
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = w.col AND NOT a.attisdropped
WHERE a.attnum IS NULL OR NOT has_column_privilege(t.oid, a.attnum, 'SELECT')
   OR NOT has_schema_privilege('public', 'USAGE')
"""  # noqa: S608  names of ours


def lacking(session: Session) -> list[str]:
    """One sentence for each table that can't be read as it should be, with the statement that mends it."""
    rows = session.rows(STATEMENT)
    if rows and not rows[0]["enters"]:
        grant = f"GRANT USAGE ON SCHEMA public TO {rows[0]['role']};"
        return [f"The role {rows[0]['role']} may not enter the schema public: {grant}"]
    said = []
    for table in GRANTS:
        strange = [row["col"] for row in rows if row["name"] == table and not row["there"]]
        closed = [row for row in rows if row["name"] == table and row["there"]]
        if strange:
            said.append(
                f"The table {table} has no {', '.join(strange)}: this is not the database of a known Supercheck."
            )
        if closed:
            role, columns = closed[0]["role"], ", ".join(row["col"] for row in closed)
            said.append(
                f"The role {role} may not read {columns} of {table}: GRANT SELECT ({columns}) ON {table} TO {role};"
            )
    return said
