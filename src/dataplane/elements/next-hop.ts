/**
 * NextHop: turns the next hop that RouteLookup chose (`info`) into an egress port and MAC addresses.
 *
 * Neighbours are those of the snapshot, then learned ones. The frame's destination becomes the neighbour's
 * MAC address and its source that of the switch in the egress domain, which `domain` says from here on. A
 * packet may leave through the port that it came from, but not go back to the peer that it came from: where two
 * nodes each think that the other has an address, it would go to and fro until its TTL ran out.
 *
 * Outputs: `ok` and, for a peer, `peer`, with `egress` and `domain` set, and the peer's number in `info`; `unknown`,
 * unchanged, where nobody has the address.
 * Drops: ignored (the neighbour is the switch itself: a route that leads back here), port-down, same-port.
 */
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import { NEXT_HOP } from '../tables/next-hops.js';
import { NO_TUNNEL, SWITCH_PORT } from '../tables.js';
import { findSender } from './decapsulate.js';
import { ON_LINK } from './route-lookup.js';

/** Where a next hop is not found; otherwise it is a domain. */
const UNKNOWN = -1;

export class NextHop implements Element {
  readonly name = 'next-hop';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly ok: Batch; readonly peer: Batch; readonly unknown: Batch },
  ) {}

  process(batch: Batch): void {
    const { context, outputs } = this;
    const { found } = context;
    const { open } = context.tables.ports;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const domain = this.resolve(slot);
      if (domain === UNKNOWN) outputs.unknown.push(slot);
      else if (found.port === SWITCH_PORT) context.drop(slot, DROP.ignored);
      else if (found.port >= PEER_EGRESS) this.toPeer(slot, domain);
      else if (open[found.port] !== 1) context.drop(slot, DROP['port-down']);
      else {
        this.address(slot, domain);
        outputs.ok.push(slot);
      }
    }
  }

  /** Finds the neighbour, as `context.found`, and answers its domain. */
  private resolve(slot: number): number {
    const { pool, tables } = this.context;
    const hop = pool.info[slot];
    if (hop === ON_LINK) return this.sender(slot);
    const { nextHops } = tables;
    const target = nextHops.target[hop];
    switch (nextHops.kind[hop]) {
      case NEXT_HOP.CONNECTED:
        return this.destination(slot, target) ? target : UNKNOWN;
      case NEXT_HOP.VIA:
        return this.gateway(slot, hop, target) ? target : UNKNOWN;
      case NEXT_HOP.PORT:
        return this.port(target);
      case NEXT_HOP.PEER:
      case NEXT_HOP.PEER_HOST:
        return this.peer(target);
      default:
        return UNKNOWN;
    }
  }

  private destination(slot: number, domain: number): boolean {
    const { context } = this;
    const { pool } = context;
    const l3 = pool.l3[slot];
    if (pool.kind[slot] === KIND.IPV4) return context.findNeighbour4(domain, ipv4.dst(pool.view, l3) | 0);
    return context.findNeighbour6(domain, pool.view, l3 + ipv6.DST);
  }

  private gateway(slot: number, hop: number, domain: number): boolean {
    const { context } = this;
    const { gateway } = context.tables.nextHops;
    const word = hop * 4;
    if (context.pool.kind[slot] === KIND.IPV4) return context.findNeighbour4(domain, gateway[word] | 0);
    return context.findNeighbourWords(
      domain,
      gateway[word] | 0,
      gateway[word + 1] | 0,
      gateway[word + 2] | 0,
      gateway[word + 3] | 0,
    );
  }

  /** Straight to a port: whatever the destination, the port's own MAC is next. */
  private port(port: number): number {
    const { found, tables } = this.context;
    const { ports } = tables;
    found.hi = ports.macHi[port];
    found.lo = ports.macLo[port] | 0;
    found.port = port;
    return ports.domain[port];
  }

  /** Through the tunnel: the peer's VTEP is next, in the network that joins the nodes. */
  private peer(peer: number): number {
    const { found, tables } = this.context;
    found.hi = tables.peers.macHi[peer];
    found.lo = tables.peers.macLo[peer] | 0;
    found.port = PEER_EGRESS + peer;
    return tables.tunnel.domain;
  }

  private toPeer(slot: number, domain: number): void {
    const { context, outputs } = this;
    const { pool, tables } = context;
    const peer = context.found.port - PEER_EGRESS;
    if (tables.tunnel.port === NO_TUNNEL || tables.peers.known[peer] !== 1) {
      context.drop(slot, DROP['port-down']);
    } else if (this.cameFrom(slot, peer)) {
      context.drop(slot, DROP['same-port']);
    } else {
      this.address(slot, domain);
      pool.info[slot] = peer;
      outputs.peer.push(slot);
    }
  }

  /** What the switch itself says in answer goes back, of course. */
  private cameFrom(slot: number, peer: number): boolean {
    const { context } = this;
    const { pool, tables } = context;
    if (pool.port[slot] !== tables.tunnel.port || (pool.flags[slot] & PACKET.ORIGINATED) !== 0) return false;
    return findSender(context, slot) === peer;
  }

  /**
   * The frame already has the MAC address that the packet which caused it came from. Behind the tunnel nobody is
   * on a link with us.
   */
  private sender(slot: number): number {
    const { found, pool, tables } = this.context;
    if (pool.port[slot] === tables.tunnel.port) return UNKNOWN;
    const at = pool.at[slot];
    found.hi = ethernet.dstHi(pool.view, at);
    found.lo = ethernet.dstLo(pool.view, at) | 0;
    found.port = pool.port[slot];
    return tables.ports.domain[found.port];
  }

  private address(slot: number, domain: number): void {
    const { found, pool, tables } = this.context;
    const { gatewayHi, gatewayLo } = tables.domains;
    const at = pool.at[slot];
    ethernet.setDst(pool.view, at, found.hi, found.lo);
    ethernet.setSrc(pool.view, at, gatewayHi[domain], gatewayLo[domain]);
    pool.egress[slot] = found.port;
    pool.domain[slot] = domain;
  }
}
