// The app of the demo site: it produces the runs, keeps the schedules, and serves the five queues that Supercheck's
// app serves itself. Names, options and keys are Supercheck's; the load is one that two workers carry with ease.
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
  sleep,
  survive,
} from './common.js';

const DAY_S = 24 * 3600;
const ORGANIZATIONS = [
  { id: randomUUID(), project: randomUUID() },
  { id: randomUUID(), project: randomUUID() },
];
// Real monitors run once a minute at most; the demo's tick faster, so that a person sees them move.
const MONITOR_EVERY_MS = 20_000;
const MONITORS = Array.from({ length: 4 }, () => randomUUID());
const RUN_EVERY_MS = { 'playwright-global': 6000, 'k6-global': 12_000, [`k6-${LOCATION}`]: 15_000 };

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
const capacity = new Capacity(
  redis,
  { running: Number(process.env.RUNNING_CAPACITY ?? 30), queued: Number(process.env.QUEUED_CAPACITY ?? 50) },
  (run) => queues.get(run.queue).add(run.name, run.data, { jobId: run.data.runId }),
);

function newRun(queue, trigger) {
  produced += 1;
  const organization = ORGANIZATIONS[produced % ORGANIZATIONS.length];
  const runId = randomUUID();
  return {
    queue,
    name: queue === 'playwright-global' ? runId : 'k6-test-execution',
    data: {
      runId,
      testId: randomUUID(),
      organizationId: organization.id,
      projectId: organization.project,
      location: queue.startsWith('k6-') ? LOCATION : undefined,
      trigger,
      number: produced,
    },
  };
}

// ---- producers

for (const [queue, every] of Object.entries(RUN_EVERY_MS)) {
  setInterval(
    survive(queue, () => capacity.admit(newRun(queue, 'manual'))),
    every,
  );
}

for (const name of RUN_QUEUES) {
  const events = new QueueEvents(name, { connection });
  const release = survive(name, ({ jobId }) => capacity.release(jobId));
  events.on('error', (error) => log(name, error.message));
  events.on('completed', release);
  events.on('failed', release);
}
setInterval(
  survive('promote', async () => {
    for (const { id } of ORGANIZATIONS) await capacity.promote(id);
  }),
  5000,
);

setInterval(
  survive('email', () =>
    queues.get('email-template-render').add(
      'render-template',
      { template: 'monitor-alert', data: { subject: 'demo' } },
      { jobId: `monitor-alert-${Date.now()}-${randomBytes(3).toString('hex')}` },
    ),
  ),
  20_000,
);

// ---- schedules: legacy repeatables, as Supercheck adds them

async function addSchedules() {
  for (const monitorId of MONITORS) {
    await queues.get('monitor-scheduler').add(
      `scheduled-monitor-${monitorId}`,
      { monitorId, frequencyMinutes: 1, retryLimit: 3, jobData: { monitorId, type: 'http_request' } },
      { repeat: { every: MONITOR_EVERY_MS }, ...REPEATABLE_JOB_OPTIONS },
    );
  }
  for (const [scheduler, pattern] of [
    ['job-scheduler', '* * * * *'],
    ['job-scheduler', '*/5 * * * *'],
    ['k6-job-scheduler', '*/2 * * * *'],
  ]) {
    const jobId = randomUUID();
    await queues.get(scheduler).add(
      `scheduled-job-${jobId}`,
      { jobId, name: 'demo job', projectId: ORGANIZATIONS[0].project, organizationId: ORGANIZATIONS[0].id, retryLimit: 3 },
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
    await redis.expire(`bull:${name}:repeat`, 7 * DAY_S);
  }
}

// ---- the queues that the app serves

function serve(name, work, options) {
  const worker = new Worker(name, work, { connection, ...options });
  worker.on('error', (error) => log(name, error.message));
  worker.on('failed', (job, error) => log(name, 'failed', job?.id, error.message));
}

async function executeMonitor({ data }) {
  const group = `${data.monitorId}-${Date.now()}-${randomBytes(4).toString('hex')}`;
  produced += 1;
  await queues.get(MONITOR_QUEUE).add(
    'executeMonitorJob',
    {
      monitorId: data.monitorId,
      projectId: ORGANIZATIONS[0].project,
      type: 'http_request',
      frequencyMinutes: data.frequencyMinutes,
      executionLocation: LOCATION,
      executionGroupId: group,
      expectedLocations: [LOCATION],
      number: produced,
    },
    { jobId: `${data.monitorId}:${group}:${LOCATION}`, priority: 10, attempts: data.retryLimit },
  );
}

const SCHEDULER = { concurrency: 5, lockDuration: 120_000, maxStalledCount: 2 };
serve('monitor-scheduler', executeMonitor, SCHEDULER);
serve('job-scheduler', () => capacity.admit(newRun('playwright-global', 'schedule')), SCHEDULER);
serve('k6-job-scheduler', () => capacity.admit(newRun('k6-global', 'schedule')), SCHEDULER);
serve('email-template-render', () => sleep(150), { concurrency: 5, limiter: { max: 10, duration: 1000 } });
serve('data-lifecycle-cleanup', () => sleep(1000), { concurrency: 1 });

await addSchedules();
for (const queue of RUN_QUEUES) await capacity.admit(newRun(queue, 'manual'));
await queues.get('data-lifecycle-cleanup').add('manual-monitor_results-cleanup', { entityType: 'monitor_results', manual: true });
log('app serves', [...queues.keys()].join(' '));
