import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fib6, type Route6 } from '../../../../src/dataplane/tables/fib6.js';
import { random } from './random.js';

type Words = [number, number, number, number];

/** Full form only: eight groups. */
function ip(text: string): Words {
  const groups = text.split(':').map((group) => Number.parseInt(group, 16));
  return [0, 2, 4, 6].map((i) => groups[i] * 65536 + groups[i + 1]) as Words;
}

function route(cidr: string, nexthop: number, table = 0): Route6 {
  const [prefix, length] = cidr.split('/');
  return { table, prefix: ip(prefix), length: Number(length), nexthop };
}

const big = (words: ArrayLike<number>): bigint =>
  Array.from(words).reduce((value, word) => (value << 32n) | BigInt(word >>> 0), 0n);

const words = (value: bigint): Words =>
  [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn)) as Words;

function masked(value: bigint, length: number): bigint {
  const host = BigInt(128 - length);
  return (value >> host) << host;
}

/** The definition of longest-prefix match: look at every route. */
function longestMatch(routes: readonly Route6[], table: number, address: bigint): number {
  let best = -1;
  let length = -1;
  for (const r of routes) {
    if (r.table !== table || r.length <= length || masked(address, r.length) !== big(r.prefix)) continue;
    best = r.nexthop;
    length = r.length;
  }
  return best;
}

function edges(routes: readonly Route6[]): bigint[] {
  return routes.flatMap(({ prefix, length }) => {
    const first = big(prefix);
    const last = first + (1n << BigInt(128 - length)) - 1n;
    return [first - 1n, first, first + 1n, last - 1n, last, last + 1n].map((a) => BigInt.asUintN(128, a));
  });
}

/** Prefixes that nest and touch, at the seams between the words above all. */
const crowded = fc
  .record({
    table: fc.integer({ min: 0, max: 1 }),
    value: fc.tuple(
      fc.constantFrom(0, 0xfd000010, 0xfd000011, 0x7fffffff, 0x80000000, 0xffffffff),
      fc.oneof(fc.constantFrom(0, 0x02440000, 0x02440001, 0xffffffff), fc.nat(0xffffffff)),
      fc.constantFrom(0, 1, 0x80000000, 0xffffffff),
      fc.oneof(fc.nat(40), fc.constant(0xffffffff)),
    ),
    length: fc.oneof(fc.nat(128), fc.constantFrom(0, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128)),
    nexthop: fc.oneof(fc.nat(6), fc.constantFrom(0xffff, 0x10000, 0x7fff_fffe)),
  })
  .map(
    ({ table, value, length, nexthop }): Route6 => ({
      table,
      prefix: words(masked(big(value), length)),
      length,
      nexthop,
    }),
  );

const crowdedRoutes = fc.uniqueArray(crowded, {
  maxLength: 120,
  selector: (r) => `${r.table} ${big(r.prefix)}/${r.length}`,
});

describe('Fib6', () => {
  it('answers -1 without routes, and for tables it does not have', () => {
    const fib = Fib6.build([route('0:0:0:0:0:0:0:0/0', 4, 2)]);
    expect(fib.lookup(0, ...ip('fd00:10:244:0:0:0:0:1'))).toBe(-1);
    expect(fib.lookup(3, ...ip('fd00:10:244:0:0:0:0:1'))).toBe(-1);
    expect(fib.lookup(2, ...ip('fd00:10:244:0:0:0:0:1'))).toBe(4);
    expect(Fib6.build([]).lookup(0, 0, 0, 0, 0)).toBe(-1);
  });

  it('prefers the longest prefix', () => {
    const fib = Fib6.build([
      route('fd00:10:244:3:0:0:0:7/128', 5),
      route('0:0:0:0:0:0:0:0/0', 0),
      route('fd00:10:0:0:0:0:0:0/32', 1),
      route('fd00:10:244:0:0:0:0:0/48', 2),
      route('fd00:10:244:3:0:0:0:0/64', 3),
      route('fd00:10:244:3:0:0:0:0/96', 4),
      route('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 6),
    ]);
    const answers: [string, number][] = [
      ['0:0:0:0:0:0:0:0', 0],
      ['fd00:f:ffff:ffff:ffff:ffff:ffff:ffff', 0],
      ['fd00:10:0:0:0:0:0:0', 1],
      ['fd00:10:243:ffff:ffff:ffff:ffff:ffff', 1],
      ['fd00:10:244:0:0:0:0:0', 2],
      ['fd00:10:244:2:ffff:ffff:ffff:ffff', 2],
      ['fd00:10:244:3:0:0:0:6', 4],
      ['fd00:10:244:3:0:0:0:7', 5],
      ['fd00:10:244:3:0:0:0:8', 4],
      ['fd00:10:244:3:0:0:ffff:ffff', 4],
      ['fd00:10:244:3:0:1:0:7', 3],
      ['fd00:10:244:4:0:0:0:7', 2],
      ['fd00:10:245:0:0:0:0:0', 1],
      ['fd00:11:0:0:0:0:0:0', 0],
      ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', 0],
      ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 6],
    ];
    expect(answers.map(([address]) => [address, fib.lookup(0, ...ip(address))])).toEqual(answers);
  });

  it('takes words as int32 as well', () => {
    const fib = Fib6.build([
      route('fd00:10:244:0:0:0:0:0/48', 1),
      { ...route('0:0:0:0:0:0:0:0/128', 2), prefix: [-1, -1, -1, -1] },
    ]);
    expect(fib.lookup(0, 0xfd000010 | 0, 0x02440000, -1, -1)).toBe(1);
    expect(fib.lookup(0, -1, -1, -1, -1)).toBe(2);
    expect(fib.lookup(0, -1, -1, -1, -2)).toBe(-1);
  });

  it('refuses what a control plane must not ask for, and says what it was', () => {
    const build =
      (...routes: Route6[]) =>
      () =>
        Fib6.build(routes);
    const twice = route('fd00:10:244:0:0:0:0:0/56', 1, 5);
    expect(build(twice, route('fd00:10:244:100:0:0:0:0/56', 1, 5), { ...twice, nexthop: 2 })).toThrowError(
      expect.objectContaining({
        code: 'TABLE_DUPLICATE',
        message: 'route fd00:10:244:0:0:0:0:0/56 in table 5 is given twice',
      }),
    );
    const invalid = expect.objectContaining({ code: 'TABLE_INVALID' });
    expect(build(route('fd00:10:244:1:0:0:0:0/48', 1))).toThrowError(invalid);
    expect(build(route('fd00:10:244:0:0:0:0:1/127', 1))).toThrowError(invalid);
    expect(build(route('fd00:10:244:0:0:0:0:0/129', 1))).toThrowError(invalid);
    expect(build({ ...twice, prefix: [1, 2, 3] })).toThrowError(invalid);
  });

  it('agrees with looking at every route', () => {
    const anywhere = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(crowdedRoutes, fc.array(anywhere, { maxLength: 10 }), (routes, others) => {
        const fib = Fib6.build(routes);
        for (const table of [0, 1]) {
          for (const address of [...edges(routes), ...others]) {
            const expected = longestMatch(routes, table, address);
            const found = fib.lookup(table, ...words(address));
            if (found !== expected)
              expect([address.toString(16), found]).toEqual([address.toString(16), expected]);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('agrees with Maps by length, and stays small: 17,000 prefixes of the lengths in use', () => {
    const next = random(6);
    // Keys are strings: V8 hashes a BigInt by its low 64 bits, which are 0 in most prefixes.
    const maps = new Map([128, 64, 56, 48, 44, 32, 29].map((length) => [length, new Map<string, number>()]));
    const lengths = [...maps.keys()];
    const routes = new Map<string, Route6>();
    while (routes.size < 17_000) {
      const length = lengths[next(lengths.length)];
      const value = masked(big([0x20010000 + next(4096), next(2 ** 32), next(2), next(4)]), length);
      const nexthop = next(64);
      maps.get(length)?.set(value.toString(36), nexthop);
      routes.set(`${value.toString(36)}/${length}`, { table: 0, prefix: words(value), length, nexthop });
    }
    const fib = Fib6.build([...routes.values()]);
    const addresses = edges([...routes.values()]).filter((_, i) => i % 3 === next(3));
    const wrong = addresses.filter((address) => {
      const length = lengths.find((l) => maps.get(l)?.has(masked(address, l).toString(36)));
      const expected =
        length === undefined ? -1 : maps.get(length)?.get(masked(address, length).toString(36));
      return fib.lookup(0, ...words(address)) !== expected;
    });
    expect(wrong).toEqual([]);
    expect(fib.bytes / routes.size).toBeLessThan(64);
  });

  it('answers the same after a structured clone', () => {
    const routes = fc.sample(crowdedRoutes, { seed: 1, numRuns: 5 }).sort((a, b) => b.length - a.length)[0];
    const fib = Fib6.build(routes);
    const copy = Fib6.from(structuredClone(fib.data));
    for (const address of edges(routes)) {
      expect(copy.lookup(0, ...words(address))).toBe(fib.lookup(0, ...words(address)));
    }
  });
});
