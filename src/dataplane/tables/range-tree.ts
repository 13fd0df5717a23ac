/**
 * Finds, for a 32-bit word, the range it falls in: the part that the IPv4 and the IPv6 FIB share.
 *
 * Prefixes are cut into disjoint ranges, in order, each with its answer (DXR: Zec, Rizzo, Mikuc, "DXR: towards a
 * billion routing lookups per second in software", 2012). Above the ranges stand direct tables, indexed by
 * the next few bits of the word, as deep as the ranges are dense: a table entry is the answer itself, or a
 * bucket of at most 16 adjacent ranges, or a further table (as in an LC-trie). So two or three memory
 * accesses find the bucket whether prefixes are spread over the Internet or are all host routes of one /16,
 * and a bucket is searched without a branch to mispredict.
 *
 * A slot is one int32:
 *
 *     0 | answer, 31 bits                                    the answer; 0 means none
 *     1 | A | 0 | first range, 25 bits | count - 1, 4 bits   a bucket
 *     1 | A | 1 | first slot / 16, 24 bits | stride, 5 bits  a table of 2^stride slots, for the next bits
 *
 * A = 1: the search goes on in the next word of the address, in this bucket or table; IPv6 uses it.
 *
 * Bounds: 2^25 ranges, 2^28 slots; a prefix makes at most two ranges. Built at once, then immutable.
 * Memory: 8 bytes a range, plus tables of at most 4 slots a range or 256 slots, whichever is more.
 */
import { bucketsFor } from './hash.js';
import { TABLE_ERROR, TableError } from './table-error.js';

export interface RangeTreeData {
  /** For each table number (network), the slot where a search begins; 0, no answer, for one without routes. */
  readonly roots: Int32Array;
  /** Tables and buckets. */
  readonly nodes: Int32Array;
}

/** Slots at or above this are not to be followed within the same word. */
const STOP = -0x4000_0000;
export const ADVANCE = 0x4000_0000;
const POINTER = 1 << 31;
const BUCKET = 0x2000_0000;
const WIDE = 0x1000_0000;
const OFFSET = 0x00ff_ffff;

/** Where a table's entries begin, after: entries << 5 | shift, first index, slot below, slot above. */
const HEADER = 4;

/**
 * Follows slots for one word, from `from`. Returns an answer (>= 0) or a slot with ADVANCE.
 */
export function descend(nodes: Int32Array, from: number, word: number): number {
  let slot = from;
  while (slot < STOP) {
    const at = (slot & OFFSET) << 2;
    if ((slot & BUCKET) === 0) {
      const head = nodes[at];
      const place = word >>> head;
      const first = nodes[at + 1] >>> 0;
      const index = (place - first) >>> 0;
      if (index < head >>> 5) slot = nodes[at + HEADER + index];
      else slot = nodes[at + (place < first ? 2 : 3)];
    } else if ((slot & WIDE) === 0) {
      slot = searchCompact(nodes, at, (slot >>> 24) & 15, word & 0xffff);
    } else {
      slot = searchWide(nodes, at, (slot >>> 24) & 15, word ^ POINTER);
    }
  }
  return slot;
}

/** The bucket's 2^steps words are start << 16 | answer. */
function searchCompact(nodes: Int32Array, at: number, steps: number, low: number): number {
  let base = at;
  for (let half = 1 << steps >>> 1; half > 0; half >>>= 1) {
    base += half & ((((nodes[base + half] >>> 16) - low - 1) | 0) >> 31);
  }
  return nodes[base] & 0xffff;
}

/** The bucket's 2^steps pairs are start (as biased int32), slot. */
function searchWide(nodes: Int32Array, at: number, steps: number, biased: number): number {
  let base = at;
  for (let half = 1 << steps; half > 1; half >>>= 1) {
    if (nodes[base + half] <= biased) base += half;
  }
  return nodes[base + 1];
}

class GrowingArray {
  length = 0;
  private items = new Int32Array(64);

  /** Appends `count` zeros; returns where they start. */
  extend(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.items.length) {
      const grown = new Int32Array(Math.max(this.length, 2 * this.items.length));
      grown.set(this.items);
      this.items = grown;
    }
    return at;
  }

  set(at: number, value: number): void {
    this.items[at] = value;
  }

  take(): Int32Array {
    return this.items.slice(0, this.length);
  }
}

/** Disjoint ranges that cover all 2^32 words, in order; each reaches up to the next one's start. */
export class RangeList {
  readonly starts: number[] = [];
  readonly answers: number[] = [];

  /** The range from `start` (uint32, not below the last one's) on has this answer. Joins equal neighbours. */
  append(start: number, answer: number): void {
    const { starts, answers } = this;
    if (starts[starts.length - 1] === start) {
      starts.pop();
      answers.pop();
    }
    if (answers.length > 0 && answers[answers.length - 1] === answer) return;
    starts.push(start);
    answers.push(answer);
  }
}

/** Turns nested intervals, in order of start and outermost first, into a RangeList. */
export class IntervalSweep {
  readonly list = new RangeList();
  private readonly ends: number[] = [];
  private readonly answers: number[] = [];

  constructor(private readonly outside: number) {
    this.list.append(0, outside);
  }

  /** Closes what ends before `start`; returns the answer that then holds there. */
  advance(start: number): number {
    while (this.ends.length > 0 && this.ends[this.ends.length - 1] < start) this.close();
    return this.answers.length > 0 ? this.answers[this.answers.length - 1] : this.outside;
  }

  open(start: number, end: number, answer: number): void {
    this.advance(start);
    this.list.append(start, answer);
    this.ends.push(end);
    this.answers.push(answer);
  }

  finish(): RangeList {
    while (this.ends.length > 0) this.close();
    return this.list;
  }

  private close(): void {
    const end = this.ends.pop() as number;
    this.answers.pop();
    const answer = this.answers.length > 0 ? this.answers[this.answers.length - 1] : this.outside;
    if (end !== 0xffff_ffff) this.list.append(end + 1, answer);
  }
}

/** Our tuning, by measurement. */
const P = (globalThis as any).P ?? {};
const MAX_BUCKET = P.bucket ?? 8;
const MAX_ENTRIES = P.entries ?? 2 ** 20;
const BUDGET = P.budget ?? 2;
const RATIO = P.ratio ?? 1.5;
const FLOOR = P.floor ?? 16;

export class RangeTreeBuilder {
  private readonly nodes = new GrowingArray();

  /** Adds ranges over one word; returns the slot that leads to them. */
  add(list: RangeList): number {
    return this.node(list, 0, list.starts.length, 0, 0xffff_ffff);
  }

  finish(roots: Int32Array): RangeTreeData {
    return { roots, nodes: this.nodes.take() };
  }

  /** The slot for ranges from..to-1, of which words low..high are asked. */
  private node(list: RangeList, from: number, to: number, low: number, high: number): number {
    const { starts, answers } = list;
    const count = to - from;
    if (count === 1) return answers[from];
    const first = starts[from + 1];
    const last = starts[to - 1];
    let compact = low >>> 16 === high >>> 16;
    for (let i = from; compact && i < to; i++) compact = answers[i] >= 0 && answers[i] <= 0xffff;
    let bits = 0;
    for (let i = from + 1; i < to; i++) bits |= starts[i];
    let shift = 31 - Math.clz32(bits & -bits);
    const entries = (s: number): number => (last >>> s) - (first >>> s) + 1;
    const bucketWords = Math.max(4, (compact ? 1 : 2) * bucketsFor(count));
    if (count <= MAX_BUCKET && entries(shift) + HEADER > Math.max(FLOOR, RATIO * bucketWords)) {
      return compact ? this.compact(list, from, to) : this.wide(list, from, to);
    }
    const budget = Math.min(MAX_ENTRIES, Math.max(FLOOR, BUDGET * count));
    while (entries(shift) > budget) shift += 1;
    return this.table(list, from, to, shift, low, high);
  }

  private table(list: RangeList, from: number, to: number, shift: number, low: number, high: number): number {
    const { starts, answers } = list;
    const base = starts[from + 1] >>> shift;
    const entries = (starts[to - 1] >>> shift) - base + 1;
    const at = this.nodes.extend((HEADER + entries + 3) & ~3);
    this.nodes.set(at, (entries << 5) | shift);
    this.nodes.set(at + 1, base);
    this.nodes.set(at + 2, answers[from]);
    this.nodes.set(at + 3, answers[to - 1]);
    const span = 2 ** shift;
    let a = from;
    for (let i = 0; i < entries; i++) {
      const begin = (base + i) * span;
      while (a + 1 < to && starts[a + 1] <= begin) a += 1;
      let b = a + 1;
      while (b < to && starts[b] < begin + span) b += 1;
      const slot = this.node(list, a, b, Math.max(low, begin), Math.min(high, begin + span - 1));
      this.nodes.set(at + HEADER + i, slot);
      a = b - 1;
    }
    return POINTER | (at >>> 2);
  }

  private compact(list: RangeList, from: number, to: number): number {
    const size = bucketsFor(to - from);
    const at = this.nodes.extend(Math.max(4, size));
    for (let i = 0; i < size; i++) {
      const j = Math.min(from + i, to - 1);
      const start = i === 0 ? 0 : list.starts[j] & 0xffff;
      this.nodes.set(at + i, (start << 16) | list.answers[j]);
    }
    return POINTER | BUCKET | (Math.log2(size) << 24) | (at >>> 2);
  }

  private wide(list: RangeList, from: number, to: number): number {
    const size = bucketsFor(to - from);
    const at = this.nodes.extend(Math.max(4, 2 * size));
    for (let i = 0; i < size; i++) {
      const j = Math.min(from + i, to - 1);
      this.nodes.set(at + 2 * i, list.starts[j] ^ POINTER);
      this.nodes.set(at + 2 * i + 1, list.answers[j]);
    }
    return POINTER | BUCKET | WIDE | (Math.log2(size) << 24) | (at >>> 2);
  }
}

const MAX_ROUTES = 1 << 24;

/** Builds each routing table's routes with `build`, and collects the slots by table number. */
export function buildRoots<Route extends { readonly table: number }>(
  routes: readonly Route[],
  build: (routes: Route[]) => number,
): Int32Array {
  if (routes.length > MAX_ROUTES) {
    throw new TableError(TABLE_ERROR.tooLarge, `a FIB holds at most ${MAX_ROUTES} routes`);
  }
  const byTable: Route[][] = [];
  for (const route of routes) {
    byTable[route.table] ??= [];
    byTable[route.table].push(route);
  }
  const roots = new Int32Array(byTable.length);
  byTable.forEach((own, table) => {
    roots[table] = build(own);
  });
  return roots;
}
