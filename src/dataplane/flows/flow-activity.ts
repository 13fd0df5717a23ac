/**
 * What each packet changes of a flow: when its way was used last, what it has acknowledged, packets and bytes. Each way is
 * written by one engine at a time, that which reads the port where its packets come in, with plain stores; and read by any.
 */
import { ACTIVITY, ACTIVITY_WORDS, type FlowMemory, WAY } from './flow-memory.js';

export class FlowActivity {
  private readonly original: Int32Array;
  private readonly reply: Int32Array;
  private readonly originalSums: Float64Array;
  private readonly replySums: Float64Array;

  constructor({ activity: [original, reply] }: FlowMemory) {
    this.original = new Int32Array(original);
    this.reply = new Int32Array(reply);
    this.originalSums = new Float64Array(original);
    this.replySums = new Float64Array(reply);
  }

  clear(entry: number, now: number): void {
    const at = entry * ACTIVITY_WORDS;
    for (let i = 0; i < ACTIVITY_WORDS; i++) this.original[at + i] = this.reply[at + i] = 0;
    this.original[at + ACTIVITY.SEEN] = this.reply[at + ACTIVITY.SEEN] = now | 0;
  }

  /** What another process knew of both ways, ACTIVITY_WORDS each at `at`. */
  load(entry: number, words: Int32Array, at: number): void {
    const to = entry * ACTIVITY_WORDS;
    for (let i = 0; i < ACTIVITY_WORDS; i++) {
      this.original[to + i] = words[at + i];
      this.reply[to + i] = words[at + ACTIVITY_WORDS + i];
    }
  }

  count(entry: number, way: number, packets: number, bytes: number, now: number): void {
    const at = entry * ACTIVITY_WORDS;
    const sum = (at + ACTIVITY.PACKETS) >>> 1;
    const sums = way === WAY.ORIGINAL ? this.originalSums : this.replySums;
    this.wayWords(way)[at + ACTIVITY.SEEN] = now | 0;
    sums[sum] += packets;
    sums[sum + 1] += bytes;
  }

  packets(entry: number, way: number): number {
    const sums = way === WAY.ORIGINAL ? this.originalSums : this.replySums;
    return sums[(entry * ACTIVITY_WORDS + ACTIVITY.PACKETS) >>> 1];
  }

  bytes(entry: number, way: number): number {
    const sums = way === WAY.ORIGINAL ? this.originalSums : this.replySums;
    return sums[(entry * ACTIVITY_WORDS + ACTIVITY.BYTES) >>> 1];
  }

  /** @param isFirst what the way acknowledged before does not count. */
  acknowledge(entry: number, way: number, number: number, isFirst: boolean): void {
    const words = this.wayWords(way);
    const at = entry * ACTIVITY_WORDS + ACTIVITY.ACKNOWLEDGED;
    if (isFirst || ((number - words[at]) | 0) > 0) words[at] = number | 0;
  }

  /** How far a sequence number of the way is beyond what the other one has acknowledged. */
  ahead(entry: number, way: number, sequence: number): number {
    return (sequence - this.wayWords(1 - way)[entry * ACTIVITY_WORDS + ACTIVITY.ACKNOWLEDGED]) | 0;
  }

  /** Milliseconds since a packet of that way; since the flow began where there was none. */
  idleOf(entry: number, way: number, now: number): number {
    return (now - this.wayWords(way)[entry * ACTIVITY_WORDS + ACTIVITY.SEEN]) | 0;
  }

  idle(entry: number, now: number): number {
    return Math.min(this.idleOf(entry, WAY.ORIGINAL, now), this.idleOf(entry, WAY.REPLY, now));
  }

  private wayWords(way: number): Int32Array {
    return way === WAY.ORIGINAL ? this.original : this.reply;
  }
}
