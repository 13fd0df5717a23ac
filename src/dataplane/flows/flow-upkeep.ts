/**
 * What an engine does about its flows between packets: frees what is over, ends the flows of ports that have gone, gives the ports that
 * everything outside comes in by a larger share.
 *
 * All in steps of STEP entries, some 0.1 ms each where they are in no cache. A round of the table takes ROUND; while ports are being
 * forgotten, steps follow at once. A port's number that comes back before its flows are gone has the rest ended first: they are
 * not the new port's, and would go with it.
 */
import type { TablesData } from '../tables.js';
import type { FlowTable } from './flow-table.js';

export const STEP = 1024;
/** ms. An entry that is over holds nothing but its room meanwhile: lookups ignore it. */
const ROUND = 30_000;
/** A small table's steps are this far apart at most (ms), and a large one's at least. */
const LONGEST = 5000;
const SHORTEST = 10;
const NEVER = -1;

/** What an eighth less than all entries is: what others have at least, whatever comes in by tunnel and node. */
const SHARED_SHIFT = 3;

export class FlowUpkeep {
  private readonly leaving: number[] = [];
  private due = NEVER;
  /** Ports with a large quota. */
  private wide: readonly number[] = [];

  constructor(private readonly flows: FlowTable) {}

  /** Ports through which many others speak: the tunnel's and the node's, negative where there is none. */
  swap({ tunnel, translation }: Pick<TablesData, 'tunnel' | 'translation'>): void {
    const wide = [tunnel.port, translation.nodePort].filter((port) => port >= 0);
    const { share, defaultQuota } = this.flows;
    for (const port of this.wide) if (!wide.includes(port)) this.flows.setQuota(port, defaultQuota);
    for (const port of wide)
      this.flows.setQuota(port, Math.max(defaultQuota, share - (share >>> SHARED_SHIFT)));
    this.wide = wide;
  }

  /** The port is gone; it opens no more flows until `attach`. */
  detach(port: number): void {
    if (!this.leaving.includes(port) && this.flows.countOf(port) > 0) this.leaving.push(port);
  }

  attach(port: number): void {
    const at = this.leaving.indexOf(port);
    if (at < 0) return;
    this.leaving.splice(at, 1);
    this.flows.forgetPort(port, this.flows.countOf(port));
  }

  /** Does what is due. `millis` is the flows' clock, `now` the engine's. Answers ms until the next time, or -1. */
  sweep(now: number, millis: number): number {
    if (this.leaving.length > 0) return this.forget();
    if (this.flows.size === 0) {
      this.due = NEVER;
      return NEVER;
    }
    if (this.due === NEVER) this.due = now + this.interval();
    if (now < this.due) return this.due - now;
    this.flows.sweep(millis, STEP);
    const next = this.interval();
    this.due = now + next;
    return next;
  }

  private forget(): number {
    if (this.flows.forgetPort(this.leaving[0], STEP) < STEP) this.leaving.shift();
    return 0;
  }

  private interval(): number {
    const steps = this.flows.touched / STEP;
    return Math.min(LONGEST, Math.max(SHORTEST, ROUND / Math.max(1, steps)));
  }
}
