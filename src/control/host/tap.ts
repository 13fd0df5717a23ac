/**
 * TAPs as the control plane uses them: made or taken up in a namespace, described for the data plane.
 */
import { close } from 'node:fs';
import { promisify } from 'node:util';
import { OFFLOAD } from '../../dataplane/device.js';
import { duplicate } from '../../linux/duplicate.js';
import { LinuxError } from '../../linux/errno.js';
import { closeTap, hardwareAddress, openTap, setPersistent, type Tap, TunOffload } from '../../linux/tun.js';
import { formatMac } from '../../wire/address.js';
import { PodwireError } from '../errors.js';
import { inside } from './inside.js';

export { closeTap, setPersistent, type Tap };

export interface TapWish {
  readonly ifname: string;
  /** For the poll driver; io_uring needs blocking ones. */
  readonly nonBlocking: boolean;
}

/**
 * Makes a TAP that vanishes with its descriptor until it is made persistent.
 * @param namespace descriptor; undefined: the daemon's own. @throws LinuxError
 */
export function createTap(namespace: number | undefined, { ifname, nonBlocking }: TapWish): Tap {
  return inside(namespace, () => openTap({ name: ifname, mode: 'create', nonBlocking }));
}

/**
 * Takes up the persistent TAP that an earlier daemon left, or makes it anew where it is gone.
 * @param mac what it must have: a TAP of the same name with another MAC is somebody else's.
 * @throws LinuxError, PodwireError INTERFACE_EXISTS
 */
export function restoreTap(namespace: number | undefined, wish: TapWish, mac?: string): Tap {
  const tap = takeUp(namespace, wish);
  if (tap === undefined) return createTap(namespace, wish);
  if (mac === undefined || macOfTap(tap) === mac) return tap;
  const other = macOfTap(tap);
  closeTap(tap);
  throw new PodwireError(
    'INTERFACE_EXISTS',
    `${wish.ifname} has the MAC address ${other} instead of ${mac}: set that again, or delete the interface`,
  );
}

/**
 * Deletes the persistent TAP that an earlier daemon left and that was not taken up. One with another MAC is not touched.
 * @returns false where it is still there. @throws LinuxError
 */
export function deleteLeftTap(namespace: number, wish: TapWish, mac: string): boolean {
  const tap = takeUp(namespace, wish);
  if (tap === undefined) return true;
  try {
    const isOurs = macOfTap(tap) === mac;
    if (isOurs) setPersistent(tap.fd, false);
    return isOurs;
  } finally {
    closeTap(tap);
  }
}

function takeUp(namespace: number | undefined, { ifname, nonBlocking }: TapWish): Tap | undefined {
  try {
    return inside(namespace, () => openTap({ name: ifname, mode: 'take-up', nonBlocking }));
  } catch (error) {
    if (error instanceof LinuxError && error.code === 'INTERFACE_NOT_FOUND') return undefined;
    throw error;
  }
}

function macOfTap(tap: Tap): string {
  const bytes = Buffer.from(hardwareAddress(tap.fd));
  return formatMac(bytes.readUInt16BE(0), bytes.readUInt32BE(2));
}

/**
 * Runs `action`, which has the TAP's descriptor closed, and closes the TAP itself after it, on a thread of libuv's pool.
 * The kernel takes some 20 ms to take away an interface that goes with its last descriptor: where the data plane closed
 * it, it forwarded nothing for so long.
 */
export async function outliving(fd: number, action: () => Promise<void>): Promise<void> {
  const last = duplicate(fd);
  try {
    await action();
  } finally {
    await promisify(close)(last);
  }
}

/** Which unfinished packets the data plane may hand to the TAP. */
export function offloadBits({ offloads }: Tap): number {
  const { TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6 } = TunOffload;
  const uso = TUN_F_USO4 | TUN_F_USO6;
  return (
    (offloads & TUN_F_CSUM ? OFFLOAD.CHECKSUM : 0) |
    (offloads & TUN_F_TSO4 ? OFFLOAD.TSO4 : 0) |
    (offloads & TUN_F_TSO6 ? OFFLOAD.TSO6 : 0) |
    ((offloads & uso) === uso ? OFFLOAD.USO : 0)
  );
}
