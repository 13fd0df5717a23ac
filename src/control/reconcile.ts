/**
 * Reconcile: makes what is there follow what is recorded. When the daemon starts, every recorded pod is taken
 * up again, made anew, or released where its namespace is gone. Then every two seconds: pods whose namespace
 * has gone are released, interfaces that were deleted under us are made again with the same addresses.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Attacher } from './attacher.js';
import { holds } from './cidr.js';
import { asPodwireError, PodwireError } from './errors.js';
import { isGone } from './host/namespaces.js';
import { NODE_IFNAME } from './host/node-interface.js';
import type { KeyedLock } from './keyed-lock.js';
import { type Logger, RepeatedLog } from './logger.js';
import { DEFAULT_NETWORK } from './model/network.js';
import type { Networks } from './networks.js';
import type { NodePort } from './node-port.js';
import type { Overlays } from './overlays.js';
import type { Pods } from './pods.js';
import type { Ports } from './ports.js';
import type { PublishedPorts } from './published-ports.js';
import { type AttachmentRecord, type PodRecord, podKeyOfPort, type Records } from './records.js';

const INTERVAL = 2000;

/** Pods restored at a time: each waits for a process. */
const PARALLEL = 4;

export interface ReconcilerParts {
  readonly records: Records<PodRecord>;
  readonly networks: Networks;
  readonly attacher: Attacher;
  readonly pods: Pods;
  readonly published: Pick<PublishedPorts, 'review'>;
  readonly ports: Ports;
  readonly nodePort: NodePort;
  readonly lock: KeyedLock;
  readonly overlays: Pick<Overlays, 'round' | 'lostTo'>;
  readonly publish: () => Promise<void>;
  readonly log: Logger;
}

/** Why a pod must not have its addresses, and what is said of it. */
interface Objection {
  readonly reason: string;
  readonly message: string;
}

export class Reconciler {
  private readonly repeated: RepeatedLog;
  private timer: NodeJS.Timeout | undefined;
  private ticking = false;
  /** The node's subnets since some of them were lost, and why; undefined: those that its networks were made with. */
  private left: { readonly cidrs: readonly string[]; readonly reason: string } | undefined;

  constructor(private readonly parts: ReconcilerParts) {
    this.repeated = new RepeatedLog(parts.log);
  }

  /** @throws PodwireError STATE_MISMATCH where a pod's addresses are not in its network any more */
  async restoreAll(): Promise<void> {
    const { pods, publish, log } = this.parts;
    for (const [key, { netns, netnsId }] of this.attachments()) {
      if (isGone(netns, netnsId)) await pods.releaseGone(key);
    }
    const kept = this.attachments();
    for (const [key, attachment] of kept) if (!this.isStranded(attachment)) this.claim(key, attachment);
    const queue = [...kept];
    await Promise.all(Array.from({ length: PARALLEL }, () => this.restoreFrom(queue)));
    this.parts.published.review();
    await publish();
    const running = kept.filter(([, attachment]) => this.parts.attacher.isUp(attachment)).length;
    if (kept.length > 0) log.info({ pods: running, lost: kept.length - running }, 'pods restored');
  }

  /** Begins the two-second round. */
  start(): void {
    this.timer = setInterval(() => void this.tick(), INTERVAL);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The data plane says that a port's interface has vanished. */
  async portDown(id: number, reason: string): Promise<void> {
    const { lock, log, ports, nodePort } = this.parts;
    if (nodePort.is(id)) {
      log.warn({ ifname: NODE_IFNAME, reason }, 'interface vanished');
      return lock.run(NODE_IFNAME, () => this.reopenNode());
    }
    if (await this.parts.networks.uplinkDown(id, reason)) return;
    const port = ports.withId(id);
    if (!port) return;
    const { name } = port.planned;
    const key = podKeyOfPort(name);
    return lock.run(key, async () => {
      if (ports.get(name) !== port) return;
      log.warn({ pod: key, port: name, reason }, 'interface vanished');
      await this.parts.attacher.disconnect(port, true);
      await this.restore(key, name);
    });
  }

  /**
   * The node's subnets are others: closes the pods that have addresses outside of them, and what comes up with such an
   * address later. Their records stay, Lost.
   */
  closeStranded(podCidrs: readonly string[], reason: string): Promise<void> {
    this.left = { cidrs: podCidrs, reason };
    return this.closeForeign();
  }

  /** Makes podwire0 again, with the addresses that the node has now. */
  renewNode(): Promise<void> {
    return this.parts.lock.run(NODE_IFNAME, async () => {
      await this.parts.nodePort.discard();
      await this.reopenNode();
    });
  }

  private attachments(): [key: string, attachment: AttachmentRecord][] {
    return this.parts.records
      .list()
      .flatMap(([key, { attachments }]) =>
        attachments.map((attachment): [string, AttachmentRecord] => [key, attachment]),
      );
  }

  /** Its subnet is not this node's any more: it stays Lost until it is detached. */
  private isStranded({ network, domain, ips }: AttachmentRecord): boolean {
    if (network !== DEFAULT_NETWORK) return false;
    const { left } = this;
    const isOwn = (address: string): boolean =>
      left === undefined || left.cidrs.some((cidr) => holds(cidr, address));
    return !ips.every(isOwn) || !this.parts.networks.find(network)?.pool.fits({ domain, ips });
  }

  private claim(key: string, attachment: AttachmentRecord): void {
    const { network, domain, ips } = attachment;
    if (this.parts.networks.find(network)?.pool.fits({ domain, ips })) {
      this.parts.attacher.claim(attachment);
      return;
    }
    throw new PodwireError(
      'STATE_MISMATCH',
      `pod ${key} is attached as ${ips.join(', ')}, which is not in network ${network} as this daemon has it: start it with the earlier --pod-cidr and detach the pod`,
    );
  }

  private async restoreFrom(queue: [string, AttachmentRecord][]): Promise<void> {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [key, { port }] = next;
      await this.parts.lock.run(key, () => this.restore(key, port));
    }
  }

  /** The caller holds the pod's lock. A pod that cannot be restored is Lost, and tried again. */
  private async restore(key: string, port: string): Promise<void> {
    const { attacher, publish } = this.parts;
    const attachment = this.attachmentOf(key, port);
    if (!attachment || attacher.isUp(attachment) || this.parts.overlays.lostTo(port) !== undefined) return;
    if (isGone(attachment.netns, attachment.netnsId)) return;
    if (this.isStranded(attachment)) {
      const fields = { pod: key, ips: attachment.ips };
      this.repeated.warn(
        port,
        fields,
        'the subnet of the pod is not this node’s any more: detach and attach it',
      );
      return;
    }
    try {
      const restored = await attacher.restore(attachment);
      if (!isDeepStrictEqual(restored, attachment)) await this.rewrite(key, restored);
      await publish();
      this.repeated.clear(port);
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn(port, { pod: key, code, error: message }, 'pod cannot be attached again');
    }
  }

  private attachmentOf(key: string, port: string): AttachmentRecord | undefined {
    return this.parts.records.get(key)?.attachments.find((attachment) => attachment.port === port);
  }

  private async rewrite(key: string, changed: AttachmentRecord): Promise<void> {
    const record = this.parts.records.get(key);
    if (!record) return;
    const attachments = record.attachments.map((made) => (made.port === changed.port ? changed : made));
    await this.parts.records.save(key, { ...record, attachments });
  }

  private async tick(): Promise<void> {
    if (this.ticking) return;
    this.ticking = true;
    try {
      await this.round();
      this.repeated.clear('round');
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn('round', { code, error: message }, 'reconcile failed');
    } finally {
      this.ticking = false;
    }
  }

  private async round(): Promise<void> {
    const { lock, networks, nodePort, overlays, pods, attacher } = this.parts;
    if (!nodePort.planned) await lock.run(NODE_IFNAME, () => this.reopenNode());
    await networks.renewUplinks();
    for (const [key, { port, netns, netnsId }] of this.attachments()) {
      if (isGone(netns, netnsId)) {
        await pods.releaseGone(key);
        this.repeated.clear(port);
      } else if (!attacher.isUp({ port })) await lock.run(key, () => this.restore(key, port));
    }
    await overlays.round();
    await this.closeForeign();
    this.parts.published.review();
  }

  /**
   * Closes the pods whose addresses are not, or not any more, this node's to use: nothing is fought for. One whose
   * attach was under way when they were lost is found in a later round.
   */
  private async closeForeign(): Promise<void> {
    const { lock, ports } = this.parts;
    const open = this.attachments().filter(([, made]) => ports.get(made.port) && this.objection(made));
    await Promise.all(open.map(([key, { port }]) => lock.run(key, () => this.closeIfForeign(key, port))));
  }

  private async closeIfForeign(key: string, name: string): Promise<void> {
    const { attacher, log, ports } = this.parts;
    const [port, attachment] = [ports.get(name), this.attachmentOf(key, name)];
    const objection = attachment && this.objection(attachment);
    if (!port || !objection) return;
    await attacher.disconnect(port, false);
    log.error({ pod: key, ips: attachment.ips, reason: objection.reason }, objection.message);
  }

  private objection(attachment: AttachmentRecord): Objection | undefined {
    if (this.isStranded(attachment)) {
      const reason = this.left?.reason ?? 'its addresses are not in its network';
      return { reason, message: 'pod closed: its subnet is not this node’s any more' };
    }
    const reason = this.parts.overlays.lostTo(attachment.port);
    return reason === undefined
      ? undefined
      : { reason, message: 'pod closed: an address of it is another’s' };
  }

  private async reopenNode(): Promise<void> {
    const { nodePort, publish, log } = this.parts;
    await nodePort.drop();
    await publish();
    await nodePort.open();
    await publish();
    nodePort.persist();
    await nodePort.syncRoutes();
    log.info({ ifname: NODE_IFNAME }, 'interface made again');
  }
}
