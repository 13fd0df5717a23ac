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
import { TABLE_ERROR, TableError } from './table-error.js';

export interface RangeTreeData {
  /** For each table number (network), the slot where a search begins; 0, no answer, for one without routes. */
  readonly roots: Int32Array;
  readonly slots: Int32Array;
  /** Pairs: first word of the range, slot. */
  readonly ranges: Int32Array;
}

/** Slots at or above this are not to be followed within the same word. */
export const STOP = -0x4000_0000;
export const ADVANCE = 0x4000_0000;
const POINTER = 1 << 31;
const TABLE = 0x2000_0000;
const MAX_RANGES = 1 << 25;
const MAX_SLOTS = 1 << 28;

/** Our tuning, by measurement: fewer ranges a bucket cost memory, more cost steps. At most 16. */
const MAX_BUCKET = 8;
/** Table sizes: 16 slots at least (their alignment), 2^20 at most (4 MiB: more would not stay in the cache). */
const MIN_STRIDE = 4;
const MAX_STRIDE = 20;

/**
 * Follows slots and ranges for one word, from `slot`. Returns an answer (>= 0) or a slot with ADVANCE.
 * Unsigned a < b without a branch, as a mask: Hacker's Delight, section 2-12.
 */
export function descend(slots: Int32Array, ranges: Int32Array, from: number, word: number): number {
  let slot = from;
  let shift = 32;
  while (slot < STOP) {
    if ((slot & TABLE) !== 0) {
      const stride = slot & 31;
      shift -= stride;
      slot = slots[((slot & 0x1fff_ffe0) >>> 1) + ((word >>> shift) & ((1 << stride) - 1))];
    } else {
      slot = searchBucket(ranges, (slot >>> 4) & (MAX_RANGES - 1), (slot & 15) + 1, word);
    }
  }
  return slot;
}

function searchBucket(ranges: Int32Array, first: number, count: number, word: number): number {
  let base = first;
  let left = count;
  while (left > 1) {
    const half = left >>> 1;
    const start = ranges[(base + half) << 1];
    const below = ((~word & start) | (~(word ^ start) & (word - start))) >> 31;
    base += half & ~below;
    left -= half;
  }
  return ranges[(base << 1) + 1];
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

export class RangeTreeBuilder {
  private readonly slots = new GrowingArray();
  private readonly ranges = new GrowingArray();

  /** Adds ranges over one word; returns the slot that leads to them. */
  add(list: RangeList): number {
    const { starts, answers } = list;
    if (starts.length === 1) return answers[0];
    const first = this.ranges.extend(2 * starts.length) / 2;
    if (first + starts.length > MAX_RANGES) {
      throw new TableError(TABLE_ERROR.tooLarge, `a FIB holds at most ${MAX_RANGES} ranges`);
    }
    for (let i = 0; i < starts.length; i++) {
      this.ranges.set(2 * (first + i), starts[i]);
      this.ranges.set(2 * (first + i) + 1, answers[i]);
    }
    return this.node(list, first, 0, starts.length, 0, 32);
  }

  finish(roots: Int32Array): RangeTreeData {
    return { roots, slots: this.slots.take(), ranges: this.ranges.take() };
  }

  /** The slot for ranges from..to-1, which together cover the 2^bits words from `word` on. */
  private node(list: RangeList, first: number, from: number, to: number, word: number, bits: number): number {
    const count = to - from;
    if (count === 1) return list.answers[from];
    if (count <= MAX_BUCKET) return POINTER | ((first + from) << 4) | (count - 1);
    const stride = Math.min(bits, strideFor(count));
    const at = this.slots.extend(2 ** stride);
    if (at + 2 ** stride > MAX_SLOTS) {
      throw new TableError(TABLE_ERROR.tooLarge, `a FIB holds at most ${MAX_SLOTS} table slots`);
    }
    const span = 2 ** (bits - stride);
    let low = from;
    for (let i = 0; i < 2 ** stride; i++) {
      const base = word + i * span;
      while (low + 1 < to && list.starts[low + 1] <= base) low += 1;
      let high = low + 1;
      while (high < to && list.starts[high] < base + span) high += 1;
      this.slots.set(at + i, this.node(list, first, low, high, base, bits - stride));
      low = high - 1;
    }
    return POINTER | TABLE | (at << 1) | stride;
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

function strideFor(count: number): number {
  return Math.min(MAX_STRIDE, Math.max(MIN_STRIDE, Math.ceil(Math.log2(count))));
}
