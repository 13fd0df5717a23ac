/**
 * Flood: to every port of the domain but the one that the packet came from, and to every peer with members of the
 * domain (head-end replication), unless it came from a peer: that one has sent it to all others itself.
 *
 * One slot with a reference for each port; nothing is copied. Each peer gets a copy, since it needs a header and an
 * address of its own. Ports and peers whose MTU is too small are left out, as a bridge does.
 *
 * Policy is asked once whether the packet may leave its sender, and for each port whether it may go there; a copy that it
 * refuses is left out, and is counted where all were.
 *
 * What the sender's port is limited in goes to the shaper first, once, not for each copy.
 *
 * Output `tunnel` with `egress` set. Drops: no-other-port, where nobody was left; policy-pending, policy-egress, policy-ingress, where
 * policy refuses all; too-big, where only the MTU was in the way; no-slot, for each peer that there was no slot for.
 */
import type { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { segmentLength } from '../offload.js';
import type { Enforcer } from '../policy/enforcer.js';
import type { Outlet, Shaper } from '../shaping/shaper.js';
import { tunnelLength } from './egress-mtu.js';

/** What is needed of the Enforcer. */
export type FloodPolicy = Pick<Enforcer, 'admitsFlood' | 'admitsCopy' | 'reason'>;

export class Flood implements Element {
  readonly name = 'flood';
  /** Of the packet in hand: how many it became, and how many there were beside its sender. */
  private copies = 0;
  private others = 0;
  private refused = 0;

  /** @param policy what may leave, and where it may go.
   * @param source limits what ports send; without it, that was done. */
  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outlet: Outlet,
    private readonly tunnel: Batch,
    private readonly policy: FloodPolicy,
    private readonly source?: Shaper,
  ) {}

  process(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (!this.source?.takesFlooded(slot)) this.flood(slot);
    }
  }

  private flood(slot: number): void {
    const { pool, counters } = this.context;
    this.copies = 0;
    this.others = 0;
    this.refused = 0;
    if (!this.policy.admitsFlood(slot)) {
      this.context.drop(slot, this.policy.reason);
      return;
    }
    // A reference of our own until the end: an output may drop or segment its copy at once.
    this.toPorts(slot);
    this.toPeers(slot);
    if (this.copies === 0) {
      this.context.drop(slot, this.reason());
      return;
    }
    pool.release(slot);
    counters.replicated(this.copies - 1);
  }

  private reason(): number {
    if (this.refused > 0) return this.policy.reason;
    return DROP[this.others === 0 ? 'no-other-port' : 'too-big'];
  }

  private toPorts(slot: number): void {
    const { pool, tables } = this.context;
    const { memberStart, memberCount, members } = tables.domains;
    const domain = pool.domain[slot];
    const length = segmentLength(pool, slot);
    const start = memberStart[domain];
    const end = start + memberCount[domain];
    for (let i = start; i < end; i++) {
      const port = members[i];
      if (port === pool.port[slot]) continue;
      this.others++;
      if (length > tables.ports.mtu[port]) continue;
      if (!this.policy.admitsCopy(slot, port)) {
        this.refused++;
        continue;
      }
      pool.share(slot, 1);
      this.outlet.output(slot, port);
      this.copies++;
    }
  }

  private toPeers(slot: number): void {
    const { pool, tables } = this.context;
    const { peerStart, peerCount, peers } = tables.domains;
    if (pool.port[slot] === tables.tunnel.port) return;
    const domain = pool.domain[slot];
    const start = peerStart[domain];
    const end = start + peerCount[domain];
    for (let i = start; i < end; i++) {
      this.others++;
      if (tunnelLength(pool, slot) > tables.peers.mtu[peers[i]]) continue;
      this.toPeer(slot, PEER_EGRESS + peers[i]);
      this.copies++;
    }
  }

  private toPeer(slot: number, egress: number): void {
    const { pool, checksum, counters } = this.context;
    const copy = pool.take();
    if (copy < 0) {
      counters.dropped(pool.port[slot], DROP['no-slot']);
      return;
    }
    pool.copyFacts(slot, copy);
    checksum.copy(pool.at[copy], pool.at[slot], pool.length[slot]);
    pool.egress[copy] = egress;
    this.tunnel.push(copy);
  }
}
