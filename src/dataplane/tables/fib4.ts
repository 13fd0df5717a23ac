/**
 * The IPv4 forwarding information bases, one for each routing table (network): longest-prefix match, from address
 * to next-hop index.
 *
 * Bounds: what was built, at once, from the routes of one snapshot; at most 2^24 routes. Immutable: nothing is
 * evicted and nothing ages. `data` is plain typed arrays; structured clone carries it to a worker, and `from`
 * wraps it there. Table numbers, 0..65535, index an array; a small table takes a hundred bytes.
 *
 * How it is searched, and why so, is told in range-tree.ts. Cost: 4 ns for ten to thousands of node subnets; 8 to
 * 11 ns for 10,000 mixed prefixes; for a million, 8 ns for destinations that recur and 30 for random ones. 4
 * to 40 bytes a route.
 */
import { buildPrefixTrees, requireRoute } from './prefix-tree.js';
import { descend, descendAll, type RangeTreeData } from './range-tree.js';
import { RouteColumns } from './route-columns.js';

export interface Route4 {
  /** Routing table, 0..65535. */
  readonly table: number;
  /** 10.0.0.0 is 0x0a000000. No bit set beyond `length`. */
  readonly prefix: number;
  /** 0..32. */
  readonly length: number;
  /** Index into the caller's next-hop table, 0..2^31 - 2. */
  readonly nexthop: number;
}

export type Fib4Data = RangeTreeData;

function describe([p]: readonly number[]): string {
  return `${p >>> 24}.${(p >>> 16) & 255}.${(p >>> 8) & 255}.${p & 255}`;
}

export class Fib4 {
  private readonly roots: Int32Array;
  private readonly nodes: Int32Array;

  private constructor(readonly data: Fib4Data) {
    this.roots = data.roots;
    this.nodes = data.nodes;
  }

  /**
   * Throws TABLE_DUPLICATE for a prefix given twice in a table, TABLE_INVALID for a field out of range or a prefix
   * with host bits. The order of the routes does not matter.
   */
  static build(routes: readonly Route4[]): Fib4 {
    const columns = new RouteColumns(1, routes.length);
    for (const route of routes) {
      const words = [route.prefix];
      requireRoute(route, words, 1);
      columns.add(words, route.length, route.table, route.nexthop);
    }
    return Fib4.of(columns);
  }

  /** The same for routes in columns of one word. */
  static of(routes: RouteColumns): Fib4 {
    return new Fib4(buildPrefixTrees(routes, describe));
  }

  /** Wraps what `build` made, here or in another thread. */
  static from(data: Fib4Data): Fib4 {
    return new Fib4(data);
  }

  /** Bytes of storage. */
  get bytes(): number {
    return this.roots.byteLength + this.nodes.byteLength;
  }

  /**
   * The next hop of the longest prefix in the table that covers the address (uint32 or int32), or -1. A table
   * without routes has none.
   */
  lookup(table: number, address: number): number {
    const { roots } = this;
    return table < roots.length ? descend(this.nodes, roots[table], address) - 1 : -1;
  }

  /** `lookup` for the addresses from..to-1 in one table: `hops` at the same places become the answers. */
  lookupAll(table: number, addresses: Int32Array, hops: Int32Array, from: number, to: number): void {
    const { roots } = this;
    hops.fill(table < roots.length ? roots[table] : 0, from, to);
    descendAll(this.nodes, hops, addresses, from, to);
    for (let i = from; i < to; i++) hops[i]--;
  }
}
