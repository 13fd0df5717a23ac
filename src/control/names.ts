/**
 * Names of pods in their networks: what a resolver answers from, and `GET /v1/names` shows. In each network that it has an
 * address in, a pod is known as `NAME`, as `NAME.NAMESPACE` and by its aliases there. Several pods may have one name: two
 * of one name in different namespaces, or some that share an alias. A pod is in no network by names of another one.
 */
import type { NameEntry } from './api/types.js';
import type { PlannedMember } from './plan.js';
import { type AttachmentRecord, type PodRecord, podKeyOfPort } from './records.js';

/** A pod with addresses in a network. */
export interface NamedPod {
  readonly network: string;
  /** `default/web` */
  readonly pod: string;
  readonly ips: readonly string[];
  readonly aliases?: readonly string[];
}

/** A pod of another node in an overlay, of which each address has a record of its own. */
export type NamedMember = Pick<PlannedMember, 'address'> & {
  /** Name of its port. */
  readonly pod: string;
  readonly aliases?: readonly string[];
};

/** Sorted by network, name and pod. @param network only of this one. */
export function namesOf(pods: readonly NamedPod[], network?: string): NameEntry[] {
  const entries = new Map<string, NameEntry>();
  for (const pod of pods) {
    if (pod.ips.length === 0 || (network !== undefined && pod.network !== network)) continue;
    for (const name of allNames(pod)) add(entries, name, pod);
  }
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

export function podsHere(records: readonly (readonly [key: string, record: PodRecord])[]): NamedPod[] {
  return records.flatMap(([pod, { attachments }]) =>
    attachments.map(({ network, ips, aliases }: AttachmentRecord) => ({
      network,
      pod,
      ips,
      ...(aliases && { aliases }),
    })),
  );
}

export function podsElsewhere(network: string, members: readonly NamedMember[]): NamedPod[] {
  return members.map(({ address, pod, aliases }) => ({
    network,
    pod: podKeyOfPort(pod),
    ips: [address],
    ...(aliases && { aliases }),
  }));
}

function allNames({ pod, aliases = [] }: NamedPod): Set<string> {
  const [namespace, name] = pod.split('/');
  return new Set([name, `${name}.${namespace}`, ...aliases]);
}

/** A blank sorts before whatever a name can have. */
function add(entries: Map<string, NameEntry>, name: string, { network, pod, ips }: NamedPod): void {
  const key = `${network} ${name} ${pod}`;
  const known = entries.get(key)?.ips ?? [];
  entries.set(key, { network, name, pod, ips: [...new Set([...known, ...ips])] });
}
