/** Between the facts of a datagram in the pool and the messages of UDP sockets, for both backends. */
import { Errno } from '../../linux/errno.js';
import { UDP_MAX_PAYLOAD, UDP_MAX_SEGMENTS } from '../../linux/udp-abi.js';
import type { MessageTable } from '../../linux/udp-message.js';
import { DROP } from '../drop-reasons.js';
import type { PacketPool } from '../pool.js';
import { FRAME_ROOM } from './packet-copy.js';

/** Bytes that one message may bring; there is none that is longer. */
export const RECEIVE_BYTES = FRAME_ROOM;

const MAPPED = 0xffff;

/** Makes a received message of `length` bytes a packet of `port`. */
export function readDatagram(
  pool: PacketPool,
  slot: number,
  length: number,
  port: number,
  messages: MessageTable,
  index: number,
): void {
  pool.reset(slot, length, port);
  const segment = messages.segment(index);
  pool.gsoSize[slot] = segment < length ? segment : 0;
  messages.readRemote(index, pool.remote, slot * 4);
  pool.remotePort[slot] = messages.remotePort(index);
}

/** Aims a message at the bytes from `at` on, and at the slot's remote. */
export function aimDatagram(
  pool: PacketPool,
  slot: number,
  family: 4 | 6,
  messages: MessageTable,
  index: number,
  at: number,
  length: number,
  segment: number,
): void {
  const { remote } = pool;
  const port = pool.remotePort[slot];
  const to = slot * 4;
  messages.aimToSend(index, at, length, segment);
  if (family === 4) messages.toIpv4(index, remote[to + 3], port);
  else messages.toIpv6(index, remote[to], remote[to + 1], remote[to + 2], remote[to + 3], port);
}

/** Whether the slot's remote has an address of the sockets' family. */
export function isOfFamily(pool: PacketPool, slot: number, family: 4 | 6): boolean {
  const { remote } = pool;
  const at = slot * 4;
  return (remote[at] === 0 && remote[at + 1] === 0 && remote[at + 2] === MAPPED) === (family === 4);
}

/** How many datagrams there are in the slot. */
export function datagramsIn(pool: PacketPool, slot: number): number {
  return isBundle(pool, slot) ? Math.ceil(pool.length[slot] / pool.gsoSize[slot]) : 1;
}

/** Whether there are several datagrams in the slot. */
export function isBundle(pool: PacketPool, slot: number): boolean {
  return pool.gsoSize[slot] > 0 && pool.gsoSize[slot] < pool.length[slot];
}

/** Whether the kernel takes the bundle as one message: so many datagrams, and so many bytes. */
export function fitsOneMessage(pool: PacketPool, slot: number): boolean {
  const length = pool.length[slot];
  return length <= UDP_MAX_PAYLOAD && length <= pool.gsoSize[slot] * UDP_MAX_SEGMENTS;
}

/** Which of `count` senders a flow goes through. */
export function senderOf(pool: PacketPool, slot: number, count: number): number {
  return (pool.info[slot] >>> 0) % count;
}

/**
 * Whether a refused bundle might be taken as single datagrams. EIO: the way out cannot make the checksums (IPsec, a
 * card without them). EINVAL: a kernel without UDP_SEGMENT, or an older one for what is too big for the path.
 */
export function isBundleRefused(result: number): boolean {
  return result === -Errno.EINVAL || result === -Errno.EIO || result === -Errno.EOPNOTSUPP;
}

/** The drop reason for a failed send. */
export function sendFailure(result: number): number {
  switch (-result) {
    case Errno.EMSGSIZE:
      return DROP['too-big'];
    case Errno.EAGAIN:
    case Errno.ENOBUFS:
      return DROP['tx-queue-full'];
    case Errno.EBADF:
      return DROP['port-down'];
    default:
      // Among them EHOSTUNREACH, ENETUNREACH and ECONNREFUSED: the network's word on an earlier datagram.
      return DROP['device-error'];
  }
}

/** Whether a receive failed in a way that would come again at once. An ICMP error of the network's passes. */
export function isReceiveFatal(result: number): boolean {
  return result === -Errno.EBADF || result === -Errno.EINVAL || result === -Errno.EFAULT;
}
