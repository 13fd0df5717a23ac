/**
 * Attach and detach: a pod gets its interface in one go or not at all. The network's mode says how: with a port of the
 * switch (attached-ports.ts) or without one (attached-portless.ts). What an attachment takes of its network is in
 * reservations.ts. Detach takes the record away last, so that an interface without a record cannot be left.
 *
 * An attachment is known by the name of its port, which is its pod's key or begins with it. Callers hold the pod's lock.
 */
import type { AttachRequest, Limits, NetworkMode } from './api/types.js';
import { AttachedPortless } from './attached-portless.js';
import { AttachedPorts } from './attached-ports.js';
import { type Attachments, type AttachWish, type RecordKeeper, refuseLimits } from './attachments.js';
import { isPortless } from './layout.js';
import type { Logger } from './logger.js';
import { DEFAULT_NETWORK } from './model/network.js';
import type { Networks } from './networks.js';
import { OWN_NAMESPACE } from './portless.js';
import type { LivePort, Ports } from './ports.js';
import type { AttachmentRecord } from './records.js';
import { type OverlayAddresses, Reservations } from './reservations.js';

export interface AttacherParts {
  readonly networks: Networks;
  readonly ports: Ports;
  /** Where addresses of overlays are taken for the whole cluster. */
  readonly overlays: OverlayAddresses;
  readonly publish: () => Promise<void>;
  readonly log: Logger;
  /** @throws PodwireError while addresses of the network cannot be given out */
  readonly checkHeld: (network: string) => void;
  /** Addresses of this node, on one of its interfaces: the underlay's or podwire0's. */
  readonly nodeIps: () => readonly string[];
  /** MTU of networks that do not say theirs. */
  readonly mtu: number;
  /** Largest packet that a pod's kernel leaves uncut, for an MTU. */
  readonly gsoMaxSize: (mtu: number) => number;
  /** What the data plane's driver needs of a TAP. */
  readonly nonBlocking: boolean;
}

export class Attacher {
  private readonly reservations: Reservations;
  private readonly withPort: AttachedPorts;
  private readonly portless: AttachedPortless;

  constructor(private readonly parts: AttacherParts) {
    this.reservations = new Reservations(parts);
    const { reservations } = this;
    this.withPort = new AttachedPorts({ ...parts, reservations });
    this.portless = new AttachedPortless({ ...parts, reservations });
  }

  /** @throws PodwireError, LinuxError; then nothing has changed */
  async attach(wish: AttachWish, keeper: RecordKeeper): Promise<AttachmentRecord> {
    const network = this.parts.networks.get(wish.network ?? DEFAULT_NETWORK);
    return this.kindOf(network.name).attach(wish, network, keeper);
  }

  /** Takes the addresses of a stored attachment, before others are given out. */
  claim(attachment: AttachmentRecord): void {
    this.reservations.hold(attachment);
  }

  /**
   * Attaches again what a record says. Not published.
   * @returns the record, changed where what follows from the network has.
   * @throws PodwireError, LinuxError
   */
  async restore(record: AttachmentRecord): Promise<AttachmentRecord> {
    const network = this.parts.networks.get(record.network);
    return this.kindOf(network.name).restore(record, network);
  }

  /** @returns the addresses that are free again. */
  async detach(
    attachment: AttachmentRecord,
    keeper: Pick<RecordKeeper, 'forget'>,
  ): Promise<readonly string[]> {
    await this.kindOf(attachment.network).remove(attachment);
    await keeper.forget();
    return this.reservations.giveBack(attachment);
  }

  /** Takes the port away; `keep`: a persistent interface stays. */
  disconnect(port: LivePort, keep: boolean): Promise<void> {
    return this.withPort.disconnect(port, keep);
  }

  /** Settings of an interface once more, after another one of its pod has gone. */
  refresh(key: string, attachment: AttachmentRecord): Promise<void> {
    return this.withPort.refresh(key, attachment);
  }

  /**
   * Gives an interface other limits while it runs: in force and recorded when it resolves.
   * @throws PodwireError; then nothing has changed
   */
  async limit(
    record: AttachmentRecord,
    limits: Limits | undefined,
    save: (changed: AttachmentRecord) => Promise<void>,
  ): Promise<AttachmentRecord> {
    if (this.isPortless(record.network)) refuseLimits(this.parts.networks.get(record.network), limits);
    return this.withPort.limit(record, limits, save);
  }

  /** The namespace of whoever attaches to such a network, or a virtual machine, without saying one. */
  usualNetns({ network, tap }: Pick<AttachRequest, 'network' | 'tap'>): string | undefined {
    return this.modeOf(network) === 'host' || tap !== undefined ? OWN_NAMESPACE : undefined;
  }

  /** Whether pods in the network have no interface of the switch. */
  isPortless(network: string | undefined): boolean {
    const mode = this.modeOf(network);
    return mode !== undefined && isPortless({ mode });
  }

  modeOf(network = DEFAULT_NETWORK): NetworkMode | undefined {
    return this.parts.networks.find(network)?.spec.mode;
  }

  isUp({ port }: Pick<AttachmentRecord, 'port'>): boolean {
    return this.withPort.isUp(port) || this.portless.isUp(port);
  }

  /** Where an attachment's default routes lead, IPv4 first. */
  gatewaysOf(attachment: AttachmentRecord): readonly string[] {
    return this.withPort.gatewaysOf(attachment);
  }

  /** Its addresses with their prefix lengths, IPv4 first. */
  prefixedIps(attachment: AttachmentRecord): readonly string[] {
    return this.withPort.prefixedIps(attachment);
  }

  private kindOf(network: string): Attachments {
    return this.isPortless(network) ? this.portless : this.withPort;
  }
}
