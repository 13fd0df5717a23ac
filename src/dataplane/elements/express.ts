/**
 * Express: the common packet in few passes, while its headers are in registers.
 *
 * What it takes: untagged IPv4 from a guarded port, under the port's own addresses, without options and not
 * fragmented, TCP or UDP; to a port that the snapshot knows or the domain's uplink, bridged or routed, or routed to a
 * peer; where it fits; with the addresses of a service's connection translated (express-flows.ts). Neither port is limited or impaired: such packets may have to wait, and none may overtake them. To
 * those it does what the elements from Parse to Output would do. Nothing else becomes of a packet here: what is to be dropped, answered,
 * flooded, fragmented or clamped, or calls for an ICMP error, is left as it came and goes the long way, and so does all that
 * came behind it from its port, so that order is kept. test/fuzz/express.test.ts compares both ways.
 *
 * Why: the long way is 14 passes over a batch, each of which loads again what the one before had at hand. Three are left: look
 * at the headers, look all destinations up (so that the processor waits for many FIB nodes at a time), forward.
 * `npm run bench -- engine.pipeline`; docs/decisions/0033.
 *
 * Outputs: `rest`; `translated` and `returning`, what was translated and whose next hop has to say something to it. Drops nothing itself (in Egress and Bundler: tx-queue-full, no-slot).
 */
import { fold } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import { ETHERTYPE } from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import * as udp from '../../wire/udp.js';
import type { Batch } from '../batch.js';
import { MAX_FRAME, PEER_EGRESS } from '../constants.js';
import type { Egress } from '../egress.js';
import type { Context, Element } from '../element.js';
import { isOffloadSound, segmentLength } from '../offload.js';
import type { Admitted } from '../policy/admitted.js';
import { FIRST_DOMAIN_ZONE, ROUTED_ZONE } from '../policy/connection-key.js';
import { KIND, PACKET } from '../pool.js';
import { NEXT_HOP, SERVICES } from '../tables/next-hops.js';
import { GUARD, NONE, ownsIpv4 } from '../tables/port-table.js';
import { SWITCH_PORT } from '../tables.js';
import type { Encapsulate } from './encapsulate.js';
import { type ExpressFlows, NO_FLOW, UNFIT } from './express-flows.js';
import { isLinkProtocol } from './guard-rules.js';

const IP = ethernet.HEADER_LENGTH;
const L4 = IP + ipv4.HEADER_LENGTH;
const SHORTEST = ipv4.HEADER_LENGTH + udp.HEADER_LENGTH;
/** Version 4, five words of header. */
const PLAIN_HEADER = 0x45;

export class Express implements Element {
  readonly name = 'express';
  /** Of the port whose packets are looked at, at hand as small integers. */
  private port: number = NONE;
  private domain = 0;
  private table = 0;
  private macHi = 0;
  private macLo = 0;
  private address = 0;
  private mask = 0;
  /** NONE where the domain has no router. */
  private gatewayHi = 0;
  private gatewayLo = 0;
  /** Where unknown destinations of the domain lead; NONE: they go the long way. */
  private uplink: number = NONE;
  private hasRouted = false;
  /** Whether answers of a service's backends may come in there. */
  private isTracked = false;
  /** What policy asks of what it sends, and the zones of its connections (policy/connection-key.ts). */
  private asked = 0;
  private zone = 0;
  /** A packet had to be left to another element: none may overtake it. */
  private isHeldUp = false;

  /** By place in the batch: whether the router has it, its next hop, its destination. */
  private readonly isRouted: Uint8Array;
  private readonly hops: Int32Array;
  private readonly destinations: Int32Array;
  /** Whether it may be a translated connection's; only where that is so for any packet of the port. */
  private hasSought = false;
  private readonly isSought: Uint8Array;
  /** Where its connection is in what policy has admitted; only where that was looked for ahead. */
  private isAhead = false;
  private readonly admittedAt: Int32Array;
  /** Of the packet at hand: its place in the batch, and that of its translated connection in the cache, or NO_FLOW. */
  private index = 0;
  private place: number = NO_FLOW;

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly egress: Egress,
    private readonly encapsulate: Encapsulate,
    private readonly flows: ExpressFlows,
    private readonly admitted: Admitted,
    private readonly outputs: { readonly rest: Batch; readonly translated: Batch; readonly returning: Batch },
  ) {
    this.isRouted = new Uint8Array(input.capacity);
    this.hops = new Int32Array(input.capacity);
    this.destinations = new Int32Array(input.capacity);
    this.isSought = new Uint8Array(input.capacity);
    this.admittedAt = new Int32Array(input.capacity);
  }

  process(batch: Batch): void {
    const { pool } = this.context;
    const { slots, count } = batch;
    this.encapsulate.begin();
    for (let from = 0, to = 0; from < count; from = to) {
      const port = pool.port[slots[from]];
      while (to < count && pool.port[slots[to]] === port) to++;
      this.run(slots, from, this.enter(port) ? this.accepted(slots, from, to) : from, to);
    }
    this.encapsulate.finish();
  }

  /** The packets `from` to before `to` of one port, of which those before `end` look right. */
  private run(slots: Uint32Array, from: number, end: number, to: number): void {
    if (this.hasRouted)
      this.context.tables.fib4.lookupAll(this.table, this.destinations, this.hops, from, end);
    this.seekFlows(slots, from, end);
    let at = from;
    this.isHeldUp = false;
    while (at < end && !this.isHeldUp && this.forward(slots[at], at)) at++;
    this.context.counters.express(at - from);
    for (; at < to; at++) this.outputs.rest.push(slots[at]);
  }

  /** Of packets that may be a translated connection's, or that policy asks about. */
  private seekFlows(slots: Uint32Array, from: number, end: number): void {
    const { flows, isSought } = this;
    this.isAhead = this.asked !== 0 && this.admitted.isWide;
    if (this.isAhead) this.seekAdmitted(slots, from, end);
    this.hasSought = this.isTracked || (this.hasRouted && this.hasServices(from, end));
    if (!this.hasSought) return;
    for (let i = from; i < end; i++) {
      isSought[i] = this.isTracked || this.isForService(i) ? 1 : 0;
      if (isSought[i] === 1) flows.seek(slots[i], i);
    }
    for (let i = from; i < end; i++) if (isSought[i] === 1) flows.approach(i);
  }

  private seekAdmitted(slots: Uint32Array, from: number, end: number): void {
    const { admitted, admittedAt } = this;
    const { at } = this.context.pool;
    for (let i = from; i < end; i++) {
      admittedAt[i] = admitted.placeOf(at[slots[i]] + IP, at[slots[i]] + L4);
    }
  }

  /** Whether any of the packets may be for a service: most batches have none, and are asked no more. */
  private hasServices(from: number, end: number): boolean {
    const { isRouted, hops } = this;
    const { services } = this.context.tables.nextHops;
    let found = 0;
    for (let i = from; i < end; i++) {
      if (isRouted[i] === 1 && hops[i] >= 0) found |= services[hops[i]];
    }
    return found !== SERVICES.NONE;
  }

  private isForService(i: number): boolean {
    const hop = this.isRouted[i] === 1 ? this.hops[i] : NONE;
    return hop >= 0 && this.context.tables.nextHops.services[hop] !== SERVICES.NONE;
  }

  private accepted(slots: Uint32Array, from: number, to: number): number {
    let at = from;
    while (at < to && this.accepts(slots[at], at)) at++;
    return at;
  }

  private enter(port: number): boolean {
    const { ports, domains } = this.context.tables;
    this.port = port;
    this.hasRouted = false;
    if (ports.open[port] !== 1 || ports.guard[port] !== GUARD.OWN || ports.shapedFrom[port] === 1)
      return false;
    if (ports.peer[port] !== NONE || ports.v4Count[port] === 0) return false;
    this.isTracked = this.context.tracked[port] === 1;
    this.asked = this.context.policies.asks[port];
    const domain = ports.domain[port];
    this.zone = domains.routed[domain] === 1 ? ROUTED_ZONE : FIRST_DOMAIN_ZONE + domain;
    const pair = ports.v4Start[port] * 2;
    this.domain = domain;
    this.table = ports.routeTable[port];
    this.macHi = ports.macHi[port];
    this.macLo = ports.macLo[port] | 0;
    this.address = ports.v4[pair] | 0;
    this.mask = ports.v4[pair + 1] | 0;
    this.gatewayHi = domains.routed[domain] === 1 ? domains.gatewayHi[domain] : NONE;
    this.gatewayLo = domains.gatewayLo[domain] | 0;
    this.uplink = domains.learning[domain] === 1 ? NONE : domains.uplink[domain];
    return true;
  }

  /** Looks only at what need not be looked up, and notes where the packet goes. */
  private accepts(slot: number, i: number): boolean {
    const { pool } = this.context;
    const { view } = pool;
    const at = pool.at[slot];
    const room = pool.length[slot] - IP;
    if (room < SHORTEST || room > MAX_FRAME - IP) return false;
    if (view.getInt32(at + 8) !== this.macLo || view.getUint16(at + 6) !== this.macHi) return false;
    const first = view.getInt32(at + IP);
    const second = view.getInt32(at + IP + 4);
    const third = view.getInt32(at + IP + 8);
    const src = view.getInt32(at + IP + 12);
    if (view.getUint16(at + 12) !== ETHERTYPE.IPV4 || first >>> 24 !== PLAIN_HEADER) return false;
    const total = first & 0xffff;
    if ((second & 0x3fff) !== 0 || total > room || total < SHORTEST) return false;
    if (((src ^ this.address) & this.mask) !== 0 && !this.owns(src)) return false;
    if (!isTransportSound(view, at + L4, (third >>> 16) & 0xff, total - ipv4.HEADER_LENGTH)) return false;
    if (view.getInt32(at + 2) !== this.gatewayLo || view.getUint16(at) !== this.gatewayHi) {
      this.isRouted[i] = 0;
      return true;
    }
    const dst = view.getInt32(at + IP + 16);
    this.isRouted[i] = 1;
    this.hasRouted = true;
    this.destinations[i] = dst;
    return isPlainRoutable(first, second, third, src, dst);
  }

  private forward(slot: number, i: number): boolean {
    const isRouted = this.isRouted[i] === 1;
    this.index = i;
    this.place = NO_FLOW;
    if (this.hasSought && this.isSought[i] === 1 && !this.isKnownPlain(slot, i, isRouted)) {
      const place = this.translate(slot, i, isRouted);
      if (place !== NO_FLOW) return place !== UNFIT && this.send(slot, place);
      if (this.isForService(i)) return false;
    }
    const hop = isRouted ? this.hops[i] : NONE;
    if (!isRouted) return this.note(slot) && this.bridge(slot);
    return hop >= 0 && this.route(slot, hop, this.destinations[i]);
  }

  /** What ExpressFlows answers. */
  private translate(slot: number, i: number, isRouted: boolean): number {
    const { pool } = this.context;
    if (!isRouted && !isRoutable(pool.view, pool.at[slot])) return UNFIT;
    const isPlain = (pool.flags[slot] | pool.gsoType[slot]) === 0;
    return isPlain || this.note(slot) ? this.flows.take(slot, i) : UNFIT;
  }

  /** What was translated. What its next hop does not do with goes on elsewhere. */
  private send(slot: number, place: number): boolean {
    const { pool } = this.context;
    const dst = pool.view.getInt32(pool.at[slot] + IP + ipv4.DST);
    this.place = place;
    if (!this.route(slot, this.flows.hopOf(place), dst)) this.holdUp(slot, place);
    return true;
  }

  private holdUp(slot: number, place: number): void {
    const { pool } = this.context;
    this.isHeldUp = true;
    this.note(slot);
    pool.flags[slot] |= PACKET.TRANSLATED;
    pool.length[slot] = IP + pool.l3Length[slot];
    if (this.flows.isReply(place)) {
      pool.info[slot] = this.flows.returnTable(place);
      this.outputs.returning.push(slot);
    } else {
      this.outputs.translated.push(slot);
    }
  }

  private route(slot: number, hop: number, dst: number): boolean {
    const { pool, tables } = this.context;
    const target = tables.nextHops.target[hop];
    if (tables.nextHops.kind[hop] !== NEXT_HOP.PEER)
      return this.note(slot) && this.toPortOrNeighbour(slot, hop, dst);
    if (isSyn(pool.view, pool.at[slot])) return false;
    if ((pool.flags[slot] | pool.gsoType[slot]) !== 0) return this.note(slot) && this.toPeer(slot, target);
    return this.isAdmitted(slot, this.asked, ROUTED_ZONE) && this.encapsulate.addPlain(slot, target);
  }

  /** @param asked what policy asks at both ends. */
  private isAdmitted(slot: number, asked: number, zone: number): boolean {
    if (asked === 0) return true;
    if (this.place >= 0) return this.flows.isAdmitted(this.place);
    const l3 = this.context.pool.at[slot] + IP;
    const l4 = l3 + ipv4.HEADER_LENGTH;
    const { admitted } = this;
    const place = this.isAhead ? this.admittedAt[this.index] : admitted.placeOf(l3, l4);
    return admitted.admits(slot, l3, l4, zone, place);
  }

  /** Whether its connection was admitted and is not translated: it need not be looked for among those that are. */
  private isKnownPlain(slot: number, i: number, isRouted: boolean): boolean {
    if (this.asked === 0 || this.isForService(i)) return false;
    const l3 = this.context.pool.at[slot] + IP;
    const l4 = l3 + ipv4.HEADER_LENGTH;
    const zone = isRouted ? ROUTED_ZONE : this.zone;
    const { admitted } = this;
    return admitted.has(l3, l4, zone, this.isAhead ? this.admittedAt[i] : admitted.placeOf(l3, l4));
  }

  private owns(src: number): boolean {
    return ownsIpv4(this.context.tables.ports, this.port, src);
  }

  /** Sets what Parse sets. */
  private note(slot: number): boolean {
    const { pool } = this.context;
    const l3 = pool.at[slot] + IP;
    pool.l3[slot] = l3;
    pool.l3Length[slot] = ipv4.totalLength(pool.view, l3);
    pool.l4[slot] = l3 + ipv4.HEADER_LENGTH;
    pool.kind[slot] = KIND.IPV4;
    pool.protocol[slot] = ipv4.protocol(pool.view, l3);
    pool.domain[slot] = this.domain;
    return isOffloadSound(pool, slot);
  }

  private bridge(slot: number): boolean {
    const { pool, tables } = this.context;
    const at = pool.at[slot];
    const hi = ethernet.dstHi(pool.view, at);
    const lo = ethernet.dstLo(pool.view, at) | 0;
    if (ethernet.isMulticastHi(hi) || isLinkProtocol(hi, lo)) return false;
    const known = tables.fdb.lookup(this.domain, hi, lo);
    const egress = known < 0 ? this.wayOut(hi, lo) : known;
    if (egress < 0 || egress >= PEER_EGRESS || egress === this.port) return false;
    if (segmentLength(pool, slot) > tables.ports.expressMtu[egress]) return false;
    if (!this.isAdmitted(slot, this.asked | this.context.policies.asks[egress], this.zone)) return false;
    pool.egress[slot] = egress;
    this.egress.output(slot, egress);
    return true;
  }

  /** Where a MAC address leads that nobody here has. That of a switch without a router is the long way's to drop. */
  private wayOut(hi: number, lo: number): number {
    const { gatewayHi, gatewayLo } = this.context.tables.domains;
    const isSwitch = hi === gatewayHi[this.domain] && lo === (gatewayLo[this.domain] | 0);
    return isSwitch ? NONE : this.uplink;
  }

  private toPeer(slot: number, peer: number): boolean {
    const { pool, tables } = this.context;
    const { peers, tunnel } = tables;
    if (!this.encapsulate.reaches(peer) || segmentLength(pool, slot) > peers.mtu[peer]) return false;
    if (!this.isAdmitted(slot, this.asked, ROUTED_ZONE)) return false;
    this.rewrite(slot, tunnel.domain, peers.macHi[peer], peers.macLo[peer] | 0);
    pool.egress[slot] = PEER_EGRESS + peer;
    this.encapsulate.add(slot);
    return true;
  }

  private toNeighbour(slot: number, hop: number, dst: number): boolean {
    const { pool, tables } = this.context;
    const { neighbours, ports, nextHops } = tables;
    if (nextHops.kind[hop] !== NEXT_HOP.CONNECTED) return false;
    const domain = nextHops.target[hop];
    const index = neighbours.lookup4(domain, dst);
    if (index < 0) return false;
    const egress = neighbours.port(index);
    if (egress === SWITCH_PORT || egress >= PEER_EGRESS || ports.open[egress] !== 1) return false;
    if (segmentLength(pool, slot) > ports.expressMtu[egress]) return false;
    if (!this.isAdmitted(slot, this.asked | this.context.policies.asks[egress], ROUTED_ZONE)) return false;
    this.rewrite(slot, domain, neighbours.macHi(index), neighbours.macLo(index) | 0);
    pool.egress[slot] = egress;
    this.egress.output(slot, egress);
    return true;
  }

  private toPortOrNeighbour(slot: number, hop: number, dst: number): boolean {
    const { nextHops } = this.context.tables;
    if (nextHops.kind[hop] === NEXT_HOP.PORT) return this.toPort(slot, nextHops.target[hop]);
    return this.toNeighbour(slot, hop, dst);
  }

  /** Whatever the destination, the port's own MAC address is next. */
  private toPort(slot: number, egress: number): boolean {
    const { pool, tables } = this.context;
    const { ports } = tables;
    if (ports.open[egress] !== 1 || segmentLength(pool, slot) > ports.expressMtu[egress]) return false;
    if (!this.isAdmitted(slot, this.asked | this.context.policies.asks[egress], ROUTED_ZONE)) return false;
    this.rewrite(slot, ports.domain[egress], ports.macHi[egress], ports.macLo[egress] | 0);
    pool.egress[slot] = egress;
    this.egress.output(slot, egress);
    return true;
  }

  private rewrite(slot: number, domain: number, hi: number, lo: number): void {
    const { pool, tables } = this.context;
    const { view } = pool;
    const { gatewayHi, gatewayLo } = tables.domains;
    const at = pool.at[slot];
    ethernet.setDst(view, at, hi, lo);
    ethernet.setSrc(view, at, gatewayHi[domain], gatewayLo[domain]);
    ipv4.decrementTtl(view, at + IP);
    pool.domain[slot] = domain;
    pool.length[slot] = IP + pool.l3Length[slot];
  }
}

/** The header checksum is right, TTL lasts, and both addresses are such as may be routed. */
function isPlainRoutable(first: number, second: number, third: number, src: number, dst: number): boolean {
  const sum = halves(first) + halves(second) + halves(third) + halves(src) + halves(dst);
  return fold(sum) === 0xffff && third >>> 24 > 1 && isOrdinary(src) && isOrdinary(dst);
}

/** The same for the packet in the frame at `at`. */
function isRoutable(view: DataView, at: number): boolean {
  const ip = at + IP;
  const src = view.getInt32(ip + ipv4.SRC);
  const dst = view.getInt32(ip + ipv4.DST);
  return isPlainRoutable(view.getInt32(ip), view.getInt32(ip + 4), view.getInt32(ip + 8), src, dst);
}

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

function isTransportSound(view: DataView, l4: number, protocol: number, room: number): boolean {
  if (protocol === PROTOCOL.UDP) {
    const size = udp.length(view, l4);
    return size >= udp.HEADER_LENGTH && size <= room;
  }
  if (protocol !== PROTOCOL.TCP || room < tcp.HEADER_LENGTH) return false;
  const offset = tcp.dataOffset(view, l4);
  return offset >= tcp.HEADER_LENGTH && offset <= room;
}

/** Its segment size may have to be lowered. */
function isSyn(view: DataView, at: number): boolean {
  return ipv4.protocol(view, at + IP) === PROTOCOL.TCP && (tcp.flags(view, at + L4) & tcp.FLAG.SYN) !== 0;
}

/** Neither martian nor multicast, broadcast or link-local. */
function isOrdinary(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224 && address >>> 16 !== 0xa9fe;
}
