/**
 * A bounded first-in first-out queue of slots, over a ring: where packets wait that a device owns.
 *
 * Who pushes asks `isFull` first, who shifts asks `count`.
 */
export class SlotRing {
  private readonly slots: Uint32Array;
  private head = 0;
  private waiting = 0;

  constructor(readonly capacity: number) {
    this.slots = new Uint32Array(capacity);
  }

  get count(): number {
    return this.waiting;
  }

  get isFull(): boolean {
    return this.waiting === this.capacity;
  }

  push(slot: number): void {
    const tail = this.head + this.waiting++;
    this.slots[tail < this.capacity ? tail : tail - this.capacity] = slot;
  }

  /** The oldest slot. */
  shift(): number {
    const slot = this.slots[this.head];
    if (++this.head === this.capacity) this.head = 0;
    this.waiting--;
    return slot;
  }
}
