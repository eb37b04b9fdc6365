// Who uses the demo site: three organizations in three plans, one of which makes nearly all of the runs. Ids are fixed,
// so that an app that starts again finds its rows and its schedules.
import { LOCATION, scaled } from './common.js';

const MINUTE_MS = 60_000;

function id(kind, number) {
  return `${kind.toString().padStart(8, '0')}-0000-4000-8000-${number.toString().padStart(12, '0')}`;
}

// Runs that an organization of the plan may have at once and parked, and how many days its rows are kept.
export const PLANS = [
  { plan: 'free', running: 1, queued: 5, days: 7 },
  { plan: 'pro', running: 5, queued: 50, days: 30 },
  { plan: 'enterprise', running: 30, queued: 300, days: 90 },
];

export const ORGANIZATIONS = [
  { slug: 'acme', plan: 'enterprise' },
  { slug: 'bluebird', plan: 'pro' },
  { slug: 'corner-shop', plan: 'free' },
].map((organization, at) => ({ ...organization, id: id(1, at + 1), project: id(2, at + 1) }));

const [ACME, BLUEBIRD, CORNER_SHOP] = ORGANIZATIONS;

// Whose the n-th run of a queue is. The smallest one uses no queue whose dead workers hold its only slot for 70 minutes.
export function ownerOf(queue, number) {
  if (queue === 'playwright-global' && number % 10 === 7) return CORNER_SHOP;
  return number % 10 === 3 ? BLUEBIRD : ACME;
}

// Real monitors run once a minute at most; the demo's tick faster, so that a person sees them move.
export const MONITOR_EVERY_MS = scaled(20_000);
export const MONITORS = Array.from({ length: 6 }, (_, at) => ({
  id: id(3, at + 1),
  owner: ORGANIZATIONS[at % ORGANIZATIONS.length],
  name: `shop front ${at + 1}`,
  enabled: at < 5, // one is paused, by somebody's choice
  flaky: at === 2, // and one target does not always answer
}));

export const JOBS = [
  { owner: ACME, type: 'playwright', everyMs: scaled(MINUTE_MS) },
  { owner: BLUEBIRD, type: 'playwright', everyMs: scaled(5 * MINUTE_MS) },
  { owner: ACME, type: 'k6', everyMs: scaled(2 * MINUTE_MS) },
].map((job, at) => ({ ...job, id: id(4, at + 1), name: `nightly checks ${at + 1}`, pattern: cron(job.everyMs) }));

// A schedule of so many whole minutes, or of so many seconds where time is shortened.
function cron(ms) {
  return ms < MINUTE_MS ? `*/${ms / 1000} * * * * *` : `*/${ms / MINUTE_MS} * * * *`;
}

export function nextRun(job) {
  return new Date((Math.floor(Date.now() / job.everyMs) + 1) * job.everyMs);
}

export const LOCATIONS = [LOCATION];
