/**
 * Finds what holds for a 32-bit word, given ranges: the part that the IPv4 and the IPv6 FIB share.
 *
 * Prefixes are cut into disjoint ranges first (ranges.ts), as in DXR (Zec, Rizzo, Mikuc, "DXR: towards a billion
 * routing lookups per second in software", 2012). Over them stands a tree of two kinds of node:
 *
 * - a table, indexed by (word >>> shift) - first. It spans only the words between the first and the last
 *   boundary of its ranges, so ten adjacent /24s of 10.244.0.0/16 are one table of ten entries, and a /24 of
 *   host routes is one of 256: the bits that all prefixes share cost nothing. It is as fine as its ranges
 *   need, or as their number warrants.
 * - a bucket of at most 8 ranges, where a table would be mostly repetition; searched by halves, without a
 *   branch to mispredict. Compact, one word a range, where its words agree in the upper 16 bits.
 *
 * Everything is int32 words of one array, found by slots:
 *
 *     0 | answer, 31 bits                                                     none is 0
 *     1 | A | 0 | 5 bits unused            | position / 4, 24 bits            a table
 *     1 | A | 1 | W | log2(size), 4 bits   | position / 4, 24 bits            a bucket; W: wide, not compact
 *
 * A = 1: the search goes on in this node with the next word of the address; IPv6 uses it.
 *
 * Bounds: 2^26 words of nodes. Built at once, then immutable; nothing is evicted. Memory: 4 to 45 bytes an IPv4
 * route up to 16,384 routes, 4 to 25 for more, where cache misses cost more than steps; IPv6 up to 70.
 */
import { bucketsFor } from './hash.js';
import type { RangeList } from './ranges.js';
import { TABLE_ERROR, TableError } from './table-error.js';

/** Slots from here on are not to be followed within the same word. */
const STOP = -0x4000_0000;
export const ADVANCE = 0x4000_0000;
const POINTER = 1 << 31;
const BUCKET = 0x2000_0000;
const WIDE = 0x1000_0000;
const POSITION = 0x00ff_ffff;
const MAX_WORDS = 1 << 26;

/** Words before a table's entries: entries << 5 | shift; first; the slot below the table; the slot above. */
const HEADER = 4;

/** Our tuning, by measurement: ranges in a bucket; entries of a table, in any case and for each range. */
const MAX_BUCKET = 8;
const MIN_ENTRIES = 16;
const RESOLVED_ENTRIES = 4;
/** For few routes, which stay in the cache whatever they take, and for many. */
const MANY_ROUTES = 16_384;
const ENTRIES_FEW = 4;
const ENTRIES_MANY = 1;

/** Follows slots for one word. Returns an answer (>= 0), or a slot with ADVANCE. */
export function descend(nodes: Int32Array, from: number, word: number): number {
  let slot = from;
  while (slot < STOP) slot = step(nodes, slot, word);
  return slot;
}

/**
 * The same for many words at once, in place: `slots` from..to-1 become what `descend` answers. All take a step before any
 * takes the next, so that the processor waits for many nodes at a time where they are not in its cache.
 */
export function descendAll(
  nodes: Int32Array,
  slots: Int32Array,
  words: Int32Array,
  from: number,
  to: number,
): void {
  for (let isDone = false; !isDone; ) {
    isDone = true;
    for (let i = from; i < to; i++) {
      const slot = slots[i];
      if (slot >= STOP) continue;
      slots[i] = step(nodes, slot, words[i]);
      isDone = false;
    }
  }
}

/** What kind of node a slot leads to is in the slot itself: known before the node has come from memory. */
function step(nodes: Int32Array, slot: number, word: number): number {
  const at = (slot & POSITION) << 2;
  if ((slot & BUCKET) !== 0) {
    const steps = (slot >>> 24) & 15;
    return (slot & WIDE) === 0
      ? searchCompact(nodes, at, steps, word & 0xffff)
      : searchWide(nodes, at, steps, word);
  }
  const head = nodes[at];
  const place = word >>> head;
  const first = nodes[at + 1] >>> 0;
  const index = (place - first) >>> 0;
  if (index < head >>> 5) return nodes[at + HEADER + index];
  return nodes[at + (place < first ? 2 : 3)];
}

/** In a compact bucket of 2^steps words, start << 16 | answer, of which the first start is not looked at. */
function searchCompact(nodes: Int32Array, at: number, steps: number, low: number): number {
  let base = at;
  if (steps > 2) base += stepCompact(nodes[base + 4], low, 4);
  base += stepCompact(nodes[base + 2], low, 2);
  base += stepCompact(nodes[base + 1], low, 1);
  return nodes[base] & 0xffff;
}

/** `size` if the range begins at or before `low`, else 0. */
function stepCompact(range: number, low: number, size: number): number {
  return (((range >>> 16) - low - 1) >> 31) & size;
}

/** In a wide bucket of 2^steps pairs, start and slot, of which the first start is not looked at. */
function searchWide(nodes: Int32Array, at: number, steps: number, word: number): number {
  let base = at;
  if (steps > 2) base += stepWide(nodes[base + 8], word, 8);
  base += stepWide(nodes[base + 4], word, 4);
  base += stepWide(nodes[base + 2], word, 2);
  return nodes[base + 1];
}

/** `size` if `start` is at or before `word`, unsigned, else 0. The borrow: Warren, Hacker's Delight, 2-12. */
function stepWide(start: number, word: number, size: number): number {
  const below = ((~word & start) | (~(word ^ start) & (word - start))) >> 31;
  return ~below & size;
}

export interface RangeTreeData {
  /** For each table number (network), the slot where a search begins; 0, no answer, for one without routes. */
  readonly roots: Int32Array;
  readonly nodes: Int32Array;
}

/** Some adjacent ranges of a list, from..to-1, and the words low..high that will be looked for among them. */
interface Run {
  readonly list: RangeList;
  readonly from: number;
  readonly to: number;
  readonly low: number;
  readonly high: number;
}

export class RangeTreeBuilder {
  private nodes = new Int32Array(1024);
  private length = 0;
  private readonly entriesPerRange: number;

  /** `routes`: how many there are in all. */
  constructor(routes: number) {
    this.entriesPerRange = routes > MANY_ROUTES ? ENTRIES_MANY : ENTRIES_FEW;
  }

  /** Adds nodes for the ranges. Returns the slot that leads to them. */
  add(list: RangeList): number {
    return this.node({ list, from: 0, to: list.starts.length, low: 0, high: 0xffff_ffff });
  }

  finish(): Int32Array {
    return this.nodes.slice(0, this.length);
  }

  private node(run: Run): number {
    const { list, from, to } = run;
    const count = to - from;
    if (count === 1) return list.answers[from];
    const compact = isCompact(run);
    const finest = commonZeros(run);
    const bucketWords = bucketSize(count) * (compact ? 1 : 2);
    const affordable = count <= MAX_BUCKET / 2 ? bucketWords - HEADER : RESOLVED_ENTRIES * count;
    if (entriesAt(run, finest) <= affordable) return this.table(run, finest);
    if (count <= MAX_BUCKET) return compact ? this.compactBucket(run) : this.wideBucket(run);
    const most = Math.max(MIN_ENTRIES, this.entriesPerRange * count);
    let shift = finest;
    while (entriesAt(run, shift) > most) shift += 1;
    return this.table(run, shift);
  }

  private table(run: Run, shift: number): number {
    const { list, from, to } = run;
    const { starts, answers } = list;
    const first = starts[from + 1] >>> shift;
    const entries = entriesAt(run, shift);
    const at = this.allocate(HEADER + entries);
    this.nodes[at] = (entries << 5) | shift;
    this.nodes[at + 1] = first;
    this.nodes[at + 2] = answers[from];
    this.nodes[at + 3] = answers[to - 1];
    const span = 2 ** shift;
    let begin = from;
    for (let i = 0; i < entries; i++) {
      const low = (first + i) * span;
      const high = low + span - 1;
      while (begin + 1 < to && starts[begin + 1] <= low) begin += 1;
      let end = begin + 1;
      while (end < to && starts[end] <= high) end += 1;
      const slot = end === begin + 1 ? answers[begin] : this.node({ list, from: begin, to: end, low, high });
      this.nodes[at + HEADER + i] = slot;
      begin = end - 1;
    }
    return POINTER | (at >>> 2);
  }

  private compactBucket({ list, from, to }: Run): number {
    const size = bucketSize(to - from);
    const at = this.allocate(size);
    for (let i = 0; i < size; i++) {
      const range = Math.min(from + i, to - 1);
      this.nodes[at + i] = (list.starts[range] << 16) | list.answers[range];
    }
    return POINTER | BUCKET | (Math.log2(size) << 24) | (at >>> 2);
  }

  private wideBucket({ list, from, to }: Run): number {
    const size = bucketSize(to - from);
    const at = this.allocate(2 * size);
    for (let i = 0; i < size; i++) {
      const range = Math.min(from + i, to - 1);
      this.nodes[at + 2 * i] = list.starts[range];
      this.nodes[at + 2 * i + 1] = list.answers[range];
    }
    return POINTER | BUCKET | WIDE | (Math.log2(size) << 24) | (at >>> 2);
  }

  /** Room for `words`, at a multiple of four. */
  private allocate(words: number): number {
    const at = this.length;
    this.length = (at + words + 3) & ~3;
    if (this.length > MAX_WORDS) {
      throw new TableError(TABLE_ERROR.tooLarge, `the routes need more than ${MAX_WORDS} words of FIB`);
    }
    if (this.length > this.nodes.length) {
      const grown = new Int32Array(Math.max(this.length, 2 * this.nodes.length));
      grown.set(this.nodes);
      this.nodes = grown;
    }
    return at;
  }
}

/** Buckets are filled up to 4 or 8 ranges, by repeating the last. */
function bucketSize(count: number): number {
  return Math.max(4, bucketsFor(count));
}

/** Entries of a table over the run's boundaries. */
function entriesAt({ list, from, to }: Run, shift: number): number {
  return (list.starts[to - 1] >>> shift) - (list.starts[from + 1] >>> shift) + 1;
}

/** The low bits that are 0 in all boundaries: a table with this shift has an answer in each entry. */
function commonZeros({ list, from, to }: Run): number {
  let bits = 0;
  for (let i = from + 1; i < to; i++) bits |= list.starts[i];
  return 31 - Math.clz32(bits & -bits);
}

/** Whether 16 bits are enough for the places of the boundaries and for the answers. */
function isCompact({ list, from, to, low, high }: Run): boolean {
  if (low >>> 16 !== high >>> 16) return false;
  for (let i = from; i < to; i++) {
    if (list.answers[i] < 0 || list.answers[i] > 0xffff) return false;
  }
  return true;
}
