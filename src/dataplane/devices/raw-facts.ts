/**
 * Between the facts of a packet and the messages of a packet socket, for both backends.
 *
 * VLAN tags: the kernel has taken the outer one out of a frame. A device of one VLAN (`vlan` of 1 to 4094) gets frames
 * of that VLAN alone (packet-filter.ts), so the tag is forgotten here and put on again where a frame is sent. A device
 * without one (NO_VLAN) is a trunk: the tag is put back, and the packet goes on as a tagged one. VLAN 0 is no VLAN but a
 * priority (IEEE 802.1Q-2018 section 9.6), and its tag is left out.
 */
import { Errno } from '../../linux/errno.js';
import { VNET_HEADER_BYTES } from '../../linux/packet-abi.js';
import type { PacketMessages } from '../../linux/packet-message.js';
import * as ethernet from '../../wire/ethernet.js';
import { MAX_FRAME } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import { PACKET, type PacketPool } from '../pool.js';
import { readHeader, writeHeader } from './virtio-facts.js';

/** In place of a VLAN: the device has none of its own. */
export const NO_VLAN = 0;

/** Bytes that one message may bring: there is room for the tag of a trunk behind it. */
export const RECEIVE_BYTES = VNET_HEADER_BYTES + MAX_FRAME;

const ADDRESSES = ethernet.SRC + 6;

/** Where in packet memory a message puts its virtio header, so that the frame comes to lie at the slot's place. */
export function receiveAt(pool: PacketPool, slot: number): number {
  return pool.at[slot] - VNET_HEADER_BYTES;
}

/** Makes a received message of `bytes`, more than VNET_HEADER_BYTES, a packet of `port`. */
export function readFrame(
  pool: PacketPool,
  slot: number,
  bytes: number,
  port: number,
  vlan: number,
  tag: number,
): void {
  readHeader(pool, slot, pool.at[slot] - VNET_HEADER_BYTES, bytes - VNET_HEADER_BYTES, port);
  if (vlan === NO_VLAN && ethernet.vlanId(tag & 0xffff) !== 0) putTagBack(pool, slot, tag);
}

/** The addresses move into the headroom, by the length of the tag. */
function putTagBack(pool: PacketPool, slot: number, tag: number): void {
  pool.at[slot] = ethernet.pushTag(pool.view, pool.at[slot], tag >>> 16, tag & 0xffff);
  pool.length[slot] += ethernet.TAG_LENGTH;
  if ((pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) !== 0) pool.checksumStart[slot] += ethernet.TAG_LENGTH;
}

/** Aims a message at a slot's frame, with the tag of `vlan` put in. */
export function aimFrame(
  pool: PacketPool,
  slot: number,
  vlan: number,
  messages: PacketMessages,
  index: number,
): void {
  const { view } = messages;
  const from = pool.at[slot];
  const length = pool.length[slot];
  const prefix = messages.prefix(index);
  if (vlan === NO_VLAN) {
    writeHeader(pool, slot, view, prefix, 0);
    messages.aimToSend(index, VNET_HEADER_BYTES, from, length);
    return;
  }
  writeHeader(pool, slot, view, prefix, ethernet.TAG_LENGTH);
  const to = prefix + VNET_HEADER_BYTES;
  for (let at = 0; at < ADDRESSES; at += 4) view.setUint32(to + at, pool.view.getUint32(from + at));
  view.setUint16(to + ADDRESSES, ethernet.ETHERTYPE.VLAN);
  view.setUint16(to + ADDRESSES + 2, vlan);
  const prefixLength = VNET_HEADER_BYTES + ADDRESSES + ethernet.TAG_LENGTH;
  messages.aimToSend(index, prefixLength, from + ADDRESSES, length - ADDRESSES);
}

/** Why a packet cannot be sent through a device of `vlan` at all, or -1: a tag under ours would lead to another VLAN. */
export function refusal(pool: PacketPool, slot: number, vlan: number): number {
  if (vlan === NO_VLAN) return -1;
  return ethernet.isTag(ethernet.etherType(pool.view, pool.at[slot])) ? DROP['vlan-in-vlan'] : -1;
}

/** The drop reason for a failed send. */
export function sendFailure(result: number): number {
  switch (-result) {
    case Errno.EMSGSIZE:
      return DROP['too-big'];
    case Errno.EAGAIN:
    case Errno.ENOBUFS:
      return DROP['tx-queue-full'];
    case Errno.ENETDOWN:
    case Errno.ENXIO:
    case Errno.ENODEV:
    case Errno.EBADF:
      return DROP['port-down'];
    default:
      return DROP['device-error'];
  }
}

/** Whether a receive says that the interface went down: for a while, or because it is being deleted. */
export function isDown(result: number): boolean {
  return result === -Errno.ENETDOWN;
}

/**
 * The kernel's word on a single packet, which is gone: its segmentation is of a kind that a virtio header cannot express.
 */
export function isUnspeakable(result: number): boolean {
  return result === -Errno.EINVAL;
}

/** Whether a receive failed in a way that would come again at once and make the loop spin. */
export function isReceiveFatal(result: number): boolean {
  switch (-result) {
    case Errno.EAGAIN:
    case Errno.EINTR:
    case Errno.ECANCELED:
    case Errno.EINVAL:
    case Errno.ENETDOWN:
    case Errno.ENOBUFS:
    case Errno.ENOMEM:
      return false;
    default:
      return result < 0;
  }
}
