/**
 * The IPv4 forwarding information bases, one for each routing table (network): longest-prefix match, address to
 * next-hop index.
 *
 * Bounds: what was built, at once, from the routes of one snapshot; at most 2^24 routes. Immutable: nothing is
 * evicted and nothing ages. `data` is plain typed arrays; structured clone carries it to a worker, and `from`
 * wraps it there. Table numbers are 0..65535 and index an array; a small table takes a few hundred bytes.
 *
 * How it is searched is told in range-tree.ts.
 */
import {
  buildRoots,
  descend,
  IntervalSweep,
  type RangeList,
  RangeTreeBuilder,
  type RangeTreeData,
} from './range-tree.js';
import { requireInteger, TABLE_ERROR, TableError } from './table-error.js';

export interface Route4 {
  /** Routing table, 0..65535. */
  readonly table: number;
  /** uint32 in host order: 10.0.0.0 is 0x0a000000. No bit set beyond `length`. */
  readonly prefix: number;
  /** 0..32. */
  readonly length: number;
  /** Index into the caller's next-hop table, 0..2^31 - 2. */
  readonly nexthop: number;
}

export type Fib4Data = RangeTreeData;

/** The last address of the prefix, as uint32. */
function lastAddress(prefix: number, length: number): number {
  return length === 0 ? 0xffff_ffff : (prefix | ((0xffff_ffff >>> (length - 1)) >>> 1)) >>> 0;
}

function describe(route: Route4): string {
  const p = route.prefix >>> 0;
  return `${p >>> 24}.${(p >>> 16) & 255}.${(p >>> 8) & 255}.${p & 255}/${route.length} in table ${route.table}`;
}

function validate(route: Route4): void {
  requireInteger('routing table', route.table, 0, 0xffff);
  requireInteger('prefix', route.prefix, -0x8000_0000, 0xffff_ffff);
  requireInteger('prefix length', route.length, 0, 32);
  requireInteger('next hop', route.nexthop, 0, 0x7fff_fffe);
  const host = lastAddress(0, route.length);
  if ((route.prefix & host) === 0) return;
  throw new TableError(TABLE_ERROR.invalid, `${describe(route)} has bits set beyond its length`);
}

/**
 * Positions in `routes`, by prefix, then shortest first. Sorted as 64-bit integers in place, prefix | length |
 * position, written as words of 32 bits in the byte order of every machine that Node runs io_uring on.
 */
function sortedPositions(routes: readonly Route4[]): Uint32Array {
  const words = new Uint32Array(2 * routes.length);
  routes.forEach((route, i) => {
    words[2 * i] = (route.length << 26) | i;
    words[2 * i + 1] = route.prefix;
  });
  new BigUint64Array(words.buffer).sort();
  const positions = new Uint32Array(routes.length);
  for (let i = 0; i < positions.length; i++) positions[i] = words[2 * i] & (2 ** 26 - 1);
  return positions;
}

/** What all routes of one table come to. */
function rangesOf(routes: readonly Route4[]): RangeList {
  const sweep = new IntervalSweep(0);
  let before: Route4 | undefined;
  for (const position of sortedPositions(routes)) {
    const route = routes[position];
    const prefix = route.prefix >>> 0;
    if (before !== undefined && before.prefix >>> 0 === prefix && before.length === route.length) {
      throw new TableError(TABLE_ERROR.duplicate, `route ${describe(route)} is given twice`);
    }
    sweep.open(prefix, lastAddress(prefix, route.length), route.nexthop + 1);
    before = route;
  }
  return sweep.finish();
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
   * with host bits. Order does not matter.
   */
  static build(routes: readonly Route4[]): Fib4 {
    for (const route of routes) validate(route);
    const builder = new RangeTreeBuilder();
    const roots = buildRoots(routes, (own) => builder.add(rangesOf(own)));
    return new Fib4(builder.finish(roots));
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
}
