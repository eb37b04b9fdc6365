'use strict';
// A site in Supercheck's shape, for the tests of its traces: `node site.cjs app` answers HTTP and adds jobs, `node site.cjs worker`
// runs them. Both use PostgreSQL by postgres.js, Redis by ioredis and log by pino, and know nothing of OpenTelemetry.
// SITE is JSON: {redis: {host, port}, database: url, port, jobMilliseconds}. The first line on stdout is `ready`.

const http = require('node:http');
const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');
const pino = require('pino');
const postgres = require('postgres');

const settings = JSON.parse(process.env.SITE);
const role = process.argv[2];
const log = pino({ base: { service: `supercheck-${role}` }, timestamp: pino.stdTimeFunctions.isoTime });
const sql = settings.database ? postgres(settings.database, { max: 2, onnotice: () => undefined }) : undefined;
const connection = { ...settings.redis, maxRetriesPerRequest: null };
const redis = new Redis(connection);
const QUEUE = 'playwright-global';

async function app() {
  const queue = new Queue(QUEUE, { connection });
  const routes = {
    '/api/health': async () => ({ status: 'ok' }),
    '/api/run': async () => {
      const [row] = await sql.unsafe("insert into visits (who, what) values ($1, 'o''hara 1042424242') returning id", ['ada']);
      await redis.set('site:last', String(row.id));
      const job = await queue.add(`run-${row.id}`, { runId: row.id, secret: 'hunter2' }, { jobId: `run-${row.id}` });
      log.info({ runId: row.id }, 'run added');
      return { id: job.id };
    },
    '/api/loop': async (url) => {
      const times = Number(url.searchParams.get('times') ?? 12);
      for (let id = 0; id < times; id += 1) await sql`select who from visits where id = ${id}`;
      return {};
    },
    '/api/loop/literals': async () => {
      for (let id = 0; id < 12; id += 1) {
        const ids = Array.from({ length: id + 1 }, (_, more) => 1042424242 + more).join(', ');
        await sql.unsafe(`select who from visits where what = 'hunter2 ${id}' and id in (${ids}) -- run ${id}`);
      }
      return {};
    },
    '/api/loop/many': async () => {
      for (let id = 0; id < 300; id += 1) await sql.unsafe(`select ${id} as column_${id}`);
      return {};
    },
    '/api/broken': async () => {
      await sql.unsafe("select * from no_such_table where word = 'hunter2'");
    },
    '/api/schedule': async () => {
      await queue.add('scheduled', { secret: 'hunter2' }, { repeat: { every: 500 } });
      return {};
    },
  };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://site');
    const route = routes[url.pathname];
    Promise.resolve(route ? route(url) : undefined).then(
      (body) => response.writeHead(body ? 200 : 404).end(JSON.stringify(body ?? {})),
      (error) => {
        log.error({ err: error }, 'request failed');
        response.writeHead(500).end('{}');
      },
    );
  });
  await new Promise((resolve) => server.listen(settings.port, '127.0.0.1', resolve));
}

async function worker() {
  const running = new Worker(
    QUEUE,
    async (job) => {
      log.info({ runId: job.data.runId }, 'run started');
      if (sql) await sql.unsafe('update visits set what = $1 where id = $2', ['done', job.data.runId ?? 0]);
      await redis.incr('site:done');
      await new Promise((resolve) => setTimeout(resolve, settings.jobMilliseconds ?? 5));
      return { data: job.data, keys: Object.keys(job.data) };
    },
    { connection, concurrency: settings.concurrency ?? 1 },
  );
  running.on('failed', (job, error) => log.error({ err: error }, 'job failed'));
  await running.waitUntilReady();
}

({ app, worker })[role]().then(() => process.stdout.write('ready\n'));
