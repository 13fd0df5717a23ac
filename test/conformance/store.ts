/**
 * What every Store must do. `open` makes a store over the same data each time it is called; `fresh` forgets the
 * data. `history` is how many changes the store under test keeps.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Store } from '../../src/control/store/store.js';

export interface StoreMaker {
  readonly history: number;
  fresh(): Promise<void>;
  open(): Promise<Store>;
}

/** Waits until `seen` has `count` changes, and a little longer in case there are more. */
async function settled(seen: readonly Change[], count: number): Promise<void> {
  const deadline = Date.now() + 2000;
  while (seen.length < count && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 20));
}

export function storeConformance(name: string, maker: StoreMaker): void {
  describe(`store: ${name}`, () => {
    let store: Store;
    beforeEach(async () => {
      await maker.fresh();
      store = await maker.open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('answers undefined for a key that it does not have', async () => {
      expect(await store.get('pods/default/web')).toBeUndefined();
      expect(await store.list('')).toEqual({ revision: 0, entries: [] });
    });

    it('gives back what was put, with its revision', async () => {
      const revision = await store.put('pods/default/web', { labels: { app: 'web' }, ips: ['10.0.0.3'] });
      expect(revision).toBe(1);
      expect(await store.get('pods/default/web')).toEqual({
        key: 'pods/default/web',
        value: { labels: { app: 'web' }, ips: ['10.0.0.3'] },
        revision: 1,
      });
    });

    it('keeps every JSON value as it is', async () => {
      const values = [null, true, false, 0, -1.5, 2 ** 53, '', 'ünïcode 🦈', [], {}, [1, [2, { a: null }]]];
      for (const value of values) {
        await store.put('x', value);
        expect((await store.get('x'))?.value).toStrictEqual(value);
      }
    });

    it('numbers the changes of the whole store with one counter', async () => {
      expect(await store.put('a', 1)).toBe(1);
      expect(await store.put('b', 1)).toBe(2);
      expect(await store.put('a', 2)).toBe(3);
      expect(await store.delete('b')).toBe(4);
      expect((await store.list('')).revision).toBe(4);
      expect((await store.get('a'))?.revision).toBe(3);
    });

    it('lists by prefix, sorted by key', async () => {
      for (const key of ['pods/b/x', 'networks/a', 'pods/a/y', 'pods2', 'pods/a/x'])
        await store.put(key, key);
      const { entries, revision } = await store.list('pods/');
      expect(entries.map(({ key }) => key)).toEqual(['pods/a/x', 'pods/a/y', 'pods/b/x']);
      expect(entries.map(({ revision }) => revision)).toEqual([5, 3, 1]);
      expect(revision).toBe(5);
    });

    it('puts only at the expected revision', async () => {
      await store.put('a', 1);
      await store.put('a', 2);
      await expect(store.put('a', 3, 1)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect((await store.get('a'))?.value).toBe(2);
      expect(await store.put('a', 3, 2)).toBe(3);
    });

    it('puts only where there is nothing, when revision 0 is expected', async () => {
      expect(await store.put('a', 1, 0)).toBe(1);
      await expect(store.put('a', 2, 0)).rejects.toMatchObject({ code: 'CONFLICT' });
      await store.delete('a');
      await expect(store.put('a', 3, 1)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await store.put('a', 3, 0)).toBe(3);
    });

    it('lets one of many compare-and-swaps win', async () => {
      const base = await store.put('counter', 'nobody');
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) => store.put('counter', `winner ${index}`, base)),
      );
      const won = results.filter(({ status }) => status === 'fulfilled');
      expect(won).toHaveLength(1);
      expect((await store.get('counter'))?.value).toBe(`winner ${results.indexOf(won[0])}`);
    });

    it('deletes, at the expected revision only where one is given', async () => {
      await store.put('a', 1);
      await expect(store.delete('a', 7)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await store.delete('a', 1)).toBe(2);
      expect(await store.get('a')).toBeUndefined();
      expect(await store.delete('a')).toBeUndefined();
      expect((await store.list('')).revision).toBe(2);
    });

    it('changes nothing when it refuses', async () => {
      const revision = await store.put('a', 1);
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change) });
      await store.put('a', 2, 99).catch(() => {});
      await store.delete('a', 99).catch(() => {});
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
        { key: 'a', revision: 2, value: 2, previous: 1 },
        { key: 'b', revision: 3, value: 1, previous: undefined },
        { key: 'a', revision: 4, value: undefined, previous: 2 },
        { key: 'c', revision: 5, value: 1, previous: undefined },
      ]);
    });

    it('reports nothing before watch has resolved', async () => {
      await store.put('a', 1);
      let resolved = false;
      const early: boolean[] = [];
      const watching = store.watch({ prefix: '', after: 0, onChange: () => early.push(!resolved) });
      await watching;
      resolved = true;
      const deadline = Date.now() + 2000;
      while (early.length === 0 && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 5));
      expect(early).toEqual([false]);
    });

    it('watches a prefix only', async () => {
      const seen: Change[] = [];
      await store.watch({ prefix: 'pods/', after: 0, onChange: (change) => seen.push(change) });
      await store.put('networks/a', 1);
      await store.put('pods/a', 1);
      await settled(seen, 1);
      expect(seen.map(({ key }) => key)).toEqual(['pods/a']);
    });

    it('reports nothing to a closed watch, and goes on with the others', async () => {
      const [first, second]: Change[][] = [[], []];
      const watch = await store.watch({ prefix: '', after: 0, onChange: (change) => first.push(change) });
      await store.watch({ prefix: '', after: 0, onChange: (change) => second.push(change) });
      await store.put('a', 1);
      await settled(second, 1);
      watch.close();
      await store.put('a', 2);
      await settled(second, 2);
      expect(first).toHaveLength(1);
      expect(second).toHaveLength(2);
    });

    it('refuses to watch from where changes are no longer kept', async () => {
      for (let index = 0; index < maker.history + 5; index++) await store.put('a', index);
      await expect(store.watch({ prefix: '', after: 4, onChange: () => {} })).rejects.toMatchObject({
        code: 'REVISION_TOO_OLD',
      });
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: 5, onChange: (change) => seen.push(change) });
      await settled(seen, maker.history);
      expect(seen.map(({ revision }) => revision)).toEqual(
        Array.from({ length: maker.history }, (_, index) => index + 6),
      );
    });

    it('has everything again when it is opened anew', async () => {
      await store.put('a', 1);
      await store.put('b', { deep: [1, 2, 3] });
      await store.delete('a');
      await store.close();
      store = await maker.open();
      expect(await store.list('')).toEqual({
        revision: 3,
        entries: [{ key: 'b', value: { deep: [1, 2, 3] }, revision: 2 }],
      });
      const seen: Change[] = [];
      await store.watch({ prefix: '', after: 1, onChange: (change) => seen.push(change) });
      await settled(seen, 2);
      expect(seen.map(({ revision }) => revision)).toEqual([2, 3]);
    });
  });
}
