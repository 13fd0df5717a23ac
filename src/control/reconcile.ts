/**
 * Reconcile: makes what is there follow what is recorded. When the daemon starts, every recorded pod is taken
 * up again, made anew, or released where its namespace is gone. Then every two seconds: pods whose namespace
 * has gone are released, interfaces that were deleted under us are made again with the same addresses.
 */

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
import type { AttachmentRecord, PodRecord, Records } from './records.js';

const INTERVAL = 2000;

/** Pods restored at a time: each waits for a process. */
const PARALLEL = 4;

export interface ReconcilerParts {
  readonly records: Records<PodRecord>;
  readonly networks: Networks;
  readonly attacher: Attacher;
  readonly pods: Pods;
  readonly ports: Ports;
  readonly nodePort: NodePort;
  readonly lock: KeyedLock;
  readonly overlays: Pick<Overlays, 'round'>;
  readonly publish: () => Promise<void>;
  readonly log: Logger;
}

export class Reconciler {
  private readonly repeated: RepeatedLog;
  private timer: NodeJS.Timeout | undefined;
  private ticking = false;

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
    await publish();
    const running = kept.filter(([key]) => this.parts.ports.get(key)).length;
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
    const port = ports.withId(id);
    if (!port) return;
    const key = port.planned.name;
    return lock.run(key, async () => {
      if (ports.get(key) !== port) return;
      log.warn({ pod: key, reason }, 'interface vanished');
      await this.parts.attacher.disconnect(port, true);
      await this.restore(key);
    });
  }

  /**
   * The node's subnets are others: closes the pods that have addresses outside of them. Their records stay, Lost.
   */
  async closeStranded(podCidrs: readonly string[], reason: string): Promise<void> {
    const { lock, ports, attacher, log } = this.parts;
    const isInside = (address: string): boolean => podCidrs.some((cidr) => holds(cidr, address));
    const stranded = this.attachments().filter(
      ([, { network, ips }]) => network === DEFAULT_NETWORK && !ips.every(isInside),
    );
    await Promise.all(
      stranded.map(([key, { ips }]) =>
        lock.run(key, async () => {
          const port = ports.get(key);
          if (!port) return;
          await attacher.disconnect(port, false);
          log.error({ pod: key, ips, reason }, 'pod closed: its subnet is not this node’s any more');
        }),
      ),
    );
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
      .flatMap(([key, { attachment }]) =>
        attachment ? [[key, attachment] as [string, AttachmentRecord]] : [],
      );
  }

  /** Its subnet is not this node's any more: it stays Lost until it is detached. */
  private isStranded({ network, domain, ips }: AttachmentRecord): boolean {
    return network === DEFAULT_NETWORK && !this.parts.networks.find(network)?.pool.fits({ domain, ips });
  }

  private claim(key: string, { network, domain, ips }: AttachmentRecord): void {
    const pool = this.parts.networks.find(network)?.pool;
    if (pool?.fits({ domain, ips })) {
      pool.claim(key, { domain, ips });
      return;
    }
    throw new PodwireError(
      'STATE_MISMATCH',
      `pod ${key} is attached as ${ips.join(', ')}, which is not in network ${network} as this daemon has it: start it with the earlier --pod-cidr and detach the pod`,
    );
  }

  private async restoreFrom(queue: [string, AttachmentRecord][]): Promise<void> {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [key] = next;
      await this.parts.lock.run(key, () => this.restore(key));
    }
  }

  /** The caller holds the pod's lock. A pod that cannot be restored is Lost, and tried again. */
  private async restore(key: string): Promise<void> {
    const { records, attacher, publish } = this.parts;
    const record = records.get(key);
    const attachment = record?.attachment;
    if (!attachment || this.parts.ports.get(key) || isGone(attachment.netns, attachment.netnsId)) return;
    if (this.isStranded(attachment)) {
      const fields = { pod: key, ips: attachment.ips };
      this.repeated.warn(
        key,
        fields,
        'the subnet of the pod is not this node’s any more: detach and attach it',
      );
      return;
    }
    try {
      const restored = await attacher.restore(key, attachment);
      if (restored.mtu !== attachment.mtu) await records.save(key, { ...record, attachment: restored });
      await publish();
      this.repeated.clear(key);
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn(key, { pod: key, code, error: message }, 'pod cannot be attached again');
    }
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
    const { lock, networks, nodePort, overlays, pods, ports } = this.parts;
    if (!nodePort.planned) await lock.run(NODE_IFNAME, () => this.reopenNode());
    for (const [key, { netns, netnsId }] of this.attachments()) {
      if (isGone(netns, netnsId)) {
        await pods.releaseGone(key);
        this.repeated.clear(key);
      } else if (!ports.get(key)) await lock.run(key, () => this.restore(key));
    }
    const isOverlay = (network: string): boolean => networks.find(network)?.spec.mode === 'overlay';
    await overlays.round(this.attachments().filter(([, { network }]) => isOverlay(network)));
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
