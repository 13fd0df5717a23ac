/**
 * Pods: the resources and their interfaces. A pod can have several, in different networks; all are in its one network
 * namespace. Everything that changes a pod holds the pod's lock; different pods go on side by side.
 */
import { isDeepStrictEqual } from 'node:util';
import type {
  AttachAnswer,
  AttachRequest,
  DetachAnswer,
  DetachRequest,
  LimitAnswer,
  Limits,
  Pod,
  PodDns,
} from './api/types.js';
import type { Attacher } from './attacher.js';
import type { AttachWish, RecordKeeper } from './attachments.js';
import { PodwireError } from './errors.js';
import { isGone } from './host/namespaces.js';
import type { KeyedLock } from './keyed-lock.js';
import type { Logger } from './logger.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { attachmentWish, usesHostNetwork } from './model/pod.js';
import { fullWishes } from './model/publish.js';
import type { Networks, PutResult } from './networks.js';
import { chosenBy, refuseOther } from './pod-interfaces.js';
import type { AttachmentState } from './pod-status.js';
import { attachAnswer, podView } from './pod-views.js';
import {
  completeWish,
  HOST_PORTS,
  hostPodAttached,
  hostPortChanges,
  missing,
  newPod,
  notAttached,
  refuseHostPod,
  withHostPorts,
  withLabels,
} from './pod-wishes.js';
import type { PolicyFeed } from './policies/policy-feed.js';
import type { PortsClaim, PublishedPorts } from './published-ports.js';
import {
  type AttachmentRecord,
  type ContainerReference,
  checkVersion,
  type PodRecord,
  podKey,
  type Records,
  stampMeta,
} from './records.js';

export interface PodsParts {
  /** What holds for pods by network policies. */
  readonly policies: Pick<PolicyFeed, 'enforce' | 'arrived' | 'settled'>;
  readonly records: Records<PodRecord>;
  readonly attacher: Attacher;
  readonly lock: KeyedLock;
  readonly log: Logger;
  readonly published: PublishedPorts;
  readonly networks: Pick<Networks, 'get'>;
  /** Addresses of this node, for pods that use its interfaces. */
  readonly nodeIps: () => readonly string[];
  /** What a pod's resolv.conf says, with these gateways of its network. */
  readonly dns: (namespace: string, gateways: readonly string[], pod?: Pod) => PodDns | undefined;
}

export class Pods {
  constructor(private readonly parts: PodsParts) {}

  /** @throws PodwireError NOT_FOUND */
  view(namespace: string, name: string): Pod {
    const key = podKey(namespace, name);
    return this.viewOf(key, this.need(key));
  }

  /** Sorted by namespace and name. */
  list(namespace?: string): Pod[] {
    return this.parts.records
      .list()
      .filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`))
      .map(([key, record]) => this.viewOf(key, record));
  }

  /** How many have an interface. */
  attachedCount(): number {
    return this.parts.records.list().filter(([, { attachments }]) => attachments.length > 0).length;
  }

  /**
   * Gives the pod its interface, or one more in another network.
   * @param container the runtime's word for it, where one asks.
   * @throws PodwireError ALREADY_ATTACHED where it is attached in another way, and what an attach throws
   */
  attach(
    namespace: string,
    name: string,
    request: AttachRequest,
    container?: ContainerReference,
  ): Promise<AttachAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      await this.releaseIfGone(key);
      const record = this.parts.records.get(key);
      const made = record?.attachments ?? [];
      const existing = chosenBy(request, made);
      if (record && existing) {
        refuseOther(key, existing, request, container);
        await this.label(key, record, request.labels);
        return this.answer(namespace, name, existing);
      }
      if (made.length > 0) refuseOther(key, made[0], { netns: request.netns }, container);
      const pod = withLabels(record?.pod ?? newPod(namespace, name), request.labels);
      refuseHostPod(key, pod);
      const asked =
        made.length > 0
          ? request
          : withHostPorts({ ...request, ...missing(request, attachmentWish(pod)) }, pod);
      const wish = completeWish(this.parts.attacher, key, asked, made, container);
      const attachment = await this.connect(key, { pod, applied: record?.applied ?? false }, wish);
      return this.answer(namespace, name, attachment);
    });
  }

  /** Takes the interface that is asked for away, or all. @throws PodwireError NOT_FOUND where there is none */
  detach(namespace: string, name: string, request: DetachRequest = {}): Promise<DetachAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const { attachments } = this.need(key);
      const chosen = attachments.filter(
        ({ ifname, network }) =>
          (request.ifname ?? ifname) === ifname && (request.network ?? network) === network,
      );
      if (chosen.length === 0) throw notAttached(key, request, attachments);
      return { name, namespace, ips: await this.releaseAll(key, chosen, 'detach') };
    });
  }

  /** @throws PodwireError CONFLICT, ALREADY_ATTACHED, and what an attach throws */
  put(namespace: string, name: string, given: Pod): Promise<PutResult> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      await this.releaseIfGone(key);
      const { records } = this.parts;
      const existing = records.get(key);
      checkVersion(`pod ${key}`, given.metadata, records.revision(key));
      const metadata = { ...stampMeta(given.metadata, existing?.pod.metadata), namespace };
      const attachments = existing?.attachments ?? [];
      const record: PodRecord = { pod: { ...given, metadata }, applied: true, attachments };
      const wish = attachmentWish(given);
      const { limits, ...placed } = wish;
      const first = chosenBy(placed, attachments) ?? attachments[0];
      if (first) {
        refuseOther(key, first, placed);
        if (usesHostNetwork(given)) throw hostPodAttached(key);
      }
      const mayAttach = attachments.length === 0 && wish.netns !== undefined;
      if (mayAttach)
        await this.connect(
          key,
          record,
          completeWish(this.parts.attacher, key, withHostPorts(wish, given), attachments),
        );
      else if (isDeepStrictEqual(record, existing)) return 'unchanged';
      else {
        await this.change(key, record, existing, limits);
        await this.parts.policies.settled();
      }
      return existing ? 'configured' : 'created';
    });
  }

  /**
   * Limits an interface while it runs.
   * @param limits what they do not have is not limited.
   * @throws PodwireError NOT_FOUND
   */
  limit(namespace: string, name: string, ifname: string | undefined, limits: Limits): Promise<LimitAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const record = this.need(key);
      const { attachments } = record;
      const chosen = chosenBy({ ifname }, attachments);
      if (!chosen) throw notAttached(key, { ifname }, attachments);
      if (!isDeepStrictEqual(chosen.limits ?? {}, limits)) await this.relimit(key, record, chosen, limits);
      return { name, namespace, ifname: chosen.ifname, network: chosen.network, limits };
    });
  }

  /** What belongs into the pod's resolv.conf. @throws PodwireError NOT_FOUND where podwire serves it no names */
  dns(namespace: string, name: string): PodDns {
    const key = podKey(namespace, name);
    const { attachments } = this.need(key);
    for (const attachment of attachments) {
      const dns = this.dnsOf(namespace, name, attachment);
      if (dns) return dns;
    }
    throw new PodwireError(
      'NOT_FOUND',
      `pod ${key} has no interface whose gateway answers DNS, and names no server of its own`,
    );
  }

  /** The same by one of its interfaces; a router of other people's is not podwire's to speak for. */
  dnsOf(namespace: string, name: string, attachment: AttachmentRecord): PodDns | undefined {
    const { attacher, dns, records } = this.parts;
    const isOurs = attacher.modeOf(attachment.network) !== 'raw';
    const gateways = isOurs ? attacher.gatewaysOf(attachment) : [];
    return dns(namespace, gateways, records.get(podKey(namespace, name))?.pod);
  }

  /** Detaches it first where it is attached. @throws PodwireError NOT_FOUND */
  delete(namespace: string, name: string): Promise<Pod> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const record = this.need(key);
      const view = this.viewOf(key, record);
      await this.releaseAll(key, record.attachments, 'delete');
      if (this.parts.records.get(key)) await this.parts.records.remove(key);
      return view;
    });
  }

  /**
   * Takes away the interfaces of containers that `isOut` says so of, whatever pods they belong to.
   * @returns those that went, with the pod's key.
   */
  async releaseContainers(
    isOut: (container: ContainerReference, attachment: AttachmentRecord) => boolean,
    reason: string,
  ): Promise<{ key: string; attachment: AttachmentRecord }[]> {
    const released: { key: string; attachment: AttachmentRecord }[] = [];
    const isChosen = (attachment: AttachmentRecord): boolean =>
      attachment.container !== undefined && isOut(attachment.container, attachment);
    for (const [key, { attachments }] of this.parts.records.list()) {
      if (!attachments.some(isChosen)) continue;
      await this.parts.lock.run(key, async () => {
        const chosen = (this.parts.records.get(key)?.attachments ?? []).filter(isChosen);
        await this.releaseAll(key, chosen, reason);
        released.push(...chosen.map((attachment) => ({ key, attachment })));
      });
    }
    return released;
  }

  /** The interface that a runtime has asked for under these names, once what is under way with its pod has ended. */
  async ofContainer(
    container: ContainerReference,
    ifname: string,
  ): Promise<{ key: string; attachment: AttachmentRecord } | undefined> {
    const { records, lock } = this.parts;
    const isIt = ({ container: of, ifname: name }: AttachmentRecord): boolean =>
      isDeepStrictEqual(of, container) && name === ifname;
    const found = records.list().find(([, { attachments }]) => attachments.some(isIt));
    if (!found) return undefined;
    const [key] = found;
    const attachment = await lock.run(key, async () => records.get(key)?.attachments.find(isIt));
    return attachment && { key, attachment };
  }

  /** Takes away what a pod had in a namespace that is gone. For callers that do not hold its lock. */
  releaseGone(key: string): Promise<void> {
    return this.parts.lock.run(key, () => this.releaseIfGone(key));
  }

  private async releaseIfGone(key: string): Promise<void> {
    const { attachments = [] } = this.parts.records.get(key) ?? {};
    const gone = attachments.filter(({ netns, netnsId }) => isGone(netns, netnsId));
    await this.releaseAll(key, gone, 'its network namespace is gone');
  }

  private need(key: string): PodRecord {
    const record = this.parts.records.get(key);
    if (record) return record;
    throw new PodwireError('NOT_FOUND', `there is no pod ${key}; 'podwire pods' lists them`);
  }

  private async connect(
    key: string,
    record: Omit<PodRecord, 'attachments'>,
    wish: AttachWish,
  ): Promise<AttachmentRecord> {
    const { attacher, log } = this.parts;
    const begun = performance.now();
    const claim = await this.claim(key, wish);
    const made = await attacher
      .attach({ ...wish, published: claim.ports }, this.keeper(key, record, wish.port))
      .finally(() => {
        claim.release();
        this.parts.policies.arrived(key);
      });
    await this.parts.published.put(key);
    const { ips, mac, ifname, network, netns } = made;
    const ms = Math.round(performance.now() - begun);
    log.info({ pod: key, network, ips, mac, ifname, netns, ms }, 'pod attached');
    return made;
  }

  /** What a manifest can change of an attached pod: limits, and host ports beside those published by other ways. */
  private async change(
    key: string,
    record: PodRecord,
    existing: PodRecord | undefined,
    limits: Limits | undefined,
  ): Promise<void> {
    const [made, ...others] = record.attachments;
    if (!made) return this.parts.records.save(key, record);
    const claim = await this.claimHostPorts(key, made, record.pod, existing?.pod);
    const { published: _, ...first } = made;
    const changed = { ...first, ...(claim.ports.length > 0 && { published: claim.ports }) };
    const after = { ...record, attachments: [changed, ...others] };
    try {
      if (!isDeepStrictEqual(limits, existing && attachmentWish(existing.pod).limits))
        await this.relimit(key, after, changed, limits);
      else await this.parts.records.save(key, after);
    } finally {
      claim.release();
    }
    await this.parts.published.put(key);
  }

  private async claimHostPorts(
    key: string,
    { published = [], network }: AttachmentRecord,
    pod: Pod,
    before: Pod | undefined,
  ): Promise<PortsClaim> {
    const { added, kept } = hostPortChanges(published, pod, before);
    const live = this.parts.networks.get(network);
    const claim = await this.parts.published.claim(key, live, HOST_PORTS, added);
    return { ...claim, ports: [...kept, ...claim.ports] };
  }

  private claim(key: string, { network = DEFAULT_NETWORK, publish = [] }: AttachWish): Promise<PortsClaim> {
    return this.parts.published.claim(
      key,
      this.parts.networks.get(network),
      'publish',
      fullWishes('publish', publish),
    );
  }

  private async relimit(
    key: string,
    record: PodRecord,
    chosen: AttachmentRecord,
    limits: Limits | undefined,
  ): Promise<void> {
    const { attacher, log, records } = this.parts;
    await attacher.limit(chosen, limits, (changed) => {
      const attachments = record.attachments.map((made) => (made === chosen ? changed : made));
      return records.save(key, { ...record, attachments });
    });
    log.info({ pod: key, ifname: chosen.ifname, limits: limits ?? {} }, 'limits changed');
  }

  /** The last one first, so that the pod's own address goes last. @returns the addresses that are free again. */
  private async releaseAll(
    key: string,
    chosen: readonly AttachmentRecord[],
    reason: string,
  ): Promise<string[]> {
    const ips: string[] = [];
    for (const attachment of chosen.toReversed())
      ips.unshift(...(await this.release(key, attachment, reason)));
    const left = this.parts.records.get(key)?.attachments[0];
    if (chosen.length > 0 && left) await this.parts.attacher.refresh(key, left);
    return ips;
  }

  private async release(
    key: string,
    attachment: AttachmentRecord,
    reason: string,
  ): Promise<readonly string[]> {
    const keeper = this.keeper(key, this.need(key), attachment.port);
    const ips = await this.parts.published.without(key, attachment, () =>
      this.parts.attacher.detach(attachment, keeper),
    );
    const { network, ifname } = attachment;
    this.parts.log.info({ pod: key, network, ifname, ips, reason }, 'pod detached');
    return ips;
  }

  /** An applied pod outlives its interfaces as Pending; another goes with the last. */
  private keeper(key: string, { pod, applied }: Omit<PodRecord, 'attachments'>, port: string): RecordKeeper {
    const { records } = this.parts;
    const others = (): AttachmentRecord[] =>
      (records.get(key)?.attachments ?? []).filter((attachment) => attachment.port !== port);
    const withIt = (attachment: AttachmentRecord): PodRecord => ({
      pod,
      applied,
      attachments: [...others(), attachment],
    });
    return {
      enforce: (attachment) => this.parts.policies.enforce(key, withIt(attachment)),
      save: (attachment) => records.save(key, withIt(attachment)),
      forget: () => {
        const attachments = others();
        const stays = applied || attachments.length > 0;
        return stays ? records.save(key, { pod, applied, attachments }) : records.remove(key);
      },
    };
  }

  private async label(key: string, record: PodRecord, labels: Record<string, string> = {}): Promise<void> {
    const pod = withLabels(record.pod, labels);
    if (isDeepStrictEqual(pod, record.pod)) return;
    await this.parts.records.save(key, { ...record, pod });
    await this.parts.policies.settled();
  }

  /** @param revision of the record; default: what is in memory. */
  viewOf(key: string, record: PodRecord, revision = this.parts.records.revision(key)): Pod {
    return podView(record, revision, this.state, this.parts.nodeIps());
  }

  private answer(namespace: string, name: string, attachment: AttachmentRecord): AttachAnswer {
    const dns = this.dnsOf(namespace, name, attachment);
    return { ...attachAnswer(namespace, name, attachment, this.state), ...(dns && { dns }) };
  }

  private get state(): AttachmentState {
    const { attacher, published } = this.parts;
    return {
      isUp: (attachment) => attacher.isUp(attachment),
      gatewaysOf: (attachment) => attacher.gatewaysOf(attachment),
      portsOf: (attachment) => published.statusOf(attachment),
    };
  }
}
