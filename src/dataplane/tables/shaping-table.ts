/**
 * What the snapshot says of rates and impairments, as rows of numbers. Immutable; a node without limits has no row.
 *
 * A row is one stage: what is lost, at what rate the rest passes, how long it then takes. A port has at most one row for
 * its rate in each direction, and MAX_IMPAIRMENTS for impairments, of which the longest prefix of the other end is
 * found in a FIB. Times are whole microseconds. Each row has a queue, whose number depends on nothing but port, direction and
 * place in the list: what waits, and what is owed, stays right from one snapshot to the next.
 */
import { networkOf, parseCidr } from '../../wire/address.js';
import { MAX_IMPAIRMENTS, MAX_PORTS } from '../constants.js';
import { RANDOM_RANGE } from '../devices/seeded-random.js';
import type { PacketPool } from '../pool.js';
import { KIND } from '../pool.js';
import type { ImpairmentSpec, PortSpec, RateSpec } from '../snapshot.js';
import { Fib4, type Fib4Data } from './fib4.js';
import { Fib6, type Fib6Data } from './fib6.js';
import { requireInteger, requireNumber, TABLE_ERROR, TableError } from './table-error.js';

/** Directions, and the lower bit of the number of a direction of a port: `port * 2 + way`. */
export const WAY = { FROM: 0, TO: 1 } as const;

export const NO_ROW = -1;

/** Queues of rates come first, one for each direction of each port. */
const IMPAIRMENT_QUEUES = MAX_PORTS * 2;
export const MAX_QUEUES = IMPAIRMENT_QUEUES + MAX_PORTS * 2 * MAX_IMPAIRMENTS;

/**
 * Nothing costs, is saved or waits for a rate longer than this (µs; nine minutes): so what is owed stays far below 2^31,
 * where differences of times in 32 bits would turn round.
 */
export const MOST_MICROS = 2 ** 29;

/** What waits for a rate is worth this long at most (µs), or two of the largest packets, which TCP needs to go on. */
const BACKLOG_MICROS = 100_000;
const BACKLOG_BYTES = 2 * 65_536;

const LEAST_RATE = 1000;
const MOST_RATE = 1e13;
const MOST_BURST = 2 ** 40;
const MOST_DELAY_MS = 60_000;

export interface ShapingData {
  /** By direction of a port: the row of its rate, and the first of its impairments; NO_ROW: none. */
  readonly rateRow: Int32Array;
  readonly impairmentRow: Int32Array;
  /** By row. */
  readonly queue: Int32Array;
  /** 0: no rate. */
  readonly microsPerByte: Float64Array;
  readonly burst: Int32Array;
  readonly backlog: Int32Array;
  readonly delay: Int32Array;
  readonly jitter: Int32Array;
  /** Lost is what draws a number below this, of RANDOM_RANGE. */
  readonly loss: Float64Array;
  /** From direction of a port and address of the other end to the place among its impairments. */
  readonly prefixes4: Fib4Data;
  readonly prefixes6: Fib6Data;
}

/** The direction of a port that a queue belongs to. */
export function wayOf(queue: number): number {
  return isRateQueue(queue) ? queue : ((queue - IMPAIRMENT_QUEUES) / MAX_IMPAIRMENTS) | 0;
}

export function isRateQueue(queue: number): boolean {
  return queue < IMPAIRMENT_QUEUES;
}

export class Shaping {
  private readonly fib4: Fib4;
  private readonly fib6: Fib6;

  constructor(readonly data: ShapingData) {
    this.fib4 = Fib4.from(data.prefixes4);
    this.fib6 = Fib6.from(data.prefixes6);
  }

  get rows(): number {
    return this.data.queue.length;
  }

  /** The row of a packet's impairment in a direction of a port, or NO_ROW. */
  impairmentOf(pool: PacketPool, slot: number, way: number): number {
    const first = this.data.impairmentRow[way];
    if (first === NO_ROW) return NO_ROW;
    const found = this.find(pool, slot, way);
    return found < 0 ? NO_ROW : first + found;
  }

  private find(pool: PacketPool, slot: number, way: number): number {
    const { view } = pool;
    const isFrom = (way & 1) === WAY.FROM;
    const l3 = pool.l3[slot];
    if (pool.kind[slot] === KIND.IPV4) return this.fib4.lookup(way, view.getInt32(l3 + (isFrom ? 16 : 12)));
    if (pool.kind[slot] !== KIND.IPV6) return -1;
    const at = l3 + (isFrom ? 24 : 8);
    const c = view.getInt32(at + 8);
    return this.fib6.lookup(way, view.getInt32(at), view.getInt32(at + 4), c, view.getInt32(at + 12));
  }
}

/** @throws TableError naming the port, where a rate or an impairment cannot be. */
export function buildShapingTable(ports: readonly PortSpec[]): ShapingData {
  const builder = new ShapingBuilder(ports.reduce((most, port) => Math.max(most, port.id + 1), 0));
  for (const port of ports) builder.add(port);
  return builder.build();
}

interface Row {
  readonly queue: number;
  readonly rate?: RateSpec;
  readonly impairment?: ImpairmentSpec;
}

class ShapingBuilder {
  private readonly rateRow: Int32Array;
  private readonly impairmentRow: Int32Array;
  private readonly rows: Row[] = [];
  private readonly seen = new Set<string>();
  private readonly prefixes4: { table: number; prefix: number; length: number; nexthop: number }[] = [];
  private readonly prefixes6: { table: number; prefix: number[]; length: number; nexthop: number }[] = [];

  constructor(ports: number) {
    this.rateRow = new Int32Array(ports * 2).fill(NO_ROW);
    this.impairmentRow = new Int32Array(ports * 2).fill(NO_ROW);
  }

  add(port: PortSpec): void {
    const { id, name, rates, impairments = [], attachment } = port;
    if (rates === undefined && impairments.length === 0) return;
    if (attachment.kind === 'tunnel') throw invalid(`port ${name} is the tunnel's, which is not limited`);
    this.addRate(name, id * 2 + WAY.FROM, rates?.fromPort);
    this.addRate(name, id * 2 + WAY.TO, rates?.toPort);
    const from = impairments.filter(({ direction }) => direction === 'from-port');
    const to = impairments.filter(({ direction }) => direction === 'to-port');
    this.addImpairments(name, id * 2 + WAY.FROM, from);
    this.addImpairments(name, id * 2 + WAY.TO, to);
  }

  build(): ShapingData {
    const { rateRow, impairmentRow, rows } = this;
    const impaired = rows.map(({ impairment }): Partial<ImpairmentSpec> => impairment ?? {});
    return {
      rateRow,
      impairmentRow,
      queue: Int32Array.from(rows, ({ queue }) => queue),
      microsPerByte: Float64Array.from(rows, ({ rate }) => (rate === undefined ? 0 : microsPerByte(rate))),
      burst: Int32Array.from(rows, ({ rate }) => (rate === undefined ? 0 : microsFor(rate, rate.burstBytes))),
      backlog: Int32Array.from(rows, ({ rate }) => (rate === undefined ? 0 : backlogOf(rate))),
      delay: Int32Array.from(impaired, ({ delayMs = 0 }) => delayMs * 1000),
      jitter: Int32Array.from(impaired, ({ jitterMs = 0 }) => jitterMs * 1000),
      loss: Float64Array.from(impaired, ({ loss = 0 }) => loss * RANDOM_RANGE),
      prefixes4: Fib4.build(this.prefixes4).data,
      prefixes6: Fib6.build(this.prefixes6).data,
    };
  }

  private addRate(name: string, way: number, rate: RateSpec | undefined): void {
    if (rate === undefined) return;
    requireRate(name, rate);
    this.rateRow[way] = this.rows.length;
    this.rows.push({ queue: way, rate });
  }

  private addImpairments(name: string, way: number, impairments: readonly ImpairmentSpec[]): void {
    if (impairments.length === 0) return;
    if (impairments.length > MAX_IMPAIRMENTS) {
      const most = `at most ${MAX_IMPAIRMENTS} in a direction`;
      throw new TableError(
        TABLE_ERROR.tooLarge,
        `port ${name} has ${impairments.length} impairments, ${most}`,
      );
    }
    this.impairmentRow[way] = this.rows.length;
    for (const [place, impairment] of impairments.entries()) {
      requireImpairment(name, impairment);
      const queue = IMPAIRMENT_QUEUES + way * MAX_IMPAIRMENTS + place;
      this.rows.push({ queue, rate: impairment.rate, impairment });
      for (const prefix of impairment.prefixes) this.addPrefix(way, prefix, place);
    }
  }

  private addPrefix(table: number, text: string, nexthop: number): void {
    const { family, words, prefix: length } = networkOf(parseCidr(text));
    const key = `${table} ${words} ${length}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    if (family === 4) this.prefixes4.push({ table, prefix: words[0], length, nexthop });
    else this.prefixes6.push({ table, prefix: [...words], length, nexthop });
  }
}

function microsPerByte({ bitsPerSecond }: RateSpec): number {
  return 8e6 / bitsPerSecond;
}

function microsFor(rate: RateSpec, bytes: number): number {
  return Math.min(MOST_MICROS, Math.round(bytes * microsPerByte(rate)));
}

function backlogOf(rate: RateSpec): number {
  return Math.max(BACKLOG_MICROS, microsFor(rate, BACKLOG_BYTES));
}

function requireRate(name: string, { bitsPerSecond, burstBytes }: RateSpec): void {
  requireInteger(`rate of port ${name} (bit/s)`, bitsPerSecond, LEAST_RATE, MOST_RATE);
  requireInteger(`burst of port ${name} (bytes)`, burstBytes, 0, MOST_BURST);
}

function requireImpairment(name: string, { delayMs, jitterMs, loss, rate }: ImpairmentSpec): void {
  requireNumber(`delay of port ${name} (ms)`, delayMs ?? 0, 0, MOST_DELAY_MS);
  requireNumber(`jitter of port ${name} (ms)`, jitterMs ?? 0, 0, MOST_DELAY_MS);
  requireNumber(`loss of port ${name}`, loss ?? 0, 0, 1);
  if (rate !== undefined) requireRate(name, rate);
}

function invalid(message: string): TableError {
  return new TableError(TABLE_ERROR.invalid, message);
}
