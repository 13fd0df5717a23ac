/**
 * What is behind the port of an attachment: the TAP in a pod's namespace, or the packet socket on the TAP of a virtual
 * machine. Both are made, or taken up after a restart, and given to the data plane as a port that is closed until it is
 * published. Each step leaves its reversal in `undo`.
 */
import { closeFile } from '../linux/libc.js';
import { openNamespace } from '../linux/netns.js';
import { asPodwireError } from './errors.js';
import {
  createGuestTap,
  forgoGuestTap,
  keepGuestTap,
  removeGuestTap,
  restoreGuestTap,
} from './host/guest-tap.js';
import { isGone } from './host/namespaces.js';
import { createTap, deleteLeftTap, restoreTap, setPersistent } from './host/tap.js';
import type { PlannedPort } from './plan.js';
import type { LivePort, Ports } from './ports.js';
import type { AttachmentRecord } from './records.js';
import type { Undo } from './undo.js';

export interface PlugParts {
  readonly ports: Ports;
  /** What the data plane's driver needs of a descriptor. */
  readonly nonBlocking: boolean;
}

/** `restore` takes what an earlier daemon left, where it is still there. */
export type PlugWay = 'create' | 'restore';

export interface Plug {
  readonly port: LivePort;
  /** From now on the interface outlives the daemon. */
  keep(): void | Promise<void>;
}

/** @throws LinuxError, PodwireError */
export async function plugPod(
  { ports, nonBlocking }: PlugParts,
  attachment: AttachmentRecord,
  namespace: number,
  way: PlugWay,
  undo: Undo,
): Promise<Plug> {
  const { ifname, mac } = attachment;
  const wish = { ifname, nonBlocking };
  const tap = way === 'create' ? createTap(namespace, wish) : restoreTap(namespace, wish, mac);
  const port = await ports.add<PlannedPort>(planned(attachment), tap);
  undo.add(() => ports.remove(port));
  return { port, keep: () => setPersistent(port.fd, true) };
}

/** @throws LinuxError, PodwireError */
export async function plugGuest(
  { ports, nonBlocking }: PlugParts,
  attachment: AttachmentRecord & { readonly tap: string },
  namespace: number,
  way: PlugWay,
  undo: Undo,
): Promise<Plug> {
  const { tap, tapOwner: owner, mac, mtu } = attachment;
  const wish = { tap, mac, mtu, nonBlocking, ...(owner !== undefined && { owner }) };
  const made = await (way === 'create' ? createGuestTap : restoreGuestTap)(namespace, wish);
  undo.add(() => forgoGuestTap(made));
  const port = await ports.addGuest<PlannedPort>(planned(attachment), made.link);
  undo.add(() => ports.remove(port));
  return { port, keep: () => keepGuestTap(made) };
}

/** Takes away what an earlier daemon made for a pod and this one could not take up. @returns why it could not */
export function unplugLostPod({ netns, netnsId, tap, ifname, mac }: AttachmentRecord): string | undefined {
  if (tap !== undefined || isGone(netns, netnsId)) return undefined;
  const namespace = openNamespace(netns);
  try {
    const isGoneNow = deleteLeftTap(namespace, { ifname, nonBlocking: true }, mac);
    return isGoneNow ? undefined : `its MAC address is not ${mac}`;
  } catch (error) {
    return asPodwireError(error).message;
  } finally {
    closeFile(namespace);
  }
}

/** Takes the TAP of a virtual machine away; in a namespace that is gone it goes with its monitor. */
export async function unplugGuest({ netns, netnsId, tap, mac }: AttachmentRecord): Promise<void> {
  if (tap === undefined || isGone(netns, netnsId)) return;
  const namespace = openNamespace(netns);
  try {
    await removeGuestTap(namespace, { tap, mac });
  } finally {
    closeFile(namespace);
  }
}

export function isGuest(
  attachment: AttachmentRecord,
): attachment is AttachmentRecord & { readonly tap: string } {
  return attachment.tap !== undefined;
}

function planned({
  port: name,
  network,
  domain,
  mac,
  ips,
  mtu,
  limits,
}: AttachmentRecord): Omit<PlannedPort, 'id'> {
  return { name, network, domain, mac, ips, mtu, limits };
}
