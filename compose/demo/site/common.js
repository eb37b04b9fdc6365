// What both halves of the site share: the connection, the queue names, Supercheck's job options.
import { writeFile } from 'node:fs/promises';
import { Redis } from 'ioredis';

export const LOCATION = process.env.WORKER_LOCATION ?? 'local';
export const RUN_QUEUES = ['playwright-global', 'k6-global', `k6-${LOCATION}`];
export const MONITOR_QUEUE = `monitor-${LOCATION}`;

const HOUR_S = 3600;
// The end-to-end tests divide every time of the site by one number, as they do with the rules' durations.
const SPEED = Number(process.env.SITE_SPEED ?? 1);

export function scaled(duration) {
  return duration / SPEED;
}

// Supercheck's defaults for every queue.
export const DEFAULT_JOB_OPTIONS = {
  attempts: 3,
  backoff: { type: 'exponential', delay: scaled(5000) },
  removeOnComplete: { count: 500, age: 24 * HOUR_S },
  removeOnFail: { count: 1000, age: 7 * 24 * HOUR_S },
};

// Repeatables leave nothing behind when they succeed.
export const REPEATABLE_JOB_OPTIONS = { removeOnComplete: true, removeOnFail: 100 };

// BullMQ asks for maxRetriesPerRequest null: a blocking read may wait for ever.
export const connection = {
  host: process.env.REDIS_HOST ?? '127.0.0.1',
  port: Number(process.env.REDIS_PORT ?? 6379),
  password: process.env.REDIS_PASSWORD,
  maxRetriesPerRequest: null,
};

export function connect() {
  const redis = new Redis(connection);
  redis.on('error', (error) => log('redis', error.message));
  return redis;
}

export function log(...parts) {
  console.log(new Date().toISOString(), ...parts);
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function between(low, high) {
  return low + Math.random() * (high - low);
}

// A source that is away for a moment is logged and tried again by its own client: the site goes on.
export function survive(what, work) {
  return async (...args) => {
    try {
      await work(...args);
    } catch (error) {
      log(what, error.message);
    }
  };
}

// In a container: a file is written anew while the process runs and both of its stores answer; its age is the container's health.
export function showAlive(redis, database) {
  const file = process.env.ALIVE_FILE;
  if (!file) return;
  const show = survive('alive', async () => {
    await Promise.all([redis.ping(), database()]);
    await writeFile(file, '');
  });
  show();
  setInterval(show, 5000);
}
