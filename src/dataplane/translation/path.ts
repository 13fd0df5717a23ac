/**
 * The way to a backend: its route, by the table for answers of the port that the client's packets come in by (as RouteLookup
 * has it), and the port that it leads
 * out of, which is where answers come in.
 */
import { PEER_EGRESS } from '../constants.js';
import type { Context } from '../element.js';
import { KIND } from '../pool.js';
import { NEXT_HOP } from '../tables/next-hops.js';
import { NO_TUNNEL, SWITCH_PORT } from '../tables.js';

const NONE = -1;

export class PathToBackend {
  /** Index of the next hop, or -1. */
  hop = NONE;
  /** Port number, or -1: none, or unknown as yet. */
  port = NONE;
  /** Whether it leads to a network of this node. */
  isLocal = false;

  constructor(private readonly context: Context) {}

  /** @param address four words, of an IPv4 address the last one */
  find(slot: number, address: Int32Array): void {
    const { pool, tables } = this.context;
    const table = tables.ports.returnTable[pool.port[slot]];
    const isIpv4 = pool.kind[slot] === KIND.IPV4;
    this.hop = isIpv4
      ? tables.fib4.lookup(table, address[3])
      : tables.fib6.lookup(table, address[0], address[1], address[2], address[3]);
    this.port = NONE;
    this.isLocal = false;
    if (this.hop < 0) {
      this.hop = NONE;
      return;
    }
    this.follow(address, isIpv4);
  }

  private follow(address: Int32Array, isIpv4: boolean): void {
    const { nextHops, tunnel } = this.context.tables;
    const target = nextHops.target[this.hop];
    switch (nextHops.kind[this.hop]) {
      case NEXT_HOP.CONNECTED:
        this.isLocal = true;
        this.port = this.neighbour(target, address, isIpv4);
        break;
      case NEXT_HOP.PORT:
        this.port = target;
        break;
      case NEXT_HOP.PEER:
      case NEXT_HOP.PEER_HOST:
        this.port = tunnel.port === NO_TUNNEL ? NONE : tunnel.port;
        break;
      default:
    }
  }

  /** Of an overlay, the neighbour may be on another node: its answers come by the tunnel. */
  private neighbour(domain: number, address: Int32Array, isIpv4: boolean): number {
    const { context } = this;
    const isFound = isIpv4
      ? context.findNeighbour4(domain, address[3])
      : context.findNeighbourWords(domain, address[0], address[1], address[2], address[3]);
    if (!isFound || context.found.port === SWITCH_PORT) return NONE;
    if (context.found.port < PEER_EGRESS) return context.found.port;
    this.isLocal = false;
    return context.tables.tunnel.port;
  }
}
