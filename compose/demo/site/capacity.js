// Supercheck's admission: an organization may run a number of jobs at once; what is beyond it is parked outside
// BullMQ until a slot is free. One app process runs here, so no script is needed to keep the counters right.
import { log } from './common.js';

const HOUR_S = 3600;
const RUNNING_TTL_S = 24 * HOUR_S;
const PARKED_TTL_S = 48 * HOUR_S;

export class Capacity {
  // dispatch(run) puts a run into its BullMQ queue.
  constructor(redis, { running, queued }, dispatch) {
    this.redis = redis;
    this.running = running;
    this.queued = queued;
    this.dispatch = dispatch;
  }

  async admit(run) {
    const { organizationId, runId } = run.data;
    const parked = await this.redis.zcard(`capacity:queued:${organizationId}`);
    if (parked >= this.queued) {
      log('capacity', organizationId, `Queue capacity limit reached (${parked}/${this.queued} queued)`);
      return;
    }
    await this.redis.set(`capacity:org:${runId}`, organizationId, 'EX', PARKED_TTL_S);
    if (await this.takeSlot(organizationId)) {
      await this.dispatch({ ...run, data: { ...run.data, _capacityStatus: 'immediate' } });
      return;
    }
    await this.redis
      .multi()
      .set(`capacity:job:${runId}`, JSON.stringify(run), 'EX', PARKED_TTL_S)
      .zadd(`capacity:queued:${organizationId}`, Date.now(), runId)
      .expire(`capacity:queued:${organizationId}`, RUNNING_TTL_S)
      .exec();
  }

  async takeSlot(organizationId) {
    const key = `capacity:running:${organizationId}`;
    if (Number((await this.redis.get(key)) ?? 0) >= this.running) return false;
    await this.redis.multi().incr(key).expire(key, RUNNING_TTL_S).exec();
    return true;
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
      if (runId === undefined || !(await this.takeSlot(organizationId))) return;
      const text = await this.redis.get(`capacity:job:${runId}`);
      await this.redis.multi().zrem(queued, runId).del(`capacity:job:${runId}`).exec();
      if (text === null) continue;
      const run = JSON.parse(text);
      await this.dispatch({ ...run, name: runId, data: { ...run.data, _capacityStatus: 'promoted', _jobName: run.name } });
    }
  }
}
