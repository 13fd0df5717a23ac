/**
 * Where the client of a packet is: in the cluster, and whether answers to it come back here by themselves.
 *
 * Only who comes by the node's port may be from outside. The node's own route table tells: it leads to pods, here and on other
 * nodes, and to nothing else but those nodes themselves, which expect answers where their packets came in.
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Context } from '../element.js';
import { KIND } from '../pool.js';
import { NEXT_HOP } from '../tables/next-hops.js';

export class Clients {
  constructor(private readonly context: Context) {}

  /** Neither a pod nor this node. */
  isOutside(slot: number): boolean {
    return this.isByNode(slot) && !this.isRouted(slot) && !this.isNode(slot);
  }

  /** Whether only the node's kernel knows the way back to it: what other nodes answer would not come here. */
  isBehindNode(slot: number): boolean {
    return this.isByNode(slot) && !this.isRouted(slot);
  }

  private isByNode(slot: number): boolean {
    const { pool, tables } = this.context;
    return pool.port[slot] === tables.translation.nodePort;
  }

  private isRouted(slot: number): boolean {
    const { pool, tables } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const table = tables.ports.routeTable[pool.port[slot]];
    const hop =
      pool.kind[slot] === KIND.IPV4
        ? tables.fib4.lookup(table, view.getInt32(l3 + ipv4.SRC))
        : tables.fib6.lookup(
            table,
            ipv6.srcWord(view, l3, 0),
            ipv6.srcWord(view, l3, 1),
            ipv6.srcWord(view, l3, 2),
            ipv6.srcWord(view, l3, 3),
          );
    if (hop < 0) return false;
    const kind = tables.nextHops.kind[hop];
    return kind === NEXT_HOP.CONNECTED || kind === NEXT_HOP.VIA || kind === NEXT_HOP.PEER;
  }

  private isNode(slot: number): boolean {
    const { pool, tables } = this.context;
    const { node4, node6 } = tables.translation;
    const { view } = pool;
    const l3 = pool.l3[slot];
    if (pool.kind[slot] === KIND.IPV4) return node4.includes(view.getInt32(l3 + ipv4.SRC));
    for (let at = 0; at < node6.length; at += 4) {
      if (isSource6(view, l3, node6, at)) return true;
    }
    return false;
  }
}

function isSource6(view: DataView, l3: number, words: Int32Array, at: number): boolean {
  for (let i = 0; i < 4; i++) if (ipv6.srcWord(view, l3, i) !== words[at + i]) return false;
  return true;
}
