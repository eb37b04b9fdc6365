'use strict';
// Real BullMQ, driven by JSON lines: `{"id": 1, "op": "add", ...}` on stdin is answered by
// `{"id": 1, "result": ...}` or `{"id": 1, "error": "..."}` on stdout, one operation at a time.
// argv[2] is JSON: {module, prefix, connection}; connection is ioredis options or {cluster: [{host, port}]}.

const { createRequire } = require('node:module');
const readline = require('node:readline');

const settings = JSON.parse(process.argv[2]);
const bullmq = require(settings.module);
// each BullMQ version brings the ioredis it was released with
const ioredis = createRequire(require.resolve(settings.module))('ioredis');

const queues = new Map();
const workers = new Map();
const clusters = [];
const listeners = [];
let flows;

function connection() {
  if (!settings.connection.cluster) return { ...settings.connection, maxRetriesPerRequest: null };
  const cluster = new ioredis.Cluster(settings.connection.cluster, {
    clusterRetryStrategy: () => 100,
    slotsRefreshTimeout: 1000,
    slotsRefreshInterval: 1000,
    redisOptions: { maxRetriesPerRequest: null, connectTimeout: 1000 },
  });
  cluster.on('error', report);
  clusters.push(cluster);
  return cluster;
}

function report(error) {
  process.stderr.write(`${error && error.message}\n`);
}

function open(name, options = {}) {
  if (!queues.has(name)) {
    const queue = new bullmq.Queue(name, { ...options, prefix: settings.prefix, connection: connection() });
    queue.on('error', report);
    queues.set(name, queue);
  }
  return queues.get(name);
}

// What a worker does with a job. `hang` waits for the `release` operation.
function processor(state, behaviour) {
  return async (job) => {
    state.starts.push(job.id);
    switch (behaviour.kind) {
      case 'succeed':
        return behaviour.value;
      case 'fail':
        throw new Error(behaviour.message || 'made to fail');
      case 'fail-times':
        if (job.attemptsMade < behaviour.times) throw new Error(behaviour.message || 'made to fail');
        return behaviour.value;
      case 'sleep':
        await new Promise((done) => setTimeout(done, behaviour.ms));
        return behaviour.value;
      case 'hang':
        await new Promise((done) => state.hanging.push(done));
        return behaviour.value;
      default:
        throw new Error(`no behaviour ${behaviour.kind}`);
    }
  };
}

function jobNumbers(job) {
  const { id, timestamp, delay, priority, processedOn, finishedOn, attemptsMade } = job;
  return { id, timestamp, delay, priority, processedOn, finishedOn, attemptsMade };
}

async function findJob(queue, id) {
  const job = await bullmq.Job.fromId(open(queue), id);
  if (!job) throw new Error(`no job ${id} in ${queue}`);
  return job;
}

const operations = {
  async open({ queue, options }) {
    await open(queue, options).waitUntilReady();
  },
  async add({ queue, name, data, options }) {
    return jobNumbers(await open(queue).add(name, data, options));
  },
  async addBulk({ queue, jobs }) {
    return (await open(queue).addBulk(jobs)).map((job) => job.id);
  },
  async addMany({ queue, count, name, data, options }) {
    const jobs = Array.from({ length: count }, () => ({ name, data, opts: options }));
    return (await open(queue).addBulk(jobs)).map((job) => job.id);
  },
  async flow({ tree }) {
    flows = flows || new bullmq.FlowProducer({ prefix: settings.prefix, connection: connection() });
    return jobNumbers((await flows.add(tree)).job);
  },
  // legacy repeatables where the version has them, as Supercheck uses them; job schedulers elsewhere
  async schedule({ queue, name, repeat, options }) {
    const target = open(queue);
    if (typeof target.getRepeatableJobs === 'function') {
      await target.add(name, {}, { ...options, repeat });
    } else {
      await target.upsertJobScheduler(name, repeat, { name, data: {}, opts: options });
    }
  },
  async queueCall({ queue, method, args }) {
    const result = await open(queue)[method](...args);
    return result === undefined ? null : JSON.parse(JSON.stringify(result));
  },
  async job({ queue, job }) {
    return jobNumbers(await findJob(queue, job));
  },
  async jobCall({ queue, job, method, args }) {
    await (await findJob(queue, job))[method](...args);
  },
  async startWorker({ worker, queue, behaviour, options }) {
    const state = { starts: [], hanging: [], completed: 0, failed: 0 };
    const running = new bullmq.Worker(queue, processor(state, behaviour), {
      ...options,
      prefix: settings.prefix,
      connection: connection(),
    });
    running.on('error', report);
    running.on('completed', () => { state.completed += 1; });
    running.on('failed', () => { state.failed += 1; });
    workers.set(worker, { running, state });
    await running.waitUntilReady();
  },
  async listen({ queue }) {
    const events = new bullmq.QueueEvents(queue, { prefix: settings.prefix, connection: connection() });
    events.on('error', report);
    listeners.push(events);
    await events.waitUntilReady();
  },
  async workerState({ worker }) {
    const { starts, hanging, completed, failed } = workers.get(worker).state;
    return { starts, hanging: hanging.length, completed, failed };
  },
  async release({ worker }) {
    workers.get(worker).state.hanging.splice(0).forEach((done) => done());
  },
  // force leaves its jobs active and their locks to expire, as a crash does
  async stopWorker({ worker, force }) {
    const { running } = workers.get(worker);
    workers.delete(worker);
    await running.close(force);
  },
  async close() {
    for (const { running } of workers.values()) await running.close(true);
    for (const each of [...listeners, ...queues.values()]) await each.close();
    if (flows) await flows.close();
    for (const cluster of clusters) cluster.disconnect();
  },
};

// A client of a server that was killed on purpose may reject with nobody waiting for it.
process.on('unhandledRejection', report);

async function main() {
  process.stdout.write(`${JSON.stringify({ ready: bullmq.version || true })}\n`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { id, op, ...parameters } = JSON.parse(line);
    let answer;
    try {
      answer = { id, result: (await operations[op](parameters)) ?? null };
    } catch (error) {
      answer = { id, error: String((error && error.stack) || error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    if (op === 'close') break;
  }
  process.exit(0);
}

main();
