/**
 * The header before every packet of a TAP opened with IFF_VNET_HDR: struct virtio_net_hdr_v1 (Virtio 1.2
 * section 5.1.6, linux/virtio_net.h), 12 octets, little-endian (TUNSETVNETHDRSZ 12, TUNSETVNETLE 1).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     flags     |    gso_type   |            hdr_len            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |            gso_size           |           csum_start          |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |          csum_offset          |          num_buffers          |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Offsets in it count from the first octet of the Ethernet header that follows. With NEEDS_CSUM the checksum
 * field at csum_start + csum_offset holds the folded sum of the pseudo header, not complemented, and the sum
 * from csum_start to the end of the packet is still to be taken (checksum.ts, completePartial).
 */

const FLAGS = 0;
const GSO_TYPE = 1;
const HDR_LEN = 2;
const GSO_SIZE = 4;
const CSUM_START = 6;
const CSUM_OFFSET = 8;
const NUM_BUFFERS = 10;

export const LENGTH = 12;

export const FLAG = {
  /** The checksum is partial. */
  NEEDS_CSUM: 1,
  /** The checksum was found right, or need not be looked at. */
  DATA_VALID: 2,
} as const;

export const GSO = {
  NONE: 0,
  TCPV4: 1,
  /** UDP fragmentation: IP fragments of one datagram. */
  UDP: 3,
  TCPV6: 4,
  /** UDP segmentation: datagrams of gso_size octets each. */
  UDP_L4: 5,
  /** A bit beside the type: the first segment keeps CWR (RFC 3168), the others lose it. */
  ECN: 0x80,
} as const;

export function flags(view: DataView, at: number): number {
  return view.getUint8(at + FLAGS);
}

/** One of GSO, with the ECN bit. */
export function gsoType(view: DataView, at: number): number {
  return view.getUint8(at + GSO_TYPE);
}

/** Octets of all headers: a hint, not to be trusted. */
export function headerLength(view: DataView, at: number): number {
  return view.getUint16(at + HDR_LEN, true);
}

/** Octets of payload of each segment. */
export function gsoSize(view: DataView, at: number): number {
  return view.getUint16(at + GSO_SIZE, true);
}

export function csumStart(view: DataView, at: number): number {
  return view.getUint16(at + CSUM_START, true);
}

/** From csum_start to the checksum field. */
export function csumOffset(view: DataView, at: number): number {
  return view.getUint16(at + CSUM_OFFSET, true);
}

/** Buffers that a merged receive took; 1 from a TAP, and ignored on the way into one. */
export function numBuffers(view: DataView, at: number): number {
  return view.getUint16(at + NUM_BUFFERS, true);
}

/** Writes all of the header, with no merged buffers. */
export function write(
  view: DataView,
  at: number,
  flags: number,
  gsoType: number,
  headerLength: number,
  gsoSize: number,
  csumStart: number,
  csumOffset: number,
): void {
  view.setUint8(at + FLAGS, flags);
  view.setUint8(at + GSO_TYPE, gsoType);
  view.setUint16(at + HDR_LEN, headerLength, true);
  view.setUint16(at + GSO_SIZE, gsoSize, true);
  view.setUint16(at + CSUM_START, csumStart, true);
  view.setUint16(at + CSUM_OFFSET, csumOffset, true);
  view.setUint16(at + NUM_BUFFERS, 0, true);
}

/** Writes the header of a packet with a complete checksum and no segmentation. */
export function clear(view: DataView, at: number): void {
  view.setUint32(at, 0);
  view.setUint32(at + 4, 0);
  view.setUint32(at + 8, 0);
}
