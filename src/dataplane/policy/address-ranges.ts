/**
 * Blocks of addresses as sorted ranges: what a list of prefixes holds, without what is excepted of each. Ranges that touch are
 * one, so that an address is looked for by halving, whatever the blocks were.
 *
 * Words of addresses are kept with their highest bit the other way round, so that signed comparison is that of addresses. A
 * range of IPv4 is two words, first and last; of IPv6 eight.
 */
import { AddressError, type Cidr, networkOf, parseCidr } from '../../wire/address.js';
import type { PolicyBlock } from '../policy-spec.js';
import { TABLE_ERROR, TableError } from '../tables/table-error.js';

export const RANGE4_WORDS = 2;
export const RANGE6_WORDS = 8;

/** First and last, both included. */
type Range = readonly [bigint, bigint];

export interface AddressRanges {
  /** Words, as above. */
  readonly v4: readonly number[];
  readonly v6: readonly number[];
}

/** `what` names the entry in errors. @throws TableError TABLE_INVALID */
export function rangesOf(blocks: readonly PolicyBlock[], what: string): AddressRanges {
  if (blocks.length === 0) return { v4: [], v6: [] };
  const ranges: Record<4 | 6, Range[]> = { 4: [], 6: [] };
  for (const { cidr, except = [] } of blocks) {
    const block = read(cidr, what);
    const holes = except.map((text) => read(text, what));
    const other = holes.findIndex(({ family }) => family !== block.family);
    if (other >= 0) throw invalid(what, `'${except[other]}' is not of the family of '${cidr}'`);
    ranges[block.family].push(...without(rangeOf(block), holes.map(rangeOf)));
  }
  return { v4: wordsOf(joined(ranges[4]), 1), v6: wordsOf(joined(ranges[6]), 4) };
}

function read(text: string, what: string): Cidr {
  try {
    return networkOf(parseCidr(text));
  } catch (error) {
    if (error instanceof AddressError) throw invalid(what, error.message);
    throw error;
  }
}

function invalid(what: string, message: string): TableError {
  return new TableError(TABLE_ERROR.invalid, `${what}: ${message}`);
}

function rangeOf({ words, prefix }: Cidr): Range {
  const first = words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  return [first, first + (1n << BigInt(32 * words.length - prefix)) - 1n];
}

function without([first, last]: Range, holes: readonly Range[]): Range[] {
  const left: Range[] = [];
  let from = first;
  for (const [begin, end] of joined(holes)) {
    if (end < from || begin > last) continue;
    if (begin > from) left.push([from, begin - 1n]);
    from = end + 1n;
  }
  if (from <= last) left.push([from, last]);
  return left;
}

/** In order; none of them touches the next. */
function joined(ranges: readonly Range[]): Range[] {
  const result: [bigint, bigint][] = [];
  for (const [first, last] of [...ranges].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    const before = result[result.length - 1];
    if (before === undefined || first > before[1] + 1n) result.push([first, last]);
    else if (last > before[1]) before[1] = last;
  }
  return result;
}

function wordsOf(ranges: readonly Range[], count: number): number[] {
  return ranges.flatMap((range) => range.flatMap((address) => ordered(address, count)));
}

function ordered(address: bigint, count: number): number[] {
  const shifts = Array.from({ length: count }, (_, i) => BigInt(32 * (count - 1 - i)));
  return shifts.map((shift) => Number((address >> shift) & 0xffff_ffffn) ^ 0x8000_0000);
}

/** Whether one of the `count` ranges at `at` has the address, an int32. */
export function isInRanges4(words: Int32Array, at: number, count: number, address: number): boolean {
  const sought = address ^ 0x8000_0000;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (words[at + RANGE4_WORDS * middle] <= sought) low = middle + 1;
    else high = middle;
  }
  return low > 0 && words[at + RANGE4_WORDS * low - 1] >= sought;
}

/** The same of the IPv6 address in the first four words of `address`. */
export function isInRanges6(words: Int32Array, at: number, count: number, address: Int32Array): boolean {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare6(words, at + RANGE6_WORDS * middle, address) <= 0) low = middle + 1;
    else high = middle;
  }
  return low > 0 && compare6(words, at + RANGE6_WORDS * low - 4, address) >= 0;
}

/** The address at `at` against the other: negative, 0 or positive. */
function compare6(words: Int32Array, at: number, address: Int32Array): number {
  for (let i = 0; i < 4; i++) {
    const sought = address[i] ^ 0x8000_0000;
    if (words[at + i] !== sought) return words[at + i] < sought ? -1 : 1;
  }
  return 0;
}
