/**
 * An immutable hash index: keys of two or five words to record numbers 0..records-1. Its storage is plain typed
 * arrays, so that it can be posted to a worker by structured clone and used there as it is.
 *
 * Built by a counting sort of the keys by bucket: a bucket is a run of adjacent keys, found by two adjacent
 * words of `starts`. No free slots, no chain links, nothing to evict: what was built is there until a new
 * snapshot replaces the whole index. There are two to four times as many buckets as keys, so a run seldom holds
 * more than one.
 *
 * Memory: 8 to 16 bytes a key and 4 for each of its words. Cost: about 10 ns for two words, 15 for five, while it
 * fits the cache; two cache misses when it does not.
 */
import { bucketsFor, KeyedHash } from './hash.js';
import { TABLE_ERROR, TableError } from './table-error.js';

/** Our tuning: fewer make longer runs, whose ends are mispredicted. */
const BUCKETS_PER_KEY = 2;

export type KeyWords = 2 | 5;

export interface StaticIndexData {
  readonly seed: number;
  readonly words: KeyWords;
  /** buckets + 1 record numbers: bucket b is records starts[b] to starts[b + 1] - 1. */
  readonly starts: Uint32Array;
  /** `words` for each record. */
  readonly keys: Int32Array;
}

export interface StaticIndexBuild {
  readonly data: StaticIndexData;
  /** For each record number, the position of its key in the list that was given. */
  readonly order: Uint32Array;
}

function hashAt(hash: KeyedHash, keys: Int32Array, words: KeyWords, record: number): number {
  const at = record * words;
  if (words === 2) return hash.hash2(keys[at], keys[at + 1]);
  return hash.hash5(keys[at], keys[at + 1], keys[at + 2], keys[at + 3], keys[at + 4]);
}

function sameKey(keys: Int32Array, words: KeyWords, a: number, b: number): boolean {
  for (let w = 0; w < words; w++) if (keys[a * words + w] !== keys[b * words + w]) return false;
  return true;
}

/** `describe` names the key at a position of the list, for the error. */
function rejectDuplicates(data: StaticIndexData, order: Uint32Array, describe: (at: number) => string): void {
  const { starts, keys, words } = data;
  for (let bucket = 0; bucket + 1 < starts.length; bucket++) {
    for (let a = starts[bucket]; a < starts[bucket + 1]; a++) {
      for (let b = starts[bucket]; b < a; b++) {
        if (!sameKey(keys, words, a, b)) continue;
        throw new TableError(TABLE_ERROR.duplicate, `${describe(order[a])} is given twice`);
      }
    }
  }
}

/** `keys`: `words` int32 for each. Throws TABLE_DUPLICATE when a key is there twice. */
export function buildStaticIndex(
  keys: Int32Array,
  words: KeyWords,
  seed: number,
  describe: (at: number) => string,
): StaticIndexBuild {
  const count = keys.length / words;
  const hash = new KeyedHash(seed);
  const buckets = bucketsFor(BUCKETS_PER_KEY * count);
  const starts = new Uint32Array(buckets + 1);
  for (let i = 0; i < count; i++) starts[(hashAt(hash, keys, words, i) & (buckets - 1)) + 1] += 1;
  for (let b = 0; b < buckets; b++) starts[b + 1] += starts[b];
  const order = new Uint32Array(count);
  const sorted = new Int32Array(keys.length);
  const next = starts.slice();
  for (let i = 0; i < count; i++) {
    const record = next[hashAt(hash, keys, words, i) & (buckets - 1)]++;
    order[record] = i;
    for (let w = 0; w < words; w++) sorted[record * words + w] = keys[i * words + w];
  }
  const data: StaticIndexData = { seed, words, starts, keys: sorted };
  rejectDuplicates(data, order, describe);
  return { data, order };
}

export class StaticIndex {
  private readonly hash: KeyedHash;
  private readonly starts: Uint32Array;
  private readonly keys: Int32Array;
  private readonly mask: number;

  constructor(readonly data: StaticIndexData) {
    this.hash = new KeyedHash(data.seed);
    this.starts = data.starts;
    this.keys = data.keys;
    this.mask = data.starts.length - 2;
  }

  /** Records held. */
  get size(): number {
    return this.keys.length / this.data.words;
  }

  /** The record of a two-word key, or -1. Only for an index of two-word keys. */
  find2(v: number, w: number): number {
    const { keys, starts } = this;
    const v0 = v | 0;
    const w0 = w | 0;
    const bucket = this.hash.hash2(v0, w0) & this.mask;
    const end = starts[bucket + 1];
    for (let record = starts[bucket]; record < end; record++) {
      if (keys[2 * record] === v0 && keys[2 * record + 1] === w0) return record;
    }
    return -1;
  }

  /** The record of a five-word key, or -1. Only for an index of five-word keys. */
  find5(v: number, w: number, x: number, y: number, z: number): number {
    const { starts } = this;
    const bucket = this.hash.hash5(v, w, x, y, z) & this.mask;
    const end = starts[bucket + 1];
    for (let record = starts[bucket]; record < end; record++) {
      if (this.isKey5(5 * record, v | 0, w | 0, x | 0, y | 0, z | 0)) return record;
    }
    return -1;
  }

  private isKey5(at: number, v: number, w: number, x: number, y: number, z: number): boolean {
    const { keys } = this;
    if (keys[at + 4] !== z || keys[at + 3] !== y || keys[at + 2] !== x) return false;
    return keys[at + 1] === w && keys[at] === v;
  }
}
