/**
 * The part of Express that is about translated connections: a packet of one that is established, and was decided about in this
 * generation, is translated as service.ts and translate-back.ts do it, and the next hop that was noted with the decision is its.
 *
 * Everything else is left as it is and goes the long way: first packets, those that open or close a TCP connection, what was
 * decided before services or routes changed, fragments and ICMP.
 */
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import type { Context } from '../element.js';
import { WAY } from '../flows/flow-memory.js';
import { NOTHING } from '../flows/flow-table.js';
import { DECISION } from '../translation/chooser.js';
import type { Translator } from '../translation/translator.js';
import { ZONE } from '../translation/tuple.js';

const L3 = ethernet.HEADER_LENGTH;
const L4 = L3 + ipv4.HEADER_LENGTH;
/** Of a segment within a connection. */
const OPENING_OR_CLOSING = tcp.FLAG.SYN | tcp.FLAG.FIN | tcp.FLAG.RST;

/** What `translate` answers beside next hops: the packet is as it was. */
export const LONG_WAY = -1;

export class ExpressFlows {
  constructor(
    private readonly context: Context,
    private readonly translator: Translator,
  ) {}

  /** The handle of the flow of an IPv4 packet without options, TCP or UDP, of which nothing is noted yet; or NOTHING. */
  find(slot: number): number {
    const { pool, flows, millis } = this.context;
    const { view } = pool;
    const at = pool.at[slot];
    return flows.lookup4(
      ZONE,
      ipv4.protocol(view, at + L3),
      view.getInt32(at + L3 + ipv4.SRC),
      view.getInt32(at + L3 + ipv4.DST),
      view.getInt32(at + L4),
      millis,
    );
  }

  /** Whether what was found by `find` is to be translated here, as far as can be told before anything is done. */
  isFit(slot: number, handle: number): boolean {
    const { pool, flows } = this.context;
    const { found } = flows;
    if (handle === NOTHING || found.isStale || found.kind !== DECISION.TRANSLATE) return false;
    if (this.hopOf(handle) < 0) return false;
    if (pool.protocol[slot] !== PROTOCOL.TCP) return true;
    return (tcp.flags(pool.view, pool.l4[slot]) & OPENING_OR_CLOSING) === 0;
  }

  /** Translates a packet whose facts are noted. Answers its next hop, or LONG_WAY. */
  translate(slot: number, handle: number): number {
    const hop = this.hopOf(handle);
    return this.translator.translate(slot, handle, LONG_WAY) === 0 ? hop : LONG_WAY;
  }

  /** Which table an answer is routed by, where its next hop turns out not to do. */
  returnTable(handle: number): number {
    const { flows, tables } = this.context;
    return tables.ports.returnTable[flows.opener(handle)];
  }

  private hopOf(handle: number): number {
    const { found } = this.context.flows;
    return (handle & 1) === WAY.ORIGINAL ? found.target : found.argument;
  }
}
