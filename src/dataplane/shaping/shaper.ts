/**
 * The shaper: limits the rate of ports, and delays and loses packets where the snapshot asks for it.
 *
 * A packet passes up to four stages: rate and impairment of the port that sent it, then, once it is known to leave through
 * a port, impairment and rate of that one. A stage is a row of tables/shaping-table.ts. What need not wait goes on at
 * once; the rest waits in the queue of its stage (departures.ts) until `release`. A queue keeps its order, jitter or not,
 * and so does a flow, which goes through the same queues. What the switch itself sent is not shaped.
 *
 * Outputs of the first two stages: `resumed`, for Output, and `flooded`, for Flood; of the others, Egress. A packet to be
 * flooded is counted once by its sender's limit, and then once by each receiver's.
 *
 * Bounds: a quarter of the pool may wait; of what is left of that, a port gets no more than it has already (Choudhury and
 * Hahne, "Dynamic queue length thresholds", 1998): one alone gets half, and none can keep another from having a share.
 * What waits for a rate is worth a tenth of a second, or two of the largest packets.
 *
 * Drops: rate-limited, impaired-loss, shaper-full, no-slot; port-closed and port-down, where a port goes while its packets
 * wait. decisions/0034 says why it is so, and what it costs.
 */

import { GSO } from '../../wire/virtio-net.js';
import { Batch } from '../batch.js';
import { FLOOD_EGRESS, TX_QUEUE } from '../constants.js';
import { RANDOM_RANGE, SeededRandom } from '../devices/seeded-random.js';
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { PACKET } from '../pool.js';
import type { Segmenter } from '../segmenter.js';
import { isRateQueue, NO_ROW, WAY, wayOf } from '../tables/shaping-table.js';
import type { Tables } from '../tables.js';
import { Departures } from './departures.js';
import { RateBuckets } from './rate-buckets.js';
import { changedQueues } from './row-changes.js';
import { verdictAfterSwap } from './survival.js';
import { wireLength } from './wire-length.js';

/** Where packets leave: Egress, or what stands before it. */
export interface Outlet {
  /** Takes one reference of `slot` and sends it out of `port`. */
  output(slot: number, port: number): void;
}

/** What engines side by side share of their limits. */
export interface LimitsShare {
  /** BUCKET_BYTES of memory. */
  readonly buckets: SharedArrayBuffer;
  /** To be added to this engine's times to have those of all (ms). */
  readonly clockStart: number;
}

/** Of the pool's slots, one in so many may wait. */
const SHARE = 4;

/** How often buckets long idle are brought along (ms). */
const REFRESH = 600_000;

/**
 * Packets may be up to this much late (ms), so that not every one of a fast stream costs a wake-up; Linux's timers have
 * the same slack. None is early.
 */
const SLACK = 0.05;

export class Shaper implements Outlet {
  private readonly buckets: RateBuckets;
  private readonly departures: Departures;
  private readonly random: SeededRandom;
  private readonly clockStart: number;
  private readonly limit: number;
  private readonly segments = new Batch(TX_QUEUE);
  /** The time of the cycle, µs in 32 bits. */
  private micros = 0;
  private refreshAt = 0;
  /** Buckets that are to owe nothing from the next cycle on: between cycles, which may be long, no time is known. */
  private readonly unpaid = new Set<number>();

  constructor(
    private readonly context: Context,
    private readonly egress: Outlet,
    private readonly segmenter: Segmenter,
    private readonly resumed: Batch,
    private readonly flooded: Batch,
    seed: number,
    share?: LimitsShare,
  ) {
    this.buckets = new RateBuckets(share?.buckets);
    this.clockStart = share?.clockStart ?? 0;
    this.departures = new Departures(context.pool.capacity);
    this.random = new SeededRandom(seed);
    this.limit = Math.max(1, Math.floor(context.pool.capacity / SHARE));
  }

  /** Packets that wait, each in a slot of its own. */
  get held(): number {
    return this.departures.held;
  }

  /** To be called when `context.now` has changed, before packets pass. */
  setTime(): void {
    this.micros = ((this.context.now + this.clockStart) * 1000) | 0;
    if (this.unpaid.size > 0) this.forgive();
  }

  /** Takes the packet where its port's sending is shaped; it goes on to `egress` of the pool. */
  takes(slot: number): boolean {
    const { pool, tables } = this.context;
    if (tables.ports.shapedFrom[pool.port[slot]] !== 1 || this.isOwn(slot)) return false;
    this.fromRate(slot);
    return true;
  }

  /** The same for a packet that goes on to be flooded. */
  takesFlooded(slot: number): boolean {
    const { pool, tables } = this.context;
    if (tables.ports.shapedFrom[pool.port[slot]] !== 1 || this.isOwn(slot)) return false;
    pool.egress[slot] = FLOOD_EGRESS;
    this.fromRate(slot);
    return true;
  }

  output(slot: number, port: number): void {
    if (this.context.tables.ports.shapedTo[port] !== 1 || this.isOwn(slot)) this.egress.output(slot, port);
    else this.toPort(slot, port);
  }

  /** Lets go what is due. Answers whether there was anything, which may wait in `resumed` and `flooded`. */
  release(): boolean {
    const { departures } = this;
    if (departures.held === 0) return false;
    let some = false;
    for (;;) {
      const slot = departures.takeDue(this.micros);
      if (slot < 0) return some;
      some = true;
      this.goOn(slot, departures.lastQueue);
    }
  }

  /** How long until there is something to do (ms), or -1. */
  untilNext(): number {
    const refresh = this.refresh();
    const micros = this.departures.untilNext(this.micros);
    if (micros < 0) return refresh;
    const wait = Math.max(micros / 1000, SLACK);
    return refresh < 0 ? wait : Math.min(wait, refresh);
  }

  /**
   * A new snapshot: what waits for a limit that is gone or another goes at the next `release`, and such a limit owes
   * nothing; what waits for a port or peer that is gone is dropped.
   */
  swap(before: Tables, after: Tables): void {
    if (before.shaping.rows === 0 && after.shaping.rows === 0) return;
    const { pool } = this.context;
    const changed = changedQueues(before.shaping.data, after.shaping.data);
    this.departures.revise(
      this.micros,
      (slot) => this.keeps(slot, verdictAfterSwap(pool, slot, before, after)),
      (queue) => changed.has(queue),
    );
    for (const queue of changed) this.unpaid.add(queue);
  }

  /** A port goes: what came from it, or waits for it, is dropped. */
  forgetPort(port: number): void {
    const { pool } = this.context;
    const verdict = (slot: number): number =>
      pool.port[slot] === port || pool.egress[slot] === port ? DROP['port-down'] : -1;
    this.departures.revise(
      this.micros,
      (slot) => this.keeps(slot, verdict(slot)),
      () => false,
    );
  }

  private keeps(slot: number, verdict: number): boolean {
    if (verdict >= 0) this.context.drop(slot, verdict);
    return verdict < 0;
  }

  private isOwn(slot: number): boolean {
    return (this.context.pool.flags[slot] & PACKET.ORIGINATED) !== 0;
  }

  /** To the stage behind the one whose queue the packet was in. */
  private goOn(slot: number, queue: number): void {
    const isFrom = (wayOf(queue) & 1) === WAY.FROM;
    if (isRateQueue(queue)) {
      if (isFrom) this.fromImpairment(slot);
      else this.leave(slot);
    } else if (isFrom) this.resume(slot);
    else this.toRate(slot);
  }

  private fromRate(slot: number): void {
    const { pool, tables } = this.context;
    const row = tables.shaping.data.rateRow[pool.port[slot] * 2 + WAY.FROM];
    if (row === NO_ROW || this.passes(slot, row)) this.fromImpairment(slot);
  }

  private fromImpairment(slot: number): void {
    const { pool, tables } = this.context;
    const row = tables.shaping.impairmentOf(pool, slot, pool.port[slot] * 2 + WAY.FROM);
    if (row === NO_ROW) {
      this.resume(slot);
      return;
    }
    const { segments } = this;
    this.cut(slot, row);
    for (let i = 0; i < segments.count; i++) {
      const segment = segments.slots[i];
      if (this.passes(segment, row)) this.resume(segment);
    }
    segments.clear();
  }

  private resume(slot: number): void {
    if (this.context.pool.egress[slot] === FLOOD_EGRESS) this.flooded.push(slot);
    else this.resumed.push(slot);
  }

  private toPort(slot: number, port: number): void {
    const { pool } = this.context;
    const own = this.unshare(slot);
    if (own < 0) return;
    pool.egress[own] = port;
    this.toImpairment(own, port);
  }

  private toImpairment(slot: number, port: number): void {
    const { pool, tables } = this.context;
    const row = tables.shaping.impairmentOf(pool, slot, port * 2 + WAY.TO);
    if (row === NO_ROW) {
      this.toRate(slot);
      return;
    }
    const { segments } = this;
    this.cut(slot, row);
    for (let i = 0; i < segments.count; i++) {
      const segment = segments.slots[i];
      if (this.passes(segment, row)) this.toRate(segment);
    }
    segments.clear();
  }

  private toRate(slot: number): void {
    const { pool, tables } = this.context;
    const row = tables.shaping.data.rateRow[pool.egress[slot] * 2 + WAY.TO];
    if (row === NO_ROW || this.passes(slot, row)) this.leave(slot);
  }

  private leave(slot: number): void {
    this.egress.output(slot, this.context.pool.egress[slot]);
  }

  /** One stage. Answers whether the packet goes on at once; else it waits or is gone. */
  private passes(slot: number, row: number): boolean {
    const { context, departures, random } = this;
    const { data } = context.tables.shaping;
    const loss = data.loss[row];
    if (loss > 0 && random.next() < loss) return this.drop(slot, DROP['impaired-loss']);
    const queue = data.queue[row];
    const hasRoom = departures.held + departures.heldOf(wayOf(queue) >> 1) < this.limit;
    const delay = data.delay[row] + this.deviation(data.jitter[row]);
    if (!hasRoom && (delay > 0 || !departures.isEmpty(queue))) return this.drop(slot, DROP['shaper-full']);
    const wait = data.microsPerByte[row] > 0 ? this.charge(slot, row, hasRoom) : 0;
    if (wait < 0) return this.drop(slot, DROP[hasRoom ? 'rate-limited' : 'shaper-full']);
    const total = wait + Math.max(delay, 0);
    if (total === 0 && departures.isEmpty(queue)) return true;
    departures.add(slot, queue, (this.micros + total) | 0);
    return false;
  }

  /** A packet that there is no room for pays only where it need not wait. */
  private charge(slot: number, row: number, hasRoom: boolean): number {
    const { pool, tables } = this.context;
    const { data } = tables.shaping;
    return this.buckets.take(data, row, wireLength(pool, slot), this.micros, hasRoom ? data.backlog[row] : 0);
  }

  private deviation(jitter: number): number {
    if (jitter === 0) return 0;
    return ((this.random.next() / RANDOM_RANGE) * 2 * jitter - jitter) | 0;
  }

  /** Into `segments`: the packet, or, where each packet on the wire has its own fate, those that it becomes. */
  private cut(slot: number, row: number): void {
    const { pool, tables } = this.context;
    const isCut = pool.gsoType[slot] !== GSO.NONE && tables.shaping.data.loss[row] > 0;
    if (isCut) this.segmenter.segment(slot, this.segments);
    else this.segments.push(slot);
  }

  /** A slot of its own for what is flooded, since it leaves each port at another time; -1 where there is none. */
  private unshare(slot: number): number {
    const { pool, checksum } = this.context;
    if (!pool.isShared(slot)) return slot;
    const own = pool.take();
    if (own < 0) {
      this.drop(slot, DROP['no-slot']);
      return -1;
    }
    pool.copyFacts(slot, own);
    checksum.copy(pool.at[own], pool.at[slot], pool.length[slot]);
    pool.release(slot);
    return own;
  }

  private drop(slot: number, reason: number): boolean {
    this.context.drop(slot, reason);
    return false;
  }

  private forgive(): void {
    for (const queue of this.unpaid) this.buckets.reset(queue, this.micros);
    this.unpaid.clear();
  }

  private refresh(): number {
    const { tables, now } = this.context;
    const { queue } = tables.shaping.data;
    if (queue.length === 0) return -1;
    if (now >= this.refreshAt) {
      this.refreshAt = now + REFRESH;
      for (let row = 0; row < queue.length; row++) this.buckets.refresh(queue[row], this.micros);
    }
    return this.refreshAt - now;
  }
}
