/** A node's presence: its key on a lease, what it is told when the lease can no longer be relied on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NodeSession, type SessionOptions } from '../../../../src/control/cluster/session.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { UnsteadyStore } from '../../../support/unsteady-store.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

let directory: string;
let clock: VirtualClock;
let store: EmbeddedStore;
let way: UnsteadyStore;
let told: string[];
const KEY = 'cluster/alive/k1';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podwire-session-'));
  clock = new VirtualClock();
  store = EmbeddedStore.open(join(directory, 'a.mdb'), { clock });
  way = new UnsteadyStore(store);
  told = [];
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

function start(options: Partial<SessionOptions> = {}): Promise<NodeSession> {
  return NodeSession.start({
    store: way,
    name: 'k1',
    uid: 'u1',
    clock,
    onLost: ({ code }) => told.push(`lost ${code}`),
    onRegained: () => told.push('regained'),
    ...options,
  });
}

/** Outcome of what needs time to pass. */
async function passing<T>(promise: Promise<T>, ms: number): Promise<T> {
  const outcome = promise.then(
    (value) => () => value,
    (error) => () => {
      throw error;
    },
  );
  await clock.advance(ms);
  return (await outcome)();
}

it('is there while it runs, and gone at once when it leaves', async () => {
  const session = await start();
  expect(session.held).toBe(true);
  await clock.advance(600_000);
  expect((await store.get(KEY))?.value).toMatchObject({ uid: 'u1' });
  expect(told).toEqual([]);
  await session.stop({ leave: true });
  expect(await store.get(KEY)).toBeUndefined();
  expect(session.held).toBe(false);
});

it('stays for its time when it only stops, and a later run of the same node takes over', async () => {
  const session = await start();
  await session.stop({ leave: false });
  await clock.advance(14_000);
  expect(await store.get(KEY)).toBeDefined();
  const again = await start();
  await clock.advance(60_000);
  expect(again.held).toBe(true);
  await again.stop({ leave: false });
  await clock.advance(15_001);
  expect(await store.get(KEY)).toBeUndefined();
  expect(told).toEqual([]);
});

it('does not start under the name of another node that stays alive', async () => {
  const session = await start();
  await expect(passing(start({ uid: 'u2' }), 30_000)).rejects.toMatchObject({ code: 'NODE_NAME_TAKEN' });
  expect((await store.get(KEY))?.value).toMatchObject({ uid: 'u1' });
  expect(session.held).toBe(true);
  expect((await store.list('')).entries).toHaveLength(1);
});

it('starts under the name of another node when that has died', async () => {
  const session = await start();
  await session.stop({ leave: false });
  const other = await passing(start({ uid: 'u2' }), 16_000);
  expect((await store.get(KEY))?.value).toMatchObject({ uid: 'u2' });
  expect(other.held).toBe(true);
});

it('says that the lease is lost when its time is over without an answer, and when it is held again', async () => {
  const session = await start();
  await clock.advance(1000);
  way.away = true;
  await clock.advance(13_900);
  expect(told).toEqual([]);
  await clock.advance(200);
  expect(told).toEqual(['lost LEASE_EXPIRED']);
  expect(session.held).toBe(false);
  await clock.advance(60_000);
  expect(await store.get(KEY)).toBeUndefined();
  way.away = false;
  await clock.advance(6000);
  expect(told).toEqual(['lost LEASE_EXPIRED', 'regained']);
  expect((await store.get(KEY))?.value).toMatchObject({ uid: 'u1' });
  await clock.advance(60_000);
  expect(session.held).toBe(true);
  expect(told).toHaveLength(2);
});

it('says nothing about a store that is away for less than the lease', async () => {
  await start();
  for (let turn = 0; turn < 10; turn++) {
    way.away = true;
    await clock.advance(8000);
    way.away = false;
    await clock.advance(6000);
  }
  expect(told).toEqual([]);
});

it('takes a new lease when the store has lost its data', async () => {
  const session = await start();
  const other = EmbeddedStore.open(join(directory, 'b.mdb'), { clock });
  way.replace(other);
  await clock.advance(10_000);
  expect((await other.get(KEY))?.value).toMatchObject({ uid: 'u1' });
  expect(session.held).toBe(true);
  expect(told).toEqual(['lost LEASE_EXPIRED', 'regained']);
  await session.stop({ leave: true });
  await other.close();
});

it('writes its key again when somebody has deleted it', async () => {
  const session = await start();
  await store.delete(KEY);
  await clock.advance(6000);
  expect((await store.get(KEY))?.value).toMatchObject({ uid: 'u1' });
  expect(session.held).toBe(true);
});

it('does not fight a second daemon on a copy of its data', async () => {
  const first = await start();
  const second = await start({ onLost: () => told.push('second lost'), onRegained: () => {} });
  await clock.advance(60_000);
  expect(first.held).toBe(false);
  expect(second.held).toBe(true);
  expect(told).toEqual(['lost NODE_NAME_TAKEN']);
  await second.stop({ leave: true });
  await clock.advance(10_000);
  expect(first.held).toBe(true);
  expect(told).toEqual(['lost NODE_NAME_TAKEN', 'regained']);
});

it('does not count on a lease after the process stood still', async () => {
  const session = await start();
  clock.stall(3_600_000);
  await settle();
  await clock.advance(6000);
  expect(told[0]).toBe('lost LEASE_EXPIRED');
  expect(session.held).toBe(true);
  expect(told).toHaveLength(2);
});

it('is untouched by the clock on the wall', async () => {
  const session = await start();
  const wall = Date.now;
  try {
    Date.now = () => wall() + 86_400_000;
    await clock.advance(30_000);
    Date.now = () => wall() - 86_400_000;
    await clock.advance(30_000);
  } finally {
    Date.now = wall;
  }
  expect(session.held).toBe(true);
  expect(told).toEqual([]);
});
