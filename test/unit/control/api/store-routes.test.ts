/** The cluster store over the API as curl sees it: which keys, which answers, what is refused. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { ApiServer } from '../../../../src/control/api/server.js';
import { storeRoutes } from '../../../../src/control/api/store-routes.js';
import { STORE_SCHEMAS } from '../../../../src/control/api/store-schemas.js';
import type { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import type { Store } from '../../../../src/control/store/store.js';
import { Bench, embedded, TOKEN } from '../../../support/api-server.js';
import { httpCall } from '../../../support/http-call.js';

let bench: Bench;
let store: EmbeddedStore;
let server: ApiServer;
let offered: Store | undefined;

beforeEach(async () => {
  bench = new Bench();
  store = embedded(bench.path('store.mdb'));
  offered = store;
  server = await bench.serve(storeRoutes({ store: () => offered }));
});
afterEach(async () => {
  server.close();
  await store.close();
  bench.close();
});

interface Answered {
  readonly outcome: string;
  readonly body: Record<string, unknown>;
}

/** Over the unix socket. */
async function ask(method: string, path: string, body?: unknown): Promise<Answered> {
  const answer = await httpCall({
    socketPath: bench.socket,
    method,
    path: `/v1/store${path}`,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const parsed = JSON.parse(answer.text) as Record<string, unknown> & { error?: { code: string } };
  return { outcome: [answer.status, parsed.error?.code].filter(Boolean).join(' '), body: parsed };
}

const KEY = '/entries/cluster%2Fnodes%2Fk1';

describe('/v1/store', () => {
  it('reads and writes entries with revisions, and names the store in every answer', async () => {
    const name = (await store.list('')).store;
    const answers: [string, Answered, object][] = [
      ['StoreInfo', await ask('GET', ''), { revision: 0 }],
      ['StoreEntryAnswer', await ask('GET', KEY), { entry: null }],
      ['StoreInfo', await ask('PUT', KEY, { value: { a: [1] }, expected: 0 }), { revision: 1 }],
      [
        'StoreEntryAnswer',
        await ask('GET', KEY),
        { entry: { key: 'cluster/nodes/k1', value: { a: [1] }, revision: 1 } },
      ],
      [
        'StoreListing',
        await ask('GET', '/entries?prefix=cluster/'),
        { revision: 1, entries: [{ revision: 1 }] },
      ],
      ['StoreListing', await ask('GET', '/entries?prefix=cluster/x'), { entries: [] }],
      ['StoreDeleted', await ask('DELETE', `${KEY}?expected=1`), { revision: 2 }],
      ['StoreDeleted', await ask('DELETE', KEY), { revision: null }],
      ['LeaseAnswer', await ask('POST', '/leases', { ttlMs: 60_000 }), { ttlMs: 60_000 }],
    ];
    const ajv = new Ajv2020({ strict: false });
    for (const [schema, { outcome, body }, content] of answers) {
      expect(outcome).toBe('200');
      expect(body).toMatchObject({ store: name, ...content });
      const schemas = STORE_SCHEMAS as Record<string, object>;
      expect(ajv.validate(schemas[schema], body), `${schema}: ${ajv.errorsText()}`).toBe(true);
    }
  });

  it('has the cluster’s keys only, on the unix socket as well', async () => {
    await store.put('pods/default/web', 1);
    await store.put('clusters', 1);
    for (const key of [
      'pods%2Fdefault%2Fweb',
      'clusters',
      'cluster',
      '%2Fcluster%2F',
      'x%2F..%2Fcluster%2F',
    ]) {
      for (const method of ['GET', 'DELETE']) {
        expect((await ask(method, `/entries/${key}`)).outcome, key).toBe('404 NOT_FOUND');
      }
      expect((await ask('PUT', `/entries/${key}`, { value: 1 })).outcome, key).toBe('404 NOT_FOUND');
    }
    for (const prefix of ['', 'pods/', 'cluster']) {
      expect((await ask('GET', `/entries?prefix=${prefix}`)).outcome, prefix).toBe('404 NOT_FOUND');
    }
    expect((await ask('GET', '/entries')).body).toMatchObject({ entries: [] });
    expect((await store.list('')).revision).toBe(2);
  });

  it.each([
    ['PUT', KEY, { value: 1, colour: 'blue' }, '400 INVALID', 'colour'],
    ['PUT', KEY, { expected: 1 }, '400 INVALID', 'value'],
    ['PUT', KEY, { value: 1, expected: -1 }, '400 INVALID', 'expected'],
    ['PUT', KEY, { value: 1, expected: '1' }, '400 INVALID', 'expected'],
    ['PUT', KEY, { value: 1, expected: 7 }, '409 CONFLICT', undefined],
    ['PUT', KEY, { value: 1, lease: 'no-such' }, '409 LEASE_EXPIRED', undefined],
    ['PUT', KEY, '{"value":', '400 BODY_INVALID', undefined],
    ['PUT', `/entries/cluster%2F${'x'.repeat(600)}`, { value: 1 }, '400 INVALID', 'key'],
    ['PUT', '/entries/cluster%2Fa%00b', { value: 1 }, '400 INVALID', 'key'],
    ['DELETE', `${KEY}?expected=soon`, undefined, '400 INVALID', 'expected'],
    ['DELETE', `${KEY}?colour=blue`, undefined, '400 INVALID', 'colour'],
    ['GET', '/entries?colour=blue', undefined, '400 INVALID', 'colour'],
    ['GET', '/watch', undefined, '400 INVALID', undefined],
    ['POST', '/leases', {}, '400 INVALID', 'ttlMs'],
    ['POST', '/leases', { ttlMs: 999 }, '400 INVALID', 'ttlMs'],
    ['POST', '/leases', { ttlMs: 1e12 }, '400 INVALID', 'ttlMs'],
    ['POST', '/leases/no-such/renew', { ttlMs: 1000 }, '409 LEASE_EXPIRED', undefined],
    ['PATCH', KEY, undefined, '405 METHOD_NOT_ALLOWED', undefined],
  ])('%s %s %j: %s', async (method, path, body, outcome, field) => {
    const answer = await ask(method, path, body);
    expect(answer.outcome).toBe(outcome);
    expect((answer.body.error as { field?: string }).field).toBe(field);
    expect((await store.list('')).revision).toBe(0);
  });

  it('is not there on a node that keeps no store', async () => {
    offered = undefined;
    for (const path of ['', '/entries', KEY]) {
      expect((await ask('GET', path)).outcome).toBe('404 NOT_FOUND');
    }
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/store/watch`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    socket.on('error', () => {});
    const status = await new Promise((resolve) => {
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode));
    });
    socket.terminate();
    expect(status).toBe(404);
  });

  it('sends what one turn has brought in one message, and tells first which store it is', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/store/watch?prefix=cluster/&revision=0`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const messages: unknown[] = [];
    socket.on('message', (data) => messages.push(JSON.parse(String(data))));
    await new Promise((resolve) => socket.once('message', resolve));
    for (const key of ['cluster/a', 'other', 'cluster/b']) void store.put(key, 1);
    void store.delete('cluster/a');
    const deadline = performance.now() + 5000;
    while (messages.length < 2 && performance.now() < deadline) await new Promise((r) => setTimeout(r, 10));
    socket.terminate();
    const { store: name } = await store.list('');
    expect(messages).toEqual([
      { store: name, revision: 0, changes: [] },
      {
        revision: 4,
        changes: [
          { key: 'cluster/a', revision: 1, value: 1 },
          { key: 'cluster/b', revision: 3, value: 1 },
          { key: 'cluster/a', revision: 4, previous: 1 },
        ],
      },
    ]);
    const ajv = new Ajv2020({ strict: false });
    for (const message of messages) expect(ajv.validate(STORE_SCHEMAS.StoreWatchMessage, message)).toBe(true);
  });
});
