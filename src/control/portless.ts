/**
 * Pods in networks of mode `none` and `host`: what they have instead of an interface of the switch.
 *
 *     none   loopback, up, in a network namespace of the pod's own
 *     host   whatever the node has: the pod is in the node's own namespace
 *
 * Neither takes a port or an address. A pod is in such a network alone, as with Docker: a further interface would
 * contradict `none`, and in the node's namespace it would be the node's.
 */
import { networkInterfaces } from 'node:os';
import { closeFile } from '../linux/libc.js';
import { namespaceIdentity, openNamespace } from '../linux/netns.js';
import { PodwireError, unsupported } from './errors.js';
import { type HostInterface, interfaceWith } from './host/addresses.js';
import { inside } from './host/inside.js';
import { runBatch } from './host/iproute2.js';
import type { LiveNetwork } from './live-network.js';
import type { AttachmentRecord, ContainerReference } from './records.js';

/** The namespace that the daemon is in, as a path for itself. */
export const OWN_NAMESPACE = '/proc/self/ns/net';

export const LOOPBACK = 'lo';
const LOOPBACK_ADDRESSES = ['127.0.0.1/8', '::1/128'];

/** drivers/net/loopback.c: 64 KiB. */
const LOOPBACK_MTU = 65_536;
export const LOOPBACK_MAC = '00:00:00:00:00:00';

/** What an attachment record says of the interface, be it the node's or loopback. */
export type PortlessFacts = Pick<AttachmentRecord, 'ifname' | 'ips' | 'mac' | 'mtu'>;

/** Brings loopback up. @param namespace descriptor of the pod's. @throws PodwireError, NETNS_INVALID for the node's own */
export async function enterNone(namespace: number, netns: string): Promise<PortlessFacts> {
  if (namespaceIdentity(namespace) === namespaceIdentity()) {
    throw new PodwireError('NETNS_INVALID', `${netns} is the node's own network namespace, not a pod's`);
  }
  await runBatch([`link set dev ${LOOPBACK} up`], namespace);
  return { ifname: LOOPBACK, ips: [], mac: LOOPBACK_MAC, mtu: LOOPBACK_MTU };
}

/**
 * @param namespace descriptor of what is said to be the node's.
 * @param ips addresses of the node, on one interface.
 * @throws PodwireError NETNS_INVALID where it is another one's
 */
export async function enterHost(
  namespace: number,
  netns: string,
  ips: readonly string[],
): Promise<PortlessFacts> {
  if (namespaceIdentity(namespace) !== namespaceIdentity()) {
    throw new PodwireError(
      'NETNS_INVALID',
      `${netns} is not the node's own network namespace, which pods of mode host are in: leave it out`,
    );
  }
  const { ifname, mac, mtu }: HostInterface = await interfaceWith(ips[0]);
  return { ifname, mac, mtu, ips };
}

/** A runtime runs such containers in the node's namespace, and asks no plugin. @throws PodwireError UNSUPPORTED */
export function refuseRuntime({ name, spec }: LiveNetwork, container: ContainerReference | undefined): void {
  if (spec.mode !== 'host' || container === undefined) return;
  throw unsupported(
    'network',
    `${name} is of mode host: start the container in the host's network namespace, without CNI`,
  );
}

/** With prefix lengths, those of the usual two that loopback has. @throws LinuxError NETNS_NOT_FOUND */
export function loopbackAddresses(netns: string): readonly string[] {
  const namespace = openNamespace(netns);
  try {
    const found = inside(namespace, networkInterfaces)[LOOPBACK] ?? [];
    return LOOPBACK_ADDRESSES.filter((address) => found.some(({ cidr }) => cidr === address));
  } finally {
    closeFile(namespace);
  }
}
