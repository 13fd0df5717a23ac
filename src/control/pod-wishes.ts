/**
 * What is asked of a pod, made complete: from the request, what the pod says of itself, what it has already, and what is
 * usual. And what cannot be asked of it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PublishedPort } from './api/publish-types.js';
import type { AttachRequest, DetachRequest, Pod } from './api/types.js';
import type { Attacher } from './attacher.js';
import type { AttachWish } from './attachments.js';
import { invalid, PodwireError } from './errors.js';
import { parseAttach } from './model/attach.js';
import { usesHostNetwork } from './model/pod.js';
import { fullWishes, hostPortsOf } from './model/publish.js';
import { freeIfname, portName } from './pod-interfaces.js';
import { type AttachmentRecord, type ContainerReference, stampMeta } from './records.js';

/** What is asked of networks. */
type Networked = Pick<Attacher, 'isPortless' | 'modeOf' | 'usualNetns'>;

/** What the request leaves open, as the pod has it already or as it is usual. */
export function completeWish(
  attacher: Networked,
  key: string,
  request: Partial<AttachRequest>,
  made: readonly AttachmentRecord[],
  container?: ContainerReference,
): AttachWish {
  refuseMix(attacher, key, request, made);
  if (attacher.isPortless(request.network) && !container) refuseInterface(request);
  const netns = request.netns ?? made[0]?.netns ?? attacher.usualNetns(request);
  if (netns === undefined) throw invalid('netns', 'is missing');
  const ifname = request.ifname ?? freeIfname(made);
  const wish = { ...parseAttach({ ...request, netns, ifname }), netns, ifname };
  return { ...wish, port: portName(key, ifname, made), ...(container && { container }) };
}

/** A pod is alone in a network of mode host or none. @throws PodwireError ALREADY_ATTACHED */
function refuseMix(
  attacher: Networked,
  key: string,
  { network }: Partial<AttachRequest>,
  made: readonly AttachmentRecord[],
): void {
  const [first] = made;
  if (!first || !(attacher.isPortless(network) || attacher.isPortless(first.network))) return;
  throw new PodwireError(
    'ALREADY_ATTACHED',
    `pod ${key} is in network ${first.network} of mode ${attacher.modeOf(first.network)}, and a pod is alone in one of mode host or none: detach it first`,
  );
}

/** The field that host ports of a manifest are in. */
export const HOST_PORTS = 'spec.containers[].ports[].hostPort';

/** What is asked for, and what of the pod's manifest is not. */
export function withHostPorts<T extends Partial<AttachRequest>>(request: T, pod: Pod): T {
  const asked = fullWishes('publish', request.publish ?? []);
  const more = hostPortsOf(pod).filter((port) => !asked.some((wish) => isDeepStrictEqual(wish, port)));
  return asked.length + more.length === 0 ? request : { ...request, publish: [...asked, ...more] };
}

/** What becomes of published ports when a pod's manifest is another: those that were published in other ways stay. */
export function hostPortChanges(
  published: readonly PublishedPort[],
  pod: Pod,
  before: Pod | undefined,
): { kept: PublishedPort[]; added: PublishedPort[] } {
  const [wanted, earlier] = [hostPortsOf(pod), before ? hostPortsOf(before) : []];
  const isIn = (list: readonly PublishedPort[], port: PublishedPort): boolean =>
    list.some((one) => isDeepStrictEqual(one, port));
  return {
    kept: published.filter((port) => isIn(wanted, port) || !isIn(earlier, port)),
    added: wanted.filter((port) => !isIn(earlier, port) && !isIn(published, port)),
  };
}

export function newPod(namespace: string, name: string): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: stampMeta({ name, namespace }, undefined) };
}

/** @throws PodwireError UNSUPPORTED */
export function refuseHostPod(key: string, pod: Pod): void {
  if (!usesHostNetwork(pod)) return;
  throw new PodwireError(
    'UNSUPPORTED',
    `pod ${key} has spec.hostNetwork: it uses the node's own interfaces, and there is nothing to attach`,
  );
}

export function hostPodAttached(key: string): PodwireError {
  return new PodwireError(
    'ALREADY_ATTACHED',
    `spec.hostNetwork: pod ${key} is attached; detach it first`,
    'spec.hostNetwork',
  );
}

/** What only an interface can have. @throws PodwireError INVALID */
function refuseInterface(request: Partial<AttachRequest>): void {
  const field = (['ifname', 'mac', 'tap'] as const).find((name) => request[name] !== undefined);
  if (field !== undefined) throw invalid(field, `network ${request.network} gives its pods no interface`);
}

export function withLabels(pod: Pod, labels: Record<string, string> = {}): Pod {
  if (Object.keys(labels).length === 0) return pod;
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } };
}

/** What the request leaves open and the pod's annotations say. */
export function missing(request: AttachRequest, wish: Partial<AttachRequest>): Partial<AttachRequest> {
  return Object.fromEntries(Object.entries(wish).filter(([field]) => !(field in request)));
}

export function notAttached(
  key: string,
  { ifname, network }: DetachRequest,
  attachments: readonly AttachmentRecord[],
): PodwireError {
  if (attachments.length === 0) return new PodwireError('NOT_FOUND', `pod ${key} is not attached`);
  const asked = [ifname && `interface ${ifname}`, network && `network ${network}`]
    .filter(Boolean)
    .join(' in ');
  const has = attachments.map((made) => `${made.ifname} in ${made.network}`).join(', ');
  return new PodwireError('NOT_FOUND', `pod ${key} has no ${asked}; it has ${has}`);
}
