/**
 * `engine.fdb`: from MAC address to port, among 10 to 100,000 addresses in random order: those of the snapshot, and
 * learned ones, which are looked up and, as each packet of an unguarded port does, learned again.
 */
import { SeededRandom } from '../../src/dataplane/devices/seeded-random.js';
import { Fdb } from '../../src/dataplane/tables/fdb.js';
import { StaticFdb } from '../../src/dataplane/tables/static-fdb.js';
import type { Figure } from '../figure.js';
import { measureCases, type SizedCase } from './cases.js';
import type { Sizes } from './fib.js';
import type { Budget } from './timing.js';

export const FDB = 'engine.fdb';

export const FDB_SIZES: Sizes = { '10 entries': 10, '1 k entries': 1000, '100 k entries': 100_000 };

const SEED = 7;
const DOMAIN = 1;
const VLAN = 0;
/** The first two octets of a locally administered address. */
const HIGH = 0x0270;
const PORTS = 64;
/** Addresses that are asked for, a power of two; and how many in one call. */
const QUERIES = 1 << 16;
const LOOKUPS = 4096;

export function measureFdb(budget: Budget, say: (text: string) => void, sizes: Sizes = FDB_SIZES): Figure[] {
  const cases = Object.entries(sizes).flatMap(([name, size]) => casesOf(name, size));
  return measureCases(FDB, cases, budget, say);
}

/** What was found last, where anybody could look: so nothing of it is left out. */
export let lastFound = 0;

function casesOf(name: string, size: number): SizedCase[] {
  const random = new SeededRandom(SEED);
  const addresses = distinct(random, size);
  const picks = Int32Array.from({ length: QUERIES }, () => random.next() % size);
  const queries = picks.map((pick) => addresses[pick]);
  const known = StaticFdb.build(
    Array.from(addresses, (lo, i) => ({ domain: DOMAIN, hi: HIGH, lo, port: i % PORTS })),
    SEED,
  );
  const learned = new Fdb({ capacity: size, ports: PORTS, seed: SEED });
  for (const [i, lo] of addresses.entries()) learned.learn(DOMAIN, VLAN, HIGH, lo, i % PORTS, 0);
  return [
    lookups(`of the snapshot, ${name}`, (at) => known.lookup(DOMAIN, HIGH, queries[at])),
    lookups(`learned, ${name}`, (at) => learned.lookup(DOMAIN, VLAN, HIGH, queries[at], 0)),
    lookups(`learn again, ${name}`, (at) =>
      learned.learn(DOMAIN, VLAN, HIGH, queries[at], picks[at] % PORTS, 0),
    ),
  ];
}

function lookups(name: string, lookUp: (query: number) => number): SizedCase {
  let next = 0;
  const run = (): void => {
    let found = 0;
    for (let i = next; i < next + LOOKUPS; i++) found = (found + lookUp(i)) | 0;
    next = (next + LOOKUPS) & (QUERIES - 1);
    lastFound = found;
  };
  return { name, packets: LOOKUPS, isCostOnly: true, run };
}

function distinct(random: SeededRandom, count: number): Int32Array {
  const words = new Set<number>();
  while (words.size < count) words.add(random.next());
  return Int32Array.from(words);
}
