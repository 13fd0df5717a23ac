/**
 * Copies of packets, within a pool or from one engine's pool to another's, and what a packet still knows of
 * itself once it has crossed a link: its bytes, its length, its offload facts, and the other end of a datagram.
 */
import { FRAME_START, SLOT_SIZE } from '../constants.js';
import { PACKET, type PacketPool } from '../pool.js';
import { setRemote } from '../tunnel/remote.js';

const LINK_FLAGS = PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID;

/** Bytes that fit between the usual beginning of a frame and the end of its slot. */
export const FRAME_ROOM = SLOT_SIZE - FRAME_START;

/** Whether the frame begins at the usual place, with all of its headroom. */
export function isAtStart(pool: PacketPool, slot: number): boolean {
  return pool.at[slot] === pool.end(slot) - FRAME_ROOM;
}

/**
 * Copies a packet to a new slot of `to`, which may be the same pool. Answers that slot, or -1 where `to` is
 * empty. `slot` stays the caller's.
 */
export function copyPacket(from: PacketPool, slot: number, to: PacketPool): number {
  const copy = to.take();
  if (copy < 0) return -1;
  copyBytes(from.view, from.at[slot], to.view, to.at[copy], from.length[slot]);
  to.length[copy] = from.length[slot];
  to.flags[copy] = from.flags[slot];
  to.gsoType[copy] = from.gsoType[slot];
  to.gsoSize[copy] = from.gsoSize[slot];
  to.checksumStart[copy] = from.checksumStart[slot];
  to.checksumOffset[copy] = from.checksumOffset[slot];
  setRemote(to, copy, from.remote, slot, from.remotePort[slot]);
  return copy;
}

/** Makes a packet one that just arrived at `port`: what elements had found out about it is forgotten. */
export function markReceived(pool: PacketPool, slot: number, port: number): void {
  pool.port[slot] = port;
  pool.flags[slot] &= LINK_FLAGS;
  pool.vlan[slot] = 0;
  pool.info[slot] = 0;
  pool.l4[slot] = 0;
}

/** Copies a packet within its pool with all that is known of it. Answers the new slot, or -1. */
export function duplicatePacket(pool: PacketPool, slot: number): number {
  const copy = copyPacket(pool, slot, pool);
  if (copy >= 0) pool.copyFacts(slot, copy);
  return copy;
}

/**
 * Copies `length` bytes from one memory to another. In words, since parts of a Uint8Array can only be copied
 * through a view of them, which would be an allocation.
 */
export function copyBytes(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) to.setInt32(toAt + i, from.getInt32(at + i));
  for (let i = words; i < length; i++) to.setUint8(toAt + i, from.getUint8(at + i));
}
