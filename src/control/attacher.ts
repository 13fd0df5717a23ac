/**
 * Attach and detach: a pod gets its interface in one go or not at all.
 *
 * Attach, in order: addresses, the TAP in the pod's namespace, its settings, a port, a snapshot with it in force,
 * the record in the store, and last the TAP made persistent. A daemon killed on the way leaves either nothing (a
 * TAP that is not persistent goes with the process) or a record, from which `restore` makes the TAP again.
 * Detach goes the other way, the record last, so that an interface without a record cannot be left.
 *
 * A virtual machine's interface is a TAP as well, of which podwire has the other end: plugs.ts, host/guest-tap.ts.
 *
 * An attachment is known by the name of its port, which is its pod's key or begins with it. Callers hold the pod's lock.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Errno, SystemError } from '../linux/errno.js';
import { closeFile } from '../linux/libc.js';
import { namespaceIdentity, openNamespace } from '../linux/netns.js';
import type { AttachRequest, Limits, NetworkMode } from './api/types.js';
import { type Family, familyOf } from './cidr.js';
import { asPodwireError, PodwireError, unsupported } from './errors.js';
import { configureInterface, type InterfaceSettings } from './host/interface.js';
import { isGone } from './host/namespaces.js';
import { outliving, setPersistent } from './host/tap.js';
import { isPortless, withLength } from './layout.js';
import type { LiveNetwork } from './live-network.js';
import type { Logger } from './logger.js';
import { macOf } from './mac.js';
import { DEFAULT_NETWORK } from './model/network.js';
import type { Networks } from './networks.js';
import { isGuest, type Plug, type PlugWay, plugGuest, plugPod, unplugGuest, unplugLostPod } from './plugs.js';
import { enterHost, enterNone, OWN_NAMESPACE, type PortlessFacts, refuseRuntime } from './portless.js';
import type { LivePort, Ports } from './ports.js';
import { type AttachmentRecord, type ContainerReference, podKeyOfPort } from './records.js';
import { Undo } from './undo.js';
import { avoidHostAddresses } from './uplinks.js';

/** An overlay's addresses belong to pods of every node. */
export interface OverlayAddresses {
  /** @throws PodwireError ADDRESS_IN_USE, STORE_UNREACHABLE */
  claim(pod: string, attachment: AttachmentRecord): Promise<void>;
  /** Of a pod that was attached in an earlier run. */
  hold(pod: string, attachment: AttachmentRecord): void;
  release(pod: string): Promise<void>;
}

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

/** What is asked for, complete; `port` is the name that its port is to have. */
export interface AttachWish extends AttachRequest {
  readonly netns: string;
  readonly ifname: string;
  readonly port: string;
  readonly limits?: Limits;
  readonly container?: ContainerReference;
}

/** Where an attachment is written down. */
export interface RecordKeeper {
  save(attachment: AttachmentRecord): Promise<void>;
  forget(): Promise<void>;
}

/** Pods that a direct network connects. */
const DIRECT_PODS = 2;

/** How often an address of an overlay is chosen anew when another node took it at the same moment, and when (ms). */
const MOST_ATTEMPTS = 20;
const ATTEMPT_PAUSE = 25;

export class Attacher {
  /** Attachments in force that have no port, by the name that it would have. */
  private readonly portless = new Set<string>();

  constructor(private readonly parts: AttacherParts) {}

  /** @throws PodwireError, LinuxError; then nothing has changed */
  async attach(wish: AttachWish, keeper: RecordKeeper): Promise<AttachmentRecord> {
    const network = this.parts.networks.get(wish.network ?? DEFAULT_NETWORK);
    if (isPortless(network.spec)) return this.attachPortless(wish, network, keeper);
    return this.inNamespace(wish, async (namespace, undo) => {
      const attachment = await this.reserve(wish, identityOf(namespace, wish), undo);
      const plug = await this.connect(attachment, namespace, 'create', undo);
      await this.parts.publish();
      await keeper.save(attachment);
      undo.add(() => keeper.forget());
      await plug.keep();
      return attachment;
    });
  }

  private attachPortless(
    wish: AttachWish,
    network: LiveNetwork,
    keeper: RecordKeeper,
  ): Promise<AttachmentRecord> {
    const { port, netns, ifname, aliases, container } = wish;
    refuseRuntime(network, container);
    if (isLimited(wish.limits)) throw cannotBeLimited(network);
    return this.inNamespace(wish, async (namespace, undo) => {
      refuseFrozenOrFull(network);
      undo.add(() => network.pool.release(port));
      const { domain } = network.pool.allocate(port, wish.ips);
      const attachment = {
        ...{ port, netns, netnsId: namespaceIdentity(namespace), network: network.name, domain },
        ...(await this.enter(network, namespace, netns)),
        // A runtime asks again by the name that it gave.
        ...(container && { ifname, container }),
        ...(aliases && { aliases }),
      };
      await keeper.save(attachment);
      this.portless.add(port);
      return attachment;
    });
  }

  private enter({ spec }: LiveNetwork, namespace: number, netns: string): Promise<PortlessFacts> {
    if (spec.mode === 'none') return enterNone(namespace, netns);
    return enterHost(namespace, netns, this.parts.nodeIps());
  }

  /** Takes the addresses of a stored attachment, before others are given out. */
  claim(attachment: AttachmentRecord): void {
    const { port, network, domain } = attachment;
    const ips = this.isPortless(network) ? [] : attachment.ips;
    this.parts.networks.get(network).pool.claim(port, { domain, ips });
    if (this.isOverlay(network)) this.parts.overlays.hold(port, attachment);
  }

  /**
   * Attaches again what a record says, with the interface that is still there or a new one. Not published.
   * @returns the record, changed where the network's MTU has.
   * @throws PodwireError, LinuxError
   */
  async restore(record: AttachmentRecord): Promise<AttachmentRecord> {
    const network = this.parts.networks.get(record.network);
    if (isPortless(network.spec)) return this.restorePortless(record, network);
    const mtu = network.uplink && !network.uplink.planned ? record.mtu : this.mtuOf(network);
    const attachment = { ...record, mtu };
    return this.inNamespace(record, async (namespace, undo) => {
      const plug = await this.connect(attachment, namespace, 'restore', undo);
      await plug.keep();
      return attachment;
    });
  }

  private restorePortless(record: AttachmentRecord, network: LiveNetwork): Promise<AttachmentRecord> {
    return this.inNamespace(record, async (namespace) => {
      const facts = await this.enter(network, namespace, record.netns);
      this.portless.add(record.port);
      return { ...record, ...facts, ...(record.container && { ifname: record.ifname }) };
    });
  }

  /** @returns the addresses that are free again. */
  async detach(
    attachment: AttachmentRecord,
    keeper: Pick<RecordKeeper, 'forget'>,
  ): Promise<readonly string[]> {
    const { port, network } = attachment;
    const live = this.parts.ports.get(port);
    if (live) await this.disconnect(live, false);
    else this.unplugLost(attachment);
    await unplugGuest(attachment);
    await keeper.forget();
    this.portless.delete(port);
    if (this.isOverlay(network)) await this.parts.overlays.release(port);
    return this.parts.networks.find(network)?.pool.release(port) ?? [];
  }

  /** Of a pod that is Lost: what an earlier daemon made would be in the way of the next attach. */
  private unplugLost(attachment: AttachmentRecord): void {
    const { port, network, ifname } = attachment;
    if (this.isPortless(network)) return;
    const reason = unplugLostPod(attachment);
    if (reason === undefined) return;
    this.parts.log.warn({ pod: podKeyOfPort(port), ifname, reason }, 'interface left');
  }

  /**
   * Settings of an interface once more, after another one of its pod has gone: with it, perhaps, the default route.
   * What fails is told, and changes nothing.
   */
  async refresh(key: string, attachment: AttachmentRecord): Promise<void> {
    if (!this.parts.ports.get(attachment.port) || attachment.tap !== undefined) return;
    try {
      await this.inNamespace(attachment, (namespace) =>
        configureInterface(namespace, this.settingsOf(attachment)),
      );
    } catch (error) {
      // A runtime that takes pods away may do so with their namespaces at the same time
      if (isGone(attachment.netns, attachment.netnsId)) return;
      const { message } = asPodwireError(error);
      this.parts.log.warn(
        { pod: key, ifname: attachment.ifname, error: message },
        'interface not set up anew',
      );
    }
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
    if (isLimited(limits) && this.isPortless(record.network)) {
      throw cannotBeLimited(this.parts.networks.get(record.network));
    }
    const { limits: before, ...rest } = record;
    const changed = { ...rest, ...(isLimited(limits) && { limits }) };
    try {
      await this.plan(record, changed.limits);
      await save(changed);
      return changed;
    } catch (error) {
      await this.plan(record, before).catch((failure) => {
        this.parts.log.error({ port: record.port, error: String(failure) }, 'undo failed');
      });
      throw error;
    }
  }

  /** The namespace of whoever attaches to such a network without saying one. */
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
    return this.parts.ports.get(port) !== undefined || this.portless.has(port);
  }

  /** Takes the port away; `keep`: a persistent interface stays, as that of a virtual machine does anyway. */
  async disconnect(port: LivePort, keep: boolean): Promise<void> {
    this.parts.ports.delist(port);
    await this.parts.publish();
    if (!keep && !port.isRaw) dropInterface(port.fd);
    await outliving(port.fd, () => this.parts.ports.remove(port));
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

  /** Runs steps with the namespace open; where one fails, those before it are undone. */
  private async inNamespace<T>(
    { port, netns }: Pick<AttachmentRecord, 'port' | 'netns'>,
    steps: (namespace: number, undo: Undo) => Promise<T>,
  ): Promise<T> {
    const undo = new Undo();
    const namespace = openNamespace(netns);
    try {
      return await steps(namespace, undo);
    } catch (error) {
      await undo.run((failure) => this.parts.log.error({ port, error: String(failure) }, 'undo failed'));
      throw error;
    } finally {
      closeFile(namespace);
    }
  }

  private async reserve(wish: AttachWish, netnsId: string, undo: Undo): Promise<AttachmentRecord> {
    const { port } = wish;
    const network = this.parts.networks.get(wish.network ?? DEFAULT_NETWORK);
    refuseFrozenOrFull(network);
    this.parts.checkHeld(network.name);
    const { pool, spec, uplink } = network;
    if (uplink) avoidHostAddresses(pool, spec.cidrs);
    undo.add(() => pool.release(port));
    for (let attempt = 1; ; attempt++) {
      const attachment = this.allocate(wish, netnsId, network);
      if (network.spec.mode !== 'overlay') return attachment;
      try {
        await this.parts.overlays.claim(port, attachment);
        undo.add(() => this.parts.overlays.release(port));
        return attachment;
      } catch (error) {
        pool.release(port);
        const isLost = asPodwireError(error).code === 'ADDRESS_IN_USE' && wish.ips === undefined;
        if (!isLost || attempt === MOST_ATTEMPTS) throw error;
        // Another node was faster, and its claim is on its way to us.
        await pause(ATTEMPT_PAUSE);
      }
    }
  }

  private allocate(wish: AttachWish, netnsId: string, network: LiveNetwork): AttachmentRecord {
    const { port, netns, ifname, aliases, limits, tap, tapOwner, container } = wish;
    const { domain, ips } = network.pool.allocate(port, wish.ips);
    return {
      port,
      netns,
      netnsId,
      ifname,
      network: network.name,
      domain,
      ips,
      mac: this.chooseMac(wish.mac, ips, network),
      mtu: this.mtuOf(network),
      ...(aliases && { aliases }),
      ...(isLimited(limits) && { limits }),
      ...(tap !== undefined && { tap }),
      ...(tapOwner !== undefined && { tapOwner }),
      ...(container && { container }),
    };
  }

  /** @throws PodwireError MAC_IN_USE */
  private chooseMac(
    wanted: string | undefined,
    ips: readonly string[],
    { name, layout }: LiveNetwork,
  ): string {
    if (wanted === undefined) return macOf(ips, (mac) => this.macTaken(name, mac));
    const isGateway = layout.some(({ gateways }) => gateways.length > 0 && macOf(gateways) === wanted);
    if (!isGateway && !this.macTaken(name, wanted)) return wanted;
    const whose = isGateway ? 'the gateway' : 'another pod';
    throw new PodwireError('MAC_IN_USE', `mac: ${wanted} belongs to ${whose} of network ${name}`, 'mac');
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
    const { ifname, mac, mtu, network, domain, ips } = attachment;
    const layout = this.parts.networks.get(network).layout[domain];
    const addresses = ips.map((address) => withLength(layout, address));
    const gateways = this.gatewaysOf(attachment);
    return { ifname, mac, mtu, gsoMaxSize: this.parts.gsoMaxSize(mtu), addresses, gateways };
  }

  /** A pod's first interface has the default route: that its others have none needs no telling. */
  private tellForeignDefaults({ port, ifname }: AttachmentRecord, families: readonly Family[]): void {
    if (families.length === 0 || port !== podKeyOfPort(port)) return;
    const fields = { pod: port, ifname, families: families.map((family) => `IPv${family}`) };
    this.parts.log.warn(fields, 'the namespace has a default route through another interface, which stays');
  }

  private async plan({ port }: AttachmentRecord, limits: Limits | undefined): Promise<void> {
    const live = this.parts.ports.get(port);
    if (!live) return;
    this.parts.ports.replan(live, { limits });
    await this.parts.publish();
  }

  private isOverlay(network: string): boolean {
    return this.parts.networks.find(network)?.spec.mode === 'overlay';
  }

  private mtuOf({ spec, uplink }: LiveNetwork): number {
    if (uplink) return uplink.mtuFor(spec);
    return spec.mtu ?? this.parts.mtu;
  }

  private macTaken(network: string, mac: string): boolean {
    return this.parts.ports.planned().some((port) => port.network === network && port.mac === mac);
  }
}

function cannotBeLimited({ name, spec }: LiveNetwork): PodwireError {
  return unsupported(
    'limits',
    `pods in network ${name} of mode ${spec.mode} have no port that could be limited`,
  );
}

function isLimited(limits: Limits | undefined): boolean {
  return limits?.egress !== undefined || limits?.ingress !== undefined;
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

function refuseFrozenOrFull({ name, frozen, spec, pool }: LiveNetwork): void {
  if (frozen) throw new PodwireError('CONFLICT', `network ${name} is being changed; try again`);
  if (spec.mode === 'direct' && pool.size >= DIRECT_PODS) {
    throw new PodwireError('NETWORK_FULL', `network ${name} is direct and connects two pods already`);
  }
}
