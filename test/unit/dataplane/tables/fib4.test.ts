import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fib4, type Route4 } from '../../../../src/dataplane/tables/fib4.js';

const ip = (text: string): number => text.split('.').reduce((word, octet) => word * 256 + Number(octet), 0);

function route(cidr: string, nexthop: number, table = 0): Route4 {
  const [prefix, length] = cidr.split('/');
  return { table, prefix: ip(prefix), length: Number(length), nexthop };
}

/** The definition of longest-prefix match, by looking at every route. */
function longestMatch(routes: readonly Route4[], table: number, address: number): number {
  let best = -1;
  let length = -1;
  for (const r of routes) {
    const mask = r.length === 0 ? 0 : (0xffffffff << (32 - r.length)) >>> 0;
    if (r.table !== table || (address & mask) >>> 0 !== r.prefix || r.length <= length) continue;
    best = r.nexthop;
    length = r.length;
  }
  return best;
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
    middle: fc.nat(0xffff),
    low: fc.nat(255),
    length: fc.nat(32),
    nexthop: fc.nat(6),
  })
  .map(({ table, high, middle, low, length, nexthop }): Route4 => {
    const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
    return { table, prefix: ((high * 2 ** 24 + (middle & 0x0fff) * 256 + low) & mask) >>> 0, length, nexthop };
  });

const tables = fc.uniqueArray(crowded, {
  maxLength: 300,
  selector: (r) => `${r.table} ${r.prefix}/${r.length}`,
});

describe('Fib4', () => {
  it('answers -1 without routes, and for tables it does not have', () => {
    const fib = Fib4.build([route('0.0.0.0/0', 4, 2)]);
    expect(fib.lookup(0, ip('10.0.0.1'))).toBe(-1);
    expect(fib.lookup(3, ip('10.0.0.1'))).toBe(-1);
    expect(fib.lookup(2, ip('10.0.0.1'))).toBe(4);
    expect(Fib4.build([]).lookup(0, 0)).toBe(-1);
  });

  it('prefers the longest prefix', () => {
    const fib = Fib4.build([
      route('0.0.0.0/0', 0),
      route('10.0.0.0/8', 1),
      route('10.244.0.0/16', 2),
      route('10.244.3.0/24', 3),
      route('10.244.3.7/32', 4),
      route('10.244.3.6/31', 5),
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
      ['255.255.255.255', 0],
    ];
    for (const [address, nexthop] of answers) expect([address, fib.lookup(0, ip(address))]).toEqual([address, nexthop]);
  });

  it('takes addresses as int32 as well', () => {
    const fib = Fib4.build([route('192.168.0.0/16', 1), route('255.255.255.255/32', 2)]);
    expect(fib.lookup(0, ip('192.168.7.7') | 0)).toBe(1);
    expect(fib.lookup(0, -1)).toBe(2);
    expect(fib.lookup(0, -2)).toBe(-1);
  });

  it('agrees with looking at every route', () => {
    fc.assert(
      fc.property(tables, fc.array(fc.nat(0xffffffff), { maxLength: 20 }), (routes, random) => {
        const fib = Fib4.build(routes);
        for (const table of [0, 1, 2]) {
          for (const address of [...edges(routes), ...random]) {
            expect(fib.lookup(table, address)).toBe(longestMatch(routes, table, address));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
