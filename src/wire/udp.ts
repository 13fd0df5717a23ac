/**
 * UDP (RFC 768).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |          Source Port          |       Destination Port        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |            Length             |           Checksum            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * A checksum of 0 means that there is none, which IPv4 allows; a computed 0 is sent as 0xffff
 * (checksum.ts, nonZero). In a segmentation-offload packet the length may be 0 or the whole of it.
 */

const SRC_PORT = 0;
const DST_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

export const HEADER_LENGTH = 8;
/** Where the checksum is in the header: `csum_offset` of a partial checksum. */
export const CHECKSUM_OFFSET = CHECKSUM;

export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at + SRC_PORT);
}

export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + SRC_PORT, port);
}

export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + DST_PORT);
}

export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + DST_PORT, port);
}

/** Octets of header and payload. */
export function length(view: DataView, at: number): number {
  return view.getUint16(at + LENGTH);
}

export function setLength(view: DataView, at: number, length: number): void {
  view.setUint16(at + LENGTH, length);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function setChecksum(view: DataView, at: number, check: number): void {
  view.setUint16(at + CHECKSUM, check);
}

/** Writes a header with checksum 0; `length` counts header and payload. */
export function writeHeader(
  view: DataView,
  at: number,
  srcPort: number,
  dstPort: number,
  length: number,
): void {
  view.setUint16(at + SRC_PORT, srcPort);
  view.setUint16(at + DST_PORT, dstPort);
  view.setUint16(at + LENGTH, length);
  view.setUint16(at + CHECKSUM, 0);
}
