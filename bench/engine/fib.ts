/**
 * `engine.fib`: longest prefix match, of addresses drawn at random among all prefixes of the table.
 *
 *     IPv4   mixed lengths, three in five /24 (prefixes.ts)
 *     IPv6   /48 and /64 by turns, 16 /64 in a /48, as providers and their customers have them
 */
import { SeededRandom } from '../../src/dataplane/devices/seeded-random.js';
import { Fib4 } from '../../src/dataplane/tables/fib4.js';
import { Fib6 } from '../../src/dataplane/tables/fib6.js';
import { RouteColumns } from '../../src/dataplane/tables/route-columns.js';
import type { Figure } from '../figure.js';
import { measureCases, type SizedCase } from './cases.js';
import { addressesWithin, eighths, mixedPrefixes, type Prefix } from './prefixes.js';
import type { Budget } from './timing.js';

export const FIB = 'engine.fib';

/** Tables by name; tests have smaller ones. */
export type Sizes = Readonly<Record<string, number>>;

export const SIZES: Sizes = { '10 routes': 10, '10 k routes': 10_000, '1 M routes': 1_000_000 };

const SEED = 6;
const HOPS = 1000;
/** Addresses that are looked up, a power of two; and how many of them in one call. */
const ADDRESSES = 1 << 18;
const LOOKUPS = 4096;
const MANY = 10;
/** /64 prefixes of a /48. */
const SITES = 16;

export function measureFib(budget: Budget, say: (text: string) => void, sizes: Sizes = SIZES): Figure[] {
  say('building tables');
  const cases = Object.entries(sizes).flatMap(([name, size]) => [ipv4Case(name, size), ipv6Case(name, size)]);
  return measureCases(FIB, cases, budget, say);
}

/** What was found last, where anybody could look: so nothing of it is left out. */
export let lastFound = 0;

function ipv4Case(name: string, size: number): SizedCase {
  const prefixes = size > MANY ? mixedPrefixes(size, SEED) : tenPrefixes();
  const columns = new RouteColumns(1, prefixes.length);
  for (const [i, { address, length }] of prefixes.entries()) columns.add([address], length, 0, i % HOPS);
  const fib = Fib4.of(columns);
  const addresses = new Int32Array(addressesWithin(prefixes, ADDRESSES, SEED));
  let next = 0;
  const run = (): void => {
    let found = 0;
    for (let i = 0; i < LOOKUPS; i++) found = (found + fib.lookup(0, addresses[next + i])) | 0;
    next = (next + LOOKUPS) & (ADDRESSES - 1);
    lastFound = found;
  };
  return { name: `IPv4, ${name}`, packets: LOOKUPS, isCostOnly: true, run };
}

function tenPrefixes(): Prefix[] {
  return [...eighths(), { address: 0x0a00_0000, length: 24 }, { address: 0x0a00_0001, length: 32 }];
}

function ipv6Case(name: string, size: number): SizedCase {
  const random = new SeededRandom(SEED);
  const columns = new RouteColumns(4, size);
  const firsts = new Int32Array(size);
  const seconds = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    // Twice 16 bits: where a site of 2000::/4 is. No two are alike, since they count up as well.
    const site = Math.floor(i / SITES);
    const isSite = i % SITES === 0;
    if (isSite) {
      firsts[i] = 0x2000_0000 + (random.next() & 0x0fff_0000) + (site >>> 16);
      seconds[i] = (site & 0xffff) << 16;
    } else {
      firsts[i] = firsts[i - 1];
      seconds[i] = (seconds[i - 1] & 0xffff_0000) | (i % SITES);
    }
    columns.add([firsts[i] >>> 0, seconds[i] >>> 0, 0, 0], isSite ? 48 : 64, 0, i % HOPS);
  }
  const fib = Fib6.of(columns);
  const picks = Int32Array.from({ length: ADDRESSES }, () => random.next() % size);
  const firstWords = picks.map((pick) => firsts[pick]);
  const secondWords = picks.map((pick) => seconds[pick]);
  const hosts = picks.map(() => random.next());
  let next = 0;
  const run = (): void => {
    let found = 0;
    for (let i = next; i < next + LOOKUPS; i++) {
      found = (found + fib.lookup(0, firstWords[i], secondWords[i], 0, hosts[i])) | 0;
    }
    next = (next + LOOKUPS) & (ADDRESSES - 1);
    lastFound = found;
  };
  return { name: `IPv6, ${name}`, packets: LOOKUPS, isCostOnly: true, run };
}
