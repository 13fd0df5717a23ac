/**
 * The IPv6 forwarding information bases, one for each routing table (network): longest-prefix match, address to
 * next-hop index.
 *
 * Bounds: what was built, at once, from the routes of one snapshot; at most 2^24 routes. Immutable: nothing is
 * evicted and nothing ages. `data` is plain typed arrays; structured clone carries it to a worker, and `from`
 * wraps it there. Table numbers are 0..65535 and index an array.
 *
 * An address is four words, and each is searched as fib4.ts searches its one (range-tree.ts), going on to the
 * next word only where longer prefixes exist: for the prefixes of real networks the second word decides.
 * What a first word shared by all routes would waste in a trie (fd00:10::/32) is one bucket here. The
 * alternative, binary search over prefix lengths with a hash table for each, needs a five-word hash and a
 * cache miss for each of its three or four probes, and markers in the tables.
 */
import {
  ADVANCE,
  buildRoots,
  descend,
  IntervalSweep,
  RangeTreeBuilder,
  type RangeTreeData,
} from './range-tree.js';
import { requireInteger, TABLE_ERROR, TableError } from './table-error.js';

export interface Route6 {
  /** Routing table, 0..65535. */
  readonly table: number;
  /** Four words in host order, most significant first: fd00:10:244::/48 is [0xfd000010, 0x02440000, 0, 0]. */
  readonly prefix: ArrayLike<number>;
  /** 0..128. */
  readonly length: number;
  /** Index into the caller's next-hop table, 0..2^31 - 2. */
  readonly nexthop: number;
}

export type Fib6Data = RangeTreeData;

/** The bits of word `i` beyond the prefix length, as uint32. */
function hostBits(length: number, i: number): number {
  const inside = length - 32 * i;
  if (inside <= 0) return 0xffff_ffff;
  return inside >= 32 ? 0 : 0xffff_ffff >>> inside;
}

function describe(route: Route6): string {
  const halves = Array.from(route.prefix).flatMap((word) => [word >>> 16, word & 0xffff]);
  return `${halves.map((half) => half.toString(16)).join(':')}/${route.length} in table ${route.table}`;
}

function validate(route: Route6): void {
  requireInteger('routing table', route.table, 0, 0xffff);
  requireInteger('prefix length', route.length, 0, 128);
  requireInteger('next hop', route.nexthop, 0, 0x7fff_fffe);
  requireInteger('words of an IPv6 prefix', route.prefix.length, 4, 4);
  for (let i = 0; i < 4; i++) {
    requireInteger('prefix word', route.prefix[i], -0x8000_0000, 0xffff_ffff);
    if ((route.prefix[i] & hostBits(route.length, i)) === 0) continue;
    throw new TableError(TABLE_ERROR.invalid, `${describe(route)} has bits set beyond its length`);
  }
}

/** By prefix, then shortest first. */
function compare(a: Route6, b: Route6): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a.prefix[i] >>> 0) - (b.prefix[i] >>> 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

class Fib6Builder {
  constructor(
    private readonly tree: RangeTreeBuilder,
    private readonly routes: readonly Route6[],
  ) {}

  /**
   * The slot for routes from..to-1, which agree in the words before `i` and reach into word `i`, where `outside`
   * answers for what none of them covers.
   */
  word(i: number, from: number, to: number, outside: number): number {
    const { routes } = this;
    const sweep = new IntervalSweep(outside);
    let at = from;
    while (at < to) {
      const route = routes[at];
      const start = route.prefix[i] >>> 0;
      if (route.length <= 32 * (i + 1)) {
        sweep.open(start, (start | hostBits(route.length, i)) >>> 0, route.nexthop + 1);
        at += 1;
      } else {
        const end = this.sameWord(i, at, to);
        const deeper = this.word(i + 1, at, end, sweep.advance(start));
        sweep.open(start, start, deeper < 0 ? deeper | ADVANCE : deeper);
        at = end;
      }
    }
    return this.tree.add(sweep.finish());
  }

  private sameWord(i: number, from: number, to: number): number {
    const word = this.routes[from].prefix[i] | 0;
    let end = from + 1;
    while (end < to && (this.routes[end].prefix[i] | 0) === word) end += 1;
    return end;
  }
}

/** Sorts one table's routes, and says which is there twice. */
function sortRoutes(routes: Route6[]): Route6[] {
  routes.sort(compare);
  for (let i = 1; i < routes.length; i++) {
    if (compare(routes[i - 1], routes[i]) !== 0) continue;
    throw new TableError(TABLE_ERROR.duplicate, `route ${describe(routes[i])} is given twice`);
  }
  return routes;
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
   * with host bits. Order does not matter.
   */
  static build(routes: readonly Route6[]): Fib6 {
    for (const route of routes) validate(route);
    const tree = new RangeTreeBuilder();
    const roots = buildRoots(routes, (own) =>
      new Fib6Builder(tree, sortRoutes(own)).word(0, 0, own.length, 0),
    );
    return new Fib6(tree.finish(roots));
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
   * The next hop of the longest prefix in the table that covers the address (words uint32 or int32), or -1. A
   * table without routes has none.
   */
  lookup(table: number, a: number, b: number, c: number, d: number): number {
    const { roots, nodes } = this;
    if (table >= roots.length) return -1;
    let slot = descend(nodes, roots[table], a);
    if (slot < 0) slot = descend(nodes, slot & ~ADVANCE, b);
    if (slot < 0) slot = descend(nodes, slot & ~ADVANCE, c);
    if (slot < 0) slot = descend(nodes, slot & ~ADVANCE, d);
    return slot - 1;
  }
}
