import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type StaticNeighbour,
  StaticNeighbours,
} from '../../../../src/dataplane/tables/static-neighbours.js';

const word = fc.oneof(fc.nat(3), fc.nat(0xffffffff));
const target = {
  domain: fc.oneof(fc.nat(2), fc.constant(65535)),
  hi: fc.nat(0xffff),
  lo: fc.nat(0xffffffff),
  port: fc.nat(0xffff),
};
const neighbour: fc.Arbitrary<StaticNeighbour> = fc.oneof(
  fc.record({ ...target, family: fc.constant(4 as const), words: fc.tuple(word) }),
  fc.record({ ...target, family: fc.constant(6 as const), words: fc.tuple(word, word, word, word) }),
);

const key = ({ domain, words }: StaticNeighbour): string => `${domain} ${Array.from(words).join()}`;

function find(table: StaticNeighbours, { domain, family, words }: StaticNeighbour): number[] | undefined {
  const index =
    family === 4
      ? table.lookup4(domain, words[0])
      : table.lookup6(domain, words[0], words[1] | 0, words[2], words[3] | 0);
  return index < 0 ? undefined : [table.macHi(index), table.macLo(index), table.port(index)];
}

describe('StaticNeighbours', () => {
  it('holds what was built, and nothing else', () => {
    const entries = fc.uniqueArray(neighbour, { selector: key, maxLength: 200 });
    fc.assert(
      fc.property(entries, fc.array(neighbour), fc.maxSafeNat(), (list, others, seed) => {
        const model = new Map(list.map((one) => [key(one), [one.hi, one.lo, one.port]]));
        const table = StaticNeighbours.build(list, seed);
        const copy = StaticNeighbours.from(structuredClone(table.data));
        expect(table.size).toBe(list.length);
        for (const one of [...list, ...others]) {
          expect(find(table, one)).toEqual(model.get(key(one)));
          expect(find(copy, one)).toEqual(model.get(key(one)));
        }
      }),
    );
  });

  it('takes the address words of either kind of array', () => {
    const one = { domain: 1, hi: 0x0200, lo: 0x0af40002, port: 3 };
    const table = StaticNeighbours.build([
      { ...one, family: 4, words: Uint32Array.of(0xc0a80001) },
      { ...one, family: 6, words: [0xfd000010, 0x02440000, 0, 2], port: 4 },
    ]);
    expect(table.port(table.lookup4(1, 0xc0a80001))).toBe(3);
    expect(table.port(table.lookup6(1, 0xfd000010, 0x02440000, 0, 2))).toBe(4);
    expect(table.lookup6(1, 0, 0, 0, 0xc0a80001)).toBe(-1);
    expect(table.lookup6(2, 0xfd000010, 0x02440000, 0, 2)).toBe(-1);
  });

  it('keeps every word of an address apart, in a bucket they share', () => {
    // So many keys that each bucket has some; each is one bit of one word away from the first.
    const list: StaticNeighbour[] = [{ domain: 1, family: 6, words: [1, 2, 3, 4], hi: 0, lo: 0, port: 0 }];
    for (let word = 0; word < 4; word++) {
      for (let bit = 0; bit < 32; bit++) {
        const words = [1, 2, 3, 4].map((w, i) => (i === word ? (w ^ (1 << bit)) >>> 0 : w));
        list.push({ domain: 1, family: 6, words, hi: 0, lo: 0, port: list.length });
      }
    }
    for (let seed = 0; seed < 50; seed++) {
      const table = StaticNeighbours.build(list, seed);
      expect(list.map((one) => find(table, one)?.[2])).toEqual(list.map((one) => one.port));
    }
  });

  it('answers -1 when empty', () => {
    const table = StaticNeighbours.build([]);
    expect([table.lookup4(0, 0), table.lookup6(0, 0, 0, 0, 0)]).toEqual([-1, -1]);
  });

  it('refuses an address given twice in a domain, and names it', () => {
    const one: StaticNeighbour = { domain: 7, family: 4, words: [0x0af40002], hi: 0x0200, lo: 1, port: 3 };
    expect(() => StaticNeighbours.build([one, { ...one, domain: 8 }, { ...one, port: 4 }])).toThrowError(
      expect.objectContaining({
        code: 'TABLE_DUPLICATE',
        message: 'neighbour 10.244.0.2 in domain 7 is given twice',
      }),
    );
    const other: StaticNeighbour = { ...one, family: 6, words: [0xfd000010, 0x02440000, 0, 2] };
    expect(() => StaticNeighbours.build([other, other])).toThrowError(
      'neighbour fd00:10:244:0:0:0:0:2 in domain 7 is',
    );
  });

  it('refuses fields out of range', () => {
    const one: StaticNeighbour = { domain: 7, family: 4, words: [0x0af40002], hi: 0x0200, lo: 1, port: 3 };
    const wrongs: Partial<StaticNeighbour>[] = [
      { domain: 65536 },
      { words: [1, 2] },
      { words: [2 ** 32] },
      { family: 6 },
      { hi: -1 },
      { lo: 0.5 },
      { port: 2 ** 31 },
    ];
    for (const wrong of wrongs) {
      expect(() => StaticNeighbours.build([{ ...one, ...wrong }])).toThrowError(
        expect.objectContaining({ code: 'TABLE_INVALID' }),
      );
    }
  });
});
