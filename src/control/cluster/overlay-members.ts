/**
 * Who has which address of the overlay networks, cluster-wide: records of overlay-member.ts.
 *
 * An address is taken by compare-and-swap, so that two nodes never give it to two pods; and what is written there is
 * what the other nodes' forwarding and neighbour tables are made of. Nothing is learned from packets.
 *
 * What this node's pods hold is known here from before it is written until after the attachment has ended, and only
 * what is not held is ever tidied away: a pod that is being attached has no attachment record yet. The address pool
 * decides between pods of this node, so a record of this node that nobody holds is in nobody's way.
 *
 * What a record says of another node is believed only as far as that node goes: its members are reached through it,
 * and its own packets must carry their addresses.
 */
import { asPodwireError, PodwireError } from '../errors.js';
import { Mirror, type MirrorChange, type MirrorOptions } from '../store/mirror.js';
import { ABSENT, type Store } from '../store/store.js';
import {
  memberKey,
  OVERLAY_MEMBERS,
  type OverlayClaim,
  type OverlayMember,
  readMember,
} from './overlay-member.js';

export interface OverlayMembersParts {
  /** The cluster store. */
  readonly store: Store;
  readonly self: { readonly name: string; readonly uid: string };
  /** Members of other nodes have come or gone in this network. */
  readonly onChange: (network: string) => void;
  readonly mirror?: Pick<MirrorOptions, 'clock' | 'backoff' | 'onError'>;
}

export class OverlayMembers {
  private readonly mirror: Mirror;
  /** By key; those of other nodes only. */
  private readonly foreign = new Map<string, OverlayMember>();
  /** By pod of this node: what it is attached with, or is about to be. */
  private readonly held = new Map<string, OverlayClaim>();
  /** Pods whose claim is under way. */
  private readonly claiming = new Set<string>();
  /** By pod of this node: who has one of its addresses by the store's word. */
  private readonly lost = new Map<string, string>();

  constructor(private readonly parts: OverlayMembersParts) {
    this.mirror = new Mirror(parts.store, {
      prefix: OVERLAY_MEMBERS,
      ...parts.mirror,
      onChange: (change) => this.changed(change),
    });
  }

  /** Resolves when what the store holds is known. */
  start(): Promise<void> {
    return this.mirror.start();
  }

  close(): void {
    this.mirror.close();
  }

  /** Names of the other nodes that have members. */
  nodes(): string[] {
    return [...new Set([...this.foreign.values()].map(({ node }) => node))];
  }

  /** Members of a network on other nodes. */
  others(network: string): OverlayMember[] {
    return [...this.foreign.values()].filter((member) => member.network === network);
  }

  /** Who has an address of this node's pod, which it therefore must not use any more; undefined: it has all of its own. */
  lostTo(pod: string): string | undefined {
    return this.lost.get(pod);
  }

  /** A pod of this node has these addresses since an earlier run. */
  hold(pod: string, claim: OverlayClaim): void {
    this.held.set(pod, claim);
    this.lost.delete(pod);
  }

  /**
   * Takes the addresses for a pod of this node, all or none.
   * @throws PodwireError ADDRESS_IN_USE naming the holder, STORE_UNREACHABLE
   */
  async claim(pod: string, claim: OverlayClaim): Promise<void> {
    this.hold(pod, claim);
    this.claiming.add(pod);
    try {
      for (const address of claim.ips) await this.take(pod, claim, address);
    } catch (error) {
      await this.release(pod).catch(() => {});
      throw error;
    } finally {
      this.claiming.delete(pod);
    }
  }

  /** Gives the addresses of a pod of this node back. @throws PodwireError STORE_UNREACHABLE: `tidy` does it later */
  async release(pod: string): Promise<void> {
    const claim = this.held.get(pod);
    if (!claim) return;
    this.held.delete(pod);
    this.lost.delete(pod);
    for (const address of claim.ips) await this.drop(claim.network, address);
  }

  /**
   * Writes again what the store has lost of this node's pods. What another has by now is not fought for: `lostTo`.
   * @throws PodwireError STORE_UNREACHABLE
   */
  async reassert(): Promise<void> {
    if (!this.mirror.synced) return;
    for (const [pod, claim] of [...this.held]) {
      try {
        await this.write(pod, claim);
        if (this.isSettled(pod, claim)) this.lost.delete(pod);
      } catch (error) {
        const { code, message } = asPodwireError(error);
        if (code !== 'ADDRESS_IN_USE') throw error;
        if (this.isSettled(pod, claim)) this.lost.set(pod, message);
      }
    }
  }

  /** Removes records of this node that no pod of it has: of attachments that ended while the store was away. */
  async tidy(): Promise<void> {
    for (const { key, value, revision } of [...this.mirror.all.values()]) {
      const member = readMember(key, value);
      if (!member || !this.isOwn(member) || this.isHeld(member)) continue;
      await this.parts.store.delete(key, revision).catch(ignoreConflict);
    }
  }

  /** Removes the records of a node that is no longer part of the cluster. */
  async forgetNode(name: string): Promise<void> {
    for (const [key, member] of [...this.foreign]) {
      if (member.node === name) await this.parts.store.delete(key).catch(ignoreConflict);
    }
  }

  private async write(pod: string, claim: OverlayClaim): Promise<void> {
    for (const address of claim.ips) {
      if (!this.isSettled(pod, claim) || this.isWritten(pod, claim, address)) continue;
      await this.take(pod, claim, address);
    }
  }

  /** Whether the pod is attached with this now. */
  private isSettled(pod: string, claim: OverlayClaim): boolean {
    return this.held.get(pod) === claim && !this.claiming.has(pod);
  }

  private isWritten(pod: string, { network }: OverlayClaim, address: string): boolean {
    const key = memberKey(network, address);
    const found = this.mirror.get(key);
    const member = found && readMember(key, found.value);
    return member !== undefined && this.isOwn(member) && member.pod === pod;
  }

  private async take(pod: string, { network, mac, aliases }: OverlayClaim, address: string): Promise<void> {
    const { name: node, uid } = this.parts.self;
    const key = memberKey(network, address);
    for (;;) {
      const found = await this.parts.store.get(key);
      const holder = found && readMember(key, found.value);
      if (holder && !(this.isOwn(holder) && (holder.pod === pod || !this.isHeld(holder)))) {
        // Known from now on, and not only when the watch brings it: the next attempt takes another address.
        if (!this.isOwn(holder)) this.foreign.set(key, holder);
        throw inUse(holder);
      }
      try {
        const member = { network, address, mac, pod, node, uid, ...(aliases && { aliases: [...aliases] }) };
        await this.parts.store.put(key, member, found?.revision ?? ABSENT);
        return;
      } catch (error) {
        ignoreConflict(error);
      }
    }
  }

  /** Not what another pod of this node holds by now. */
  private async drop(network: string, address: string): Promise<void> {
    const key = memberKey(network, address);
    const found = await this.parts.store.get(key);
    const holder = found && readMember(key, found.value);
    if (!found || (holder && (!this.isOwn(holder) || this.isHeld(holder)))) return;
    await this.parts.store.delete(key, found.revision).catch(ignoreConflict);
  }

  private isOwn({ node, uid }: OverlayMember): boolean {
    return node === this.parts.self.name && uid === this.parts.self.uid;
  }

  /** Whether the pod that an own record names has, or is about to have, that address. */
  private isHeld({ pod, network, address }: OverlayMember): boolean {
    const claim = this.held.get(pod);
    return claim?.network === network && claim.ips.includes(address);
  }

  /** After a loss of data nobody has released anything: members stay until their node writes them again or goes. */
  private changed({ key, value, reset }: MirrorChange): void {
    const before = this.foreign.get(key);
    if (value === undefined && reset) return;
    const member = value === undefined ? undefined : readMember(key, value);
    const foreign = member && !this.isOwn(member) ? member : undefined;
    if (foreign) this.foreign.set(key, foreign);
    else this.foreign.delete(key);
    const network = foreign?.network ?? before?.network;
    if (network !== undefined) this.parts.onChange(network);
  }
}

function inUse({ address, pod, node }: OverlayMember): PodwireError {
  return new PodwireError('ADDRESS_IN_USE', `${address} belongs to pod ${pod} of node ${node}`);
}

function ignoreConflict(error: unknown): void {
  if (asPodwireError(error).code !== 'CONFLICT') throw error;
}
