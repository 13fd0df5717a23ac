/**
 * Takes up flows of rows (flow-rows.ts) that another process knew, in the engine that reads the port they were opened at.
 *
 * They come without a decision, so their next packet is decided about as this engine has it: what policy forbids now is refused,
 * and a backend that is gone is left. What is kept is who opened the connection, both tuples with the translation, the state of
 * it, and when a packet was last seen.
 *
 * Nothing goes for a restored flow: where the port has its quota, or the table is full, or another flow has one of its tuples, it is
 * left out. Callers give a few thousand rows at a time: docs/decisions/0043 says what one costs.
 */
import { FlowKey, isIpv6, protocolOf, zoneOf } from './flow-key.js';
import { TUPLE_SHIFT, WAY } from './flow-memory.js';
import { activityAt, isRowState, ROW, rowLength } from './flow-rows.js';
import { lifetimeOf, lifetimes } from './flow-states.js';
import type { FlowTable } from './flow-table.js';

/** Words of a way's IPv6 addresses. */
const ADDRESSES_SHIFT = 3;
const { ORIGINAL, REPLY } = WAY;

export class FlowRestorer {
  private readonly original: FlowKey;
  private readonly reply: FlowKey;
  private readonly lifetimes = lifetimes();

  constructor(private readonly flows: FlowTable) {
    this.original = new FlowKey(flows.hash);
    this.reply = new FlowKey(flows.hash);
  }

  /** Answers how many of the rows are flows now. What is over by `now` is not. */
  restore(rows: Int32Array, now: number): number {
    let restored = 0;
    for (let at = 0; at < rows.length; at += rowLength(rows, at)) if (this.row(rows, at, now)) restored++;
    return restored;
  }

  private row(rows: Int32Array, at: number, now: number): boolean {
    const state = rows[at + ROW.STATE];
    if (!isRowState(state) || this.idle(rows, at, now) >= lifetimeOf(this.lifetimes, state)) return false;
    this.fill(this.original, rows, at, ORIGINAL);
    this.fill(this.reply, rows, at, REPLY);
    return this.flows.restore(this.original, this.reply, rows, at, now);
  }

  private idle(rows: Int32Array, at: number, now: number): number {
    const original = (now - rows[at + activityAt(ORIGINAL)]) | 0;
    return Math.min(original, (now - rows[at + activityAt(REPLY)]) | 0);
  }

  private fill(key: FlowKey, rows: Int32Array, at: number, way: number): void {
    const tuple = at + ROW.TUPLES + (way << TUPLE_SHIFT);
    const subject = rows[tuple + 3];
    const [zone, protocol, ports] = [zoneOf(subject), protocolOf(subject), rows[tuple + 2]];
    if (!isIpv6(subject)) {
      key.setIpv4(zone, protocol, rows[tuple], rows[tuple + 1], ports);
      return;
    }
    const addresses = at + ROW.ADDRESSES + (way << ADDRESSES_SHIFT);
    for (let i = 0; i < 4; i++) {
      key.source[i] = rows[addresses + i];
      key.destination[i] = rows[addresses + 4 + i];
    }
    key.seal(subject, ports);
  }
}
