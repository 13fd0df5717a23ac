/** The status of a pod as the API shows it, made from how it is attached. */

import type { PublishedPortStatus } from './api/publish-types.js';
import type { InterfaceStatus, PodStatus } from './api/types.js';
import type { AttachmentRecord } from './records.js';

/** What is in force of an attachment. */
export interface AttachmentState {
  /** Whether its port forwards. */
  isUp(attachment: AttachmentRecord): boolean;
  /** Its default gateways, IPv4 first. */
  gatewaysOf(attachment: AttachmentRecord): readonly string[];
  /** Ports of the node that lead to it. */
  portsOf(attachment: AttachmentRecord): readonly PublishedPortStatus[];
}

/** The fields of the pod itself are those of its first interface, as Kubernetes knows one address of a pod. */
export function podStatus(attachments: readonly AttachmentRecord[], state: AttachmentState): PodStatus {
  const [first] = attachments;
  if (!first) return { phase: 'Pending' };
  const { ips, mac, network, ifname, netns, mtu } = first;
  return {
    phase: attachments.every((attachment) => state.isUp(attachment)) ? 'Running' : 'Lost',
    ...(ips.length > 0 && { podIP: ips[0] }),
    podIPs: ips.map((ip) => ({ ip })),
    mac,
    network,
    ifname,
    netns,
    gateways: [...state.gatewaysOf(first)],
    mtu,
    interfaces: attachments.map((attachment) => interfaceStatus(attachment, state)),
  };
}

/** Of a pod with spec.hostNetwork, which has the node's addresses whether or not it is attached to anything. */
export function hostPodStatus(ips: readonly string[]): PodStatus {
  return {
    phase: 'Running',
    ...(ips.length > 0 && { podIP: ips[0] }),
    podIPs: ips.map((ip) => ({ ip })),
  };
}

function interfaceStatus(attachment: AttachmentRecord, state: AttachmentState): InterfaceStatus {
  const { ifname, network, ips, mac, mtu, aliases, limits, tap, container } = attachment;
  const ports = state.portsOf(attachment);
  return {
    ifname,
    network,
    ips: [...ips],
    mac,
    mtu,
    gateways: [...state.gatewaysOf(attachment)],
    up: state.isUp(attachment),
    ...(aliases && { aliases: [...aliases] }),
    ...(limits && { limits }),
    ...(ports.length > 0 && { ports: [...ports] }),
    ...(tap !== undefined && { tap }),
    ...(container && { containerId: container.id }),
  };
}
