/** Pods as the API shows them, made of what is recorded and what is in force. */
import type { AttachAnswer, Pod } from './api/types.js';
import { usesHostNetwork } from './model/pod.js';
import { type AttachmentState, hostPodStatus, podStatus } from './pod-status.js';
import type { AttachmentRecord, PodRecord } from './records.js';

/** @param nodeIps of this node, for pods that use its interfaces. */
export function podView(
  { pod, attachments }: PodRecord,
  revision: number,
  state: AttachmentState,
  nodeIps: readonly string[],
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...pod.metadata, resourceVersion: String(revision) },
    ...(pod.spec && { spec: pod.spec }),
    status: {
      ...(usesHostNetwork(pod) ? hostPodStatus(nodeIps) : podStatus(attachments, state)),
      ...(pod.status?.conditions && { conditions: pod.status.conditions }),
    },
  };
}

export function attachAnswer(
  namespace: string,
  name: string,
  attachment: AttachmentRecord,
  state: AttachmentState,
): AttachAnswer {
  const { network, ips, mac, mtu, ifname, limits, tap } = attachment;
  const ports = state.portsOf(attachment);
  return {
    name,
    namespace,
    network,
    ips: [...ips],
    mac,
    gateway: [...state.gatewaysOf(attachment)],
    mtu,
    ifname,
    ...(limits && { limits }),
    ...(ports.length > 0 && { ports: [...ports] }),
    ...(tap !== undefined && { tap }),
  };
}
