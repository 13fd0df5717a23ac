/**
 * RouteLookup: longest-prefix match of the destination in the ingress port's route table.
 *
 * `info` of a packet that is forwarded is its next hop: an index into `tables.nextHops`, or ON_LINK. What the
 * switch itself says to a link-local address cannot be looked up, since every link has those: it is ON_LINK,
 * and goes back where the packet that caused it came from.
 *
 * Outputs: `forward`, `local` (an address of the switch), `noRoute`, `unreachable` (by a route that says so).
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import { NEXT_HOP } from '../tables/next-hops.js';

/** In `info` instead of a next hop: out of the ingress port, to the MAC address that the frame already has. */
export const ON_LINK = -2;
const NO_ROUTE = -1;

export interface RouteLookupOutputs {
  readonly forward: Batch;
  readonly local: Batch;
  readonly noRoute: Batch;
  readonly unreachable: Batch;
}

export class RouteLookup implements Element {
  readonly name = 'route-lookup';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: RouteLookupOutputs,
  ) {}

  process(batch: Batch): void {
    const { pool, tables } = this.context;
    const { kind } = tables.nextHops;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const hop = this.lookup(slot);
      pool.info[slot] = hop;
      if (hop >= 0) this.outputFor(kind[hop]).push(slot);
      else if (hop === ON_LINK) this.outputs.forward.push(slot);
      else this.outputs.noRoute.push(slot);
    }
  }

  private outputFor(kind: number): Batch {
    const { outputs } = this;
    if (kind === NEXT_HOP.LOCAL) return outputs.local;
    return kind === NEXT_HOP.UNREACHABLE ? outputs.unreachable : outputs.forward;
  }

  private lookup(slot: number): number {
    const { pool, tables } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const table = tables.ports.routeTable[pool.port[slot]];
    const isOriginated = (pool.flags[slot] & PACKET.ORIGINATED) !== 0;
    if (pool.kind[slot] === KIND.IPV4) {
      const dst = ipv4.dst(view, l3);
      if (isOriginated && dst >>> 16 === 0xa9fe) return ON_LINK;
      return orNone(tables.fib4.lookup(table, dst | 0));
    }
    if (isOriginated && ipv6.isLinkLocal(view, l3 + ipv6.DST)) return ON_LINK;
    return orNone(
      tables.fib6.lookup(
        table,
        ipv6.dstWord(view, l3, 0) | 0,
        ipv6.dstWord(view, l3, 1) | 0,
        ipv6.dstWord(view, l3, 2) | 0,
        ipv6.dstWord(view, l3, 3) | 0,
      ),
    );
  }
}

function orNone(hop: number): number {
  return hop < 0 ? NO_ROUTE : hop;
}
