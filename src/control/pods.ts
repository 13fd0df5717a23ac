/**
 * Pods: the resources and their attachments. Everything that changes a pod holds the pod's lock; different pods
 * go on side by side.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AttachAnswer, AttachRequest, DetachAnswer, Pod, PodStatus } from './api/types.js';
import type { Attacher, RecordKeeper } from './attacher.js';
import { PodwireError } from './errors.js';
import { isGone } from './host/namespaces.js';
import type { KeyedLock } from './keyed-lock.js';
import type { Logger } from './logger.js';
import { parseAttach } from './model/attach.js';
import { attachmentWish } from './model/pod.js';
import type { PutResult } from './networks.js';
import type { Ports } from './ports.js';
import {
  type AttachmentRecord,
  checkVersion,
  type PodRecord,
  podKey,
  type Records,
  stampMeta,
} from './records.js';

export interface PodsParts {
  readonly records: Records<PodRecord>;
  readonly attacher: Attacher;
  readonly ports: Ports;
  readonly lock: KeyedLock;
  readonly log: Logger;
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

  attachedCount(): number {
    return this.parts.records.list().filter(([, { attachment }]) => attachment !== undefined).length;
  }

  /** @throws PodwireError ALREADY_ATTACHED where it is attached in another way, and what an attach throws */
  attach(namespace: string, name: string, request: AttachRequest): Promise<AttachAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      await this.releaseIfGone(key);
      const record = this.parts.records.get(key);
      const attachment = record?.attachment;
      if (attachment) {
        refuseOther(key, attachment, request);
        await this.label(key, record, request.labels);
        return this.answer(namespace, name, attachment);
      }
      const pod = withLabels(record?.pod ?? newPod(namespace, name), request.labels);
      const wish = { ...request, ...missing(request, attachmentWish(pod)) };
      const made = await this.connect(key, { pod, applied: record?.applied ?? false }, parseAttach(wish));
      return this.answer(namespace, name, made);
    });
  }

  /** @throws PodwireError NOT_FOUND where the pod is not attached */
  detach(namespace: string, name: string): Promise<DetachAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const record = this.need(key);
      if (!record.attachment) throw new PodwireError('NOT_FOUND', `pod ${key} is not attached`);
      return { name, namespace, ips: [...(await this.release(key, record, 'detach'))] };
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
      const record: PodRecord = { ...existing, pod: { ...given, metadata }, applied: true };
      const wish = attachmentWish(given);
      if (existing?.attachment) refuseOther(key, existing.attachment, wish);
      if (isDeepStrictEqual(record, existing) && !this.mayAttach(record, wish)) return 'unchanged';
      if (this.mayAttach(record, wish)) await this.connect(key, record, parseAttach(wish));
      else await records.save(key, record);
      return existing ? 'configured' : 'created';
    });
  }

  /** Detaches it first where it is attached. @throws PodwireError NOT_FOUND */
  delete(namespace: string, name: string): Promise<Pod> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const view = this.viewOf(key, this.need(key));
      const record = this.need(key);
      if (record.attachment) await this.release(key, { ...record, applied: false }, 'delete');
      else await this.parts.records.remove(key);
      return view;
    });
  }

  /** Detaches a pod whose namespace is gone. For callers that do not hold its lock. */
  releaseGone(key: string): Promise<void> {
    return this.parts.lock.run(key, () => this.releaseIfGone(key));
  }

  private async releaseIfGone(key: string): Promise<void> {
    const record = this.parts.records.get(key);
    if (!record?.attachment || !isGone(record.attachment.netns, record.attachment.netnsId)) return;
    await this.release(key, record, 'its network namespace is gone');
  }

  private need(key: string): PodRecord {
    const record = this.parts.records.get(key);
    if (record) return record;
    throw new PodwireError('NOT_FOUND', `there is no pod ${key}; 'podwire pods' lists them`);
  }

  private async connect(key: string, record: PodRecord, request: AttachRequest): Promise<AttachmentRecord> {
    const { attacher, log } = this.parts;
    const begun = performance.now();
    const made = await attacher.attach(key, request, this.keeper(key, record));
    const { ips, mac, ifname, network, netns } = made;
    const ms = Math.round(performance.now() - begun);
    log.info({ pod: key, network, ips, mac, ifname, netns, ms }, 'pod attached');
    return made;
  }

  private async release(key: string, record: PodRecord, reason: string): Promise<readonly string[]> {
    const { attachment } = record;
    if (!attachment) return [];
    const ips = await this.parts.attacher.detach(key, attachment, this.keeper(key, record));
    this.parts.log.info({ pod: key, network: attachment.network, ips, reason }, 'pod detached');
    return ips;
  }

  /** An applied pod outlives its attachment as Pending; another goes with it. */
  private keeper(key: string, { pod, applied }: PodRecord): RecordKeeper {
    const { records } = this.parts;
    return {
      save: (attachment) => records.save(key, { pod, applied, attachment }),
      forget: () => (applied ? records.save(key, { pod, applied }) : records.remove(key)),
    };
  }

  private async label(key: string, record: PodRecord, labels: Record<string, string> = {}): Promise<void> {
    const pod = withLabels(record.pod, labels);
    if (!isDeepStrictEqual(pod, record.pod)) await this.parts.records.save(key, { ...record, pod });
  }

  private mayAttach(record: PodRecord, wish: Partial<AttachRequest>): boolean {
    return record.attachment === undefined && wish.netns !== undefined;
  }

  /** @param revision of the record; default: what is in memory. */
  viewOf(key: string, { pod, attachment }: PodRecord, revision = this.parts.records.revision(key)): Pod {
    const resourceVersion = String(revision);
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...pod.metadata, resourceVersion },
      ...(pod.spec && { spec: pod.spec }),
      status: attachment ? this.attachedStatus(key, attachment) : { phase: 'Pending' },
    };
  }

  private attachedStatus(key: string, attachment: AttachmentRecord): PodStatus {
    const { ips, mac, network, ifname, netns, mtu } = attachment;
    return {
      phase: this.parts.ports.get(key) ? 'Running' : 'Lost',
      podIP: ips[0],
      podIPs: ips.map((ip) => ({ ip })),
      mac,
      network,
      ifname,
      netns,
      gateways: [...this.parts.attacher.gatewaysOf(attachment)],
      mtu,
    };
  }

  private answer(namespace: string, name: string, attachment: AttachmentRecord): AttachAnswer {
    const { network, ips, mac, mtu, ifname } = attachment;
    const gateway = [...this.parts.attacher.gatewaysOf(attachment)];
    return { name, namespace, network, ips: [...ips], mac, gateway, mtu, ifname };
  }
}

function newPod(namespace: string, name: string): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: stampMeta({ name, namespace }, undefined) };
}

function withLabels(pod: Pod, labels: Record<string, string> = {}): Pod {
  if (Object.keys(labels).length === 0) return pod;
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } };
}

/** What the request leaves open and the pod's annotations say. */
function missing(request: AttachRequest, wish: Partial<AttachRequest>): Partial<AttachRequest> {
  return Object.fromEntries(Object.entries(wish).filter(([field]) => !(field in request)));
}

/** Asking again for what is there is no error; asking for something else is. */
function refuseOther(key: string, attachment: AttachmentRecord, wish: Partial<AttachRequest>): void {
  const { netns, ifname, network, ips } = attachment;
  const isSame =
    (wish.netns ?? netns) === netns &&
    (wish.ifname ?? ifname) === ifname &&
    (wish.network ?? network) === network &&
    (wish.ips ?? []).every((address) => ips.includes(address));
  if (isSame) return;
  throw new PodwireError(
    'ALREADY_ATTACHED',
    `pod ${key} is attached already: ${ifname} (${ips.join(', ')}) in ${netns}, network ${network}; detach it first`,
  );
}
