/**
 * Connections whose addresses are translated: found by either way of them, tracked, and what their packets become.
 *
 * A flow's two tuples are all that translation needs: a packet of one way gets the addresses and ports of the other way's
 * tuple, turned round. So nothing else is kept, and answers are translated back by whichever engine sees them.
 */

import { PROTOCOL } from '../../wire/ipv4.js';
import * as sctp from '../../wire/sctp.js';
import * as tcp from '../../wire/tcp.js';
import type { Context } from '../element.js';
import { SCTP_END } from '../flows/flow-advance.js';
import { FlowKey } from '../flows/flow-key.js';
import { NOTHING, TRACK } from '../flows/flow-table.js';
import { wirePackets } from '../offload.js';
import { KIND, PACKET, type PacketPool } from '../pool.js';
import { isTransportSound } from '../transport-checksum.js';
import { FragmentTable } from './fragment-table.js';
import { Quote } from './quote.js';
import { Rewritten, rewrite } from './rewrite.js';
import { isIcmpError, isWithPorts, readTuple, swapPorts, ZONE } from './tuple.js';

/** Of a fragment whose first one was not seen. */
export const NOT_FOLLOWED = -2;
/** In a fragment's entry: routed like its port's other packets. */
export const OWN_TABLE = -1;

export class Translator {
  /** Of the packet at hand. */
  readonly key: FlowKey;
  readonly fragments: FragmentTable;
  private readonly quote: Quote;
  private readonly to = new Rewritten();

  constructor(
    private readonly context: Context,
    seed: number,
  ) {
    this.key = new FlowKey(context.flows.hash);
    this.fragments = new FragmentTable(seed);
    this.quote = new Quote(context);
  }

  /** The handle of the packet's flow, or NOTHING. What is known of the flow is in `context.flows.found`. */
  find(slot: number): number {
    const { pool, flows, millis } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const protocol = pool.protocol[slot];
    if (!isWithPorts(pool, slot)) return NOTHING;
    if (pool.kind[slot] === KIND.IPV4) {
      const l3 = pool.l3[slot];
      const source = view.getInt32(l3 + 12);
      const destination = view.getInt32(l3 + 16);
      return flows.lookup4(ZONE, protocol, source, destination, view.getInt32(l4), millis);
    }
    readTuple(pool, slot, this.key);
    return flows.lookup(this.key, millis);
  }

  /** The handle, in the way that the error goes, of the flow that an ICMP error is about; or NOTHING. */
  findQuoted(slot: number): number {
    const { pool, flows, millis } = this.context;
    if (!isIcmpError(pool, slot) || !this.quote.read(slot)) return NOTHING;
    this.quote.fill(this.key);
    return flows.lookup(this.key, millis);
  }

  /**
   * Tracks the packet of the flow that was looked up, and translates it where that is fine. Answers one of TRACK: beyond `ignored` the
   * packet is as it was.
   */
  translate(slot: number, handle: number, table: number): number {
    const { pool, now } = this.context;
    this.load(handle ^ 1, true, pool.kind[slot] === KIND.IPV4);
    const verdict = this.track(slot, handle);
    if (verdict > TRACK.ignored) return verdict;
    if ((pool.flags[slot] & PACKET.FRAGMENT) !== 0) this.fragments.note(pool, slot, this.to, table, now);
    rewrite(pool, slot, this.to);
    return verdict;
  }

  /** Translates an ICMP error about the flow. False: it is not sound, and as it was. */
  translateQuoted(slot: number, handle: number): boolean {
    const { pool, checksum } = this.context;
    if (!isTransportSound(pool, checksum, slot)) return false;
    // The quoted packet went the other way, and becomes what it was when it was sent.
    this.load(handle ^ 1, false, pool.kind[slot] === KIND.IPV4);
    this.quote.rewrite(slot, this.to);
    return true;
  }

  /** Translates a later fragment like its first one. Answers the route table that was noted, or NOT_FOLLOWED. */
  follow(slot: number): number {
    const { pool, now } = this.context;
    const entry = this.fragments.find(pool, slot, now);
    if (entry < 0) return NOT_FOLLOWED;
    const table = this.fragments.read(entry, this.to);
    rewrite(pool, slot, this.to);
    return table;
  }

  /** Whether the packet is of a translated connection: an answer, an error about one, or a fragment of such. */
  isKnown(slot: number): boolean {
    const { pool, now } = this.context;
    if (pool.l4[slot] === 0) return this.fragments.find(pool, slot, now) >= 0;
    return this.find(slot) !== NOTHING || this.findQuoted(slot) !== NOTHING;
  }

  /** The tuple of a way, as it is, or with both ends exchanged. */
  private load(handle: number, isTurned: boolean, isIpv4: boolean): void {
    const { flows } = this.context;
    const { to } = this;
    const ports = flows.tupleWord(handle, 2);
    const source = isTurned ? to.destination : to.source;
    const destination = isTurned ? to.source : to.destination;
    to.ports = isTurned ? swapPorts(ports) : ports;
    if (isIpv4) {
      source[3] = flows.tupleWord(handle, 0);
      destination[3] = flows.tupleWord(handle, 1);
      return;
    }
    for (let i = 0; i < 4; i++) {
      source[i] = flows.addressWord(handle, i);
      destination[i] = flows.addressWord(handle, 4 + i);
    }
  }

  private track(slot: number, handle: number): number {
    const { pool, flows, millis } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const isTcp = pool.protocol[slot] === PROTOCOL.TCP;
    return flows.track(
      handle,
      flows.found.state,
      flowFlags(pool, slot),
      isTcp ? tcp.sequence(view, l4) | 0 : 0,
      isTcp ? tcp.acknowledgment(view, l4) | 0 : 0,
      wirePackets(pool, slot),
      pool.l3Length[slot],
      millis,
    );
  }
}

/** What the flow table wants to know of the packet: TCP's flags, and whether an SCTP association ends. */
export function flowFlags(pool: PacketPool, slot: number): number {
  const l4 = pool.l4[slot];
  switch (pool.protocol[slot]) {
    case PROTOCOL.TCP:
      return tcp.flags(pool.view, l4);
    case PROTOCOL.SCTP:
      return endsAssociation(pool, slot) ? SCTP_END : 0;
    default:
      return 0;
  }
}

function endsAssociation(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (l4 + sctp.HEADER_LENGTH >= pool.l3[slot] + pool.l3Length[slot]) return false;
  const chunk = sctp.firstChunk(pool.view, l4);
  return chunk === sctp.CHUNK.ABORT || chunk === sctp.CHUNK.SHUTDOWN_COMPLETE;
}
