/**
 * The part of Express that is about translated connections: a packet of one that is established, and was decided about in this
 * generation, is translated as service.ts and translate-back.ts do it, and the next hop that was noted with the decision is its.
 *
 * Everything else is left as it is and goes the long way: first packets, those that open or close a TCP connection, what was
 * decided before services or routes changed, fragments and ICMP.
 *
 * A packet's flow is looked for in the exact-match cache, in two passes over a batch (`seek`, `approach`), each of which touches
 * what the next one needs, so that the processor waits for the cache lines of many packets at a time; only where it
 * is not there, in the flow table.
 */
import { complement, fold, nonZero } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import * as udp from '../../wire/udp.js';
import { GSO } from '../../wire/virtio-net.js';
import type { Context } from '../element.js';
import { WAY } from '../flows/flow-memory.js';
import { NOTHING } from '../flows/flow-table.js';
import { wirePackets } from '../offload.js';
import { DECISION } from '../translation/chooser.js';
import { CACHED, ExactMatchCache } from '../translation/exact-match-cache.js';
import { growth } from '../translation/rewrite.js';
import { swapPorts, ZONE } from '../translation/tuple.js';
import { isSumPending } from '../transport-checksum.js';

/** Of a translated connection's decision: whether it goes on, and is not refused. */
const TAKEN = DECISION.TRANSLATE | DECISION.REFUSE;

const L3 = ethernet.HEADER_LENGTH;
/** Of a segment within a connection: ACK, and none of these. */
const OPENING_OR_CLOSING = tcp.FLAG.SYN | tcp.FLAG.FIN | tcp.FLAG.RST;

/** What `take` answers beside places in the cache. */
export const NO_FLOW = -1;
/** There is a flow, whose packet has to go the long way. */
export const UNFIT = -2;

export class ExpressFlows {
  private readonly cache: ExactMatchCache;
  /** By place in the batch: the place in the cache of the packet's tuple. */
  private readonly places: Int32Array;
  /** Says nothing: a load whose value nobody wants would be left out. */
  near = 0;

  constructor(
    private readonly context: Context,
    capacity: number,
    seed: number,
  ) {
    this.cache = new ExactMatchCache(seed);
    this.places = new Int32Array(capacity);
  }

  /** Begins to look for the flow of a packet: IPv4 without options, TCP or UDP. */
  seek(slot: number, i: number): void {
    const { pool } = this.context;
    const { view } = pool;
    const l3 = pool.at[slot] + L3;
    const source = view.getInt32(l3 + ipv4.SRC);
    const destination = view.getInt32(l3 + ipv4.DST);
    const place = this.cache.placeOf(source, destination, view.getInt32(l3 + ipv4.HEADER_LENGTH));
    this.places[i] = place;
    this.near ^= this.cache.words[place];
  }

  /** Goes on, after all have begun. */
  approach(i: number): void {
    this.near ^= this.context.flows.approach(this.cache.words[this.places[i] + CACHED.HANDLE]);
  }

  /**
   * Ends it, and translates the packet, whose facts are noted where it has to do with offloads: in one function, so that what each
   * part needs is at hand. Answers where in the cache its connection is; NO_FLOW or UNFIT, and it is as it was.
   */
  take(slot: number, i: number): number {
    const { pool, flows, millis, generation } = this.context;
    const { view } = pool;
    const { words } = this.cache;
    const l3 = pool.at[slot] + L3;
    const l4 = l3 + ipv4.HEADER_LENGTH;
    const place = this.places[i];
    const isTcp = ipv4.protocol(view, l3) === PROTOCOL.TCP;
    if (
      words[place + CACHED.PORTS] !== view.getInt32(l4) ||
      words[place + CACHED.SOURCE] !== view.getInt32(l3 + ipv4.SRC) ||
      words[place + CACHED.DESTINATION] !== view.getInt32(l3 + ipv4.DST) ||
      words[place + CACHED.PROTOCOL] !== ipv4.protocol(view, l3) ||
      words[place + CACHED.GENERATION] !== generation ||
      !flows.isStill(words[place + CACHED.HANDLE], words[place + CACHED.STATE], millis)
    ) {
      const fetched = this.fetch(slot, place);
      if (fetched !== place) return fetched;
    }
    const handle = words[place + CACHED.HANDLE];
    if (isTcp) {
      if ((tcp.flags(view, l4) & (OPENING_OR_CLOSING | tcp.FLAG.ACK)) !== tcp.FLAG.ACK) return UNFIT;
      flows.acknowledge(handle, tcp.acknowledgment(view, l4) | 0);
    }
    const packets = pool.gsoType[slot] === GSO.NONE ? 1 : wirePackets(pool, slot);
    flows.tell(handle, packets, ipv4.totalLength(view, l3), millis);
    // As translation/rewrite.ts does it, which is for every packet, with sums that were made once.
    const addresses = words[place + CACHED.ADDRESSES_SUM];
    view.setInt32(l3 + ipv4.SRC, words[place + CACHED.NEW_SOURCE]);
    view.setInt32(l3 + ipv4.DST, words[place + CACHED.NEW_DESTINATION]);
    view.setInt32(l4, words[place + CACHED.NEW_PORTS]);
    ipv4.setChecksum(view, l3, complement(fold(complement(ipv4.checksum(view, l3)) + addresses)));
    const field = l4 + (isTcp ? tcp.CHECKSUM_OFFSET : udp.CHECKSUM_OFFSET);
    const check = view.getUint16(field);
    if (isSumPending(pool, slot)) {
      view.setUint16(field, fold(check + addresses));
    } else if (isTcp || check !== 0) {
      const next = complement(fold(complement(check) + words[place + CACHED.WHOLE_SUM]));
      view.setUint16(field, isTcp ? next : nonZero(next));
    }
    return place;
  }

  /** Whether policy lets the connection at `place` pass. Where it was not asked yet, the next packet finds out anew. */
  isAdmitted(place: number): boolean {
    const { words } = this.cache;
    if ((words[place + CACHED.KIND] & DECISION.ADMIT) !== 0) return true;
    words[place + CACHED.PROTOCOL] = 0;
    return false;
  }

  /** The next hop of packets of the connection at `place`. */
  hopOf(place: number): number {
    return this.cache.words[place + CACHED.HOP];
  }

  /** Whether those are answers. */
  isReply(place: number): boolean {
    return (this.cache.words[place + CACHED.HANDLE] & 1) === WAY.REPLY;
  }

  /** Which table an answer is routed by, where its next hop turns out not to do. */
  returnTable(place: number): number {
    const { flows, tables } = this.context;
    return tables.ports.returnTable[flows.opener(this.cache.words[place + CACHED.HANDLE])];
  }

  /** From the flow table into the cache. */
  private fetch(slot: number, place: number): number {
    const { pool, flows, millis, generation } = this.context;
    const { view } = pool;
    const l3 = pool.at[slot] + L3;
    const source = view.getInt32(l3 + ipv4.SRC);
    const destination = view.getInt32(l3 + ipv4.DST);
    const ports = view.getInt32(l3 + ipv4.HEADER_LENGTH);
    const protocol = ipv4.protocol(view, l3);
    const { found } = flows;
    const handle = flows.lookup4(ZONE, protocol, source, destination, ports, millis);
    if (handle === NOTHING) return NO_FLOW;
    const hop = (handle & 1) === WAY.ORIGINAL ? found.target : found.argument;
    if (found.isStale || (found.kind & TAKEN) !== DECISION.TRANSLATE || hop < 0) return UNFIT;
    if (!flows.staysWithin(handle, found.state)) return UNFIT;
    const { words } = this.cache;
    const other = handle ^ 1;
    const newSource = flows.tupleWord(other, 1);
    const newDestination = flows.tupleWord(other, 0);
    const newPorts = swapPorts(flows.tupleWord(other, 2));
    const addresses = fold(growth(source, newSource) + growth(destination, newDestination));
    words[place + CACHED.SOURCE] = source;
    words[place + CACHED.DESTINATION] = destination;
    words[place + CACHED.PORTS] = ports;
    words[place + CACHED.PROTOCOL] = protocol;
    words[place + CACHED.HANDLE] = handle;
    words[place + CACHED.STATE] = found.state;
    words[place + CACHED.GENERATION] = generation;
    words[place + CACHED.HOP] = hop;
    words[place + CACHED.KIND] = found.kind;
    words[place + CACHED.NEW_SOURCE] = newSource;
    words[place + CACHED.NEW_DESTINATION] = newDestination;
    words[place + CACHED.NEW_PORTS] = newPorts;
    words[place + CACHED.ADDRESSES_SUM] = addresses;
    words[place + CACHED.WHOLE_SUM] = fold(addresses + growth(ports, newPorts));
    return place;
  }
}
