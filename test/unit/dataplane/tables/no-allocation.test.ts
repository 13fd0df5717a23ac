/**
 * Nothing is allocated by an operation on a table: a million of each leave the heap as it was, and no garbage
 * collection runs meanwhile. One number boxed on the heap for each would be 16 MB.
 */
import { describe, expect, it } from 'vitest';
import { Fdb } from '../../../../src/dataplane/tables/fdb.js';
import { Fib4 } from '../../../../src/dataplane/tables/fib4.js';
import { Fib6 } from '../../../../src/dataplane/tables/fib6.js';
import { DestinationBuckets, TokenBuckets } from '../../../../src/dataplane/tables/limiter.js';
import { LearnedNeighbours } from '../../../../src/dataplane/tables/neighbours.js';
import { StaticFdb } from '../../../../src/dataplane/tables/static-fdb.js';
import { StaticNeighbours } from '../../../../src/dataplane/tables/static-neighbours.js';
import { measure, SLACK } from '../../../support/allocation.js';
import { random } from './random.js';

/** Words as packets have them: half of them above 2^31 - 1, where a boxed number would show. */
const WORDS = (() => {
  const next = random(11);
  return Uint32Array.from({ length: 4096 }, () => next(2 ** 32));
})();

const hosts = Array.from({ length: 4096 }, (_, i) => i);
const fib4 = Fib4.build(
  [...new Set(WORDS)].map((word, i) => ({
    table: 1,
    prefix: (word & 0xffffff00) >>> 0,
    length: 24,
    nexthop: i,
  })),
);
const fib6 = Fib6.build(
  hosts.map((i) => ({ table: 1, prefix: [0xfd000010, WORDS[i], 0, i], length: 128, nexthop: i })),
);
const staticFdb = StaticFdb.build(hosts.map((i) => ({ domain: 1, hi: 0xffff, lo: WORDS[i], port: i })));
const staticNeighbours = StaticNeighbours.build([
  ...hosts.map((i) => ({ domain: 1, family: 4 as const, words: [WORDS[i]], hi: 2, lo: WORDS[i], port: 1 })),
  ...hosts.map((i) => ({
    domain: 1,
    family: 6 as const,
    words: [0xfd000010, 0, 0, WORDS[i]],
    hi: 2,
    lo: 3,
    port: 1,
  })),
]);
const bounds = { capacity: 1000, ports: 16, seed: 1 };
const fdb = new Fdb(bounds);
const neighbours = new LearnedNeighbours(bounds);
const buckets = new TokenBuckets(16, 1000, 50);
const destinations = new DestinationBuckets(256, 1, 6, 1);

const operations: [string, (i: number) => number][] = [
  ['Fib4.lookup', (i) => fib4.lookup(1, WORDS[i & 4095] | 0)],
  ['Fib6.lookup', (i) => fib6.lookup(1, 0xfd000010 | 0, WORDS[i & 4095] | 0, 0, i & 4095)],
  ['StaticFdb.lookup', (i) => staticFdb.lookup(1, 0xffff, WORDS[i & 4095] | 0)],
  [
    'StaticNeighbours.lookup4 and accessors',
    (i) => {
      const index = staticNeighbours.lookup4(1, WORDS[i & 4095] | 0);
      return (
        (staticNeighbours.macHi(index) + staticNeighbours.macLo(index) + staticNeighbours.port(index)) | 0
      );
    },
  ],
  ['StaticNeighbours.lookup6', (i) => staticNeighbours.lookup6(1, 0xfd000010 | 0, 0, 0, WORDS[i & 4095] | 0)],
  [
    'Fdb.learn: new ones, moves and evictions',
    (i) => fdb.learn(1, 0, 0xffff, WORDS[i & 4095] | 0, i & 7, i >> 2),
  ],
  ['Fdb.learn: known ones', (i) => fdb.learn(1, 0, 0xffff, WORDS[i & 255] | 0, i & 7, i >> 2)],
  ['Fdb.lookup', (i) => fdb.lookup(1, 0, 0xffff, WORDS[i & 511] | 0, i >> 2)],
  [
    'Fdb.learn and sweep',
    (i) => fdb.learn(1, 0, 0x0200, WORDS[i & 4095] | 0, i & 7, i * 1000) + fdb.sweep(i * 1000, 2),
  ],
  [
    'LearnedNeighbours.learn6, lookup6, accessors',
    (i) => {
      const word = WORDS[i & 4095] | 0;
      neighbours.learn6(1, 0xfd000010 | 0, 0, word, i & 4095, 0xffff, word, i & 7, i >> 2);
      const index = neighbours.lookup6(1, 0xfd000010 | 0, 0, word, i & 4095, i >> 2);
      return (neighbours.macHi(index) + neighbours.macLo(index) + neighbours.port(index)) | 0;
    },
  ],
  ['TokenBuckets.take', (i) => (buckets.take(i & 15, i / 64) ? 1 : 0)],
  ['DestinationBuckets.take4', (i) => (destinations.take4(1, WORDS[i & 4095] | 0, i / 64) ? 1 : 0)],
];

describe('no allocation', () => {
  it.each(operations)('%s', async (_, operation) => {
    const { bytes, collections, sum } = await measure(operation);
    expect({ bytes: bytes < SLACK ? 'none' : bytes, collections }).toEqual({ bytes: 'none', collections: 0 });
    expect(sum).not.toBe(0);
  });

  it('would be seen: one object for each operation is', async () => {
    const kept: object[] = [];
    const { bytes, collections } = await measure((i) => {
      kept[i & 7] = { i };
      return i;
    });
    expect(collections > 0 || bytes > SLACK).toBe(true);
  });
});
