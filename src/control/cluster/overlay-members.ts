/**
 * Who has which address of the overlay networks, cluster-wide:
 *
 *     cluster/members/NETWORK/ADDRESS   OverlayMember
 *
 * An address is taken by compare-and-swap, so that two nodes never give it to two pods; and what is written there is
 * what the other nodes' forwarding and neighbour tables are made of. Nothing is learned from packets.
 *
 * What a record says of another node is believed only as far as that node goes: its members are reached through it,
 * and its own packets must carry their addresses.
 */
import { formatMac, parseMac } from '../../wire/address.js';
import { canonicalIp } from '../cidr.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { checker, closed } from '../model/schema.js';
import { Mirror, type MirrorChange, type MirrorOptions } from '../store/mirror.js';
import { ABSENT, type Json, type Store } from '../store/store.js';

export const OVERLAY_MEMBERS = 'cluster/members/';

export interface OverlayMember {
  readonly network: string;
  readonly address: string;
  readonly mac: string;
  /** `default/web` */
  readonly pod: string;
  readonly node: string;
  /** Of the node's daemon: a machine installed anew under the old name is another. */
  readonly uid: string;
}

/** What a pod is attached with. */
export interface OverlayClaim {
  readonly network: string;
  readonly ips: readonly string[];
  readonly mac: string;
}

const TEXT = { type: 'string', minLength: 1, maxLength: 512 };

const check = checker<OverlayMember>(
  closed({ network: TEXT, address: TEXT, mac: TEXT, pod: TEXT, node: TEXT, uid: TEXT }, [
    'network',
    'address',
    'mac',
    'pod',
    'node',
    'uid',
  ]),
  'the record',
);

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

  /**
   * Takes the addresses for a pod of this node, all or none. What it has already stays its own.
   * @throws PodwireError ADDRESS_IN_USE naming the holder, STORE_UNREACHABLE
   */
  async claim(pod: string, { network, ips, mac }: OverlayClaim): Promise<void> {
    const { self } = this.parts;
    const taken: string[] = [];
    try {
      for (const address of ips) {
        await this.take({ network, address, mac, pod, node: self.name, uid: self.uid });
        taken.push(address);
      }
    } catch (error) {
      for (const address of taken) await this.drop(network, address).catch(() => {});
      throw error;
    }
  }

  /** Gives the addresses of a pod of this node back. */
  async release({ network, ips }: Pick<OverlayClaim, 'network' | 'ips'>): Promise<void> {
    for (const address of ips) await this.drop(network, address);
  }

  /**
   * Removes records of this node that no pod of it has: of attachments that ended while the store was away.
   * @param isAttached whether the pod is attached to the network with this address
   */
  async tidy(isAttached: (member: OverlayMember) => boolean): Promise<void> {
    for (const { key, value, revision } of [...this.mirror.all.values()]) {
      const member = readMember(key, value);
      if (!member || !this.isOwn(member) || isAttached(member)) continue;
      await this.parts.store.delete(key, revision).catch(ignoreConflict);
    }
  }

  /** Writes again what the store has lost of this node's pods. @throws PodwireError ADDRESS_IN_USE, STORE_UNREACHABLE */
  async reassert(pod: string, claim: OverlayClaim): Promise<void> {
    if (!this.mirror.synced) return;
    const isThere = (address: string): boolean =>
      this.mirror.get(keyOf(claim.network, address)) !== undefined;
    if (!claim.ips.every(isThere)) await this.claim(pod, claim);
  }

  /** Removes the records of a node that is no longer part of the cluster. */
  async forgetNode(name: string): Promise<void> {
    for (const [key, member] of [...this.foreign]) {
      if (member.node === name) await this.parts.store.delete(key).catch(ignoreConflict);
    }
  }

  private async take(member: OverlayMember): Promise<void> {
    const key = keyOf(member.network, member.address);
    for (;;) {
      const found = await this.parts.store.get(key);
      const holder = found && readMember(key, found.value);
      if (holder && !(this.isOwn(holder) && holder.pod === member.pod)) {
        // Known from now on, and not only when the watch brings it: the next attempt takes another address.
        if (!this.isOwn(holder)) this.foreign.set(key, holder);
        throw inUse(holder);
      }
      try {
        await this.parts.store.put(key, { ...member }, found?.revision ?? ABSENT);
        return;
      } catch (error) {
        ignoreConflict(error);
      }
    }
  }

  private async drop(network: string, address: string): Promise<void> {
    const key = keyOf(network, address);
    const found = await this.parts.store.get(key);
    const holder = found && readMember(key, found.value);
    if (!found || (holder && !this.isOwn(holder))) return;
    await this.parts.store.delete(key, found.revision).catch(ignoreConflict);
  }

  private isOwn({ node, uid }: OverlayMember): boolean {
    return node === this.parts.self.name && uid === this.parts.self.uid;
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

function keyOf(network: string, address: string): string {
  return `${OVERLAY_MEMBERS}${network}/${address}`;
}

/** undefined for a record that cannot be read, or that lies under another's key. */
function readMember(key: string, value: Json): OverlayMember | undefined {
  try {
    const member = check(value);
    const { hi, lo } = parseMac(member.mac);
    const isCanonical = formatMac(hi, lo) === member.mac && canonicalIp(member.address) === member.address;
    return isCanonical && keyOf(member.network, member.address) === key ? member : undefined;
  } catch {
    return undefined;
  }
}

function inUse({ address, pod, node }: OverlayMember): PodwireError {
  return new PodwireError('ADDRESS_IN_USE', `${address} belongs to pod ${pod} of node ${node}`);
}

function ignoreConflict(error: unknown): void {
  if (asPodwireError(error).code !== 'CONFLICT') throw error;
}
