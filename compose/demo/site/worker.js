// The worker of the demo site: one process serves all queues of its location, one job of a queue at a time,
// and says that it lives with a heartbeat key, as Supercheck's workers do. Jobs are waits of a few seconds.
//
// No shutdown handler, on purpose: a Supercheck worker that stops leaves its heartbeat and its locks behind.
import { hostname } from 'node:os';
import { Worker } from 'bullmq';
import { LOCATION, MONITOR_QUEUE, RUN_QUEUES, between, connect, connection, log, scaled, showAlive, sleep, survive } from './common.js';
import { answers, checked, jobEnded, ready, runEnded } from './rows.js';

const HEARTBEAT_EVERY_MS = 30_000;
const HEARTBEAT_TTL_S = 60;
const MINUTE_MS = 60_000;

// lockDuration and maxStalledCount per queue; what is absent is BullMQ's default (30 s, 1).
const CONSUMERS = {
  'playwright-global': {},
  'k6-global': {},
  [`k6-${LOCATION}`]: { lockDuration: 70 * MINUTE_MS, maxStalledCount: 2 },
  [MONITOR_QUEUE]: { lockDuration: 5 * MINUTE_MS, maxStalledCount: 2 },
};

const DURATION_MS = {
  'playwright-global': [3000, 7000],
  'k6-global': [4000, 7000],
  [`k6-${LOCATION}`]: [4000, 7000],
  [MONITOR_QUEUE]: [300, 1200],
};

// A failed test is a completed job; a thrown error is the platform failing. The latter stays rare: one job in 25
// fails its first attempt and recovers, one in 60 fails for good.
async function execute(job) {
  const duration = scaled(between(...DURATION_MS[job.queueName]));
  await sleep(duration);
  const { data } = job;
  if (data.number % 60 === 0) throw new Error('demo: the browser did not start');
  if (data.number % 25 === 0 && job.attemptsMade === 0) throw new Error('demo: the container was evicted');
  if (job.queueName === MONITOR_QUEUE) {
    const status = data.flaky && Math.random() < 0.2 ? 'timeout' : 'up';
    await checked(data.monitorId, LOCATION, status, Math.round(duration));
    return { success: status === 'up' };
  }
  const success = data.number % 9 !== 0;
  await ended(data, success ? 'passed' : 'failed');
  return { success };
}

async function ended({ runId, jobId }, status, details) {
  await runEnded(runId, status, details);
  if (jobId) await jobEnded(jobId, status);
}

await ready();
for (const [queue, options] of Object.entries(CONSUMERS)) {
  const worker = new Worker(queue, execute, { connection, concurrency: 1, ...options });
  worker.on('error', (error) => log(queue, error.message));
  worker.on(
    'failed',
    survive(queue, async (job, error) => {
      log(queue, 'failed', job?.id, error.message);
      if (job?.data.runId && job.finishedOn) await ended(job.data, 'error', error.message);
    }),
  );
}

const redis = connect();
const host = process.env.WORKER_HOSTNAME ?? hostname();
const startedAt = new Date().toISOString();
let queues = ['playwright-global']; // a worker's first heartbeat does not list its regional queues yet

const beat = survive('heartbeat', async () => {
  const payload = {
    location: LOCATION,
    hostname: host,
    startedAt,
    lastHeartbeat: new Date().toISOString(),
    queues,
    pid: process.pid,
  };
  await redis.set(`supercheck:worker-heartbeat:${host}-${process.pid}`, JSON.stringify(payload), 'EX', HEARTBEAT_TTL_S);
});

await beat();
queues = [...RUN_QUEUES, MONITOR_QUEUE];
setInterval(beat, HEARTBEAT_EVERY_MS);
showAlive(redis, answers);
log('worker serves', queues.join(' '));
