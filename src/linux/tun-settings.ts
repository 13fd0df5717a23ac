/**
 * What can be set and asked of a TAP through its descriptor, from any thread and namespace.
 */
import { check, libc, nativeArray } from './libc.js';
import * as abi from './tun-abi.js';
import { TunFlags, TunIoctl } from './tun-abi.js';

/** Whether the interface outlives its descriptor. */
export function setPersistent(fd: number, persistent: boolean): void {
  check(libc().ioctlValue(fd, TunIoctl.TUNSETPERSIST, persistent ? 1 : 0), 'ioctl TUNSETPERSIST');
}

/**
 * Whose programs may open the interface by its name, beside those with CAP_NET_ADMIN. One that is persistent and has no
 * owner is open to everybody who may open /dev/net/tun (tun_not_capable() of drivers/net/tun.c).
 */
export function setOwner(fd: number, uid: number): void {
  check(libc().ioctlValue(fd, TunIoctl.TUNSETOWNER, uid), 'ioctl TUNSETOWNER', String(uid));
}

/** Whether the pod sees the cable plugged in. */
export function setCarrier(fd: number, up: boolean): void {
  check(libc().ioctl(fd, TunIoctl.TUNSETCARRIER, word(up ? 1 : 0)), 'ioctl TUNSETCARRIER');
}

/** Gives the interface its MAC address (6 bytes), without a visit to its namespace. */
export function setHardwareAddress(fd: number, address: Uint8Array): void {
  const request = Buffer.alloc(abi.IFREQ_BYTES);
  request.writeUInt16LE(abi.ARPHRD_ETHER, abi.IFREQ_HWADDR_FAMILY_AT);
  request.set(address.subarray(0, 6), abi.IFREQ_HWADDR_AT);
  check(libc().ioctl(fd, TunIoctl.SIOCSIFHWADDR, request), 'ioctl SIOCSIFHWADDR');
}

/** The interface's MAC address, 6 bytes. */
export function hardwareAddress(fd: number): Uint8Array {
  const request = Buffer.alloc(abi.IFREQ_BYTES);
  check(libc().ioctl(fd, TunIoctl.SIOCGIFHWADDR, request), 'ioctl SIOCGIFHWADDR');
  return Uint8Array.from(request.subarray(abi.IFREQ_HWADDR_AT, abi.IFREQ_HWADDR_AT + 6));
}

/** The interface of a descriptor: its name now (it may have been renamed), and whether it is persistent. */
export function tapInfo(fd: number): { name: string; persistent: boolean; flags: number } {
  const request = Buffer.alloc(abi.IFREQ_BYTES);
  check(libc().ioctl(fd, TunIoctl.TUNGETIFF, request), 'ioctl TUNGETIFF');
  const end = request.indexOf(0);
  const flags = request.readUInt16LE(abi.IFREQ_FLAGS_AT);
  return {
    name: request.toString('latin1', 0, end),
    persistent: (flags & TunFlags.IFF_PERSIST) !== 0,
    flags,
  };
}

/** An int for the kernel to read through a pointer. */
export function word(value: number): Int32Array {
  const memory = nativeArray(1);
  memory[0] = value;
  return memory;
}
