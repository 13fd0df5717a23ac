/**
 * What a TableCompiler keeps from one snapshot to the next must not show: each compile equals one from nothing, of a
 * copy of the snapshot that shares no list with it, and answers as looking at every route does.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT, type PeerSpec, routesOf, type Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables, PEER_SOURCES_TABLE, TableCompiler, Tables } from '../../../src/dataplane/tables.js';
import { type Cidr, contains, parseCidr } from '../../../src/wire/address.js';

const TABLES = [0, 1, PEER_SOURCES_TABLE];

/** Below 10.0.0.0/8, half of them inside of each other's /16; and the like for IPv6. */
function prefixOf(number: number, isV6: boolean): string {
  const nested = number % 8 === 0;
  if (isV6)
    return nested
      ? `fd00:10:${number.toString(16)}::/48`
      : `fd00:10:${(number & 0xf8).toString(16)}:${number.toString(16)}::/64`;
  return nested ? `10.${number}.0.0/16` : `10.${number & 0xf8}.${number}.0/24`;
}

function peer(id: number, prefixes: readonly string[], live: boolean): PeerSpec {
  const base = {
    id,
    name: `k${id}`,
    address: `192.0.2.${id + 1}`,
    port: 4789,
    mac: '02:00:00:00:00:01',
    mtu: 1450,
  };
  return { ...base, prefixes, ...(live && { routedIn: [1, 0] }) };
}

/** One change: what a peer has, whether it is live, and whether there is a route of our own. */
const change = fc.record({
  id: fc.nat(7),
  numbers: fc.option(fc.uniqueArray(fc.nat(24), { maxLength: 5 })),
  family: fc.constantFrom('v4', 'v6', 'both'),
  live: fc.boolean(),
  own: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Snapshots, each from the one before; lists of prefixes that did not change are the same lists. */
function* snapshots(changes: readonly Change[]): Generator<Snapshot> {
  const peers = new Map<number, PeerSpec>();
  for (const [generation, { id, numbers, family, live, own }] of changes.entries()) {
    const families = family === 'both' ? [false, true] : [family === 'v6'];
    // Numbers of two peers differ, so no prefix is given twice.
    const lists = numbers?.flatMap((n) => families.map((isV6) => prefixOf(n * 8 + id, isV6)));
    peers.set(id, peer(id, lists ?? peers.get(id)?.prefixes ?? [], live));
    const routes = own ? [{ table: 1, prefix: '10.0.0.0/8', kind: 'local' as const }] : [];
    yield { ...EMPTY_SNAPSHOT, generation, routes, peers: [...peers.values()] };
  }
}

interface Known {
  readonly table: number;
  readonly cidr: Cidr;
  readonly target: number;
}

function everyRoute(snapshot: Snapshot): Known[] {
  const sources = (snapshot.peers ?? []).flatMap(({ id, prefixes }) =>
    prefixes.map((prefix) => ({ table: PEER_SOURCES_TABLE, cidr: parseCidr(prefix), target: id })),
  );
  const routes = routesOf(snapshot).map((route) => ({
    table: route.table,
    cidr: parseCidr(route.prefix),
    target: route.kind === 'peer' ? route.peer : 0,
  }));
  return [...routes, ...sources];
}

function expected(routes: readonly Known[], table: number, address: Cidr): number {
  const covering = routes.filter(
    ({ table: of, cidr }) => of === table && cidr.family === address.family && contains(cidr, address),
  );
  return covering.sort((a, b) => b.cidr.prefix - a.cidr.prefix)[0]?.target ?? -1;
}

function found(tables: Tables, table: number, { family, words: [a, b, c, d] }: Cidr): number {
  const hop = family === 4 ? tables.fib4.lookup(table, a) : tables.fib6.lookup(table, a, b, c, d);
  return hop < 0 ? -1 : tables.nextHops.target[hop];
}

const PROBES = Array.from({ length: 200 }, (_, number) => [prefixOf(number, false), prefixOf(number, true)])
  .flat()
  .map(parseCidr);

describe('TableCompiler', () => {
  it('makes of each snapshot what a compile from nothing makes', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
        const compiler = new TableCompiler();
        for (const snapshot of snapshots(changes)) {
          const tables = compiler.compile(snapshot);
          const fresh = compileTables(structuredClone(snapshot));
          // Not toEqual, which takes seconds for what are thousands of words, unless there is something to show.
          if (!isDeepStrictEqual(tables, fresh)) expect(tables).toEqual(fresh);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('leads where looking at every route leads', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const compiler = new TableCompiler();
        for (const snapshot of snapshots(changes)) {
          const tables = Tables.from(compiler.compile(snapshot));
          const routes = everyRoute(snapshot);
          for (const table of TABLES) {
            const wrong = PROBES.filter((at) => found(tables, table, at) !== expected(routes, table, at));
            expect(wrong).toEqual([]);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it('builds the FIB of a family again only where a route of it has changed', () => {
    const compiler = new TableCompiler();
    const [v4, v6] = [prefixOf(1, false), prefixOf(1, true)];
    const snapshot = { ...EMPTY_SNAPSHOT, peers: [peer(1, [v4, v6], true)] };
    const before = compiler.compile(snapshot);
    const same = compiler.compile({ ...structuredClone(snapshot), generation: 2 });
    expect([same.generation, same.fib4 === before.fib4, same.fib6 === before.fib6]).toEqual([2, true, true]);
    const more = compiler.compile({ ...snapshot, peers: [peer(1, [v4, prefixOf(2, false), v6], true)] });
    expect([more.fib4 === before.fib4, more.fib6 === before.fib6]).toEqual([false, true]);
  });

  it('keeps what it had when a snapshot does not compile', () => {
    const compiler = new TableCompiler();
    const snapshot = { ...EMPTY_SNAPSHOT, peers: [peer(1, [prefixOf(1, false)], true)] };
    const before = compiler.compile(snapshot);
    const twice = {
      ...snapshot,
      peers: [...snapshot.peers, { ...peer(2, snapshot.peers[0].prefixes, true) }],
    };
    expect(() => compiler.compile(twice)).toThrow('given twice');
    expect(compiler.compile(snapshot)).toEqual(before);
  });
});
