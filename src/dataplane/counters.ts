/**
 * Counters of an engine, in shared memory: one writer (the worker), any reader.
 *
 * At every moment of rest (no packet in a queue, in flight, held as a fragment that waits for the others, or until it may leave):
 *
 *     received + originated + replicated = sent + consumed + joined + dropped
 *
 * received: handed over by devices. originated: made by the switch (replies, ICMP errors). replicated: copies,
 * segments and fragments beyond the first. sent: accepted by a device. consumed: delivered to the switch
 * itself. joined: fragments and segments that went into another packet.
 *
 * Float64: exact up to 2^53, one store each, and readers of aligned 8-byte words see no torn value.
 */
import { MAX_PORTS } from './constants.js';
import { DROP_REASONS } from './drop-reasons.js';

export const PORT_COUNTERS = ['rxPackets', 'rxBytes', 'txPackets', 'txBytes'] as const;
export type PortCounter = (typeof PORT_COUNTERS)[number];

export const TOTALS = [
  'received',
  'originated',
  'replicated',
  'joined',
  'consumed',
  'sent',
  'dropped',
] as const;
export type Total = (typeof TOTALS)[number];

/** Counters of the poll cycle itself. */
export const CYCLES = [
  'cycles',
  'cyclePackets',
  'suppressedErrors',
  'movedAddresses',
  'unsharedAddresses',
  'expressPackets',
] as const;
export type CycleCounter = (typeof CYCLES)[number];

const RX_PACKETS = 0;
const RX_BYTES = 1;
const TX_PACKETS = 2;
const TX_BYTES = 3;
const DROPS = PORT_COUNTERS.length;
const PORT_STRIDE = DROPS + DROP_REASONS.length;

const RECEIVED = 0;
const ORIGINATED = 1;
const REPLICATED = 2;
const JOINED = 3;
const CONSUMED = 4;
const SENT = 5;
const DROPPED = 6;
const CYCLE_BASE = TOTALS.length;
/** Drops, by reason, of ports whose number has been given to another since. */
const GONE_BASE = CYCLE_BASE + CYCLES.length;
const PORTS_BASE = GONE_BASE + DROP_REASONS.length;

/** What can be read of counters, whoever writes them. */
export interface CounterReader {
  port(port: number, counter: PortCounter): number;
  portDrops(port: number, reason: number): number;
  /** Of all ports but these, which are those that are gone: every drop is in here or in theirs. */
  goneDrops(reason: number, isThere: ReadonlySet<number>): number;
  total(total: Total): number;
  cycleCounter(counter: CycleCounter): number;
}

export class Counters implements CounterReader {
  private readonly values: Float64Array;

  /** @param shared the buffer of another thread's counters, to read them; without it a new one is made. */
  constructor(readonly shared = new SharedArrayBuffer((PORTS_BASE + MAX_PORTS * PORT_STRIDE) * 8)) {
    this.values = new Float64Array(shared);
  }

  received(port: number, bytes: number): void {
    this.receivedBatch(port, 1, bytes);
  }

  receivedBatch(port: number, packets: number, bytes: number): void {
    const at = PORTS_BASE + port * PORT_STRIDE;
    this.values[RECEIVED] += packets;
    this.values[at + RX_PACKETS] += packets;
    this.values[at + RX_BYTES] += bytes;
  }

  sent(port: number, bytes: number): void {
    const at = PORTS_BASE + port * PORT_STRIDE;
    this.values[SENT]++;
    this.values[at + TX_PACKETS]++;
    this.values[at + TX_BYTES] += bytes;
  }

  /** Counts a drop at `port`: the ingress port, or the egress port where the device failed. */
  dropped(port: number, reason: number): void {
    this.values[DROPPED]++;
    this.values[PORTS_BASE + port * PORT_STRIDE + DROPS + reason]++;
  }

  originated(): void {
    this.values[ORIGINATED]++;
  }

  replicated(count: number): void {
    this.values[REPLICATED] += count;
  }

  joined(): void {
    this.values[JOINED]++;
  }

  consumed(): void {
    this.values[CONSUMED]++;
  }

  cycle(packets: number): void {
    this.values[CYCLE_BASE]++;
    this.values[CYCLE_BASE + 1] += packets;
  }

  suppressedError(): void {
    this.values[CYCLE_BASE + 2]++;
  }

  movedAddress(): void {
    this.values[CYCLE_BASE + 3]++;
  }

  /** Messages to other engines about a learned address that their full rings refused; they are told again. */
  unsharedAddress(count: number): void {
    this.values[CYCLE_BASE + 4] += count;
  }

  /** Packets that went the short way (elements/express.ts). */
  express(count: number): void {
    this.values[CYCLE_BASE + 5] += count;
  }

  /** Forgets a port's counters, when its number is given to another; its drops stay, without its name. */
  clearPort(port: number): void {
    const at = PORTS_BASE + port * PORT_STRIDE;
    for (let reason = 0; reason < DROP_REASONS.length; reason++) {
      this.values[GONE_BASE + reason] += this.values[at + DROPS + reason];
    }
    this.values.fill(0, at, at + PORT_STRIDE);
  }

  port(port: number, counter: PortCounter): number {
    return this.values[PORTS_BASE + port * PORT_STRIDE + PORT_COUNTERS.indexOf(counter)];
  }

  portDrops(port: number, reason: number): number {
    return this.values[PORTS_BASE + port * PORT_STRIDE + DROPS + reason];
  }

  goneDrops(reason: number, isThere: ReadonlySet<number>): number {
    let sum = this.values[GONE_BASE + reason];
    for (let port = 0; port < MAX_PORTS; port++) if (!isThere.has(port)) sum += this.portDrops(port, reason);
    return sum;
  }

  total(total: Total): number {
    return this.values[TOTALS.indexOf(total)];
  }

  cycleCounter(counter: CycleCounter): number {
    return this.values[CYCLE_BASE + CYCLES.indexOf(counter)];
  }
}

/**
 * The sum over engines that forward side by side. The law above holds for it as for each: a packet is counted by one
 * engine from end to end.
 */
export class SummedCounters implements CounterReader {
  constructor(private readonly readers: readonly CounterReader[]) {}

  port(port: number, counter: PortCounter): number {
    return this.sum((reader) => reader.port(port, counter));
  }

  portDrops(port: number, reason: number): number {
    return this.sum((reader) => reader.portDrops(port, reason));
  }

  goneDrops(reason: number, isThere: ReadonlySet<number>): number {
    return this.sum((reader) => reader.goneDrops(reason, isThere));
  }

  total(total: Total): number {
    return this.sum((reader) => reader.total(total));
  }

  cycleCounter(counter: CycleCounter): number {
    return this.sum((reader) => reader.cycleCounter(counter));
  }

  private sum(read: (reader: CounterReader) => number): number {
    return this.readers.reduce((sum, reader) => sum + read(reader), 0);
  }
}
