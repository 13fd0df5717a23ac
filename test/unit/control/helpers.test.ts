/** The small parts that the control plane is put together from. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KeyedLock } from '../../../src/control/keyed-lock.js';
import { NumberPool } from '../../../src/control/numbers.js';
import { Undo } from '../../../src/control/undo.js';

describe('KeyedLock', () => {
  it('runs one after the other with the same key, side by side with others', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const action = (name: string) => async () => {
      seen.push(`${name} begins`);
      await sleep(5);
      seen.push(`${name} ends`);
    };
    await Promise.all([
      lock.run('a', action('a1')),
      lock.run('a', action('a2')),
      lock.run('b', action('b1')),
    ]);
    expect(seen).toEqual(['a1 begins', 'b1 begins', 'a1 ends', 'a2 begins', 'b1 ends', 'a2 ends']);
  });

  it('goes on after an action that fails, and passes its error on', async () => {
    const lock = new KeyedLock();
    const failing = lock.run('a', () => Promise.reject(new Error('no')));
    const next = lock.run('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('yes');
  });

  it('is idle when everything has ended', async () => {
    const lock = new KeyedLock();
    let ended = 0;
    for (const key of ['a', 'a', 'b']) {
      void lock.run(key, async () => {
        await sleep(5);
        ended++;
      });
    }
    await lock.idle();
    expect(ended).toBe(3);
  });
});

describe('NumberPool', () => {
  it('hands out the smallest free number, and none when none is left', () => {
    const pool = new NumberPool(1, 4);
    expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([1, 2, 3, undefined]);
    pool.release(2);
    expect([pool.take(), pool.take()]).toEqual([2, undefined]);
  });
});

describe('Undo', () => {
  it('takes steps back in reverse order, and goes on after one that fails', async () => {
    const undo = new Undo();
    const seen: unknown[] = [];
    undo.add(() => seen.push('first'));
    undo.add(() => Promise.reject(new Error('second fails')));
    undo.add(async () => seen.push('third'));
    await undo.run((error) => seen.push((error as Error).message));
    expect(seen).toEqual(['third', 'second fails', 'first']);
    await undo.run(() => seen.push('again'));
    expect(seen).toHaveLength(3);
  });
});
