/**
 * From a key of five words to a number: open addressing with linear probing, over one typed array. A lookup touches one cache
 * line, or two where slots are taken; removing moves what follows back, so nothing is left to be passed over later.
 *
 * Keyed (tables/hash.ts), since packets bring the keys that are looked for. At most half full; it doubles when keys are added, which
 * is never for a packet.
 *
 * Memory: 64 to 128 bytes a key.
 */
import type { KeyedHash } from './hash.js';

const SLOT_SHIFT = 3;
/** Words of a slot: the number plus one, 0 where it is free, and the key. */
const VALUE = 0;
const KEY = 1;
export const KEY_WORDS = 5;
const LEAST_SLOTS = 16;

export class WordIndex {
  size = 0;
  private slots = new Int32Array(LEAST_SLOTS << SLOT_SHIFT);
  private mask = LEAST_SLOTS - 1;

  constructor(private readonly hash: KeyedHash) {}

  /** The number, or -1. Words must be int32. */
  find(w0: number, w1: number, w2: number, w3: number, w4: number): number {
    return this.slots[this.slotOf(w0, w1, w2, w3, w4) << SLOT_SHIFT] - 1;
  }

  /** The number of the key whose words are at `from` in `keys`, or -1. */
  get(keys: Int32Array, from: number): number {
    return this.slots[this.slotAt(keys, from) << SLOT_SHIFT] - 1;
  }

  /** Adds the key, or gives it another number. */
  set(keys: Int32Array, from: number, value: number): void {
    if (2 * (this.size + 1) > this.mask + 1) this.grow();
    const at = this.slotAt(keys, from) << SLOT_SHIFT;
    if (this.slots[at + VALUE] === 0) this.size++;
    this.slots[at + VALUE] = value + 1;
    for (let i = 0; i < KEY_WORDS; i++) this.slots[at + KEY + i] = keys[from + i];
  }

  /** The key must be there. What follows in its run moves back where it may, as Knuth's algorithm R (volume 3, section 6.4). */
  delete(keys: Int32Array, from: number): void {
    let free = this.slotAt(keys, from);
    for (
      let slot = (free + 1) & this.mask;
      this.slots[slot << SLOT_SHIFT] !== 0;
      slot = (slot + 1) & this.mask
    ) {
      const home = this.homeAt(this.slots, (slot << SLOT_SHIFT) + KEY);
      if (((slot - home) & this.mask) < ((slot - free) & this.mask)) continue;
      this.move(slot, free);
      free = slot;
    }
    this.slots[free << SLOT_SHIFT] = 0;
    this.size--;
  }

  /** Where the key is, or where it would be. */
  private slotOf(w0: number, w1: number, w2: number, w3: number, w4: number): number {
    const { slots, mask } = this;
    let slot = this.hash.hash5(w0, w1, w2, w3, w4) & mask;
    for (;;) {
      const at = slot << SLOT_SHIFT;
      if (slots[at] === 0) return slot;
      const isLast = slots[at + KEY + 3] === w3 && slots[at + KEY + 4] === w4;
      if (isLast && slots[at + KEY] === w0 && slots[at + KEY + 1] === w1 && slots[at + KEY + 2] === w2) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  private slotAt(keys: Int32Array, from: number): number {
    return this.slotOf(keys[from], keys[from + 1], keys[from + 2], keys[from + 3], keys[from + 4]);
  }

  private homeAt(keys: Int32Array, from: number): number {
    const { hash } = this;
    return hash.hash5(keys[from], keys[from + 1], keys[from + 2], keys[from + 3], keys[from + 4]) & this.mask;
  }

  private move(from: number, to: number): void {
    const at = from << SLOT_SHIFT;
    this.slots.copyWithin(to << SLOT_SHIFT, at, at + KEY + KEY_WORDS);
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Int32Array(2 * old.length);
    this.mask = 2 * this.mask + 1;
    for (let at = 0; at < old.length; at += 1 << SLOT_SHIFT) {
      if (old[at + VALUE] === 0) continue;
      const to = this.slotAt(old, at + KEY) << SLOT_SHIFT;
      this.slots.set(old.subarray(at, at + KEY + KEY_WORDS), to);
    }
  }
}
