// The rows that Supercheck's app and workers write, by its names; times are UTC in columns without a zone. The site
// reaches PostgreSQL through PgBouncer in transaction mode, so statements are unnamed, as Supercheck's are.
import postgres from 'postgres';
import { log, sleep } from './common.js';
import { JOBS, LOCATIONS, MONITORS, ORGANIZATIONS, PLANS, nextRun } from './seed.js';

const sql = postgres(process.env.DATABASE_URL, {
  max: 10,
  idle_timeout: 30,
  prepare: false,
  onnotice: () => {},
});

export async function ready() {
  for (;;) {
    try {
      await sql`SELECT 1`;
      return;
    } catch (error) {
      log('database', error.message);
      await sleep(500);
    }
  }
}

export async function answers() {
  await sql`SELECT 1`;
}

function utc(date) {
  return date.toISOString().replace('Z', '');
}

// ---- the app's

export async function seed() {
  for (const { plan, running, queued, days } of PLANS) {
    await sql`
      INSERT INTO plan_limits (plan, running_capacity, queued_capacity, data_retention_days,
                               aggregated_data_retention_days, job_data_retention_days)
      VALUES (${plan}, ${running}, ${queued}, ${days}, ${days}, ${days})
      ON CONFLICT (plan) DO UPDATE SET running_capacity = excluded.running_capacity, queued_capacity = excluded.queued_capacity`;
  }
  for (const { id, slug, plan, project } of ORGANIZATIONS) {
    await sql`
      INSERT INTO organization (id, name, slug, subscription_plan, subscription_status, created_at)
      VALUES (${id}, ${slug}, ${slug}, ${plan}, 'active', now() AT TIME ZONE 'utc') ON CONFLICT DO NOTHING`;
    await sql`
      INSERT INTO projects (id, organization_id, name) VALUES (${project}, ${id}, 'Default') ON CONFLICT DO NOTHING`;
  }
  for (const code of LOCATIONS) await sql`INSERT INTO locations (code) VALUES (${code}) ON CONFLICT DO NOTHING`;
  for (const { id, owner, name, enabled } of MONITORS) {
    await sql`
      INSERT INTO monitors (id, organization_id, project_id, name, target, frequency_minutes, enabled, status, created_at)
      VALUES (${id}, ${owner.id}, ${owner.project}, ${name}, 'https://shop.example.com/', 1, ${enabled},
              ${enabled ? 'pending' : 'paused'}, now() AT TIME ZONE 'utc') ON CONFLICT DO NOTHING`;
  }
  for (const job of JOBS) {
    await sql`
      INSERT INTO jobs (id, organization_id, project_id, name, job_type, cron_schedule, next_run_at)
      VALUES (${job.id}, ${job.owner.id}, ${job.owner.project}, ${job.name}, ${job.type}, ${job.pattern}, ${utc(nextRun(job))})
      ON CONFLICT (id) DO UPDATE SET next_run_at = excluded.next_run_at`;
  }
}

// Runs that the organization may have at once and parked; what the app goes by where no plan is known.
export async function limitsOf(organizationId) {
  const [row] = await sql`
    SELECT p.running_capacity AS running, p.queued_capacity AS queued
    FROM organization o JOIN plan_limits p ON p.plan = o.subscription_plan WHERE o.id = ${organizationId}`;
  return row ?? { running: 5, queued: 50 };
}

export async function runQueued({ runId, projectId, jobId = null }) {
  await sql`
    INSERT INTO runs (id, job_id, project_id, status, started_at)
    VALUES (${runId}, ${jobId}, ${projectId}, 'queued', now() AT TIME ZONE 'utc')`;
}

// It has a slot; a worker may have taken it, or even ended it, before this is written.
export async function runAdmitted(runId) {
  await sql`UPDATE runs SET status = 'running' WHERE id = ${runId} AND status = 'queued'`;
}

export async function jobStarted(jobId) {
  const job = JOBS.find(({ id }) => id === jobId);
  await sql`UPDATE jobs SET status = 'running', next_run_at = ${utc(nextRun(job))} WHERE id = ${jobId}`;
}

// ---- both

export async function runEnded(runId, status, details = null) {
  await sql`
    UPDATE runs SET status = ${status}, error_details = ${details}, completed_at = now() AT TIME ZONE 'utc',
                    duration_ms = (extract(epoch FROM (now() AT TIME ZONE 'utc') - started_at) * 1000)::int
    WHERE id = ${runId}`;
}

// ---- the workers'

export async function jobEnded(jobId, status) {
  await sql`UPDATE jobs SET status = ${status} WHERE id = ${jobId}`;
}

export async function checked(monitorId, location, status, milliseconds) {
  const [before] = await sql`SELECT status FROM monitors WHERE id = ${monitorId}`;
  const now = status === 'up' ? 'up' : 'down';
  await sql`
    INSERT INTO monitor_results (monitor_id, location, status, response_time_ms, is_status_change)
    VALUES (${monitorId}, ${location}, ${status}, ${milliseconds}, ${before?.status !== now})`;
  await sql`
    UPDATE monitors SET status = ${now}, last_check_at = now() AT TIME ZONE 'utc' WHERE id = ${monitorId}`;
}
