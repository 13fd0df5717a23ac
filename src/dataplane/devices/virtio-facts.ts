/**
 * Between the virtio header that a TAP or a packet socket puts before each packet and the facts of the packet pool.
 *
 * A TAP's lies in the 12 bytes before the frame, inside the headroom, so one read or write moves both. That of a packet
 * socket lacks the last two, which nobody reads (raw-facts.ts).
 */

import { dataOffset } from '../../wire/tcp.js';
import { HEADER_LENGTH as UDP_HEADER } from '../../wire/udp.js';
import * as virtio from '../../wire/virtio-net.js';
import { FLAG, GSO, LENGTH } from '../../wire/virtio-net.js';
import { PACKET, type PacketPool } from '../pool.js';

/** Sets the facts of a packet that was read with its header: `bytes` are both. */
export function readFacts(pool: PacketPool, slot: number, bytes: number, port: number): void {
  readHeader(pool, slot, pool.at[slot] - LENGTH, bytes - LENGTH, port);
}

/** Sets the facts of a frame of `length` bytes, whose header lies at `header` in packet memory. */
export function readHeader(
  pool: PacketPool,
  slot: number,
  header: number,
  length: number,
  port: number,
): void {
  const { view } = pool;
  pool.reset(slot, length, port);
  const flags = virtio.flags(view, header);
  const gsoType = virtio.gsoType(view, header);
  if (flags === 0 && gsoType === GSO.NONE) return;
  if ((flags & FLAG.DATA_VALID) !== 0) pool.flags[slot] = PACKET.CHECKSUM_VALID;
  if ((flags & FLAG.NEEDS_CSUM) !== 0) {
    pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
    pool.checksumStart[slot] = virtio.csumStart(view, header);
    pool.checksumOffset[slot] = virtio.csumOffset(view, header);
  }
  pool.gsoType[slot] = gsoType;
  pool.gsoSize[slot] = virtio.gsoSize(view, header);
}

/** Writes the header before the frame, from the packet's facts. */
export function writeFacts(pool: PacketPool, slot: number): void {
  writeHeader(pool, slot, pool.view, pool.at[slot] - LENGTH, 0);
}

/** Writes it anywhere; `shift`: how many bytes the headers that it tells of lie further back than in the pool. */
export function writeHeader(
  pool: PacketPool,
  slot: number,
  view: DataView,
  header: number,
  shift: number,
): void {
  const flags = pool.flags[slot];
  const gsoType = pool.gsoType[slot];
  if ((flags & PACKET.PARTIAL_CHECKSUM) === 0) {
    virtio.clear(view, header);
    if ((flags & PACKET.CHECKSUM_VALID) !== 0) view.setUint8(header, FLAG.DATA_VALID);
    return;
  }
  const headers = gsoType === GSO.NONE ? 0 : headerBytes(pool, slot) + shift;
  const start = pool.checksumStart[slot] + shift;
  const offset = pool.checksumOffset[slot];
  virtio.write(view, header, FLAG.NEEDS_CSUM, gsoType, headers, pool.gsoSize[slot], start, offset);
}

/** Bytes of all headers of a GSO packet, from the start of the frame. */
function headerBytes(pool: PacketPool, slot: number): number {
  const l4 = pool.l4[slot];
  const isUdp = (pool.gsoType[slot] & ~GSO.ECN) === GSO.UDP_L4;
  return l4 - pool.at[slot] + (isUdp ? UDP_HEADER : dataOffset(pool.view, l4));
}
