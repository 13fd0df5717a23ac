/**
 * RouteLookup: longest-prefix match of the destination in the ingress port's route table, or, where the element is made so,
 * in the one that `info` names. What the switch itself says, and what has a backend's address now, is looked up in the port's
 * table for answers, which has more: a program of the node may be given a backend that only the node's kernel knows the way to.
 *
 * `info` of a packet that is forwarded is its next hop: an index into `tables.nextHops`, or ON_LINK. What the
 * switch itself says to a link-local address cannot be looked up, since every link has those: it is ON_LINK,
 * and goes back where the packet that caused it came from.
 *
 * What it says to something from the tunnel goes back to the peer whose prefix that came from, whether or not a
 * route to it is in force: two nodes that each wait for an answer of the other before they use it must get one.
 *
 * A route may say that packets along it may be for a service; those that were translated already are not asked again.
 *
 * Outputs: `services`, with the next hop in `info`; `forward`, `local` (an address of the switch), `noRoute`, `unreachable` and
 * `apart` (by a route that says so).
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import { NEXT_HOP } from '../tables/next-hops.js';
import { PEER_SOURCES_TABLE } from '../tables.js';

/** In `info` instead of a next hop: out of the ingress port, to the MAC address that the frame already has. */
export const ON_LINK = -2;
const NO_ROUTE = -1;
/** Of packets whose destination is their last one. */
const FINAL = PACKET.ORIGINATED | PACKET.TRANSLATED;

export interface RouteLookupOutputs {
  readonly services: Batch;
  readonly forward: Batch;
  readonly local: Batch;
  readonly noRoute: Batch;
  readonly unreachable: Batch;
  readonly apart: Batch;
}

export class RouteLookup implements Element {
  readonly name = 'route-lookup';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: RouteLookupOutputs,
    private readonly isTableGiven = false,
  ) {}

  process(batch: Batch): void {
    const { pool, tables } = this.context;
    const { kind, services } = tables.nextHops;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const hop = this.lookup(slot);
      pool.info[slot] = hop;
      if (hop >= 0 && services[hop] !== 0 && (pool.flags[slot] & FINAL) === 0)
        this.outputs.services.push(slot);
      else if (hop >= 0) this.outputFor(kind[hop]).push(slot);
      else if (hop === ON_LINK) this.outputs.forward.push(slot);
      else this.outputs.noRoute.push(slot);
    }
  }

  private outputFor(kind: number): Batch {
    const { outputs } = this;
    if (kind < NEXT_HOP.LOCAL) return outputs.forward;
    if (kind === NEXT_HOP.LOCAL) return outputs.local;
    return kind === NEXT_HOP.UNREACHABLE ? outputs.unreachable : outputs.apart;
  }

  private lookup(slot: number): number {
    const { pool, tables } = this.context;
    const { ports } = tables;
    if (this.isTableGiven) return this.find(slot, pool.info[slot]);
    if ((pool.flags[slot] & PACKET.TRANSLATED) !== 0)
      return this.find(slot, ports.returnTable[pool.port[slot]]);
    if ((pool.flags[slot] & PACKET.ORIGINATED) !== 0) {
      if (this.isToLinkLocal(slot)) return ON_LINK;
      const hop = pool.port[slot] === tables.tunnel.port ? this.find(slot, PEER_SOURCES_TABLE) : NO_ROUTE;
      if (hop >= 0) return hop;
      return this.find(slot, ports.returnTable[pool.port[slot]]);
    }
    return this.find(slot, ports.routeTable[pool.port[slot]]);
  }

  private isToLinkLocal(slot: number): boolean {
    const { pool } = this.context;
    const l3 = pool.l3[slot];
    if (pool.kind[slot] === KIND.IPV4) return ipv4.dst(pool.view, l3) >>> 16 === 0xa9fe;
    return ipv6.isLinkLocal(pool.view, l3 + ipv6.DST);
  }

  private find(slot: number, table: number): number {
    const { pool, tables } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const hop =
      pool.kind[slot] === KIND.IPV4
        ? tables.fib4.lookup(table, ipv4.dst(view, l3) | 0)
        : tables.fib6.lookup(
            table,
            ipv6.dstWord(view, l3, 0) | 0,
            ipv6.dstWord(view, l3, 1) | 0,
            ipv6.dstWord(view, l3, 2) | 0,
            ipv6.dstWord(view, l3, 3) | 0,
          );
    return hop < 0 ? NO_ROUTE : hop;
  }
}
