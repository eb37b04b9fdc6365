// The worker of the demo site: one process serves all queues of its location, one job of a queue at a time,
// and says that it lives with a heartbeat key, as Supercheck's workers do. Jobs are waits of a few seconds.
//
// No shutdown handler, on purpose: a Supercheck worker that stops leaves its heartbeat and its locks behind.
import { hostname } from 'node:os';
import { Worker } from 'bullmq';
import { LOCATION, MONITOR_QUEUE, RUN_QUEUES, between, connect, connection, log, sleep, survive } from './common.js';

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
  const [low, high] = DURATION_MS[job.queueName];
  await sleep(between(low, high));
  const { number = 1 } = job.data;
  if (number % 60 === 0) throw new Error('demo: the browser did not start');
  if (number % 25 === 0 && job.attemptsMade === 0) throw new Error('demo: the container was evicted');
  return { success: number % 9 !== 0 };
}

for (const [queue, options] of Object.entries(CONSUMERS)) {
  const worker = new Worker(queue, execute, { connection, concurrency: 1, ...options });
  worker.on('error', (error) => log(queue, error.message));
  worker.on('failed', (job, error) => log(queue, 'failed', job?.id, error.message));
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
log('worker serves', queues.join(' '));
