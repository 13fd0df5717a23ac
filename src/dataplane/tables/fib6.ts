/**
 * The IPv6 forwarding information bases, one for each routing table (network): longest-prefix match, from address
 * to next-hop index.
 *
 * Bounds: what was built, at once, from the routes of one snapshot; at most 2^24 routes. Immutable: nothing is
 * evicted and nothing ages. `data` is plain typed arrays; structured clone carries it to a worker, and `from`
 * wraps it there. Table numbers, 0..65535, index an array.
 *
 * Cost: 11 ns for ten to thousands of node subnets, 25 for 10,000 host routes; for a million of those, 30 ns for
 * destinations that recur and some 400 for random ones, which miss the cache five times. 4 to 60 bytes a route.
 *
 * An address is four words. Each is searched as fib4.ts searches its one (range-tree.ts), and the search goes on
 * to the next word only where longer prefixes exist: mostly the second decides. A first word that all
 * prefixes share (fd00:10::/32) costs one table of one entry. The usual alternative, binary search over the
 * prefix lengths with a hash table for each, pays a hash of up to four words and a cache miss for each of its
 * probes, three or four for the lengths in use, and would need a seed to be safe from crafted prefixes.
 */
import { buildPrefixTrees, requireRoute } from './prefix-tree.js';
import { ADVANCE, descend, type RangeTreeData } from './range-tree.js';
import { RouteColumns } from './route-columns.js';

export interface Route6 {
  /** Routing table, 0..65535. */
  readonly table: number;
  /** Four words: fd00:10:244::/48 is [0xfd000010, 0x02440000, 0, 0]. No bit set beyond `length`. */
  readonly prefix: ArrayLike<number>;
  /** 0..128. */
  readonly length: number;
  /** Index into the caller's next-hop table, 0..2^31 - 2. */
  readonly nexthop: number;
}

export type Fib6Data = RangeTreeData;

function describe(words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  return groups.map((group) => group.toString(16)).join(':');
}

export class Fib6 {
  private readonly roots: Int32Array;
  private readonly nodes: Int32Array;

  private constructor(readonly data: Fib6Data) {
    this.roots = data.roots;
    this.nodes = data.nodes;
  }

  /**
   * Throws TABLE_DUPLICATE for a prefix given twice in a table, TABLE_INVALID for a field out of range or a prefix
   * with host bits. The order of the routes does not matter.
   */
  static build(routes: readonly Route6[]): Fib6 {
    const columns = new RouteColumns(4, routes.length);
    for (const route of routes) {
      requireRoute(route, route.prefix, 4);
      columns.add(route.prefix, route.length, route.table, route.nexthop);
    }
    return Fib6.of(columns);
  }

  /** The same for routes in columns of four words. */
  static of(routes: RouteColumns): Fib6 {
    return new Fib6(buildPrefixTrees(routes, describe));
  }

  /** Wraps what `build` made, here or in another thread. */
  static from(data: Fib6Data): Fib6 {
    return new Fib6(data);
  }

  /** Bytes of storage. */
  get bytes(): number {
    return this.roots.byteLength + this.nodes.byteLength;
  }

  /**
   * The next hop of the longest prefix in the table that covers the address (four words, uint32 or int32), or -1.
   * A table without routes has none.
   */
  lookup(table: number, a: number, b: number, c: number, d: number): number {
    const { roots, nodes } = this;
    if (table >= roots.length) return -1;
    let slot = descend(nodes, roots[table], a);
    for (let index = 1; slot < 0; index++) {
      const word = index === 1 ? b : index === 2 ? c : d;
      slot = descend(nodes, slot & ~ADVANCE, word);
    }
    return slot - 1;
  }
}
