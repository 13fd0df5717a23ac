/**
 * What every Store must do: here the entries and the watches, leases in store-leases.ts. Revisions are compared
 * with the one that the store had at the beginning, which need not be 0.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Store } from '../../src/control/store/store.js';
import { leaseConformance } from './store-leases.js';

export interface StoreMaker {
  /** How many changes the store under test keeps. */
  readonly history: number;
  /** Another, empty store from now on. */
  fresh(): Promise<void>;
  /** A session of the store, over the same data each time it is called. */
  open(): Promise<Store>;
  /** A session beside `first`; without it, `open` makes one. For a store that one process has to itself. */
  beside?(first: Store): Promise<Store>;
  /** Where a store forgets only when it is told: makes it keep `history` changes up to `revision`. */
  trim?(revision: number): Promise<void>;
  /** By how long (ms) the store's clock may be late to end a lease; 5000, of a machine that does much else. */
  readonly leaseSlack?: number;
}

/** Waits until there are `count`, and a little longer in case there are more. */
export async function settled(seen: readonly unknown[], count: number, deadlineMs = 5000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (seen.length < count && performance.now() < deadline) await pause(5);
  await pause(20);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function storeConformance(name: string, maker: StoreMaker): void {
  describe(`store: ${name}`, () => {
    let store: Store;
    /** Revision at the beginning: the n-th change of the test is `zero + n`. */
    let zero: number;
    const another = () => maker.beside?.(store) ?? maker.open();
    beforeEach(async () => {
      await maker.fresh();
      store = await maker.open();
      zero = (await store.list('')).revision;
    });
    afterEach(async () => {
      await store.close();
    });

    it('answers undefined for a key that it does not have', async () => {
      expect(await store.get('pods/default/web')).toBeUndefined();
      expect(await store.list('')).toMatchObject({ revision: zero, entries: [] });
    });

    it('gives back what was put, with its revision', async () => {
      const revision = await store.put('pods/default/web', { labels: { app: 'web' }, ips: ['10.0.0.3'] });
      expect(revision).toBe(zero + 1);
      expect(await store.get('pods/default/web')).toEqual({
        key: 'pods/default/web',
        value: { labels: { app: 'web' }, ips: ['10.0.0.3'] },
        revision,
      });
    });

    it('keeps every JSON value as it is', async () => {
      const values = [null, true, false, 0, -1.5, 2 ** 53, '', 'ünïcode 🦈', [], {}, [1, [2, { a: null }]]];
      for (const value of values) {
        await store.put('x', value);
        expect((await store.get('x'))?.value).toStrictEqual(value);
        expect((await store.list('x')).entries[0].value).toStrictEqual(value);
      }
    });

    it('numbers the changes of the whole store with one counter', async () => {
      expect(await store.put('a', 1)).toBe(zero + 1);
      expect(await store.put('b', 1)).toBe(zero + 2);
      expect(await store.put('a', 2)).toBe(zero + 3);
      expect(await store.delete('b')).toBe(zero + 4);
      expect((await store.list('')).revision).toBe(zero + 4);
      expect((await store.get('a'))?.revision).toBe(zero + 3);
    });

    it('lists by prefix, sorted by key', async () => {
      for (const key of ['pods/b/x', 'networks/a', 'pods/a/y', 'pods2', 'pods/a/x'])
        await store.put(key, key);
      const { entries, revision } = await store.list('pods/');
      expect(entries.map(({ key }) => key)).toEqual(['pods/a/x', 'pods/a/y', 'pods/b/x']);
      expect(entries.map(({ revision }) => revision - zero)).toEqual([5, 3, 1]);
      expect(revision).toBe(zero + 5);
    });

    it('puts only at the expected revision', async () => {
      const first = await store.put('a', 1);
      const second = await store.put('a', 2);
      await expect(store.put('a', 3, first)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect((await store.get('a'))?.value).toBe(2);
      expect(await store.put('a', 3, second)).toBe(second + 1);
    });

    it('puts only where there is nothing, when revision 0 is expected', async () => {
      const first = await store.put('a', 1, 0);
      await expect(store.put('a', 2, 0)).rejects.toMatchObject({ code: 'CONFLICT' });
      await store.delete('a');
      await expect(store.put('a', 3, first)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await store.put('a', 3, 0)).toBe(first + 2);
    });

    it('lets one of many compare-and-swaps win, round after round, from several sessions', async () => {
      const sessions = [store, await another(), await another()];
      let base = await store.put('counter', 'nobody');
      for (let round = 0; round < 5; round++) {
        const results = await Promise.allSettled(
          Array.from({ length: 12 }, (_, index) =>
            sessions[index % 3].put('counter', `winner ${index}`, base),
          ),
        );
        const won = results.filter(({ status }) => status === 'fulfilled');
        expect(won).toHaveLength(1);
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFLICT' });
        }
        const entry = await store.get('counter');
        expect(entry?.value).toBe(`winner ${results.indexOf(won[0])}`);
        expect(entry?.revision).toBeGreaterThan(base);
        base = entry?.revision ?? 0;
      }
      await Promise.all([sessions[1].close(), sessions[2].close()]);
    });

    it('deletes, at the expected revision only where one is given', async () => {
      const revision = await store.put('a', 1);
      await expect(store.delete('a', revision + 6)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await store.delete('a', revision)).toBe(revision + 1);
      expect(await store.get('a')).toBeUndefined();
      expect(await store.delete('a')).toBeUndefined();
      expect(await store.delete('a', 0)).toBeUndefined();
      await expect(store.delete('a', revision)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect((await store.list('')).revision).toBe(revision + 1);
    });

    it('changes nothing when it refuses', async () => {
      const revision = await store.put('a', 1);
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change) });
      await store.put('a', 2, revision + 99).catch(() => {});
      await store.delete('a', revision + 99).catch(() => {});
      await store.put('b', 1);
      await settled(seen, 1);
      expect(seen.map(({ key }) => key)).toEqual(['b']);
      expect((await store.list('')).revision).toBe(revision + 1);
    });

    it('watches from a listing without missing a change, past ones first, in order, each once', async () => {
      await store.put('a', 1);
      const { revision } = await store.list('');
      await store.put('a', 2);
      await store.put('b', 1);
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change) });
      await store.delete('a');
      await store.put('c', 1);
      await settled(seen, 4);
      expect(seen).toEqual([
        { key: 'a', revision: zero + 2, value: 2, previous: 1 },
        { key: 'b', revision: zero + 3, value: 1, previous: undefined },
        { key: 'a', revision: zero + 4, value: undefined, previous: 2 },
        { key: 'c', revision: zero + 5, value: 1, previous: undefined },
      ]);
    });

    it('reports nothing before watch has resolved', async () => {
      await store.put('a', 1);
      let resolved = false;
      const early: boolean[] = [];
      await store.watch({ prefix: '', after: zero, onChange: () => early.push(!resolved) });
      resolved = true;
      await settled(early, 1);
      expect(early).toEqual([false]);
    });

    it('watches a prefix only', async () => {
      const seen: Change[] = [];
      await store.watch({ prefix: 'pods/', after: zero, onChange: (change) => seen.push(change) });
      await store.put('networks/a', 1);
      await store.put('pods/a', 1);
      await settled(seen, 1);
      expect(seen.map(({ key }) => key)).toEqual(['pods/a']);
    });

    it('reports nothing to a closed watch, and goes on with the others', async () => {
      const [first, second]: Change[][] = [[], []];
      const watch = await store.watch({ prefix: '', after: zero, onChange: (change) => first.push(change) });
      await store.watch({ prefix: '', after: zero, onChange: (change) => second.push(change) });
      await store.put('a', 1);
      await settled(second, 1);
      await settled(first, 1);
      watch.close();
      await store.put('a', 2);
      await settled(second, 2);
      expect(first).toHaveLength(1);
      expect(second).toHaveLength(2);
    });

    it('refuses to watch from where changes are no longer kept', async () => {
      for (let index = 0; index < maker.history + 5; index++) await store.put('a', index);
      const newest = zero + maker.history + 5;
      await maker.trim?.(newest);
      const late = store.watch({ prefix: '', after: zero + 4, onChange: () => {} });
      await expect(late).rejects.toMatchObject({ code: 'REVISION_TOO_OLD' });
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: zero + 5, onChange: (change) => seen.push(change) });
      await settled(seen, maker.history);
      expect(seen.map(({ revision }) => revision - zero)).toEqual(
        Array.from({ length: maker.history }, (_, index) => index + 6),
      );
    });

    it('misses and doubles nothing where watches begin and end amid the writes of several sessions', async () => {
      const writers = [store, await another()];
      const total = Math.min(200, 2 * Math.floor(maker.history / 2 - 1));
      const writing = writers.map(async (writer, number) => {
        for (let index = 0; index < total / 2; index++) await writer.put(`w${number}/${index % 5}`, index);
      });
      const seen: number[] = [];
      while (seen.length < total) {
        const part: number[] = [];
        const after = seen.at(-1) ?? zero;
        const watch = await store.watch({
          prefix: '',
          after,
          onChange: ({ revision }) => part.push(revision),
        });
        const before = part.length;
        for (let turn = 0; turn < 400 && part.length < before + 1; turn++) await pause(5);
        watch.close();
        seen.push(...part);
        if (part.length === 0) break;
      }
      await Promise.all(writing);
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => zero + index + 1));
      await writers[1].close();
    });

    it('has everything again when it is opened anew', async () => {
      await store.put('a', 1);
      await store.put('b', { deep: [1, 2, 3] });
      await store.delete('a');
      const before = await store.list('');
      await store.close();
      store = await maker.open();
      expect(await store.list('')).toEqual(before);
      expect(before).toMatchObject({
        revision: zero + 3,
        entries: [{ key: 'b', value: { deep: [1, 2, 3] }, revision: zero + 2 }],
      });
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: zero + 1, onChange: (change) => seen.push(change) });
      await settled(seen, 2);
      expect(seen.map(({ revision }) => revision - zero)).toEqual([2, 3]);
    });

    it('says in a listing which data it is: the same in every session, another in another store', async () => {
      const second = await another();
      const { store: identity } = await store.list('');
      expect(identity).toMatch(/./);
      expect((await second.list('a')).store).toBe(identity);
      await second.close();
      await store.close();
      await maker.fresh();
      store = await maker.open();
      expect((await store.list('')).store).not.toBe(identity);
    });

    it('is connected', () => {
      expect(store.health).toEqual({ connected: true });
    });

    leaseConformance(() => store, another, maker.leaseSlack ?? 5000);
  });
}
