/** A Maglev table in a WordStore: four slots a word, or two where there are more backends than an octet counts. */
import type { MaglevSlots } from '../tables/maglev.js';
import type { Block, WordStore } from '../tables/word-store.js';

export class StoredSlots {
  /** Slots; none: there is no backend. */
  readonly count: number;
  private readonly words: Int32Array;
  private readonly base: number;
  /** Slots of a word are 1 << `shift`. */
  private readonly shift: number;
  readonly block: Block;

  constructor(slots: MaglevSlots, store: WordStore) {
    this.count = slots.length;
    this.shift = slots.BYTES_PER_ELEMENT === 1 ? 2 : 1;
    const size = Math.ceil(slots.byteLength / Int32Array.BYTES_PER_ELEMENT);
    this.block = store.allocate(size);
    this.words = this.block.words;
    this.base = this.block.base;
    this.words.fill(0, this.base, this.base + size);
    slots.forEach((backend, slot) => {
      this.words[this.base + (slot >> this.shift)] |= backend << this.bitOf(slot);
    });
  }

  /** As `pickBackend` of tables/maglev.ts; there must be slots. */
  pick(hash: number): number {
    const slot = (hash & 0x7fff_ffff) % this.count;
    const word = this.words[this.base + (slot >> this.shift)];
    return (word >>> this.bitOf(slot)) & (this.shift === 2 ? 0xff : 0xffff);
  }

  private bitOf(slot: number): number {
    return this.shift === 2 ? (slot & 3) << 3 : (slot & 1) << 4;
  }
}
