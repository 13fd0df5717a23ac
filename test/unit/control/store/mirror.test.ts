/** The mirror of a prefix: follows, lists again after the end of a watch, and says when the store is another. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PodwireError } from '../../../../src/control/errors.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { Mirror, type MirrorChange } from '../../../../src/control/store/mirror.js';
import type { Listing, Store, Watch, WatchOptions } from '../../../../src/control/store/store.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

let directory: string;
let store: EmbeddedStore;
let clock: VirtualClock;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podwire-mirror-'));
  store = EmbeddedStore.open(join(directory, 'a.mdb'));
  clock = new VirtualClock();
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

/** Hands the mirror a real store, whose watches can be ended and whose place another store can take. */
function switchable(): { store: Store; use(next: Store): void; end(): void; away: boolean } {
  let current: Store = store;
  const watches = new Set<WatchOptions & { watch: Watch }>();
  const state = {
    away: false,
    use: (next: Store) => {
      current = next;
    },
    end: () => {
      for (const { watch, onEnd } of watches) {
        watch.close();
        onEnd?.(new PodwireError('REVISION_TOO_OLD', 'compacted'));
      }
      watches.clear();
    },
    store: {
      list: async (prefix: string): Promise<Listing> => {
        if (state.away) throw new PodwireError('STORE_UNREACHABLE', 'away');
        return current.list(prefix);
      },
      watch: async (options: WatchOptions) => {
        const watch = await current.watch(options);
        watches.add({ ...options, watch });
        return watch;
      },
    } as unknown as Store,
  };
  return state;
}

const brief = ({ key, value, reset }: MirrorChange) =>
  `${key}=${JSON.stringify(value)}${reset ? ' reset' : ''}`;

it('holds a prefix and follows it', async () => {
  await store.put('nodes/a', 1);
  await store.put('pods/a', 1);
  const seen: MirrorChange[] = [];
  const mirror = new Mirror(store, { prefix: 'nodes/', clock, onChange: (change) => seen.push(change) });
  await mirror.start();
  await store.put('nodes/b', 2);
  await store.put('nodes/a', 3);
  await store.put('pods/a', 2);
  await store.delete('nodes/b');
  await settle();
  expect(seen.map(brief)).toEqual(['nodes/a=1', 'nodes/b=2', 'nodes/a=3', 'nodes/b=undefined']);
  expect(seen[2].previous).toBe(1);
  expect([...mirror.all.keys()]).toEqual(['nodes/a']);
  expect(mirror.get('nodes/a')?.revision).toBe(4);
  expect(mirror.synced).toBe(true);
  mirror.close();
  await store.put('nodes/a', 9);
  await settle();
  expect(seen).toHaveLength(4);
});

it('tells only the difference when it lists again, and keeps what it knows until then', async () => {
  for (const key of ['a', 'b', 'c']) await store.put(`nodes/${key}`, 1);
  const source = switchable();
  const seen: MirrorChange[] = [];
  const resets: number[] = [];
  const mirror = new Mirror(source.store, {
    prefix: 'nodes/',
    clock,
    onChange: (change) => seen.push(change),
    onReset: (known) => resets.push(known.size),
  });
  await mirror.start();
  seen.length = 0;
  source.away = true;
  source.end();
  await store.put('nodes/b', 2);
  await store.delete('nodes/c');
  await store.put('nodes/d', 1);
  await clock.advance(5000);
  expect(mirror.synced).toBe(false);
  expect(seen).toEqual([]);
  expect(mirror.all.size).toBe(3);
  source.away = false;
  await clock.advance(20_000);
  expect(seen.map(brief)).toEqual(['nodes/b=2', 'nodes/d=1', 'nodes/c=undefined']);
  expect(mirror.synced).toBe(true);
  expect(resets).toEqual([]);
  await store.put('nodes/e', 1);
  await settle();
  expect(seen.map(brief).at(-1)).toBe('nodes/e=1');
  mirror.close();
});

it.each([
  ['has gone back', 1],
  ['has more changes behind it than the one lost', 30],
])('says that the store is another one, where that %s', async (_, writes) => {
  for (let index = 0; index < 10; index++) await store.put('nodes/a', index);
  const source = switchable();
  const seen: MirrorChange[] = [];
  const resets: string[][] = [];
  const mirror = new Mirror(source.store, {
    prefix: 'nodes/',
    clock,
    onChange: (change) => seen.push(change),
    onReset: (known) => resets.push([...known.keys()]),
  });
  await mirror.start();
  const other = EmbeddedStore.open(join(directory, 'b.mdb'));
  for (let index = 0; index < writes; index++) await other.put('nodes/z', index);
  seen.length = 0;
  source.use(other);
  source.end();
  await clock.advance(1000);
  expect(resets).toEqual([['nodes/a']]);
  expect(seen.map(brief)).toEqual([`nodes/z=${writes - 1} reset`, 'nodes/a=undefined reset']);
  mirror.close();
  await other.close();
});

it('waits for a store that is away at the start, and stops waiting when it is closed', async () => {
  const source = switchable();
  source.away = true;
  const errors: string[] = [];
  const options = { prefix: '', clock, onError: ({ code }: PodwireError) => void errors.push(code) };
  const mirror = new Mirror(source.store, options);
  let started = false;
  const starting = mirror.start().then(() => {
    started = true;
  });
  await clock.advance(60_000);
  expect(started).toBe(false);
  expect(errors.length).toBeGreaterThan(5);
  expect(errors.length).toBeLessThan(40);
  source.away = false;
  await clock.advance(10_000);
  await starting;
  mirror.close();
  source.away = true;
  const second = new Mirror(source.store, options);
  const never = second.start();
  second.close();
  await expect(never).rejects.toMatchObject({ code: 'STOPPING' });
});
