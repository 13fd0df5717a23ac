/**
 * Decapsulate: takes VXLAN off what the tunnel device has received (RFC 7348 section 4.1), and lets pass what its
 * sender may send.
 *
 * A datagram comes from the underlay address of a known peer. Several that the kernel has joined in one slot (UDP
 * GRO) are taken apart by the Joiner, which gives each inner frame a slot, or several TCP segments one; a single
 * one is stripped in place. Each inner frame is then parsed and held against what the peer may send
 * (tunnel-guard.ts). The offload facts of a frame are those of the Joiner: an outer checksum says nothing about
 * an inner one. What its sender's card should have finished and did not gets its facts back (tunnel/unfinished.ts).
 *
 * Outputs: `routed`, of the network that joins the nodes, with the peer's number in `info`; `bridged`, frames of an
 * overlay, which nobody on this node answers or learns from. `domain` and all that Parse sets are set.
 * Drops: port-closed, unknown-peer, malformed-tunnel, wrong-vni, what parsePacket and the tunnel guard say.
 */
import * as vxlan from '../../wire/vxlan.js';
import { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { NO_PEER } from '../tables/peer-table.js';
import { restoreOffload } from '../tunnel/unfinished.js';
import { parsePacket } from './parse.js';
import { ACCEPTED, guardBridged, guardRouted } from './tunnel-guard.js';

export interface DecapsulateOutputs {
  readonly routed: Batch;
  readonly bridged: Batch;
}

/** What is needed of the Joiner: it takes `slot`, a bundle, and appends its inner frames, with their VNI in `info`. */
export interface BundleSplitter {
  split(slot: number, out: Batch): void;
}

export class Decapsulate implements Element {
  readonly name = 'decapsulate';
  private readonly frames: Batch;

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: DecapsulateOutputs,
    private readonly joiner: BundleSplitter,
  ) {
    this.frames = new Batch(context.pool.capacity);
  }

  process(batch: Batch): void {
    const { context } = this;
    const { pool, tables } = context;
    const { open } = tables.ports;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (open[pool.port[slot]] !== 1) {
        context.drop(slot, DROP['port-closed']);
        continue;
      }
      const peer = findSender(context, slot);
      if (peer === NO_PEER) context.drop(slot, DROP['unknown-peer']);
      else if (isBundle(pool.gsoSize[slot], pool.length[slot])) this.takeApart(slot, peer);
      else this.strip(slot, peer);
    }
  }

  private takeApart(slot: number, peer: number): void {
    const { frames } = this;
    const { info } = this.context.pool;
    this.joiner.split(slot, frames);
    for (let i = 0; i < frames.count; i++) this.admit(frames.slots[i], info[frames.slots[i]], peer);
    frames.clear();
  }

  private strip(slot: number, peer: number): void {
    const { context } = this;
    const { pool } = context;
    const at = pool.at[slot];
    const length = pool.length[slot];
    if (length < vxlan.HEADER_LENGTH || !vxlan.hasVni(pool.view, at)) {
      context.drop(slot, DROP['malformed-tunnel']);
      return;
    }
    const vni = vxlan.vni(pool.view, at);
    pool.reset(slot, length - vxlan.HEADER_LENGTH, pool.port[slot]);
    pool.at[slot] = at + vxlan.HEADER_LENGTH;
    this.admit(slot, vni, peer);
  }

  /** For one inner frame with its offload facts set. */
  private admit(slot: number, vni: number, peer: number): void {
    const { context, outputs } = this;
    const { pool, tables } = context;
    const domain = tables.vnis.find(vni);
    if (domain < 0) {
      context.drop(slot, DROP['wrong-vni']);
      return;
    }
    pool.domain[slot] = domain;
    const isRouted = domain === tables.tunnel.domain;
    let verdict = parsePacket(pool, slot);
    if (verdict === ACCEPTED) {
      restoreOffload(pool, slot, tables.peers.mtu[peer]);
      verdict = isRouted ? guardRouted(context, slot, peer) : guardBridged(context, slot, peer);
    }
    if (verdict !== ACCEPTED) {
      context.drop(slot, verdict);
      return;
    }
    pool.info[slot] = peer;
    if (isRouted) outputs.routed.push(slot);
    else outputs.bridged.push(slot);
  }
}

function isBundle(size: number, length: number): boolean {
  return size > 0 && size < length;
}

/** The peer whose underlay address a datagram came from, or NO_PEER. */
export function findSender({ pool, tables }: Context, slot: number): number {
  const { remote } = pool;
  const word = slot * 4;
  return tables.peerIndex.find(remote[word], remote[word + 1], remote[word + 2], remote[word + 3]);
}
