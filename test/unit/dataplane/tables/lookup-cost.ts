/**
 * Prints what table operations cost, in ns, for few and for many entries. Not a test: nothing is judged.
 *
 *     node dist/test/unit/dataplane/tables/lookup-cost.js
 *
 * random: each operation on any entry; hot: on eight of them in turn. The best of several runs.
 */
import { Fdb } from '../../../../src/dataplane/tables/fdb.js';
import { Fib4, type Route4 } from '../../../../src/dataplane/tables/fib4.js';
import { Fib6, type Route6 } from '../../../../src/dataplane/tables/fib6.js';
import { DestinationBuckets, TokenBuckets } from '../../../../src/dataplane/tables/limiter.js';
import { LearnedNeighbours } from '../../../../src/dataplane/tables/neighbours.js';
import { StaticFdb } from '../../../../src/dataplane/tables/static-fdb.js';
import { StaticNeighbours } from '../../../../src/dataplane/tables/static-neighbours.js';
import { random } from './random.js';

const QUERIES = 1 << 18;
const RUNS = 12;
const next = random(20);

/**
 * Each measurement gets a loop of its own, compiled for its operation alone, as an element's would be. The number
 * makes the sources differ: V8 would share what it knows between equal ones.
 */
const LOOP = 'let sum = 0; for (let i = 0; i < count; i++) sum = (sum + operation(i)) | 0; return sum;';

let loops = 0;

function cost(operation: (query: number) => number): string {
  loops += 1;
  const loop = new Function('count', 'operation', `${LOOP} // ${loops}`);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    loop(QUERIES, operation);
    best = Math.min(best, performance.now() - start);
  }
  return ((best * 1e6) / QUERIES).toFixed(1).padStart(8);
}

/** Takes from a list of entries what the i-th query asks for. */
type Pick = (entries: Int32Array) => Int32Array;

/** `make` picks its queries first, so that reading them is no random access. */
function report(name: string, count: number, make: (pick: Pick) => (query: number) => number): void {
  const anyOf = Int32Array.from({ length: QUERIES }, () => next(count));
  const random = cost(make((entries) => anyOf.map((entry) => entries[entry])));
  const hot = cost(make((entries) => anyOf.map((_, i) => entries[anyOf[i & 7]])));
  process.stdout.write(`${[name.padEnd(46), String(count).padStart(9), random, hot].join(' ')}\n`);
}

function distinct<Item>(count: number, make: () => Item, key: (item: Item) => string): Item[] {
  const items = new Map<string, Item>();
  while (items.size < count) {
    const item = make();
    items.set(key(item), item);
  }
  return [...items.values()];
}

function mask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

function reportFib4(name: string, routes: readonly Route4[]): void {
  const fib = Fib4.build(routes);
  const addresses = Int32Array.from(routes, ({ prefix, length }) => prefix | (next(2 ** 32) & ~mask(length)));
  const title = `Fib4, ${name}, ${(fib.bytes / routes.length).toFixed(0)} B each`;
  report(title, routes.length, (pick) => {
    const query = pick(addresses);
    return (i) => fib.lookup(0, query[i]);
  });
}

function reportFib6(name: string, routes: readonly Route6[]): void {
  const fib = Fib6.build(routes);
  const words = [0, 1, 2, 3].map((w) => Int32Array.from(routes, ({ prefix }) => prefix[w]));
  const title = `Fib6, ${name}, ${(fib.bytes / routes.length).toFixed(0)} B each`;
  report(title, routes.length, (pick) => {
    const [a, b, c, d] = words.map(pick);
    return (i) => fib.lookup(0, a[i], b[i], c[i], d[i]);
  });
}

const hosts4 = (count: number): Route4[] =>
  distinct(
    count,
    () => ({ table: 0, prefix: 0x0a000000 + next(2 ** 24), length: 32, nexthop: next(64) }),
    (route) => String(route.prefix),
  );
const internet4 = (count: number): Route4[] =>
  distinct(
    count,
    () => {
      const length = next(10) < 6 ? 24 : 16 + next(9);
      return { table: 0, prefix: (next(2 ** 32) & mask(length)) >>> 0, length, nexthop: next(64) };
    },
    (route) => `${route.prefix}/${route.length}`,
  );
const nodes4 = (count: number): Route4[] =>
  Array.from({ length: count }, (_, i) => ({
    table: 0,
    prefix: 0x0af40000 + i * 256,
    length: 24,
    nexthop: i,
  }));
const nodes6 = (count: number): Route6[] =>
  Array.from({ length: count }, (_, i) => {
    const prefix = [0xfd000010, 0x02440000 + i, 0, 0];
    return { table: 0, prefix, length: 64, nexthop: i };
  });
const hosts6 = (count: number): Route6[] =>
  distinct(
    count,
    () => ({
      table: 0,
      prefix: [0xfd000010, 0x02440000 + next(count / 16), 0, next(256)],
      length: 128,
      nexthop: next(64),
    }),
    (route) => route.prefix.join(),
  );

process.stdout.write(`${'ns for each'.padEnd(46)} ${'entries'.padStart(9)}   random      hot\n`);
reportFib4('a /24 for each node', nodes4(10));
reportFib4('a /24 for each node', nodes4(5000));
for (const count of [10_000, 1_000_000]) {
  reportFib4('like the Internet', internet4(count));
  reportFib4('hosts of a /8', hosts4(count));
}
reportFib6('a /64 for each node', nodes6(10));
reportFib6('a /64 for each node', nodes6(5000));
for (const count of [10_000, 1_000_000]) reportFib6('16 hosts of each /64', hosts6(count));
for (const count of [100, 10_000, 1_000_000]) {
  const words = [...new Set(Int32Array.from({ length: 2 * count }, () => next(2 ** 32)))].slice(0, count);
  const lo = Int32Array.from(words);
  const portOf = lo.map((_, i) => i & 63);
  const target = { domain: 1, hi: 0x0200, port: 3 };
  const staticFdb = StaticFdb.build(words.map((word) => ({ ...target, lo: word })));
  report('StaticFdb', count, (pick) => {
    const query = pick(lo);
    return (i) => staticFdb.lookup(1, 0x0200, query[i]);
  });
  const neighbours = StaticNeighbours.build(
    words.flatMap((word) => [
      { ...target, lo: word, family: 4, words: [word] },
      { ...target, lo: word, family: 6, words: [0xfd000010, 0x02440000, 0, word] },
    ]),
  );
  report('StaticNeighbours, IPv4', count, (pick) => {
    const query = pick(lo);
    return (i) => neighbours.lookup4(1, query[i]);
  });
  report('StaticNeighbours, IPv6', count, (pick) => {
    const query = pick(lo);
    return (i) => neighbours.lookup6(1, 0xfd000010 | 0, 0x02440000, 0, query[i]);
  });
  const bounds = { capacity: count, ports: 64, seed: 5 };
  const fdb = new Fdb(bounds);
  const learned = new LearnedNeighbours(bounds);
  for (let i = 0; i < count; i++) {
    fdb.learn(1, 0, 0x0200, lo[i], i & 63, 0);
    learned.learn6(1, 0xfd000010, 0x02440000, 0, lo[i], 0x0200, lo[i], i & 63, 0);
  }
  report('Fdb, lookup', count, (pick) => {
    const query = pick(lo);
    return (i) => fdb.lookup(1, 0, 0x0200, query[i], 0);
  });
  report('Fdb, learn a known address', count, (pick) => {
    const query = pick(lo);
    const ports = pick(portOf);
    return (i) => fdb.learn(1, 0, 0x0200, query[i], ports[i], 0);
  });
  report('LearnedNeighbours, IPv6', count, (pick) => {
    const query = pick(lo);
    return (i) => learned.lookup6(1, 0xfd000010 | 0, 0x02440000, 0, query[i], 0);
  });
  let fresh = 0;
  report(
    'Fdb, learn a new address and evict',
    count,
    () => (i) => fdb.learn(1, 0, 0x0666, ++fresh, i & 63, 0),
  );
}
const numbers = Int32Array.from({ length: 1_000_000 }, (_, i) => i);
const buckets = new TokenBuckets(1000, 1000, 50);
report('TokenBuckets', 1000, (pick) => {
  const query = pick(numbers);
  return (i) => (buckets.take(query[i], i >>> 6) ? 1 : 0);
});
for (const count of [500, 1_000_000]) {
  const destinations = new DestinationBuckets(1024, 1, 6, 1);
  report('DestinationBuckets of 1024', count, (pick) => {
    const query = pick(numbers);
    return (i) => (destinations.take4(0, query[i], i >>> 6) ? 1 : 0);
  });
}
