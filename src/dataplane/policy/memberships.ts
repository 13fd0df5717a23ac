/**
 * Which sets an identity is in: a row of bits for each identity, as long as its highest set asks. So a change of one identity writes
 * one row, and to ask is one or two words of it.
 *
 * A row begins with a summary, one line of the cache: a bit for all sets whose numbers are the same modulo SUMMARY_SETS. Most answers are
 * no, and most of these are in there: without it, 20 rules about 20,000 sets were as many misses of the cache.
 *
 * A set that goes, or is another, is cleared in every row: one word of each, however many identities there are, and all of each where all sets are others.
 * Memory: a bit for each set below the highest of a row, and 64 bytes: 5,000 identities in sets up to 20,000 are 14 MB.
 */
import type { PolicyIdentitySpec, PolicySetSpec } from '../policy-spec.js';
import { type Block, WordStore } from '../tables/word-store.js';

/** Bits of a summary. */
const SUMMARY_SETS = 512;
const SUMMARY_WORDS = SUMMARY_SETS / 32;

/** Whether the row has the set. `size`: of its block, 0 for none. */
export function hasSet(words: Int32Array, base: number, size: number, set: number): boolean {
  const bit = 1 << (set & 31);
  const word = set >>> 5;
  if (size === 0 || (words[base + (word & (SUMMARY_WORDS - 1))] & bit) === 0) return false;
  return SUMMARY_WORDS + word < size && (words[base + SUMMARY_WORDS + word] & bit) !== 0;
}

export class Memberships {
  /** Identities that there are. */
  size = 0;
  private readonly rows: (Block | undefined)[] = [];
  private readonly store: WordStore;

  /** @param chunk of WordStore */
  constructor(chunk?: number) {
    this.store = new WordStore(chunk);
  }

  /** Of an identity that there is; undefined for others. Holds until the next change. */
  row(identity: number): Block | undefined {
    return identity < this.rows.length ? this.rows[identity] : undefined;
  }

  /** Nobody is in them any more. */
  clearSets(sets: readonly number[]): void {
    const masks = new Map<number, number>();
    for (const set of sets) masks.set(set >>> 5, (masks.get(set >>> 5) ?? 0) | (1 << (set & 31)));
    if (masks.size === 0) return;
    const words = [...masks.keys()];
    for (const row of this.rows) if (row !== undefined && clear(row, words, masks)) summarize(row);
  }

  /** They are empty before. The highest first: so a row is as long as it will be from the beginning. */
  fillSets(sets: readonly PolicySetSpec[]): void {
    for (const { id, identities } of [...sets].sort((a, b) => b.id - a.id)) {
      for (const identity of identities) this.join(identity, id);
    }
  }

  setIdentity({ id, sets }: PolicyIdentitySpec): void {
    this.remove(id);
    this.reach(
      id,
      sets.reduce((most, set) => Math.max(most, set), 0),
    );
    for (const set of sets) this.join(id, set);
  }

  remove(identity: number): void {
    const row = this.row(identity);
    if (row === undefined) return;
    this.store.release(row);
    this.rows[identity] = undefined;
    this.size--;
  }

  private join(identity: number, set: number): void {
    const { words, base } = this.reach(identity, set);
    const bit = 1 << (set & 31);
    words[base + ((set >>> 5) & (SUMMARY_WORDS - 1))] |= bit;
    words[base + SUMMARY_WORDS + (set >>> 5)] |= bit;
  }

  /** The identity's row, with room for the set. */
  private reach(identity: number, set: number): Block {
    const old = this.row(identity);
    const count = SUMMARY_WORDS + (set >>> 5) + 1;
    if (old !== undefined && count <= old.size) return old;
    const row = this.store.allocate(count);
    row.words.fill(0, row.base, row.base + row.size);
    while (this.rows.length <= identity) this.rows.push(undefined);
    this.rows[identity] = row;
    if (old === undefined) this.size++;
    else {
      row.words.set(old.words.subarray(old.base, old.base + old.size), row.base);
      this.store.release(old);
    }
    return row;
  }
}

/** Answers whether any of it was set. */
function clear(
  { words, base, size }: Block,
  cleared: readonly number[],
  masks: ReadonlyMap<number, number>,
): boolean {
  let any = 0;
  for (const word of cleared) {
    if (SUMMARY_WORDS + word >= size) continue;
    const at = base + SUMMARY_WORDS + word;
    const mask = masks.get(word)!;
    any |= words[at] & mask;
    words[at] &= ~mask;
  }
  return any !== 0;
}

function summarize({ words, base, size }: Block): void {
  words.fill(0, base, base + SUMMARY_WORDS);
  for (let word = SUMMARY_WORDS; word < size; word++) {
    words[base + (word & (SUMMARY_WORDS - 1))] |= words[base + word];
  }
}
