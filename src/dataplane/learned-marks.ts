/**
 * What a learned table keeps about each of its entries, by the entry's number, where engines share what they learn.
 *
 * An entry that is freed leaves its marks behind; they are written anew when its number is given to another.
 * 13 bytes an entry.
 */
import type { LearnedTable, LearnStatus } from './tables/learned-table.js';
import { LEARN } from './tables/learned-table.js';

export class LearnedMarks {
  /** Place of the latest message about it (gossip.ts). */
  readonly order: Int32Array;
  /** The other engines that the latest message could not be told, as bits. */
  readonly missed: Uint16Array;
  /** The engines in `missed` of any entry, and perhaps more. */
  anyMissed = 0;
  /** Raised whenever what was told may have been forgotten again. */
  private round = 0;
  /** The round in which it was told to the others last, modulo 2^16: it is told again long before as many have passed. */
  private readonly toldIn: Uint16Array;
  /** When it was told to the others last (ms, modulo 2^32). */
  private readonly toldAt: Int32Array;
  /** 1: learned from a packet here. 0: another engine has told of it. */
  private readonly isOwn: Uint8Array;

  constructor({ capacity }: LearnedTable) {
    this.order = new Int32Array(capacity + 1);
    this.missed = new Uint16Array(capacity + 1);
    this.toldIn = new Uint16Array(capacity + 1);
    this.toldAt = new Int32Array(capacity + 1);
    this.isOwn = new Uint8Array(capacity + 1);
  }

  /** Whether the others must be told of what `learn` did to the entry; of what they know, every `interval` ms. */
  mustTell(entry: number, status: LearnStatus, interval: number, now: number): boolean {
    if (status !== LEARN.refreshed) return status !== LEARN.refused;
    if (this.isOwn[entry] === 0 || this.toldIn[entry] !== this.round) return true;
    return ((now - this.toldAt[entry]) | 0) >= interval;
  }

  /** The others may have forgotten any entry: each is told again when it is next heard. */
  tellAgain(): void {
    this.round = (this.round + 1) & 0xffff;
  }

  told(entry: number, order: number, missed: number, now: number): void {
    this.order[entry] = order;
    this.toldIn[entry] = this.round;
    this.toldAt[entry] = now;
    this.isOwn[entry] = 1;
    this.setMissed(entry, missed);
  }

  heard(entry: number, order: number): void {
    this.order[entry] = order;
    this.isOwn[entry] = 0;
    this.missed[entry] = 0;
  }

  setMissed(entry: number, missed: number): void {
    this.missed[entry] = missed;
    this.anyMissed |= missed;
  }
}
