// The app of the demo site: it produces the runs, keeps the schedules, and serves the five queues that Supercheck's
// app serves itself. Names, options, keys and rows are Supercheck's; the load is one that two workers carry with ease.
import { randomBytes, randomUUID } from 'node:crypto';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Capacity } from './capacity.js';
import {
  DEFAULT_JOB_OPTIONS,
  LOCATION,
  MONITOR_QUEUE,
  REPEATABLE_JOB_OPTIONS,
  RUN_QUEUES,
  connect,
  connection,
  log,
  scaled,
  showAlive,
  sleep,
  survive,
} from './common.js';
import * as rows from './rows.js';
import { JOBS, MONITORS, MONITOR_EVERY_MS, ORGANIZATIONS, ownerOf } from './seed.js';

const DAY_S = 24 * 3600;
const RUN_EVERY_MS = { 'playwright-global': 6000, 'k6-global': 12_000, [`k6-${LOCATION}`]: 15_000 };
const SCHEDULER_OF = { playwright: 'job-scheduler', k6: 'k6-job-scheduler' };
const QUEUE_OF = { playwright: 'playwright-global', k6: 'k6-global' };

const redis = connect();
const queues = new Map();
for (const name of [
  ...RUN_QUEUES,
  MONITOR_QUEUE,
  'job-scheduler',
  'k6-job-scheduler',
  'monitor-scheduler',
  'email-template-render',
  'data-lifecycle-cleanup',
]) {
  const queue = new Queue(name, { connection, defaultJobOptions: DEFAULT_JOB_OPTIONS });
  queue.on('error', (error) => log(name, error.message));
  queues.set(name, queue);
}

let produced = 0;
const capacity = new Capacity(redis, (run) => queues.get(run.queue).add(run.name, run.data, { jobId: run.data.runId }));

function newRun(queue, owner, jobId) {
  const runId = randomUUID();
  return {
    queue,
    name: queue === 'playwright-global' ? runId : 'k6-test-execution',
    data: {
      runId,
      testId: randomUUID(),
      jobId,
      organizationId: owner.id,
      projectId: owner.project,
      location: queue.startsWith('k6-') ? LOCATION : undefined,
      trigger: jobId ? 'schedule' : 'manual',
      number: (produced += 1),
    },
  };
}

await rows.ready();
await rows.seed();

// ---- producers

for (const [queue, every] of Object.entries(RUN_EVERY_MS)) {
  let number = 0;
  const produce = () => capacity.admit(newRun(queue, ownerOf(queue, (number += 1))));
  setInterval(survive(queue, produce), scaled(every));
}

for (const name of RUN_QUEUES) {
  const events = new QueueEvents(name, { connection });
  const release = survive(name, ({ jobId }) => capacity.release(jobId));
  events.on('error', (error) => log(name, error.message));
  events.on('completed', release);
  events.on('failed', release);
}

let promoting = false;
setInterval(
  survive('promote', async () => {
    if (promoting) return;
    promoting = true;
    try {
      for (const { id } of ORGANIZATIONS) await capacity.promote(id);
    } finally {
      promoting = false;
    }
  }),
  scaled(5000),
);

setInterval(
  survive('email', () =>
    queues.get('email-template-render').add(
      'render-template',
      { template: 'monitor-alert', data: { subject: 'demo' } },
      { jobId: `monitor-alert-${Date.now()}-${randomBytes(3).toString('hex')}` },
    ),
  ),
  scaled(20_000),
);

// ---- schedules: legacy repeatables, as Supercheck adds them

async function addSchedules() {
  for (const { id } of MONITORS.filter(({ enabled }) => enabled)) {
    await queues.get('monitor-scheduler').add(
      `scheduled-monitor-${id}`,
      { monitorId: id, frequencyMinutes: 1, retryLimit: 3, jobData: { monitorId: id, type: 'http_request' } },
      { repeat: { every: MONITOR_EVERY_MS }, ...REPEATABLE_JOB_OPTIONS },
    );
  }
  for (const { id, owner, type, name, pattern } of JOBS) {
    await queues.get(SCHEDULER_OF[type]).add(
      `scheduled-job-${id}`,
      { jobId: id, name, projectId: owner.project, organizationId: owner.id, retryLimit: 3 },
      { repeat: { pattern, tz: 'UTC' }, ...REPEATABLE_JOB_OPTIONS },
    );
  }
  for (const [entity, pattern] of [
    ['monitor_results', '0 2 * * *'],
    ['job_runs', '0 3 * * *'],
  ]) {
    await queues.get('data-lifecycle-cleanup').add(
      `${entity}-cleanup`,
      { entityType: entity, manual: false, dryRun: false },
      { repeat: { pattern }, attempts: 2, backoff: { type: 'exponential', delay: 60_000 }, removeOnComplete: 20, removeOnFail: 50 },
    );
  }
  // Supercheck's own housekeeping gives the schedules' keys a life of 7 days (and they vanish with it).
  for (const name of ['job-scheduler', 'k6-job-scheduler', 'monitor-scheduler']) {
    await redis.expire(`bull:${name}:repeat`, Math.round(scaled(7 * DAY_S)));
  }
}

// ---- the queues that the app serves

function serve(name, work, options) {
  const worker = new Worker(name, work, { connection, ...options });
  worker.on('error', (error) => log(name, error.message));
  worker.on('failed', (job, error) => log(name, 'failed', job?.id, error.message));
}

async function executeMonitor({ data }) {
  const monitor = MONITORS.find(({ id }) => id === data.monitorId);
  const group = `${data.monitorId}-${Date.now()}-${randomBytes(4).toString('hex')}`;
  await queues.get(MONITOR_QUEUE).add(
    'executeMonitorJob',
    {
      monitorId: data.monitorId,
      projectId: monitor.owner.project,
      type: 'http_request',
      frequencyMinutes: data.frequencyMinutes,
      executionLocation: LOCATION,
      executionGroupId: group,
      expectedLocations: [LOCATION],
      flaky: monitor.flaky,
      number: (produced += 1),
    },
    { jobId: `${data.monitorId}:${group}:${LOCATION}`, priority: 10, attempts: data.retryLimit },
  );
}

async function startJob({ data }) {
  const { owner, type } = JOBS.find(({ id }) => id === data.jobId);
  await rows.jobStarted(data.jobId);
  await capacity.admit(newRun(QUEUE_OF[type], owner, data.jobId));
}

const SCHEDULER = { concurrency: 5, lockDuration: 120_000, maxStalledCount: 2 };
serve('monitor-scheduler', executeMonitor, SCHEDULER);
serve('job-scheduler', startJob, SCHEDULER);
serve('k6-job-scheduler', startJob, SCHEDULER);
serve('email-template-render', () => sleep(scaled(150)), { concurrency: 5, limiter: { max: 10, duration: 1000 } });
serve('data-lifecycle-cleanup', () => sleep(scaled(1000)), { concurrency: 1 });

await addSchedules();
for (const queue of RUN_QUEUES) await capacity.admit(newRun(queue, ORGANIZATIONS[0]));
await queues.get('data-lifecycle-cleanup').add('manual-monitor_results-cleanup', { entityType: 'monitor_results', manual: true });
showAlive(redis, rows.answers);
log('app serves', [...queues.keys()].join(' '));
