/** The store of another node over a bad network, through a restart of that node, and with another store in its place. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApiServer } from '../../../../src/control/api/server.js';
import type { PodwireError } from '../../../../src/control/errors.js';
import type { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { RemoteStore } from '../../../../src/control/store/remote.js';
import type { Change, StoreHealth } from '../../../../src/control/store/store.js';
import { Bench, embedded, openStoreRoutes, TOKEN } from '../../../support/api-server.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';

const HISTORY = 5000;

let bench: Bench;
let behind: EmbeddedStore;
let server: ApiServer;
let proxy: TcpProxy;
const opened: RemoteStore[] = [];

async function start(file = 'store.mdb', history = HISTORY): Promise<void> {
  const store = embedded(bench.path(file), history);
  behind = store;
  server = await bench.serve(openStoreRoutes(() => store));
}

async function stop(): Promise<void> {
  server.close();
  await behind.close();
}

async function open(timeoutMs = 2500): Promise<RemoteStore> {
  const store = await RemoteStore.open({ url: proxy.url, token: TOKEN, timeoutMs });
  opened.push(store);
  return store;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(probe: () => boolean, ms = 15_000): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!probe() && performance.now() < deadline) await sleep(10);
  return probe();
}

beforeEach(async () => {
  bench = new Bench();
  await start();
  proxy = await TcpProxy.to(server.port ?? 0);
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await proxy.close();
  await stop();
  bench.close();
});

describe('a store that does not answer', () => {
  it('is told so after a bounded time, whatever the network does', async () => {
    const store = await open(500);
    proxy.stall();
    const begun = performance.now();
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await expect(store.put('a', 1)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    const watching = store.watch({ prefix: '', after: 0, onChange: () => {} });
    await expect(watching).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(store.health).toMatchObject({
      connected: false,
      reason: expect.stringMatching(/(silent for|within) 500 ms/),
    });
    await proxy.close();
    await expect(store.list('')).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('nobody listens'),
    });
  });

  it('may be away when it is opened, and is found when it comes back, without being asked', async () => {
    await proxy.close();
    const store = await open();
    expect(store.health.connected).toBe(false);
    const health: StoreHealth[] = [];
    store.onHealth((now) => health.push(now));
    await proxy.open();
    expect(await until(() => store.health.connected)).toBe(true);
    expect(health.at(-1)).toEqual({ connected: true });
  });

  it('says of a wrong token that it is wrong, at once', async () => {
    const wrong = RemoteStore.open({ url: proxy.url, token: 'wrong' });
    await expect(wrong).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('the bearer token is wrong'),
    });
    const none = RemoteStore.open({ url: proxy.url });
    await expect(none).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it('asks for its token each time', async () => {
    let token = TOKEN;
    const store = await RemoteStore.open({ url: proxy.url, token: () => token });
    opened.push(store);
    token = 'another';
    await expect(store.get('a')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    const watching = store.watch({ prefix: '', after: 0, onChange: () => {} });
    await expect(watching).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(store.health.connected).toBe(false);
    token = TOKEN;
    expect(await store.get('a')).toBeUndefined();
    expect(store.health.connected).toBe(true);
  });

  it('tells something else that answers there from podwire', async () => {
    const { createServer } = await import('node:http');
    const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const store = await RemoteStore.open({
      url: `http://127.0.0.1:${(other.address() as { port: number }).port}`,
    });
    expect(store.health.reason).toContain("is not podwire's API");
    await store.close();
    other.close();
  });
});

describe('a watch', () => {
  it('misses and doubles nothing while the network is cut, stalled and slow amid writes', async () => {
    const store = await open();
    const total = 1500;
    const seen: number[] = [];
    let ends = 0;
    await store.watch({
      prefix: 'n/',
      after: 0,
      onChange: ({ value }) => seen.push(value as number),
      onEnd: () => ends++,
    });
    const writing = (async () => {
      for (let n = 1; n <= total; n++) {
        await behind.put(`n/${n % 7}`, n);
        if (n % 3 === 0) await behind.put('other', n);
        if (n % 10 === 0) await sleep(5);
      }
    })();
    const faults: (() => unknown)[] = [
      () => proxy.cut(),
      () => {
        proxy.delay = 30;
      },
      () => proxy.cut(),
      () => {
        proxy.delay = 0;
      },
      () => proxy.stall(),
      () => proxy.resume(),
      () => proxy.close(),
      () => proxy.open(),
    ];
    for (let turn = 0; turn < 3; turn++) {
      for (const fault of faults) {
        await fault();
        await sleep(60);
      }
    }
    await writing;
    expect(await until(() => seen.length >= total)).toBe(true);
    await sleep(100);
    expect(seen).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    expect(ends).toBe(0);
    expect(proxy.accepted).toBeGreaterThan(5);
    expect(store.health).toEqual({ connected: true });
  });

  it('goes on after the server was gone for a while, with what was written before and after', async () => {
    const store = await open();
    const seen: Change[] = [];
    const health: boolean[] = [];
    store.onHealth(({ connected }) => health.push(connected));
    await store.watch({ prefix: '', after: 0, onChange: (change) => seen.push(change) });
    const revision = await store.put('a', 1);
    expect(await until(() => seen.length === 1)).toBe(true);
    await stop();
    expect(await until(() => !store.health.connected)).toBe(true);
    await expect(store.put('a', 2)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await sleep(1500);
    await start();
    proxy.aim(server.port ?? 0);
    await behind.put('while-away', 1);
    expect(await until(() => store.health.connected)).toBe(true);
    expect(await store.put('a', 2, revision)).toBe(revision + 2);
    expect(await until(() => seen.length === 3)).toBe(true);
    expect(seen.map(({ key, revision, previous }) => [key, revision, previous])).toEqual([
      ['a', 1, undefined],
      ['while-away', 2, undefined],
      ['a', 3, 1],
    ]);
    expect(health.at(-1)).toBe(true);
    expect(health).toContain(false);
  });

  it('notices within about ten seconds that nothing comes through any more, and resumes', async () => {
    const store = await open(5000);
    const seen: string[] = [];
    await store.watch({ prefix: '', after: 0, onChange: ({ key }) => seen.push(key) });
    await sleep(50);
    proxy.stall();
    const begun = performance.now();
    expect(await until(() => !store.health.connected, 20_000)).toBe(true);
    expect(performance.now() - begun).toBeLessThan(16_000);
    expect(store.health.reason).toContain('was silent for 10000 ms');
    await behind.put('meanwhile', 1);
    proxy.resume();
    expect(await until(() => seen.length > 0)).toBe(true);
    expect(seen).toEqual(['meanwhile']);
  });

  it('ends where another store answers, and everything listed before is void', async () => {
    const store = await open();
    await store.put('a', 1);
    const before = await store.list('');
    const ends: PodwireError[] = [];
    const seen: string[] = [];
    await store.watch({
      prefix: '',
      after: before.revision,
      onChange: ({ key }) => seen.push(key),
      onEnd: (error) => ends.push(error),
    });
    await stop();
    await start('other.mdb');
    for (let n = 0; n < 5; n++) await behind.put('b', n); // further on than the first was
    proxy.aim(server.port ?? 0);
    expect(await until(() => ends.length > 0)).toBe(true);
    expect(ends).toMatchObject([
      { code: 'REVISION_TOO_OLD', message: expect.stringContaining('another store') },
    ]);
    const after = await store.list('');
    expect(after.store).not.toBe(before.store);
    await store.watch({ prefix: '', after: after.revision, onChange: ({ key }) => seen.push(key) });
    await store.put('c', 1);
    expect(await until(() => seen.length > 0)).toBe(true);
    expect(seen).toEqual(['c']);
    expect(ends).toHaveLength(1);
  });

  it('ends where the store went back to an earlier state, or no longer keeps what was missed', async () => {
    const { copyFileSync } = await import('node:fs');
    const store = await open();
    await store.put('a', 1);
    await stop();
    copyFileSync(bench.path('store.mdb'), bench.path('backup.mdb'));
    await start();
    proxy.aim(server.port ?? 0);
    proxy.cut();
    for (let n = 0; n < 3; n++) await behind.put('a', n);
    const { revision } = await store.list('');
    const ends: string[] = [];
    const onEnd = ({ code, message }: PodwireError) => ends.push(`${code}: ${message}`);
    await store.watch({ prefix: '', after: revision, onChange: () => {}, onEnd });
    await stop();
    await start('backup.mdb');
    proxy.aim(server.port ?? 0);
    expect(await until(() => ends.length > 0)).toBe(true);
    expect(ends).toEqual([expect.stringMatching(/^REVISION_TOO_OLD: .*lost changes/)]);

    await store.watch({ prefix: '', after: (await store.list('')).revision, onChange: () => {}, onEnd });
    await stop();
    await start('backup.mdb', 3);
    for (let n = 0; n < 10; n++) await behind.put('a', n);
    proxy.aim(server.port ?? 0);
    expect(await until(() => ends.length > 1)).toBe(true);
    expect(ends[1]).toMatch(/^REVISION_TOO_OLD: .*no longer kept/);
  });

  it('hears how far the store is while only keys change that it does not watch', async () => {
    await stop();
    await start('few.mdb', 20);
    proxy.aim(server.port ?? 0);
    const store = await open();
    const ends: PodwireError[] = [];
    const seen: string[] = [];
    await store.watch({
      prefix: 'mine/',
      after: 0,
      onChange: ({ key }) => seen.push(key),
      onEnd: (error) => ends.push(error),
    });
    for (let n = 0; n < 50; n++) await behind.put('other', n);
    // The server says how far it is every five seconds, and later on a busy machine.
    await sleep(8000);
    proxy.cut();
    await behind.put('mine/a', 1);
    expect(await until(() => seen.length > 0)).toBe(true);
    expect({ seen, ends }).toEqual({ seen: ['mine/a'], ends: [] });
  });

  it('says nothing more once it is closed, also in the middle of connecting again', async () => {
    const store = await open();
    const seen: string[] = [];
    const watch = await store.watch({ prefix: '', after: 0, onChange: ({ key }) => seen.push(key) });
    await proxy.close();
    await sleep(150);
    watch.close();
    await proxy.open();
    await behind.put('a', 1);
    await sleep(500);
    expect(seen).toEqual([]);
  });
});

it('serves many watchers at once, each with everything', async () => {
  const store = await open(5000);
  const seen = Array.from({ length: 200 }, () => 0);
  await Promise.all(
    seen.map((_, index) =>
      store.watch({
        prefix: '',
        after: 0,
        onChange: () => {
          seen[index]++;
        },
      }),
    ),
  );
  for (let n = 0; n < 50; n++) await behind.put('a', n);
  expect(await until(() => seen.every((count) => count === 50))).toBe(true);
});
