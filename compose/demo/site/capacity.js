// Supercheck's admission: an organization may run a number of jobs at once; what is beyond it is parked outside
// BullMQ until a slot is free.
import { log } from './common.js';
import { limitsOf, runAdmitted, runEnded, runQueued } from './rows.js';

const HOUR_S = 3600;
const RUNNING_TTL_S = 24 * HOUR_S;
const PARKED_TTL_S = 48 * HOUR_S;

// Takes a slot where one is free. In one step, because many runs ask at once.
const TAKE_SLOT = `
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`;

export class Capacity {
  // dispatch(run) puts a run into its BullMQ queue.
  constructor(redis, dispatch) {
    this.redis = redis;
    this.dispatch = dispatch;
    redis.defineCommand('takeSlot', { numberOfKeys: 1, lua: TAKE_SLOT });
  }

  async admit(run) {
    const { organizationId, runId } = run.data;
    const limits = await limitsOf(organizationId);
    await runQueued(run.data);
    const parked = await this.redis.zcard(`capacity:queued:${organizationId}`);
    if (parked >= limits.queued) {
      const reason = `Queue capacity limit reached (${parked}/${limits.queued} queued)`;
      log('capacity', organizationId, reason);
      await runEnded(runId, 'failed', reason);
      return;
    }
    await this.redis.set(`capacity:org:${runId}`, organizationId, 'EX', PARKED_TTL_S);
    if (await this.takeSlot(organizationId, limits)) {
      await this.start({ ...run, data: { ...run.data, _capacityStatus: 'immediate' } });
      return;
    }
    await this.redis
      .multi()
      .set(`capacity:job:${runId}`, JSON.stringify(run), 'EX', PARKED_TTL_S)
      .zadd(`capacity:queued:${organizationId}`, Date.now(), runId)
      .expire(`capacity:queued:${organizationId}`, RUNNING_TTL_S)
      .exec();
  }

  async takeSlot(organizationId, { running }) {
    return (await this.redis.takeSlot(`capacity:running:${organizationId}`, running, RUNNING_TTL_S)) === 1;
  }

  async start(run) {
    await this.dispatch(run);
    await runAdmitted(run.data.runId);
  }

  // A run that ended gives its slot back, once.
  async release(runId) {
    const organizationId = await this.redis.get(`capacity:org:${runId}`);
    if (organizationId === null) return;
    const first = await this.redis.set(`capacity:released:${runId}`, '1', 'EX', RUNNING_TTL_S, 'NX');
    if (first === null) return;
    const left = await this.redis.decr(`capacity:running:${organizationId}`);
    if (left <= 0) await this.redis.del(`capacity:running:${organizationId}`);
  }

  // Oldest first, while there are free slots.
  async promote(organizationId) {
    const queued = `capacity:queued:${organizationId}`;
    for (;;) {
      const [runId] = await this.redis.zrange(queued, 0, 0);
      if (runId === undefined || !(await this.takeSlot(organizationId, await limitsOf(organizationId)))) return;
      const text = await this.redis.get(`capacity:job:${runId}`);
      await this.redis.multi().zrem(queued, runId).del(`capacity:job:${runId}`).exec();
      if (text === null) continue;
      const run = JSON.parse(text);
      await this.start({ ...run, name: runId, data: { ...run.data, _capacityStatus: 'promoted', _jobName: run.name } });
    }
  }
}
