/** The API on TCP: who gets in with a token, and what a client can do to the server. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { Channel, Route } from '../../../../src/control/api/routes.js';
import { ApiServer } from '../../../../src/control/api/server.js';
import { refusePlain } from '../../../../src/control/api/watch.js';
import { Bench, TOKEN } from '../../../support/api-server.js';
import { type HttpCall, httpCall, trickle } from '../../../support/http-call.js';

const RIGHT = { authorization: `Bearer ${TOKEN}` };

let bench: Bench;
let server: ApiServer;
let channels: { channel: Channel; closed: boolean }[];

function get(path: string, handle: Route['handle']): Route {
  return { method: 'GET', path, summary: '', answer: 'Health', handle };
}

const routes: Route[] = [
  get('/healthz', () => ({ body: { ok: true } })),
  get('/v1/thing', () => ({ body: { thing: true } })),
  get('/v1/large', () => ({ body: 'x'.repeat(8_000_000) })),
  { ...get('/v1/thing', ({ body }) => ({ body: { echo: body } })), method: 'PUT', body: 'Health' },
  {
    ...get('/v1/stream', refusePlain),
    query: { revision: '' },
    stream: () => async (channel) => {
      const opened = { channel, closed: false };
      channels.push(opened);
      return {
        close: () => {
          opened.closed = true;
        },
      };
    },
  },
];

beforeEach(async () => {
  channels = [];
  bench = new Bench();
  server = await bench.serve(routes);
});
afterEach(() => {
  server.close();
  bench.close();
});

function call(path: string, options: HttpCall = {}) {
  return httpCall({ url: `http://127.0.0.1:${server.port}${path}`, ...options });
}

async function until(probe: () => boolean, ms = 15_000): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!probe() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  return probe();
}

describe('with a token', () => {
  it('lets in who has it', async () => {
    expect(await call('/v1/thing', { headers: RIGHT })).toMatchObject({
      status: 200,
      text: '{"thing":true}\n',
    });
    const lower = { authorization: `bearer ${TOKEN}` };
    expect((await call('/v1/thing', { headers: lower })).status).toBe(200);
    const put = await call('/v1/thing', { method: 'PUT', headers: RIGHT, body: '{"a":[1]}' });
    expect(JSON.parse(put.text)).toEqual({ echo: { a: [1] } });
    expect((await call('/v1/nope', { headers: RIGHT })).status).toBe(404);
  });

  it.each([
    [{}, 'no bearer token was given'],
    [{ authorization: `Basic ${TOKEN}` }, 'no bearer token was given'],
    [{ authorization: 'Bearer' }, 'no bearer token was given'],
    [{ authorization: `Bearer ${TOKEN.slice(1)}` }, 'the bearer token is wrong'],
    [{ authorization: `Bearer ${TOKEN}x` }, 'the bearer token is wrong'],
    [{ authorization: `Bearer ${TOKEN} ${TOKEN}` }, 'no bearer token was given'],
  ])('refuses %j, whatever is asked for', async (headers, message) => {
    for (const path of ['/v1/thing', '/v1/nope', '/v1/stream', '/healthz/']) {
      const answer = await call(path, { headers });
      expect(answer.status, path).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(JSON.parse(answer.text).error).toMatchObject({
        code: 'UNAUTHORIZED',
        message: expect.stringContaining(message),
      });
    }
    expect(await call('/healthz', { headers })).toMatchObject({ status: 200, text: '{"ok":true}\n' });
  });

  it('refuses a WebSocket before it is one', async () => {
    const url = `ws://127.0.0.1:${server.port}/v1/stream`;
    const refused = new WebSocket(url, { headers: { authorization: 'Bearer wrong' } });
    const [, { statusCode }] = await once(refused, 'unexpected-response');
    expect(statusCode).toBe(401);
    refused.on('error', () => {});
    refused.terminate();
    const admitted = new WebSocket(url, { headers: RIGHT });
    await once(admitted, 'open');
    expect(channels).toHaveLength(1);
    const unknown = new WebSocket(`${url}?colour=blue`, { headers: RIGHT });
    const [, { statusCode: status }] = await once(unknown, 'unexpected-response');
    expect(status).toBe(400);
    unknown.on('error', () => {});
    unknown.terminate();
    admitted.terminate();
    expect(await until(() => channels[0].closed)).toBe(true);
  });

  it('asks for nothing on the unix socket, which only its owner may open', async () => {
    expect((await httpCall({ socketPath: bench.socket, path: '/v1/thing' })).status).toBe(200);
    expect(statSync(bench.socket).mode & 0o777).toBe(0o600);
    expect(statSync(`${bench.socket}.tcp`).mode & 0o777).toBe(0o600);
    const past = await httpCall({ socketPath: `${bench.socket}.tcp`, path: '/v1/thing' });
    expect(past.status).toBe(401);
  });

  it('reads a token again that was replaced, and keeps the last one where the file is emptied', async () => {
    const replace = async (text: string): Promise<void> => {
      writeFileSync(bench.tokenFile, text);
      utimesSync(bench.tokenFile, new Date(), new Date());
      await new Promise((resolve) => setTimeout(resolve, 1050));
    };
    await replace('  another-one\n\n');
    expect((await call('/v1/thing', { headers: RIGHT })).status).toBe(401);
    const another = { headers: { authorization: 'Bearer another-one' } };
    expect((await call('/v1/thing', another)).status).toBe(200);
    await replace('\n');
    expect((await call('/v1/thing', another)).status).toBe(200);
    expect((await call('/v1/thing', { headers: { authorization: 'Bearer ' } })).status).toBe(401);
    expect(bench.logged.map(({ msg }) => msg)).toEqual([
      'token read again',
      'token not read again: the last one stays in force',
    ]);
  });

  it('can be asked by curl', async () => {
    const words = [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `http://127.0.0.1:${server.port}/v1/thing`,
    ];
    let curl: string | undefined;
    try {
      curl = execFileSync('sh', ['-c', 'command -v curl'], { encoding: 'utf8' }).trim();
    } catch {
      console.log('skipped: curl is not installed');
      return;
    }
    // In a process of its own while this one serves: not execFileSync.
    const { execFile } = await import('node:child_process');
    const { promisify } = await import('node:util');
    const run = promisify(execFile);
    expect((await run(curl, words)).stdout).toBe('401');
    expect((await run(curl, ['-H', `authorization: Bearer ${TOKEN}`, ...words])).stdout).toBe('200');
  });
});

describe('at start', () => {
  it('never serves TCP to anybody, also where its caller has forgotten to ask for something', async () => {
    const other = new Bench();
    for (const tls of [undefined, { ca: '/ca' }, { cert: '/cert', key: '/key' }]) {
      const listening = ApiServer.listen({
        socket: other.socket,
        tcp: { address: { host: '127.0.0.1', port: 0 }, ...(tls && { tls }) },
        routes,
        log: other.log,
      });
      await expect(listening).rejects.toMatchObject({ code: 'INVALID', field: '--listen' });
    }
    other.close();
  });

  it('warns of a token that others may read, and of TCP without TLS that is not the loopback', async () => {
    server.close();
    chmodSync(bench.tokenFile, 0o644);
    server = await bench.serve(routes, { address: { host: '0.0.0.0', port: 0 } });
    expect(bench.logged.map(({ msg }) => msg)).toEqual([
      'other users may read the token: chmod 600',
      'the API is on TCP without TLS: its token can be read on the way',
    ]);
  });

  it.each([
    ['', 'is empty'],
    [' \n', 'is empty'],
    ['two words', 'more than one word'],
  ])('refuses the token file %j', async (text, message) => {
    const tokenFile = bench.file('bad', text);
    await expect(bench.serve(routes, { tokenFile })).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('leaves nothing behind where the address cannot be had', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const second = new Bench();
    try {
      await expect(second.serve(routes, { address: { host: '127.0.0.1', port } })).rejects.toMatchObject({
        code: 'LISTEN_FAILED',
        message: expect.stringContaining('another program listens there'),
      });
      await expect(
        second.serve(routes, { address: { host: '192.0.2.1', port: 7443 } }),
      ).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
      for (const suffix of ['', '.tcp']) expect(existsSync(second.socket + suffix)).toBe(false);
    } finally {
      other.close();
      second.close();
    }
  });

  it('takes the port of a second server for taken', async () => {
    const address = { host: '127.0.0.1', port: server.port ?? 0 };
    const second = new Bench();
    await expect(second.serve(routes, { address })).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
    second.close();
  });
});

describe('a client that means no good', () => {
  it('gets 413 for 100 MB, and memory does not grow by it', async () => {
    const before = process.memoryUsage().rss;
    const chunk = Buffer.alloc(1_000_000, 'x');
    for (const length of ['content-length: 100000000', 'transfer-encoding: chunked']) {
      const socket = connect(server.port ?? 0, '127.0.0.1');
      let received = '';
      let sent = 0;
      socket.on('data', (data) => {
        received += data.toString();
      });
      socket.on('error', () => {});
      const ended = once(socket, 'close');
      socket.write(
        `PUT /v1/thing HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n${length}\r\n\r\n`,
      );
      const chunked = length.includes('chunked');
      while (sent < 100 && !socket.destroyed) {
        if (chunked) socket.write(`${chunk.length.toString(16)}\r\n`);
        const more = socket.write(chunk);
        if (chunked) socket.write('\r\n');
        sent++;
        if (!more) await Promise.race([once(socket, 'drain').catch(() => {}), ended]);
      }
      await ended;
      expect(received).toMatch(/^HTTP\/1.1 413 /);
      expect(received).toContain('BODY_TOO_LARGE');
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(60e6);
    expect((await call('/v1/thing', { headers: RIGHT })).status).toBe(200);
  });

  it('gets its 401 also when a large body comes along', async () => {
    const answer = await call('/v1/thing', { method: 'PUT', body: 'x'.repeat(500_000) });
    expect(answer.status).toBe(401);
  });

  it('is cut off when its headers, its body or its first byte are slow to come', async () => {
    const head = `PUT /v1/thing HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n`;
    const ended = await Promise.all([
      trickle(server.port ?? 0, head, 'x', 500, 20_000),
      trickle(server.port ?? 0, `${head}content-length: 100000\r\n\r\n`, 'x', 500, 20_000),
      trickle(server.port ?? 0, '', '', 500, 20_000),
    ]);
    for (const { lasted, received } of ended) {
      expect(received).toBe('');
      expect(lasted).toBeGreaterThan(5000);
    }
    expect((await call('/v1/thing', { headers: RIGHT })).status).toBe(200);
  });

  it('gets 431 for headers without end', async () => {
    const { received } = await trickle(
      server.port ?? 0,
      'GET /v1/thing HTTP/1.1\r\n',
      `x: ${'y'.repeat(2000)}\r\n`,
      10,
      5000,
    );
    expect(received).toMatch(/^HTTP\/1.1 431 /);
  });

  it('is disconnected when it watches and does not read', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/stream`, { headers: RIGHT });
    await once(socket, 'open');
    socket.pause();
    const message = 'x'.repeat(1_000_000);
    for (let sent = 0; sent < 40 && !channels[0].closed; sent++) {
      channels[0].channel.send(message);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await until(() => channels[0].closed)).toBe(true);
    socket.terminate();
  });

  it('holds no more connections than there may be, and others get in again when it goes', async () => {
    const most = 20;
    server.close();
    server = await bench.serve(routes, { mostConnections: most });
    const sockets: Socket[] = [];
    for (let index = 0; index < most; index++) {
      const socket = connect(server.port ?? 0, '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect');
    }
    await expect(call('/healthz')).rejects.toThrow();
    expect((await httpCall({ socketPath: bench.socket, path: '/healthz' })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    let status = 0;
    const deadline = performance.now() + 5000;
    while (status !== 200 && performance.now() < deadline) {
      status = await call('/healthz').then(
        ({ status }) => status,
        () => 0,
      );
    }
    expect(status).toBe(200);
    expect(bench.logged.some(({ msg }) => msg === 'too many connections to the API')).toBe(true);
  });
});

it('gives a slow reader the whole answer, and the next one on the same connection', async () => {
  const socket = connect(server.port ?? 0, '127.0.0.1');
  const request = `GET /v1/large HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`;
  socket.write(request + request.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
  let size = 0;
  for await (const chunk of socket) {
    size += (chunk as Buffer).length;
    if (size % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(size).toBeGreaterThan(2 * 8_000_000);
});

it('takes the place of a server that was killed', async () => {
  const other = new Bench();
  const program = `const { createServer } = require('net');
    createServer().listen(process.argv[1], () => createServer().listen(process.argv[1] + '.tcp', () => process.kill(process.pid, 'SIGKILL')))`;
  expect(spawnSync(process.execPath, ['-e', program, other.socket]).signal).toBe('SIGKILL');
  for (const suffix of ['', '.tcp']) expect(existsSync(other.socket + suffix)).toBe(true);
  const next = await other.serve(routes);
  const url = `http://127.0.0.1:${next.port}/v1/thing`;
  expect((await httpCall({ url, headers: RIGHT })).status).toBe(200);
  expect((await httpCall({ socketPath: other.socket, path: '/v1/thing' })).status).toBe(200);
  next.close();
  other.close();
});

it('listens on IPv6', async () => {
  const other = new Bench();
  const next = await other.serve(routes, { address: { host: '::1', port: 0 } });
  expect((await httpCall({ url: `http://[::1]:${next.port}/healthz` })).status).toBe(200);
  next.close();
  other.close();
});

it('lets requests under way have their answers when it stops, and tells watchers', async () => {
  const other = new Bench();
  let answer = (): void => {};
  const slow = get(
    '/v1/slow',
    () =>
      new Promise((resolve) => {
        answer = () => resolve({ body: 'done' });
      }),
  );
  const next = await other.serve([...routes, slow]);
  const at = `127.0.0.1:${next.port}`;
  const watcher = new WebSocket(`ws://${at}/v1/stream`, { headers: RIGHT });
  await once(watcher, 'open');
  const closed = once(watcher, 'close');
  const asked = httpCall({ url: `http://${at}/v1/slow`, headers: RIGHT });
  await new Promise((resolve) => setTimeout(resolve, 50));
  next.stopAccepting();
  expect((await closed)[0]).toBe(1001);
  await expect(httpCall({ url: `http://${at}/healthz` })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  answer();
  expect((await asked).text).toBe('"done"\n');
  next.close();
  for (const suffix of ['', '.tcp']) expect(existsSync(other.socket + suffix)).toBe(false);
  other.close();
});
