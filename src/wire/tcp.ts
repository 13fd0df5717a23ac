/**
 * TCP (RFC 9293 section 3.1).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |          Source Port          |       Destination Port        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                        Sequence Number                        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                    Acknowledgment Number                      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  Data |       |C|E|U|A|P|R|S|F|                               |
 *    | Offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
 *    |       |       |R|E|G|K|H|T|N|N|                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |           Checksum            |         Urgent Pointer        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                           [Options]                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

const SRC_PORT = 0;
const DST_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT = 18;

/** Octets of a header without options. */
export const HEADER_LENGTH = 20;
export const MAX_HEADER_LENGTH = 60;
/** Where the checksum is in the header: `csum_offset` of a partial checksum. */
export const CHECKSUM_OFFSET = CHECKSUM;

export const FLAG = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

/** Option kinds (IANA, tcp-parameters). */
export const OPTION = {
  END: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
} as const;

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

export function sequence(view: DataView, at: number): number {
  return view.getUint32(at + SEQUENCE);
}

export function setSequence(view: DataView, at: number, sequence: number): void {
  view.setUint32(at + SEQUENCE, sequence);
}

export function acknowledgment(view: DataView, at: number): number {
  return view.getUint32(at + ACKNOWLEDGMENT);
}

/** Octets of the header with its options: 20 to 60, and less than 20 only in a malformed one. */
export function dataOffset(view: DataView, at: number): number {
  return (view.getUint8(at + DATA_OFFSET) >>> 4) << 2;
}

export function flags(view: DataView, at: number): number {
  return view.getUint8(at + FLAGS);
}

export function setFlags(view: DataView, at: number, flags: number): void {
  view.setUint8(at + FLAGS, flags);
}

export function window(view: DataView, at: number): number {
  return view.getUint16(at + WINDOW);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function setChecksum(view: DataView, at: number, check: number): void {
  view.setUint16(at + CHECKSUM, check);
}

export function urgent(view: DataView, at: number): number {
  return view.getUint16(at + URGENT);
}

/**
 * Offset of the first option of `kind` in the header at `at`, or -1 where there is none or a malformed option
 * comes first. The options lie before `at + dataOffset`, which was checked at input; an option that is found
 * lies wholly before it too.
 */
export function findOption(view: DataView, at: number, kind: number): number {
  const end = at + dataOffset(view, at);
  let p = at + HEADER_LENGTH;
  while (p < end) {
    const length = optionLength(view, p, end);
    if (length === 0) return -1;
    if (view.getUint8(p) === kind) return p;
    p += length;
  }
  return -1;
}

/** Octets of the option at `p`; 0 at the end of the list or where the option does not fit before `end`. */
export function optionLength(view: DataView, p: number, end: number): number {
  const kind = view.getUint8(p);
  if (kind === OPTION.END) return 0;
  if (kind === OPTION.NOP) return 1;
  if (p + 2 > end) return 0;
  const length = view.getUint8(p + 1);
  return length < 2 || p + length > end ? 0 : length;
}

/** The maximum segment size that a SYN announces (RFC 9293 section 3.7.1), or 0 where it does not. */
export function maximumSegment(view: DataView, at: number): number {
  const option = findOption(view, at, OPTION.MSS);
  return option < 0 || view.getUint8(option + 1) !== 4 ? 0 : view.getUint16(option + 2);
}

/** Writes a header of HEADER_LENGTH octets with checksum and urgent pointer 0. */
export function writeHeader(
  view: DataView,
  at: number,
  srcPort: number,
  dstPort: number,
  sequence: number,
  acknowledgment: number,
  flags: number,
  window: number,
): void {
  view.setUint16(at + SRC_PORT, srcPort);
  view.setUint16(at + DST_PORT, dstPort);
  view.setUint32(at + SEQUENCE, sequence);
  view.setUint32(at + ACKNOWLEDGMENT, acknowledgment);
  view.setUint16(at + DATA_OFFSET, 0x5000 | flags);
  view.setUint16(at + WINDOW, window);
  view.setUint32(at + CHECKSUM, 0);
}

/**
 * Makes the header at `at` that of a reset without options and data, with checksum 0; ports stay. `isAcknowledged`: it
 * answers a segment that acknowledged `sequence`, and acknowledges nothing itself.
 */
export function writeReset(
  view: DataView,
  at: number,
  sequence: number,
  acknowledgment: number,
  isAcknowledged: boolean,
): void {
  view.setUint32(at + SEQUENCE, sequence);
  view.setUint32(at + ACKNOWLEDGMENT, acknowledgment);
  view.setUint8(at + DATA_OFFSET, HEADER_LENGTH << 2);
  view.setUint8(at + FLAGS, isAcknowledged ? FLAG.RST : FLAG.RST | FLAG.ACK);
  view.setUint16(at + WINDOW, 0);
  view.setUint16(at + CHECKSUM, 0);
  view.setUint16(at + URGENT, 0);
}
