/**
 * ICMP for IPv4 (RFC 792); next-hop MTU (RFC 1191 section 4).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     Type      |     Code      |          Checksum             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  echo: identifier             |  echo: sequence number        |
 *    |  error: unused                |  fragmentation needed: MTU    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  echo: data; error: the packet that it is about, from its     |
 *    |  IP header on                                                 |
 *
 * The checksum is over the whole message, with no pseudo header.
 */
import { update16 } from './checksum.js';

const TYPE_FIELD = 0;
const CODE_FIELD = 1;
const CHECKSUM = 2;
const REST = 4;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const MTU = 6;

export const HEADER_LENGTH = 8;
/** Where the checksum is in the header. */
export const CHECKSUM_OFFSET = CHECKSUM;
/** An error message with its IP header should not be longer (RFC 1812 section 4.3.2.3). */
export const MAX_ERROR_PACKET = 576;

export const TYPE = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;

/** Codes of UNREACHABLE (RFC 792, RFC 1812 section 5.2.7.1). */
export const UNREACHABLE = {
  NETWORK: 0,
  HOST: 1,
  PROTOCOL: 2,
  PORT: 3,
  FRAGMENTATION_NEEDED: 4,
  ADMINISTRATIVELY: 13,
} as const;

/** Codes of TIME_EXCEEDED. */
export const TIME_EXCEEDED = { TTL: 0, REASSEMBLY: 1 } as const;

export function type(view: DataView, at: number): number {
  return view.getUint8(at + TYPE_FIELD);
}

export function code(view: DataView, at: number): number {
  return view.getUint8(at + CODE_FIELD);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function setChecksum(view: DataView, at: number, check: number): void {
  view.setUint16(at + CHECKSUM, check);
}

/** Of an echo request or reply. */
export function identifier(view: DataView, at: number): number {
  return view.getUint16(at + IDENTIFIER);
}

/** Of an echo request or reply. */
export function sequence(view: DataView, at: number): number {
  return view.getUint16(at + SEQUENCE);
}

/** Of UNREACHABLE with code FRAGMENTATION_NEEDED. */
export function nextHopMtu(view: DataView, at: number): number {
  return view.getUint16(at + MTU);
}

/** Messages about which no error may be sent (RFC 1122 section 3.2.2), and which quote a packet. */
export function isError(type: number): boolean {
  return (
    type === TYPE.UNREACHABLE ||
    type === TYPE.SOURCE_QUENCH ||
    type === TYPE.REDIRECT ||
    type === TYPE.TIME_EXCEEDED ||
    type === TYPE.PARAMETER_PROBLEM
  );
}

/** Writes the first eight octets with checksum 0; `rest` is the second word, an MTU for instance. */
export function writeHeader(view: DataView, at: number, type: number, code: number, rest: number): void {
  view.setUint8(at + TYPE_FIELD, type);
  view.setUint8(at + CODE_FIELD, code);
  view.setUint16(at + CHECKSUM, 0);
  view.setUint32(at + REST, rest);
}

/** Turns an echo request into its reply in place, and updates the checksum. */
export function turnIntoEchoReply(view: DataView, at: number): void {
  const old = view.getUint16(at + TYPE_FIELD);
  const next = (TYPE.ECHO_REPLY << 8) | (old & 0xff);
  view.setUint16(at + TYPE_FIELD, next);
  view.setUint16(at + CHECKSUM, update16(view.getUint16(at + CHECKSUM), old, next));
}
