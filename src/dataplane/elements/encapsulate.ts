/**
 * Encapsulate: gives what leaves for a peer to the Bundler, which makes VXLAN datagrams of it (RFC 7348 section
 * 4.1), and sends those out of the tunnel's port.
 *
 * `egress` of a packet is PEER_EGRESS and the peer's number, `domain` the one that it leaves in: its VNI is the
 * packet's. Sets where a datagram goes (`remote`, `remotePort`); `info` of a datagram is its flow's hash, by which
 * the device chooses an outer source port.
 *
 * Drops: port-down, where there is no tunnel or no such peer; wrong-vni, where the domain does not leave this node.
 * In Bundler and Egress: no-slot, tx-queue-full.
 */
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import type { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Egress } from '../egress.js';
import type { Context, Element } from '../element.js';
import { NO_VNI } from '../tables/domain-table.js';
import { NO_TUNNEL } from '../tables.js';
import { setRemote } from '../tunnel/remote.js';
import { FlowHash } from './flow-hash.js';

/** What is needed of the Bundler: it takes `slot` and queues datagrams, which are finished with `finish`. */
export interface DatagramBundler {
  add(slot: number, vni: number, hash: number, out: Batch): void;
  addPlain(slot: number, at: number, length: number, vni: number, hash: number, out: Batch): void;
  finish(): void;
}

export class Encapsulate implements Element {
  readonly name = 'encapsulate';
  private readonly flows: FlowHash;
  private out: Batch | undefined;
  private vni: number = NO_VNI;
  private macHi = 0;
  private macLo = 0;

  /** @param seed keys the hash of flows. */
  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly egress: Egress,
    private readonly bundler: DatagramBundler,
    seed: number,
  ) {
    this.flows = new FlowHash(context.pool, seed);
  }

  process(batch: Batch): void {
    this.begin();
    for (let i = 0; i < batch.count; i++) this.add(batch.slots[i]);
    this.finish();
  }

  /** Before packets are added. What is found here holds until `finish`. */
  begin(): void {
    const { tunnel, domains } = this.context.tables;
    this.out = tunnel.port === NO_TUNNEL ? undefined : this.egress.queueOf(tunnel.port);
    this.vni = domains.vni[tunnel.domain] ?? NO_VNI;
    this.macHi = domains.gatewayHi[tunnel.domain] ?? 0;
    this.macLo = domains.gatewayLo[tunnel.domain] | 0;
  }

  /** After packets were added, and before the queue is sent. */
  finish(): void {
    this.bundler.finish();
  }

  reaches(peer: number): boolean {
    return this.out !== undefined && this.vni !== NO_VNI && this.context.tables.peers.known[peer] === 1;
  }

  add(slot: number): void {
    const { context, out } = this;
    const { pool, tables } = context;
    const peer = pool.egress[slot] - PEER_EGRESS;
    const vni = tables.domains.vni[pool.domain[slot]] ?? NO_VNI;
    if (out === undefined || tables.peers.known[peer] !== 1) {
      context.drop(slot, DROP['port-down']);
    } else if (vni === NO_VNI) {
      context.drop(slot, DROP['wrong-vni']);
    } else {
      this.address(slot, peer);
      this.bundler.add(slot, vni, this.flows.of(slot), out);
    }
  }

  /**
   * Routes to a peer a packet that Express has looked at, and adds it: MAC addresses, TTL, and what `add` does. It is IPv4
   * with a header of five words, asks for no offload, and is in a slot that nobody else has. Answers false, and leaves
   * the packet as it is, where it cannot go there.
   */
  addPlain(slot: number, peer: number): boolean {
    const { context, out } = this;
    const { pool, tables } = context;
    const { peers } = tables;
    const { view } = pool;
    const at = pool.at[slot];
    const l3 = at + ethernet.HEADER_LENGTH;
    const total = ipv4.totalLength(view, l3);
    if (out === undefined || this.vni === NO_VNI || peers.known[peer] !== 1 || total > peers.mtu[peer])
      return false;
    ethernet.setDst(view, at, peers.macHi[peer], peers.macLo[peer] | 0);
    ethernet.setSrc(view, at, this.macHi, this.macLo);
    ipv4.decrementTtl(view, l3);
    pool.egress[slot] = PEER_EGRESS + peer;
    this.address(slot, peer);
    const hash = this.flows.ofPlainIpv4(view, l3);
    this.bundler.addPlain(slot, at, ethernet.HEADER_LENGTH + total, this.vni, hash, out);
    return true;
  }

  private address(slot: number, peer: number): void {
    const { pool, tables } = this.context;
    const { address, port } = tables.peers;
    setRemote(pool, slot, address, peer, port[peer]);
  }
}
