/**
 * ICMPv6 (RFC 4443). Neighbour discovery, types 133 to 137, is in nd.ts.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     Type      |     Code      |          Checksum             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  echo: identifier             |  echo: sequence number        |
 *    |  packet too big: MTU    parameter problem: pointer            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  echo: data; error: the packet that it is about, from its     |
 *    |  IPv6 header on, as much as MIN_MTU (ipv6.ts) leaves room for |
 *
 * The checksum covers the IPv6 pseudo header too: l4Checksum over pseudoIpv6 (checksum.ts).
 */
import { update16 } from './checksum.js';

const TYPE_FIELD = 0;
const CODE_FIELD = 1;
const CHECKSUM = 2;
const REST = 4;
const IDENTIFIER = 4;
const SEQUENCE = 6;

export const HEADER_LENGTH = 8;
/** Where the checksum is in the header. */
export const CHECKSUM_OFFSET = CHECKSUM;

export const TYPE = {
  UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  MLD_QUERY: 130,
  MLD_REPORT: 131,
  MLD_DONE: 132,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOUR_SOLICITATION: 135,
  NEIGHBOUR_ADVERTISEMENT: 136,
  REDIRECT: 137,
  /** MLDv2 (RFC 3810). */
  MLD2_REPORT: 143,
} as const;

/** Codes of UNREACHABLE (RFC 4443 section 3.1). */
export const UNREACHABLE = { NO_ROUTE: 0, PROHIBITED: 1, BEYOND_SCOPE: 2, ADDRESS: 3, PORT: 4 } as const;

/** Codes of TIME_EXCEEDED. */
export const TIME_EXCEEDED = { HOP_LIMIT: 0, REASSEMBLY: 1 } as const;

/** Codes of PARAMETER_PROBLEM; the pointer says where in the packet. */
export const PARAMETER_PROBLEM = { FIELD: 0, NEXT_HEADER: 1, OPTION: 2 } as const;

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

/** Of PACKET_TOO_BIG. */
export function mtu(view: DataView, at: number): number {
  return view.getUint32(at + REST);
}

/** Errors are the types below 128; about one no error may be sent (RFC 4443 section 2.4 e). */
export function isError(type: number): boolean {
  return type < 128;
}

/** Router and neighbour discovery, types 133 to 137: never forwarded by a router. */
export function isNeighbourDiscovery(type: number): boolean {
  return type >= TYPE.ROUTER_SOLICITATION && type <= TYPE.REDIRECT;
}

/**
 * What a multicast listener says of itself (RFC 2710, RFC 3810), and may say from `::` (RFC 3590). Queries are a
 * router's, and never come from `::` (RFC 3810 section 5.1.14).
 */
export function isListenerReport(type: number): boolean {
  return type === TYPE.MLD_REPORT || type === TYPE.MLD_DONE || type === TYPE.MLD2_REPORT;
}

/** Writes the first eight octets with checksum 0; `rest` is the second word: an MTU, flags, a pointer. */
export function writeHeader(view: DataView, at: number, type: number, code: number, rest: number): void {
  view.setUint8(at + TYPE_FIELD, type);
  view.setUint8(at + CODE_FIELD, code);
  view.setUint16(at + CHECKSUM, 0);
  view.setUint32(at + REST, rest);
}

/**
 * Turns an echo request into its reply in place, and updates the checksum. It stays right when source and
 * destination are exchanged, since the pseudo header's sum does not depend on their order.
 */
export function turnIntoEchoReply(view: DataView, at: number): void {
  const old = view.getUint16(at + TYPE_FIELD);
  const next = (TYPE.ECHO_REPLY << 8) | (old & 0xff);
  view.setUint16(at + TYPE_FIELD, next);
  view.setUint16(at + CHECKSUM, update16(view.getUint16(at + CHECKSUM), old, next));
}
