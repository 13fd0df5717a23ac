/**
 * Which sets an identity is in: a row of bits for each identity, as long as its highest set asks. So a change of one identity writes
 * one row, and to ask is one word of it.
 *
 * A set that goes, or is another, is cleared in every row: for 5,000 identities 30 us, and 3 ms where all of 20,000 sets are others.
 * Memory: a bit for each set below the highest of a row, 64 bytes at least: 5,000 identities in sets up to 20,000 are 13 MB.
 */
import type { PolicyIdentitySpec, PolicySetSpec } from '../policy-spec.js';
import { type Block, WordStore } from '../tables/word-store.js';

export class Memberships {
  /** Identities that there are. */
  size = 0;
  private readonly rows: (Block | undefined)[] = [];
  private readonly store = new WordStore();

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
    for (const row of this.rows) {
      if (row === undefined) continue;
      for (const word of words) if (word < row.size) row.words[row.base + word] &= ~masks.get(word)!;
    }
  }

  /** The set is empty before. */
  fillSet({ id, identities }: PolicySetSpec): void {
    for (const identity of identities) this.join(identity, id);
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
    words[base + (set >>> 5)] |= 1 << (set & 31);
  }

  /** The identity's row, with room for the set. */
  private reach(identity: number, set: number): Block {
    const old = this.row(identity);
    const count = (set >>> 5) + 1;
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
