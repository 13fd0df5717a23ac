/**
 * What an attachment takes of its network before there is anything to see of it: a place, IP addresses, a MAC address,
 * and in an overlay the same in the cluster. It is given back when the attachment has gone, whatever became of its port
 * meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type AttachWish, isLimited } from './attachments.js';
import { asPodwireError, PodwireError } from './errors.js';
import type { Allocation } from './ipam.js';
import { isPortless } from './layout.js';
import type { LiveNetwork } from './live-network.js';
import type { Networks } from './networks.js';
import type { AttachmentRecord } from './records.js';
import type { Undo } from './undo.js';
import { avoidHostAddresses } from './uplinks.js';

/** An overlay's addresses belong to pods of every node. */
export interface OverlayAddresses {
  /** @throws PodwireError ADDRESS_IN_USE, STORE_UNREACHABLE */
  claim(pod: string, attachment: AttachmentRecord): Promise<void>;
  /** Of a pod that was attached in an earlier run. */
  hold(pod: string, attachment: AttachmentRecord): void;
  release(pod: string): Promise<void>;
  /** What pods of other nodes have, as far as this one knows. */
  othersIn(network: string): readonly { readonly mac: string; readonly pod: string; readonly node: string }[];
}

export interface ReservationsParts {
  readonly networks: Pick<Networks, 'get' | 'find'>;
  /** Where addresses of overlays are taken for the whole cluster. */
  readonly overlays: OverlayAddresses;
  /** @throws PodwireError while addresses of the network cannot be given out */
  readonly checkHeld: (network: string) => void;
  /** MTU of networks that do not say theirs. */
  readonly mtu: number;
}

/** Pods that a direct network connects. */
const DIRECT_PODS = 2;

/** How often an address of an overlay is chosen anew when another node took it at the same moment, and when (ms). */
const MOST_ATTEMPTS = 20;
const ATTEMPT_PAUSE = 25;

export class Reservations {
  constructor(private readonly parts: ReservationsParts) {}

  /** For an attachment with a port: all that its record says. @throws PodwireError; then nothing is taken */
  async take(wish: AttachWish, network: LiveNetwork, netnsId: string, undo: Undo): Promise<AttachmentRecord> {
    refuseFrozenOrFull(network);
    this.parts.checkHeld(network.name);
    if (network.uplink) avoidHostAddresses(network.pool, network.spec.cidrs);
    undo.add(() => giveBackHere(network, wish.port));
    for (let attempt = 1; ; attempt++) {
      const attachment = this.takeHere(wish, network, netnsId);
      if (network.spec.mode !== 'overlay') return attachment;
      try {
        await this.parts.overlays.claim(wish.port, attachment);
        undo.add(() => this.parts.overlays.release(wish.port));
        return attachment;
      } catch (error) {
        giveBackHere(network, wish.port);
        const isLost = asPodwireError(error).code === 'ADDRESS_IN_USE' && wish.ips === undefined;
        if (!isLost || attempt === MOST_ATTEMPTS) throw error;
        // Another node was faster, and its claim is on its way to us.
        await pause(ATTEMPT_PAUSE);
      }
    }
  }

  /** For an attachment without a port: its place in the network. @throws PodwireError */
  takePlace({ port, ips }: AttachWish, network: LiveNetwork, undo: Undo): Allocation {
    refuseFrozenOrFull(network);
    undo.add(() => giveBackHere(network, port));
    return network.pool.allocate(port, ips);
  }

  /** What a stored attachment has, before others are given anything. @throws PodwireError ADDRESS_IN_USE */
  hold(attachment: AttachmentRecord): void {
    const { port, domain, mac } = attachment;
    const network = this.parts.networks.get(attachment.network);
    const isWithout = isPortless(network.spec);
    network.pool.claim(port, { domain, ips: isWithout ? [] : attachment.ips });
    if (!isWithout) network.macs.claim(port, mac);
    if (network.spec.mode === 'overlay') this.parts.overlays.hold(port, attachment);
  }

  /** @returns the addresses that are free again. */
  async giveBack({ port, network: name }: AttachmentRecord): Promise<readonly string[]> {
    const network = this.parts.networks.find(name);
    if (network?.spec.mode === 'overlay') await this.parts.overlays.release(port);
    return network ? giveBackHere(network, port) : [];
  }

  /** Of an interface in the network. @throws PodwireError while the uplink is away that decides it */
  mtuOf({ spec, uplink }: LiveNetwork): number {
    return uplink ? uplink.mtuFor(spec) : (spec.mtu ?? this.parts.mtu);
  }

  private takeHere(wish: AttachWish, network: LiveNetwork, netnsId: string): AttachmentRecord {
    const { port, netns, ifname, aliases, limits, published = [], tap, tapOwner, container } = wish;
    const { name, pool, macs, layout } = network;
    const mtu = this.mtuOf(network);
    const { domain, ips } = pool.allocate(port, wish.ips);
    const mac = macs.take(port, { mac: wish.mac, ips }, layout, this.macsElsewhere(network));
    return {
      ...{ port, netns, netnsId, ifname, network: name, domain, ips, mac, mtu },
      ...(aliases && { aliases }),
      ...(isLimited(limits) && { limits }),
      ...(published.length > 0 && { published }),
      ...(tap !== undefined && { tap }),
      ...(tapOwner !== undefined && { tapOwner }),
      ...(container && { container }),
    };
  }

  /** Nobody else in the cluster takes MAC addresses, so two nodes may find the same one free at the same moment. */
  private macsElsewhere({ name, spec }: LiveNetwork): ReadonlyMap<string, string> {
    if (spec.mode !== 'overlay') return new Map();
    const others = this.parts.overlays.othersIn(name);
    return new Map(others.map(({ mac, pod, node }) => [mac, `pod ${pod} of node ${node}`]));
  }
}

function giveBackHere({ pool, macs }: LiveNetwork, port: string): readonly string[] {
  macs.release(port);
  return pool.release(port);
}

function refuseFrozenOrFull({ name, frozen, spec, pool }: LiveNetwork): void {
  if (frozen) throw new PodwireError('CONFLICT', `network ${name} is being changed; try again`);
  if (spec.mode === 'direct' && pool.size >= DIRECT_PODS) {
    throw new PodwireError('NETWORK_FULL', `network ${name} is direct and connects two pods already`);
  }
}
