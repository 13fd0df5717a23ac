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
import { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Egress } from '../egress.js';
import type { Context, Element } from '../element.js';
import { NO_VNI } from '../tables/domain-table.js';
import { NO_TUNNEL } from '../tables.js';
import { FlowHash } from './flow-hash.js';

/** What is needed of the Bundler: it takes `slot` and appends finished datagrams, some of them not before `finish`. */
export interface DatagramBundler {
  add(slot: number, vni: number, hash: number, out: Batch): void;
  finish(out: Batch): void;
}

export class Encapsulate implements Element {
  readonly name = 'encapsulate';
  private readonly datagrams: Batch;
  private readonly flows: FlowHash;

  /** @param seed keys the hash of flows. */
  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly egress: Egress,
    private readonly bundler: DatagramBundler,
    seed: number,
  ) {
    this.datagrams = new Batch(context.pool.capacity);
    this.flows = new FlowHash(context.pool, seed);
  }

  process(batch: Batch): void {
    const { context } = this;
    if (context.tables.tunnel.port === NO_TUNNEL) {
      for (let i = 0; i < batch.count; i++) context.drop(batch.slots[i], DROP['port-down']);
      return;
    }
    for (let i = 0; i < batch.count; i++) this.add(batch.slots[i]);
    this.bundler.finish(this.datagrams);
    this.send();
  }

  private add(slot: number): void {
    const { context } = this;
    const { pool, tables } = context;
    const peer = pool.egress[slot] - PEER_EGRESS;
    const vni = tables.domains.vni[pool.domain[slot]] ?? NO_VNI;
    if (tables.peers.known[peer] !== 1) {
      context.drop(slot, DROP['port-down']);
    } else if (vni === NO_VNI) {
      context.drop(slot, DROP['wrong-vni']);
    } else {
      this.address(slot, peer);
      this.bundler.add(slot, vni, this.flows.of(slot), this.datagrams);
    }
  }

  private address(slot: number, peer: number): void {
    const { pool, tables } = this.context;
    const { remote, remotePort } = pool;
    const { address, port } = tables.peers;
    for (let i = 0; i < 4; i++) remote[slot * 4 + i] = address[peer * 4 + i];
    remotePort[slot] = port[peer];
  }

  private send(): void {
    const { datagrams, egress } = this;
    const { pool, tables } = this.context;
    const { port } = tables.tunnel;
    for (let i = 0; i < datagrams.count; i++) {
      const slot = datagrams.slots[i];
      pool.egress[slot] = port;
      egress.output(slot, port);
    }
    datagrams.clear();
  }
}
