import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fib4, type Route4 } from '../../../../src/dataplane/tables/fib4.js';
import { random } from './random.js';

const ip = (text: string): number => text.split('.').reduce((word, octet) => word * 256 + Number(octet), 0);

function route(cidr: string, nexthop: number, table = 0): Route4 {
  const [prefix, length] = cidr.split('/');
  return { table, prefix: ip(prefix), length: Number(length), nexthop };
}

function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** The definition of longest-prefix match: look at every route. */
function longestMatch(routes: readonly Route4[], table: number, address: number): number {
  let best = -1;
  let length = -1;
  for (const r of routes) {
    if (r.table !== table || (address & maskOf(r.length)) >>> 0 !== r.prefix || r.length <= length) continue;
    best = r.nexthop;
    length = r.length;
  }
  return best;
}

/** The same for many routes of one table: one Map for each prefix length, longest first. */
function longestMatchByMaps(routes: readonly Route4[]): (address: number) => number {
  const maps = Array.from({ length: 33 }, () => new Map<number, number>());
  for (const r of routes) maps[r.length].set(r.prefix, r.nexthop);
  return (address) => {
    for (let length = 32; length >= 0; length--) {
      const nexthop = maps[length].get((address & maskOf(length)) >>> 0);
      if (nexthop !== undefined) return nexthop;
    }
    return -1;
  };
}

/** Addresses at which answers change: both ends of every prefix, and their neighbours. */
function edges(routes: readonly Route4[]): number[] {
  return routes.flatMap(({ prefix, length }) => {
    const last = prefix + 2 ** (32 - length) - 1;
    return [prefix - 1, prefix, prefix + 1, last - 1, last, last + 1].map((a) => a >>> 0);
  });
}

/** Prefixes that nest and touch: few bits vary, in a few places of the word. */
const crowded = fc
  .record({
    table: fc.integer({ min: 0, max: 2 }),
    high: fc.constantFrom(0, 10, 127, 128, 255),
    middle: fc.nat(0x0fff),
    low: fc.nat(255),
    length: fc.nat(32),
    nexthop: fc.oneof(fc.nat(6), fc.constantFrom(0xffff, 0x10000, 0x7fff_fffe)),
  })
  .map(({ table, high, middle, low, length, nexthop }): Route4 => {
    const prefix = ((high * 2 ** 24 + middle * 256 + low) & maskOf(length)) >>> 0;
    return { table, prefix, length, nexthop };
  });

const crowdedRoutes = fc.uniqueArray(crowded, {
  maxLength: 300,
  selector: (r) => `${r.table} ${r.prefix}/${r.length}`,
});

function randomRoutes(seed: number, count: number, make: (next: (n: number) => number) => Route4): Route4[] {
  const next = random(seed);
  const routes = new Map<string, Route4>();
  while (routes.size < count) {
    const made = make(next);
    routes.set(`${made.prefix}/${made.length}`, made);
  }
  return [...routes.values()];
}

/** As in the Internet's table of routes: six in ten are /24, few are longer or shorter than /16. */
function internet(next: (n: number) => number): Route4 {
  const length = next(10) < 6 ? 24 : 16 + next(9);
  return { table: 0, prefix: (next(2 ** 32) & maskOf(length)) >>> 0, length, nexthop: next(64) };
}

function hostOfOne16(next: (n: number) => number): Route4 {
  return { table: 0, prefix: ip('10.244.0.0') + next(65536), length: 32, nexthop: next(100_000) };
}

function anyLength(next: (n: number) => number): Route4 {
  const length = next(33);
  return { table: 0, prefix: (next(2 ** 32) & maskOf(length)) >>> 0, length, nexthop: next(64) };
}

describe('Fib4', () => {
  it('answers -1 without routes, and for tables it does not have', () => {
    const fib = Fib4.build([route('0.0.0.0/0', 4, 2)]);
    expect(fib.lookup(0, ip('10.0.0.1'))).toBe(-1);
    expect(fib.lookup(3, ip('10.0.0.1'))).toBe(-1);
    expect(fib.lookup(2, ip('10.0.0.1'))).toBe(4);
    expect(Fib4.build([]).lookup(0, 0)).toBe(-1);
  });

  it('answers all at once as it answers one by one, and touches no other place', () => {
    const fewAddresses = fc.array(fc.nat(0xffffffff), { maxLength: 70 });
    const bounds = fc.tuple(fc.nat(400), fc.nat(400));
    fc.assert(
      fc.property(crowdedRoutes, fewAddresses, fc.nat(4), bounds, (routes, more, table, bounds) => {
        const fib = Fib4.build(routes);
        const addresses = Int32Array.from([...more, ...edges(routes)].slice(0, 400), (a) => a | 0);
        const [from, to] = bounds.map((bound) => bound % (addresses.length + 1)).sort((a, b) => a - b);
        const hops = new Int32Array(addresses.length).fill(-77);
        fib.lookupAll(table, addresses, hops, from, to);
        const expected = Array.from(addresses, (address, i) =>
          i >= from && i < to ? fib.lookup(table, address) : -77,
        );
        expect([...hops]).toEqual(expected);
      }),
    );
  });

  it('prefers the longest prefix', () => {
    const fib = Fib4.build([
      route('10.244.3.7/32', 4),
      route('0.0.0.0/0', 0),
      route('10.244.3.0/24', 3),
      route('10.0.0.0/8', 1),
      route('10.244.0.0/16', 2),
      route('10.244.3.6/31', 5),
      route('255.255.255.255/32', 6),
    ]);
    const answers: [string, number][] = [
      ['0.0.0.0', 0],
      ['9.255.255.255', 0],
      ['10.0.0.0', 1],
      ['10.243.255.255', 1],
      ['10.244.2.255', 2],
      ['10.244.3.5', 3],
      ['10.244.3.6', 5],
      ['10.244.3.7', 4],
      ['10.244.3.8', 3],
      ['10.244.4.0', 2],
      ['11.0.0.0', 0],
      ['192.168.0.1', 0],
      ['255.255.255.254', 0],
      ['255.255.255.255', 6],
    ];
    expect(answers.map(([address]) => [address, fib.lookup(0, ip(address))])).toEqual(answers);
  });

  it('takes addresses as int32 as well', () => {
    const fib = Fib4.build([route('192.168.0.0/16', 1), route('255.255.255.255/32', 2)]);
    expect(fib.lookup(0, ip('192.168.7.7') | 0)).toBe(1);
    expect(fib.lookup(0, -1)).toBe(2);
    expect(fib.lookup(0, -2)).toBe(-1);
  });

  it('keeps tables apart', () => {
    const fib = Fib4.build([
      route('10.0.0.0/8', 1, 7),
      route('10.0.0.0/8', 2, 300),
      route('10.1.0.0/16', 3, 7),
    ]);
    expect(fib.lookup(7, ip('10.1.2.3'))).toBe(3);
    expect(fib.lookup(300, ip('10.1.2.3'))).toBe(2);
    expect(fib.lookup(8, ip('10.1.2.3'))).toBe(-1);
  });

  it('refuses what a control plane must not ask for, and says what it was', () => {
    const build =
      (...routes: Route4[]) =>
      () =>
        Fib4.build(routes);
    expect(
      build(route('10.1.0.0/16', 1, 5), route('10.2.0.0/16', 1, 5), route('10.1.0.0/16', 2, 5)),
    ).toThrowError(
      expect.objectContaining({
        code: 'TABLE_DUPLICATE',
        message: 'route 10.1.0.0/16 in table 5 is given twice',
      }),
    );
    expect(build(route('10.1.0.1/16', 1))).toThrowError(
      expect.objectContaining({
        code: 'TABLE_INVALID',
        message: 'route 10.1.0.1/16 in table 0 has bits set beyond its length',
      }),
    );
    const invalid = expect.objectContaining({ code: 'TABLE_INVALID' });
    expect(build(route('10.1.0.0/33', 1))).toThrowError(invalid);
    expect(build(route('10.1.0.0/-1', 1))).toThrowError(invalid);
    expect(build(route('10.1.0.0/16', -1))).toThrowError(invalid);
    expect(build(route('10.1.0.0/16', 0.5))).toThrowError(invalid);
    expect(build(route('10.1.0.0/16', 1, 65536))).toThrowError(invalid);
    expect(build({ ...route('10.1.0.0/16', 1), prefix: 2 ** 32 })).toThrowError(invalid);
  });

  it('does not mind the same prefix in two tables, nor the same length elsewhere', () => {
    const fib = Fib4.build([route('0.0.0.0/1', 1), route('128.0.0.0/1', 2), route('0.0.0.0/1', 3, 1)]);
    expect([fib.lookup(0, 0), fib.lookup(0, -1), fib.lookup(1, 0), fib.lookup(1, -1)]).toEqual([1, 2, 3, -1]);
  });

  it('agrees with looking at every route', () => {
    fc.assert(
      fc.property(crowdedRoutes, fc.array(fc.nat(0xffffffff), { maxLength: 20 }), (routes, others) => {
        const fib = Fib4.build(routes);
        for (const table of [0, 1, 2]) {
          for (const address of [...edges(routes), ...others]) {
            const expected = longestMatch(routes, table, address);
            if (fib.lookup(table, address) !== expected) expect(fib.lookup(table, address)).toBe(expected);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['an Internet of 40,000 prefixes', internet, 40_000, 24],
    ['30,000 host routes in one /16', hostOfOne16, 30_000, 32],
    ['20,000 prefixes of all lengths', anyLength, 20_000, 48],
    ['2,000 prefixes of all lengths', anyLength, 2_000, 96],
  ])('agrees with Maps by length, and stays small: %s', (_, make, count, bytesARoute) => {
    const routes = randomRoutes(count, count, make);
    const expected = longestMatchByMaps(routes);
    const fib = Fib4.build(routes);
    const next = random(1);
    const others = Array.from({ length: 20_000 }, () => next(2 ** 32));
    const wrong = [...edges(routes), ...others].filter(
      (address) => fib.lookup(0, address) !== expected(address),
    );
    expect(wrong).toEqual([]);
    expect(fib.bytes / count).toBeLessThan(bytesARoute);
  });

  it('is small when small', () => {
    const nodes = Array.from({ length: 10 }, (_, i) => route(`10.244.${i}.0/24`, i));
    expect(Fib4.build([]).bytes).toBe(0);
    expect(Fib4.build([route('0.0.0.0/0', 0), ...nodes]).bytes).toBeLessThan(100);
  });

  it('answers the same after a structured clone', () => {
    const routes = randomRoutes(3, 500, anyLength);
    const fib = Fib4.build(routes);
    const copy = Fib4.from(structuredClone(fib.data));
    expect(edges(routes).map((a) => copy.lookup(0, a))).toEqual(edges(routes).map((a) => fib.lookup(0, a)));
  });
});
