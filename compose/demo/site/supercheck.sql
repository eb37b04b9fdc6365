-- Tables like Supercheck's, as far as the exporter, its role and the tests need them: the names and types of
-- Supercheck 1.3.5, our own definitions. Times are UTC without a zone, states are text, as there.

CREATE TABLE organization (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, slug text, metadata jsonb, created_at timestamp,
    subscription_plan text, subscription_status text, subscription_ends_at timestamp,
    playwright_minutes_used int, k6_vu_minutes_used int, ai_credits_used int
);
CREATE TABLE plan_limits (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), plan text UNIQUE NOT NULL, running_capacity int, queued_capacity int,
    data_retention_days int, aggregated_data_retention_days int, job_data_retention_days int
);
CREATE TABLE projects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid NOT NULL REFERENCES organization,
    name varchar(255), status varchar(50) DEFAULT 'active'
);
CREATE INDEX ON projects (organization_id);
CREATE TABLE jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid REFERENCES organization,
    project_id uuid REFERENCES projects, name text, job_type varchar(20) DEFAULT 'playwright',
    cron_schedule varchar(100), status varchar(50) DEFAULT 'pending', alert_config jsonb, next_run_at timestamp
);
CREATE INDEX ON jobs (organization_id);
CREATE INDEX ON jobs (project_id, status);
CREATE TABLE runs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), job_id uuid REFERENCES jobs, project_id uuid REFERENCES projects,
    status varchar(50) DEFAULT 'queued', error_details text, metadata jsonb, duration_ms int,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'utc'), started_at timestamp, completed_at timestamp
);
CREATE INDEX ON runs (job_id);
CREATE INDEX ON runs (project_id, created_at);
CREATE INDEX ON runs (status);
CREATE INDEX ON runs (created_at);
CREATE INDEX ON runs (completed_at);
-- organization_id has no index, as in Supercheck
CREATE TABLE monitors (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid REFERENCES organization,
    project_id uuid REFERENCES projects, name text, target varchar(2048), frequency_minutes int, enabled bool DEFAULT true,
    status varchar(50) DEFAULT 'pending', config jsonb, last_check_at timestamp, created_at timestamp
);
CREATE INDEX ON monitors (project_id, organization_id, status);
CREATE TABLE monitor_results (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), monitor_id uuid REFERENCES monitors,
    checked_at timestamp DEFAULT (now() AT TIME ZONE 'utc'), location varchar(50) DEFAULT 'local',
    status varchar(50) DEFAULT 'up', response_time_ms int, details jsonb, is_status_change bool DEFAULT false
);
CREATE INDEX ON monitor_results (monitor_id, location, checked_at);
CREATE INDEX ON monitor_results (checked_at);
CREATE TABLE monitor_aggregates (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), monitor_id uuid REFERENCES monitors, period_type text,
    period_start timestamp
);
CREATE INDEX ON monitor_aggregates (monitor_id, period_type, period_start);
CREATE INDEX ON monitor_aggregates (period_type, period_start);
CREATE TABLE usage_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid REFERENCES organization, event_type text,
    event_name text, units numeric(10, 4), metadata jsonb, created_at timestamp DEFAULT (now() AT TIME ZONE 'utc')
);
CREATE INDEX ON usage_events (organization_id);
CREATE INDEX ON usage_events (event_type);
CREATE INDEX ON usage_events (created_at);
CREATE TABLE locations (code varchar(50) PRIMARY KEY, is_enabled bool DEFAULT true);
CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), action varchar(255), details jsonb, created_at timestamp
);
CREATE INDEX ON audit_logs (created_at);
CREATE TABLE alert_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), message text, target text, provider varchar(100),
    status varchar(50), sent_at timestamp, error_message text
);
CREATE INDEX ON alert_history (sent_at);
CREATE TABLE project_variables (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid REFERENCES projects, key text, value text,
    encrypted_value text, is_secret bool DEFAULT false, type varchar(20) DEFAULT 'variable', storage_path text,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'utc'), updated_at timestamp DEFAULT (now() AT TIME ZONE 'utc')
);
CREATE TABLE notification_providers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), type varchar(50), config jsonb);
CREATE TABLE apikey (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, key text UNIQUE,
    rate_limit_enabled boolean DEFAULT true, rate_limit_time_window text DEFAULT '60', rate_limit_max text DEFAULT '100');
CREATE TABLE "user" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text);
CREATE TABLE session (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), token text, user_id uuid REFERENCES "user");
