/**
 * A batch: the packets (slot indices) that wait at one place, in order of arrival.
 *
 * Inputs of elements are as long as the pool, and a packet waits in one place at a time, so `push` needs no
 * check there; bounded queues ask `isFull` first.
 */
export class Batch {
  readonly slots: Uint32Array;
  count = 0;

  constructor(readonly capacity: number) {
    this.slots = new Uint32Array(capacity);
  }

  get isFull(): boolean {
    return this.count === this.capacity;
  }

  push(slot: number): void {
    this.slots[this.count++] = slot;
  }

  clear(): void {
    this.count = 0;
  }
}
