/**
 * How many of something each port has, and which port has most.
 *
 * Ports are 0..ports-1, counts 0..limit, and change by one: so ports are listed by their count, and every operation is O(1).
 * Of several ports with as many, the one that has had so many for longest is named.
 *
 * Memory: 12 bytes a port, 8 for each possible count; what is never reached is never touched.
 */
import { Lists } from './lists.js';

export class Ranking {
  private readonly counts: Int32Array;
  /** Nodes are ports plus one; the list a port is on is its count. */
  private readonly byCount: Lists;
  private most = 0;

  constructor(ports: number, limit: number) {
    this.counts = new Int32Array(ports);
    this.byCount = new Lists(ports, limit + 1);
  }

  count(port: number): number {
    return this.counts[port];
  }

  /** The port that has most, or -1 where none has any. */
  first(): number {
    return this.most === 0 ? -1 : this.byCount.oldest(this.most) - 1;
  }

  /** @param change 1 or -1. */
  change(port: number, change: number): void {
    const before = this.counts[port];
    const after = before + change;
    this.counts[port] = after;
    if (before !== 0) this.byCount.unlink(before, port + 1);
    if (after !== 0) this.byCount.push(after, port + 1);
    if (after > this.most) this.most = after;
    else if (before === this.most && this.byCount.oldest(before) === 0) this.most = after;
  }
}
