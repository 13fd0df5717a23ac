/**
 * TAP devices: the network cards of pods, and their descriptors, which are the switch's end of the wire.
 *
 * A TAP is made in the calling thread's network namespace (see `withNamespace`) under its final name. Made
 * persistent it outlives the descriptor, keeps its addresses and routes, and is taken up again by name with
 * `mode: 'take-up'`; its reader being gone, it has no carrier meanwhile. Not persistent, it vanishes with
 * the descriptor. The descriptor stays valid from any thread and namespace, and pins the namespace in which
 * it was opened (see netns.ts).
 *
 * With `vnetHeader` every packet read or written is preceded by a virtio-net header of 12 bytes, little
 * endian, in which the kernel tells and is told of partial checksums and segmentation.
 */
import { Errno, LinuxError, SystemError } from './errno.js';
import { check, closeFile, libc, OpenFlags, openFile } from './libc.js';
import * as abi from './tun-abi.js';
import { TunFlags, TunIoctl, TunOffload } from './tun-abi.js';
import { setPersistent, word } from './tun-settings.js';

export { TunOffload, VNET_HEADER_BYTES } from './tun-abi.js';
export {
  hardwareAddress,
  setCarrier,
  setHardwareAddress,
  setOwner,
  setPersistent,
  tapInfo,
} from './tun-settings.js';

/** Everything a TAP can be asked for: 64 KiB packets for TCP and UDP, checksums left to us. */
export const ALL_OFFLOADS =
  TunOffload.TUN_F_CSUM |
  TunOffload.TUN_F_TSO4 |
  TunOffload.TUN_F_TSO6 |
  TunOffload.TUN_F_TSO_ECN |
  TunOffload.TUN_F_USO4 |
  TunOffload.TUN_F_USO6;

/** Our own: how long a TAP may be held by one who is gone, and how often we ask. */
const RELEASE_MS = 500;
const BUSY_RETRY_MS = 2;

export interface TapOptions {
  /** 1 to 15 bytes, without '/', ':' and white space. */
  readonly name: string;
  /** 'create' fails where the name is taken; 'take-up' fails where no persistent TAP of the name waits. */
  readonly mode: 'create' | 'take-up';
  /** Default true. */
  readonly vnetHeader?: boolean;
  /** Bits of TunOffload; default ALL_OFFLOADS, and 0 without vnetHeader. Kernels may grant fewer. */
  readonly offloads?: number;
  /** O_NONBLOCK, for the poll backend. With io_uring leave it off, or empty reads end with -EAGAIN. */
  readonly nonBlocking?: boolean;
  /** Several descriptors, one for each worker. Default false. */
  readonly multiQueue?: boolean;
  /**
   * How long 'take-up' waits, blocking the thread, for a TAP whose reader is still going away; default
   * RELEASE_MS. A killed process, or a ring closed with reads in flight, lets go of its TAP only when the
   * kernel has cleaned its io_uring up, some 40 ms later (measured).
   */
  readonly busyMs?: number;
  /** Create without carrier: the pod sees a link that is not up until `setCarrier(fd, true)`. */
  readonly noCarrier?: boolean;
}

export interface Tap {
  readonly fd: number;
  readonly name: string;
  /** The interface index in its namespace. */
  readonly index: number;
  /** Bytes before each packet: 12, or 0. */
  readonly headerBytes: number;
  /** The bits of TunOffload that the kernel granted. */
  readonly offloads: number;
}

/**
 * Opens a TAP in the calling thread's network namespace. Throws LinuxError TUN_UNAVAILABLE, TUN_FORBIDDEN,
 * INTERFACE_NAME_INVALID, INTERFACE_EXISTS (create), INTERFACE_NOT_FOUND, INTERFACE_BUSY or
 * INTERFACE_NOT_TAP (take-up), else SystemError; nothing is left behind when it throws.
 */
export function openTap(options: TapOptions): Tap {
  checkName(options.name);
  const indexBefore = libc().ifNameToIndex(options.name);
  if (options.mode === 'take-up' && indexBefore === 0) throw notFound(options.name);
  const fd = openTunDevice(options.nonBlocking ?? false);
  try {
    attach(fd, options);
    return configure(fd, options, indexBefore);
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

/** Releases the descriptor; an interface that is not persistent disappears with it. */
export function closeTap(tap: Tap): void {
  closeFile(tap.fd);
}

/** Removes a persistent TAP by name from the calling thread's namespace. Throws what 'take-up' throws. */
export function removeTap(name: string, options: { multiQueue?: boolean } = {}): void {
  const tap = openTap({ name, mode: 'take-up', vnetHeader: false, ...options });
  try {
    setPersistent(tap.fd, false);
  } finally {
    closeTap(tap);
  }
}

/** Names of directories beside those of interfaces in /proc/sys/net/ipv4/conf. */
const RESERVED: readonly string[] = ['all', 'default'];

/** What the kernel accepts as a name, less '%', which TUNSETIFF takes for a template. */
function checkName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (RESERVED.includes(name)) {
    throw new LinuxError(
      'INTERFACE_NAME_INVALID',
      `'${name}' cannot name an interface: the kernel means all of them`,
    );
  }
  if (bytes > 0 && bytes < abi.IFNAMSIZ && name !== '.' && name !== '..' && !/[\s/:%\0]/.test(name)) return;
  throw new LinuxError(
    'INTERFACE_NAME_INVALID',
    `'${name}' cannot name an interface: 1 to 15 bytes without white space, '/', ':' and '%'`,
  );
}

function openTunDevice(nonBlocking: boolean): number {
  try {
    return openFile(abi.TUN_DEVICE, OpenFlags.O_RDWR | (nonBlocking ? OpenFlags.O_NONBLOCK : 0));
  } catch (error) {
    throw explainOpen(error);
  }
}

function explainOpen(error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  switch (error.errno) {
    case Errno.ENOENT:
      return new LinuxError(
        'TUN_UNAVAILABLE',
        `${abi.TUN_DEVICE} does not exist: load the driver (modprobe tun), or create the node (mkdir -p /dev/net; mknod ${abi.TUN_DEVICE} c 10 200)`,
        error,
      );
    case Errno.ENODEV:
      return new LinuxError(
        'TUN_UNAVAILABLE',
        `the kernel has no TUN driver: modprobe tun (${error.message})`,
        error,
      );
    case Errno.EACCES:
    case Errno.EPERM:
      return forbidden(error);
    default:
      return error;
  }
}

function forbidden(error: SystemError): LinuxError {
  return new LinuxError(
    'TUN_FORBIDDEN',
    `${error.message}; TAP devices need CAP_NET_ADMIN and access to ${abi.TUN_DEVICE} (run as root)`,
    error,
  );
}

function attach(fd: number, options: TapOptions): void {
  const request = Buffer.alloc(abi.IFREQ_BYTES);
  request.write(options.name);
  request.writeUInt16LE(interfaceFlags(options), abi.IFREQ_FLAGS_AT);
  const errno = setInterface(fd, request, options.mode === 'take-up' ? (options.busyMs ?? RELEASE_MS) : 0);
  if (errno !== 0) throw explainAttach(new SystemError(errno, 'ioctl TUNSETIFF', options.name), options);
}

/** TUNSETIFF, again and again while the answer is EBUSY, for `busyMs` at most. Returns the errno, or 0. */
function setInterface(fd: number, request: Buffer, busyMs: number): number {
  const deadline = performance.now() + busyMs;
  for (;;) {
    if (libc().ioctl(fd, TunIoctl.TUNSETIFF, request) === 0) return 0;
    const errno = libc().errno();
    if (errno !== Errno.EBUSY || performance.now() >= deadline) return errno;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_RETRY_MS);
  }
}

function interfaceFlags(options: TapOptions): number {
  return (
    TunFlags.IFF_TAP |
    TunFlags.IFF_NO_PI |
    ((options.vnetHeader ?? true) ? TunFlags.IFF_VNET_HDR : 0) |
    (options.multiQueue ? TunFlags.IFF_MULTI_QUEUE : 0) |
    (options.noCarrier ? TunFlags.IFF_NO_CARRIER : 0) |
    (options.mode === 'create' ? TunFlags.IFF_TUN_EXCL : 0)
  );
}

/** EBUSY is IFF_TUN_EXCL's answer to a taken name, and otherwise says that the TAP has its reader. */
function explainAttach(error: SystemError, { name, mode }: TapOptions): Error {
  if (error.errno === Errno.EPERM || error.errno === Errno.EACCES) return forbidden(error);
  if (error.errno === Errno.EBUSY && mode === 'create') {
    return new LinuxError('INTERFACE_EXISTS', `the namespace already has an interface ${name}`, error);
  }
  if (error.errno === Errno.EBUSY) {
    return new LinuxError('INTERFACE_BUSY', `TAP ${name} is in use by another process`, error);
  }
  if (error.errno === Errno.EINVAL && mode === 'take-up') {
    return new LinuxError('INTERFACE_NOT_TAP', `interface ${name} is not a TAP of the wanted kind`, error);
  }
  return error;
}

/** A TAP that vanished between the look and the attach has just been made anew: not what was asked for. */
function configure(fd: number, options: TapOptions, indexBefore: number): Tap {
  const index = libc().ifNameToIndex(options.name);
  if (options.mode === 'take-up' && index !== indexBefore) throw notFound(options.name);
  const vnetHeader = options.vnetHeader ?? true;
  if (vnetHeader) {
    const size = word(abi.VNET_HEADER_BYTES);
    check(libc().ioctl(fd, TunIoctl.TUNSETVNETHDRSZ, size), 'ioctl TUNSETVNETHDRSZ', options.name);
  }
  const offloads = setOffloads(fd, options.offloads ?? (vnetHeader ? ALL_OFFLOADS : 0), options.name);
  return { fd, name: options.name, index, headerBytes: vnetHeader ? abi.VNET_HEADER_BYTES : 0, offloads };
}

function notFound(name: string): LinuxError {
  return new LinuxError('INTERFACE_NOT_FOUND', `the namespace has no interface ${name}`);
}

/** Asks for less until the kernel agrees: USO is of 6.2, the rest as old as the vnet header. */
function setOffloads(fd: number, wanted: number, name: string): number {
  const withoutUso = wanted & ~(TunOffload.TUN_F_USO4 | TunOffload.TUN_F_USO6);
  for (const bits of [
    wanted,
    withoutUso,
    withoutUso & ~TunOffload.TUN_F_TSO_ECN,
    wanted & TunOffload.TUN_F_CSUM,
  ]) {
    if (libc().ioctlValue(fd, TunIoctl.TUNSETOFFLOAD, bits) === 0) return bits;
  }
  check(libc().ioctlValue(fd, TunIoctl.TUNSETOFFLOAD, 0), 'ioctl TUNSETOFFLOAD', name);
  return 0;
}
