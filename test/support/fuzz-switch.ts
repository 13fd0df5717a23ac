/**
 * An engine for fuzzing, whose memory tells who wrote where: every second slot is never handed out, and it, the
 * space before the first slot and what lies behind the last hold a pattern that nobody may touch. Neither may
 * anybody write to a slot that was not taken since the last look.
 */
import { SLOT_SIZE } from '../../src/dataplane/constants.js';
import type { TakenPacket } from '../../src/dataplane/devices/memory.js';
import { compileTables } from '../../src/dataplane/tables.js';
import { EngineHarness } from './engine-harness.js';
import type { FuzzRound } from './fuzz-packets.js';
import { FUZZ_OFFLOADS, fuzzSnapshot, limitedFuzzSnapshot } from './fuzz-world.js';

const SLOTS = 128;
const PATTERN = 0xa5;

/** Longer than anything is remembered (ms). */
const AGES = 1_000_000;

const TABLES = [fuzzSnapshot, limitedFuzzSnapshot].map((snapshot) => ({
  whole: compileTables(snapshot(true)),
  small: compileTables(snapshot(false)),
}));

export class FuzzSwitch {
  readonly harness: EngineHarness;
  private readonly tables: (typeof TABLES)[number];
  private isLarge = true;
  /** 1: taken since the last look. */
  private readonly taken = new Uint8Array(SLOTS);
  private readonly reserved: number;

  /** @param isLimited whether ports have limits. */
  constructor(isLimited = false) {
    this.tables = TABLES[isLimited ? 1 : 0];
    this.harness = new EngineHarness(fuzzSnapshot(true), { slots: SLOTS, offloads: FUZZ_OFFLOADS });
    const { pool } = this.harness.engine;
    pool.bytes.fill(PATTERN);
    const all = Array.from({ length: SLOTS }, () => pool.take());
    const usable = all.filter((slot) => slot % 2 === 0);
    for (const slot of usable.reverse()) pool.release(slot);
    this.reserved = SLOTS - usable.length;
    this.harness.engine.swap(this.tables.whole);
    const take = pool.take.bind(pool);
    pool.take = () => {
      const slot = take();
      if (slot >= 0) this.taken[slot] = 1;
      return slot;
    };
  }

  /** As good as new, at a fraction of the cost: nothing held, learned or owed. */
  reset(): void {
    const { harness } = this;
    harness.now += AGES;
    harness.engine.sweep(harness.now);
    for (const port of harness.devices.keys()) harness.engine.context.learned.forgetPort(port);
    this.isLarge = true;
    harness.engine.swap(this.tables.whole);
  }

  /** Answers what each port sent. */
  run(round: FuzzRound): Map<number, TakenPacket[]> {
    const { harness } = this;
    harness.now += round.wait;
    if (round.swap) {
      this.isLarge = !this.isLarge;
      harness.engine.swap(this.isLarge ? this.tables.whole : this.tables.small);
    }
    for (const { port, bytes, facts, remote } of round.packets) harness.inject(port, bytes, facts, remote);
    harness.run();
    return new Map([...harness.devices].map(([port, device]) => [port, device.take()]));
  }

  /** What of the laws of an engine at rest does not hold; '' where all do. */
  violation(): string {
    const { engine } = this.harness;
    const { received, originated, replicated, sent, consumed, joined, dropped } = this.harness.totals();
    const lost = received + originated + replicated - sent - consumed - joined - dropped - engine.held;
    if (lost !== 0) return `${lost} packets are not accounted for`;
    const missing = engine.pool.capacity - this.reserved - engine.pool.free - engine.held;
    if (missing !== 0) return `${missing} slots are neither free nor held`;
    return this.strayWrite();
  }

  /** Where memory that the engine did not own was written to. Free slots hold the pattern again afterwards. */
  private strayWrite(): string {
    const { pool } = this.harness.engine;
    const end = pool.base + SLOTS * SLOT_SIZE;
    const areas = [
      [0, pool.base, 'before the slots'] as const,
      [end, pool.bytes.length, 'behind the slots'] as const,
    ];
    for (const [from, to, name] of areas) {
      const at = firstChange(pool.bytes, from, to);
      if (at >= 0) return `write ${name}, at ${at}`;
    }
    for (let slot = 0; slot < SLOTS; slot++) {
      const from = pool.base + slot * SLOT_SIZE;
      const at = this.taken[slot] === 1 ? -1 : firstChange(pool.bytes, from, from + SLOT_SIZE);
      if (at >= 0) return `write to slot ${slot}, which nobody owned, at ${at - from}`;
      this.forget(slot);
    }
    return '';
  }

  private forget(slot: number): void {
    const { pool } = this.harness.engine;
    if (this.taken[slot] === 0 || pool.isOwned(slot)) return;
    const from = pool.base + slot * SLOT_SIZE;
    pool.bytes.fill(PATTERN, from, from + SLOT_SIZE);
    this.taken[slot] = 0;
  }
}

const UNTOUCHED = Buffer.alloc(2 * SLOT_SIZE, PATTERN);

/** The first octet that is not the pattern's, or -1. */
function firstChange(bytes: Uint8Array, from: number, to: number): number {
  const area = Buffer.from(bytes.buffer, from, to - from);
  if (area.compare(UNTOUCHED, 0, to - from) === 0) return -1;
  return from + area.findIndex((byte) => byte !== PATTERN);
}
