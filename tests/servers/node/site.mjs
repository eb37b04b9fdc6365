// The same for ECMAScript modules: one query a request. DATABASE and PORT are in the environment.
import http from 'node:http';
import postgres from 'postgres';

const sql = postgres(process.env.DATABASE, { max: 1 });
http
  .createServer((_request, response) => {
    sql`select ${'hunter2'}::text as word`.then(
      () => response.end('{}'),
      () => response.writeHead(500).end(),
    );
  })
  .listen(Number(process.env.PORT), '127.0.0.1', () => process.stdout.write('ready\n'));
