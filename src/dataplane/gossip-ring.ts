/**
 * GossipRing: a bounded queue of fixed-size records from one thread to one other, in shared memory. No locks.
 *
 * The producer writes a record with plain stores and then the tail with Atomics.store; the consumer reads the tail
 * with Atomics.load before the record. In the memory model of ECMAScript that load synchronises with that store, so a
 * record is seen whole or not at all. The head goes the other way by the same rule: a record is overwritten only
 * after its consumer has said that it is done with it. Both count records, modulo 2^32, so that equal means empty.
 *
 * A full ring refuses. Who gets refused has to say it again later; nothing waits.
 *
 * Bounds: RECORDS records of RECORD_WORDS words, 40 KiB. Tail and head lie on cache lines of their own, and each side
 * keeps what it knew last of the other's: the producer looks at the head only when the ring seems full.
 */

/** Words of a record. What they mean is the business of gossip.ts. */
export const RECORD_WORDS = 10;

/** Records that a ring holds. A power of two. */
export const RECORDS = 1024;

const TAIL = 0;
/** 64 bytes on. */
const HEAD = 16;
const FIRST = 32;
const MASK = RECORDS - 1;

export function makeRing(): SharedArrayBuffer {
  return new SharedArrayBuffer((FIRST + RECORDS * RECORD_WORDS) * Int32Array.BYTES_PER_ELEMENT);
}

export class GossipRing {
  private readonly words: Int32Array;
  /** Producer: its own. Consumer: not used. */
  private tail: number;
  /** Producer: as last seen. Consumer: its own. */
  private head: number;

  /** One object for each end; only one thread may push, and only one may take. */
  constructor(shared: SharedArrayBuffer) {
    this.words = new Int32Array(shared);
    this.tail = Atomics.load(this.words, TAIL);
    this.head = Atomics.load(this.words, HEAD);
  }

  /** Producer: appends the record, unless fewer than `spare` places would be left. Returns whether it did. */
  push(record: Int32Array, spare: number): boolean {
    const { words, tail } = this;
    const most = RECORDS - spare;
    if (((tail - this.head) | 0) >= most) {
      this.head = Atomics.load(words, HEAD);
      if (((tail - this.head) | 0) >= most) return false;
    }
    const at = FIRST + (tail & MASK) * RECORD_WORDS;
    for (let i = 0; i < RECORD_WORDS; i++) words[at + i] = record[i];
    this.tail = (tail + 1) | 0;
    Atomics.store(words, TAIL, this.tail);
    return true;
  }

  /** Consumer: how many records wait. */
  get waiting(): number {
    return (Atomics.load(this.words, TAIL) - this.head) | 0;
  }

  /** Consumer: copies the oldest record; there must be one. It stays in the ring. */
  peek(record: Int32Array): void {
    const { words } = this;
    const at = FIRST + (this.head & MASK) * RECORD_WORDS;
    for (let i = 0; i < RECORD_WORDS; i++) record[i] = words[at + i];
  }

  /** Consumer: is done with the oldest record. */
  release(): void {
    this.head = (this.head + 1) | 0;
    Atomics.store(this.words, HEAD, this.head);
  }
}
