-- The role with which the exporter reads Supercheck's database: statistics, and the columns that are counted.
-- Run as a superuser in Supercheck's database; run it again after an upgrade of Supercheck or of this bundle.
--   EXPORTER_PASSWORD=... psql -v ON_ERROR_STOP=1 -f role.sql "$DATABASE_URL"
-- Nothing secret is granted: no configuration, no target, no value, no message, no e-mail address.

\getenv password EXPORTER_PASSWORD
SELECT 'CREATE ROLE supercheck_exporter LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'supercheck_exporter') \gexec
ALTER ROLE supercheck_exporter PASSWORD :'password' CONNECTION LIMIT 10;
ALTER ROLE supercheck_exporter SET default_transaction_read_only = on;
GRANT pg_monitor TO supercheck_exporter;
-- from PostgreSQL 16 on it may use the connections that reserved_connections keeps free for such roles
SELECT 'GRANT pg_use_reserved_connections TO supercheck_exporter'
WHERE current_setting('server_version_num')::int >= 160000 \gexec
GRANT USAGE ON SCHEMA public TO supercheck_exporter;

GRANT SELECT (id, slug, subscription_plan, subscription_status, subscription_ends_at, playwright_minutes_used,
              k6_vu_minutes_used, ai_credits_used) ON organization TO supercheck_exporter;
GRANT SELECT (plan, running_capacity, queued_capacity, data_retention_days, aggregated_data_retention_days,
              job_data_retention_days) ON plan_limits TO supercheck_exporter;
GRANT SELECT (id, organization_id) ON projects TO supercheck_exporter;
GRANT SELECT (id, job_id, project_id, status, completed_at, created_at, started_at, duration_ms) ON runs TO supercheck_exporter;
GRANT SELECT (organization_id, event_type, units, created_at) ON usage_events TO supercheck_exporter;
GRANT SELECT (id, job_type, cron_schedule, next_run_at, status, organization_id) ON jobs TO supercheck_exporter;
GRANT SELECT (id, enabled, status, frequency_minutes, last_check_at, created_at, organization_id) ON monitors
    TO supercheck_exporter;
GRANT SELECT (monitor_id, checked_at, location, status, is_status_change) ON monitor_results TO supercheck_exporter;
GRANT SELECT (period_type, period_start) ON monitor_aggregates TO supercheck_exporter;
GRANT SELECT (code, is_enabled) ON locations TO supercheck_exporter;
GRANT SELECT (id, rate_limit_enabled, rate_limit_time_window, rate_limit_max) ON apikey TO supercheck_exporter;
GRANT SELECT (created_at, action) ON audit_logs TO supercheck_exporter;
GRANT SELECT (sent_at, status, provider) ON alert_history TO supercheck_exporter;
GRANT SELECT (id, type) ON notification_providers TO supercheck_exporter;
GRANT SELECT (type, is_secret, created_at, updated_at) ON project_variables TO supercheck_exporter;
