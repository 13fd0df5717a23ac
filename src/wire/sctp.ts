/**
 * SCTP (RFC 9260 section 3.1), as far as a translator of ports needs it.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     Source Port Number        |     Destination Port Number   |
 *    |                      Verification Tag                         |
 *    |                           Checksum                            |
 *    |  Chunk Type   | Chunk  Flags  |      Chunk Length             |
 *
 * The checksum is CRC32c over the whole packet with the field 0 (section 6.8, appendix A), stored with its lowest octet
 * first. It covers no IP address, and cannot be updated for a changed port: it is computed anew.
 */

const CHECKSUM = 8;

/** Octets of the common header. */
export const HEADER_LENGTH = 12;

export const CHUNK = { ABORT: 6, SHUTDOWN_COMPLETE: 14 } as const;

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Int32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  return crc;
});

/** Of the first chunk; only for packets that have one. */
export function firstChunk(view: DataView, at: number): number {
  return view.getUint8(at + HEADER_LENGTH);
}

/** CRC32c of `length` octets, as an int32. */
export function crc32c(view: DataView, at: number, length: number): number {
  let crc = -1;
  for (let p = at; p < at + length; p++) crc = TABLE[(crc ^ view.getUint8(p)) & 0xff] ^ (crc >>> 8);
  return ~crc;
}

/** Whether the checksum of the packet of `length` octets is right. */
export function isChecksumRight(view: DataView, at: number, length: number): boolean {
  const stored = view.getInt32(at + CHECKSUM, true);
  view.setInt32(at + CHECKSUM, 0);
  const isRight = crc32c(view, at, length) === stored;
  view.setInt32(at + CHECKSUM, stored, true);
  return isRight;
}

export function writeChecksum(view: DataView, at: number, length: number): void {
  view.setInt32(at + CHECKSUM, 0);
  view.setInt32(at + CHECKSUM, crc32c(view, at, length), true);
}
