/**
 * Attachments with a port of the switch.
 *
 * Attach, in order: addresses, the TAP in the pod's namespace, its settings, a port, the pod's policies in force, a snapshot with the
 * port in force, the record in the store, and last the TAP made persistent. A daemon killed on the way leaves either nothing (a
 * TAP that is not persistent goes with the process) or a record, from which `restore` makes the TAP again.
 *
 * A virtual machine's interface is a TAP as well, of which podwire has the other end: plugs.ts, host/guest-tap.ts.
 */
import { Errno, SystemError } from '../linux/errno.js';
import { namespaceIdentity } from '../linux/netns.js';
import type { Limits } from './api/types.js';
import {
  type Attachments,
  type AttachWish,
  inNamespace,
  isLimited,
  type RecordKeeper,
} from './attachments.js';
import { type Family, familyOf } from './cidr.js';
import { asPodwireError, PodwireError } from './errors.js';
import { configureInterface, type InterfaceSettings } from './host/interface.js';
import { isGone } from './host/namespaces.js';
import { outliving, setPersistent } from './host/tap.js';
import { withLength } from './layout.js';
import type { LiveNetwork } from './live-network.js';
import type { Logger } from './logger.js';
import type { Networks } from './networks.js';
import { isGuest, type Plug, type PlugWay, plugGuest, plugPod, unplugGuest, unplugLostPod } from './plugs.js';
import type { LivePort, Ports } from './ports.js';
import { type AttachmentRecord, podKeyOfPort } from './records.js';
import type { Reservations } from './reservations.js';
import type { Undo } from './undo.js';

export interface AttachedPortsParts {
  readonly networks: Pick<Networks, 'get' | 'find'>;
  readonly ports: Ports;
  readonly reservations: Pick<Reservations, 'take' | 'mtuOf'>;
  readonly publish: () => Promise<void>;
  readonly log: Logger;
  /** Largest packet that a pod's kernel leaves uncut, for an MTU. */
  readonly gsoMaxSize: (mtu: number) => number;
  /** What the data plane's driver needs of a TAP. */
  readonly nonBlocking: boolean;
}

export class AttachedPorts implements Attachments {
  constructor(private readonly parts: AttachedPortsParts) {}

  attach(wish: AttachWish, network: LiveNetwork, keeper: RecordKeeper): Promise<AttachmentRecord> {
    const { reservations, log, publish } = this.parts;
    return inNamespace(wish, log, async (namespace, undo) => {
      const attachment = await reservations.take(wish, network, identityOf(namespace, wish), undo);
      const plug = await this.connect(attachment, namespace, 'create', undo);
      await keeper.enforce(attachment);
      await publish();
      await keeper.save(attachment);
      undo.add(() => keeper.forget());
      await plug.keep();
      return attachment;
    });
  }

  /** With the interface that is still there or a new one, and the MTU that the network has now. */
  restore(record: AttachmentRecord, network: LiveNetwork): Promise<AttachmentRecord> {
    const isAway = network.uplink !== undefined && network.uplink.planned === undefined;
    const mtu = isAway ? record.mtu : this.parts.reservations.mtuOf(network);
    const attachment = { ...record, mtu };
    return inNamespace(record, this.parts.log, async (namespace, undo) => {
      const plug = await this.connect(attachment, namespace, 'restore', undo);
      await plug.keep();
      return attachment;
    });
  }

  async remove(attachment: AttachmentRecord): Promise<void> {
    const live = this.parts.ports.get(attachment.port);
    if (live) await this.disconnect(live, false);
    else this.unplugLost(attachment);
    await unplugGuest(attachment);
  }

  isUp(port: string): boolean {
    return this.parts.ports.get(port) !== undefined;
  }

  /** Takes the port away; `keep`: a persistent interface stays, as that of a virtual machine does anyway. */
  async disconnect(port: LivePort, keep: boolean): Promise<void> {
    this.parts.ports.delist(port);
    await this.parts.publish();
    if (!keep && !port.isRaw) dropInterface(port.fd);
    await outliving(port.fd, () => this.parts.ports.remove(port));
  }

  /**
   * Settings of an interface once more, after another one of its pod has gone: with it, perhaps, the default route.
   * What fails is told, and changes nothing.
   */
  async refresh(key: string, attachment: AttachmentRecord): Promise<void> {
    const { log } = this.parts;
    if (!this.isUp(attachment.port) || attachment.tap !== undefined) return;
    try {
      await inNamespace(attachment, log, (namespace) =>
        configureInterface(namespace, this.settingsOf(attachment)),
      );
    } catch (error) {
      // A runtime that takes pods away may do so with their namespaces at the same time
      if (isGone(attachment.netns, attachment.netnsId)) return;
      const { message } = asPodwireError(error);
      log.warn({ pod: key, ifname: attachment.ifname, error: message }, 'interface not set up anew');
    }
  }

  /**
   * Gives an interface other limits while it runs: in force and recorded when it resolves.
   * @throws PodwireError; then nothing has changed
   */
  async limit(
    { limits: before, ...record }: AttachmentRecord,
    limits: Limits | undefined,
    save: (changed: AttachmentRecord) => Promise<void>,
  ): Promise<AttachmentRecord> {
    const changed = { ...record, ...(isLimited(limits) && { limits }) };
    try {
      await this.plan(record.port, changed.limits);
      await save(changed);
      return changed;
    } catch (error) {
      await this.plan(record.port, before).catch((failure) => {
        this.parts.log.error({ port: record.port, error: String(failure) }, 'undo failed');
      });
      throw error;
    }
  }

  /** Where an attachment's default routes lead, IPv4 first. */
  gatewaysOf({ network, domain, ips }: AttachmentRecord): readonly string[] {
    const routers = this.parts.networks.find(network)?.layout[domain]?.routers ?? [];
    return routers.filter((router) => ips.some((ip) => familyOf(ip) === familyOf(router)));
  }

  /** Its addresses with their prefix lengths, IPv4 first. */
  prefixedIps({ network, domain, ips }: AttachmentRecord): readonly string[] {
    const layout = this.parts.networks.find(network)?.layout[domain];
    return layout ? ips.map((address) => withLength(layout, address)) : ips;
  }

  /** Of a pod that is Lost: what an earlier daemon made would be in the way of the next attach. */
  private unplugLost(attachment: AttachmentRecord): void {
    const { port, ifname } = attachment;
    const reason = unplugLostPod(attachment);
    if (reason === undefined) return;
    this.parts.log.warn({ pod: podKeyOfPort(port), ifname, reason }, 'interface left');
  }

  private async connect(
    attachment: AttachmentRecord,
    namespace: number,
    way: PlugWay,
    undo: Undo,
  ): Promise<Plug> {
    const { ports } = this.parts;
    const plug = isGuest(attachment)
      ? await plugGuest(this.parts, attachment, namespace, way, undo)
      : await this.connectPod(attachment, namespace, way, undo);
    const { port } = plug;
    ports.enlist(port);
    undo.add(() => {
      ports.delist(port);
      return this.parts.publish();
    });
    return plug;
  }

  private async connectPod(
    attachment: AttachmentRecord,
    namespace: number,
    way: PlugWay,
    undo: Undo,
  ): Promise<Plug> {
    const plug = await plugPod(this.parts, attachment, namespace, way, undo);
    const { foreignDefaults } = await configureInterface(namespace, this.settingsOf(attachment));
    this.tellForeignDefaults(attachment, foreignDefaults);
    return plug;
  }

  private settingsOf(attachment: AttachmentRecord): InterfaceSettings {
    const { ifname, mac, mtu } = attachment;
    const [addresses, gateways] = [this.prefixedIps(attachment), this.gatewaysOf(attachment)];
    return { ifname, mac, mtu, gsoMaxSize: this.parts.gsoMaxSize(mtu), addresses, gateways };
  }

  /** A pod's first interface has the default route: that its others have none needs no telling. */
  private tellForeignDefaults({ port, ifname }: AttachmentRecord, families: readonly Family[]): void {
    if (families.length === 0 || port !== podKeyOfPort(port)) return;
    const fields = { pod: port, ifname, families: families.map((family) => `IPv${family}`) };
    this.parts.log.warn(fields, 'the namespace has a default route through another interface, which stays');
  }

  private async plan(port: string, limits: Limits | undefined): Promise<void> {
    const live = this.parts.ports.get(port);
    if (!live) return;
    this.parts.ports.replan(live, { limits });
    await this.parts.publish();
  }
}

/** The interface goes with its descriptor, if it has not gone already: then the kernel says EBADFD. */
function dropInterface(fd: number): void {
  try {
    setPersistent(fd, false);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EBADFD) throw error;
  }
}

/** @throws PodwireError NETNS_INVALID for the daemon's own namespace, where podwire0 is, and TAPs of virtual machines */
function identityOf(namespace: number, { netns: path, tap }: AttachWish): string {
  const identity = namespaceIdentity(namespace);
  if (identity !== namespaceIdentity() || tap !== undefined) return identity;
  throw new PodwireError('NETNS_INVALID', `${path} is the node's own network namespace, not a pod's`);
}
