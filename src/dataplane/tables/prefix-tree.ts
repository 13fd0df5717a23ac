/**
 * From routes to the trees of range-tree.ts: the second half of building a FIB, for addresses of one word (IPv4)
 * or four (IPv6). Control path only. Costs about half a microsecond a route for IPv4, one for IPv6.
 *
 * A tree is over one word. Where prefixes reach beyond it, they share its value: that value is a range of one
 * word, and what holds there is a tree over the next word, for the routes that share all words before.
 */
import { ADVANCE, RangeTreeBuilder, type RangeTreeData } from './range-tree.js';
import { IntervalSweep } from './ranges.js';
import type { RouteColumns } from './route-columns.js';
import { requireInteger, TABLE_ERROR, TableError } from './table-error.js';

/** For errors: the prefix of a route, as text. */
export type Describe = (words: readonly number[]) => string;

const MAX_ROUTES = 1 << 24;
const POSITION_BITS = 26;
const POSITION = 2 ** POSITION_BITS - 1;

/** What holds where there is no route; the root of a table without any. */
const NO_ANSWER = 0;

/** The bits of word `index` that a prefix does not cover, as uint32. */
function hostBits(length: number, index: number): number {
  const inside = length - 32 * index;
  if (inside <= 0) return 0xffff_ffff;
  return inside >= 32 ? 0 : 0xffff_ffff >>> inside;
}

/** Whether a route's numbers are such as columns can hold. @throws TableError TABLE_INVALID */
export function requireRoute(
  route: { readonly table: number; readonly length: number; readonly nexthop: number },
  words: ArrayLike<number>,
  count: number,
): void {
  requireInteger('routing table', route.table, 0, 0xffff);
  requireInteger('prefix length', route.length, 0, 32 * count);
  requireInteger('next hop', route.nexthop, 0, 0x7fff_fffe);
  for (let i = 0; i < count; i++) requireInteger('prefix word', words[i], -0x8000_0000, 0xffff_ffff);
}

class PrefixTreeBuilder {
  readonly tree: RangeTreeBuilder;

  constructor(
    private readonly routes: RouteColumns,
    private readonly describe: Describe,
  ) {
    this.tree = new RangeTreeBuilder(routes.count);
    for (const [index, words] of routes.words.entries()) this.rejectHostBits(words, index);
  }

  /**
   * The slot for the routes at these positions, which agree in all words before `index` and reach into that one.
   * `outside`: what holds where none of them does.
   */
  build(positions: Uint32Array, index: number, outside: number): number {
    const { lengths, nexthops } = this.routes;
    const words = this.routes.words[index];
    const sorted = positions.length > 1 ? this.sort(positions, index) : positions;
    const sweep = new IntervalSweep(outside);
    let at = 0;
    while (at < sorted.length) {
      const route = sorted[at];
      const start = words[route];
      const length = lengths[route];
      if (length <= 32 * (index + 1)) {
        if (at > 0) this.rejectDuplicate(route, sorted[at - 1], index);
        sweep.open(start, (start | hostBits(length, index)) >>> 0, nexthops[route] + 1);
        at += 1;
      } else {
        const end = endOfWord(words, sorted, at);
        const deeper = this.build(sorted.subarray(at, end), index + 1, sweep.advance(start));
        sweep.open(start, start, deeper < 0 ? deeper | ADVANCE : deeper);
        at = end;
      }
    }
    return this.tree.add(sweep.finish());
  }

  /**
   * By word `index`, then length, as far as it is in this word. The keys are 64-bit integers, so that they are
   * sorted without a call for each comparison; they are written as pairs of words, low half first, the byte
   * order of every machine that Node runs on.
   */
  private sort(positions: Uint32Array, index: number): Uint32Array {
    const { lengths } = this.routes;
    const words = this.routes.words[index];
    const pairs = new Uint32Array(2 * positions.length);
    for (let i = 0; i < positions.length; i++) {
      const length = Math.min(33, lengths[positions[i]] - 32 * index);
      pairs[2 * i] = (length << POSITION_BITS) | i;
      pairs[2 * i + 1] = words[positions[i]];
    }
    new BigUint64Array(pairs.buffer).sort();
    const sorted = new Uint32Array(positions.length);
    for (let i = 0; i < sorted.length; i++) sorted[i] = positions[pairs[2 * i] & POSITION];
    return sorted;
  }

  private rejectDuplicate(route: number, before: number, index: number): void {
    const { lengths, words } = this.routes;
    if (lengths[route] !== lengths[before] || words[index][route] !== words[index][before]) return;
    throw new TableError(TABLE_ERROR.duplicate, `route ${this.name(route)} is given twice`);
  }

  private rejectHostBits(words: Uint32Array, index: number): void {
    const { lengths, count } = this.routes;
    for (let route = 0; route < count; route++) {
      if ((words[route] & hostBits(lengths[route], index)) === 0) continue;
      throw new TableError(TABLE_ERROR.invalid, `route ${this.name(route)} has bits set beyond its length`);
    }
  }

  private name(route: number): string {
    const { words, lengths, tables } = this.routes;
    const prefix = this.describe(words.map((column) => column[route]));
    return `${prefix}/${lengths[route]} in table ${tables[route]}`;
  }
}

/** The end of the run of routes from `at` on with the same word. */
function endOfWord(words: Uint32Array, sorted: Uint32Array, at: number): number {
  const word = words[sorted[at]];
  let end = at + 1;
  while (end < sorted.length && words[sorted[end]] === word) end += 1;
  return end;
}

/** The positions of each routing table's routes, by table number; numbers are far apart, most have none. */
function positionsByTable({ tables, count }: RouteColumns, counts: Uint32Array): (Uint32Array | undefined)[] {
  for (let route = 0; route < count; route++) counts[tables[route]] += 1;
  const positions = Array.from(counts, (size) => (size === 0 ? undefined : new Uint32Array(size)));
  counts.fill(0);
  for (let route = 0; route < count; route++) {
    const table = tables[route];
    positions[table]![counts[table]] = route;
    counts[table] += 1;
  }
  return positions;
}

/** Throws TABLE_DUPLICATE, TABLE_INVALID or TABLE_TOO_LARGE. */
export function buildPrefixTrees(routes: RouteColumns, describe: Describe): RangeTreeData {
  if (routes.count > MAX_ROUTES) {
    throw new TableError(TABLE_ERROR.tooLarge, `a FIB holds at most ${MAX_ROUTES} routes`);
  }
  const builder = new PrefixTreeBuilder(routes, describe);
  let tables = 0;
  for (let route = 0; route < routes.count; route++) tables = Math.max(tables, routes.tables[route] + 1);
  const roots = new Int32Array(tables);
  positionsByTable(routes, new Uint32Array(tables)).forEach((positions, table) => {
    if (positions !== undefined) roots[table] = builder.build(positions, 0, NO_ANSWER);
  });
  return { roots, nodes: builder.tree.finish() };
}
