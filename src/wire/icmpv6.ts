/**
 * ICMPv6 (RFC 4443) and its neighbour discovery (RFC 4861).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     Type      |     Code      |          Checksum             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  echo: identifier             |  echo: sequence number        |
 *    |  packet too big: MTU    parameter problem: pointer            |
 *    |  advertisement: R|S|O         else: unused                    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                                                               |
 *    +  solicitation, advertisement: target address, 4 words         +
 *    |  error: the packet that it is about                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  Type         |  Length / 8   |  option, here a link-layer    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *    |  address                                                      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The checksum covers the IPv6 pseudo header too: checksum.ts, icmpv6Checksum. `at` is the offset of the
 * message, `ip` that of the fixed IPv6 header, `end` the end of the payload.
 */
import { update16 } from './checksum.js';
import { DST, hopLimit, isMulticast, isSolicitedNode, isUnspecified, SRC, setAddress } from './ipv6.js';

const TYPE_FIELD = 0;
const CODE_FIELD = 1;
const CHECKSUM = 2;
const REST = 4;
const IDENTIFIER = 4;
const SEQUENCE = 6;
/** Where a solicitation or advertisement holds its target: `ipv6.word(view, at + TARGET, i)`. */
export const TARGET = 8;
/** Where the options of a neighbour solicitation or advertisement begin. */
export const OPTIONS = 24;

export const HEADER_LENGTH = 8;
/** Where the checksum is in the header. */
export const CHECKSUM_OFFSET = CHECKSUM;
/** Octets of a solicitation or advertisement with one link-layer address option. */
export const NEIGHBOUR_LENGTH = 32;
/** What a neighbour discovery message leaves its sender with: proof that no router forwarded it. */
export const NEIGHBOUR_HOP_LIMIT = 255;

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

/** Option types of neighbour discovery (RFC 4861 section 4.6). */
export const OPTION = {
  SOURCE_LINK_LAYER: 1,
  TARGET_LINK_LAYER: 2,
  PREFIX: 3,
  REDIRECTED: 4,
  MTU: 5,
} as const;

/** Flags of an advertisement (RFC 4861 section 4.4). */
export const ADVERTISEMENT = { ROUTER: 0x8000_0000, SOLICITED: 0x4000_0000, OVERRIDE: 0x2000_0000 } as const;

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
export function isDiscovery(type: number): boolean {
  return type >= TYPE.ROUTER_SOLICITATION && type <= TYPE.REDIRECT;
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

/** Word `index` (0 to 3) of the target of a solicitation or advertisement. */
export function targetWord(view: DataView, at: number, index: number): number {
  return view.getUint32(at + TARGET + (index << 2));
}

/** The flags of an advertisement, of ADVERTISEMENT, unsigned. */
export function advertisementFlags(view: DataView, at: number): number {
  return view.getUint32(at + REST);
}

/**
 * All that RFC 4861 section 7.1.1 asks of a solicitation but the checksum. A solicitation for duplicate address
 * detection has the unspecified source, so then it comes to a solicited-node group and names no source.
 */
export function isSolicitationValid(view: DataView, ip: number, at: number, end: number): boolean {
  if (!isNeighbourValid(view, ip, at, end)) return false;
  if (!isUnspecified(view, ip + SRC)) return true;
  return isSolicitedNode(view, ip + DST) && findOption(view, at + OPTIONS, end, OPTION.SOURCE_LINK_LAYER) < 0;
}

/** All that RFC 4861 section 7.1.2 asks of an advertisement but the checksum. */
export function isAdvertisementValid(view: DataView, ip: number, at: number, end: number): boolean {
  if (!isNeighbourValid(view, ip, at, end)) return false;
  return !isMulticast(view, ip + DST) || (view.getUint8(at + REST) & 0x40) === 0;
}

/** What both sections have in common. */
function isNeighbourValid(view: DataView, ip: number, at: number, end: number): boolean {
  return (
    hopLimit(view, ip) === NEIGHBOUR_HOP_LIMIT &&
    end - at >= OPTIONS &&
    code(view, at) === 0 &&
    !isMulticast(view, at + TARGET) &&
    areOptionsValid(view, at + OPTIONS, end)
  );
}

/** A solicitation for duplicate address detection: its sender has no address yet (RFC 4862 section 5.4.2). */
export function isDuplicateDetection(view: DataView, ip: number): boolean {
  return isUnspecified(view, ip + SRC);
}

/** True where options fill the message from `from` to `end`, none of length 0 (RFC 4861 section 4.6). */
export function areOptionsValid(view: DataView, from: number, end: number): boolean {
  let p = from;
  while (p < end) {
    const length = optionLength(view, p, end);
    if (length === 0) return false;
    p += length;
  }
  return true;
}

/**
 * Offset of the first option of `type` between `from` and `end`, wholly before `end`; -1 where there is none
 * or a malformed option comes first.
 */
export function findOption(view: DataView, from: number, end: number, type: number): number {
  let p = from;
  while (p < end) {
    const length = optionLength(view, p, end);
    if (length === 0) return -1;
    if (view.getUint8(p) === type) return p;
    p += length;
  }
  return -1;
}

/** Octets of the option at `p`, a multiple of 8; 0 where it is malformed or does not fit before `end`. */
function optionLength(view: DataView, p: number, end: number): number {
  if (p + 8 > end) return 0;
  const length = view.getUint8(p + 1) << 3;
  return p + length > end ? 0 : length;
}

/** First 16 bits of the MAC address in the link-layer address option at `option`. */
export function linkLayerHi(view: DataView, option: number): number {
  return view.getUint16(option + 2);
}

/** Last 32 bits of the MAC address in the link-layer address option at `option`, unsigned. */
export function linkLayerLo(view: DataView, option: number): number {
  return view.getUint32(option + 4);
}

/** Writes a link-layer address option: 8 octets. */
export function writeLinkLayerOption(view: DataView, at: number, type: number, hi: number, lo: number): void {
  view.setUint8(at, type);
  view.setUint8(at + 1, 1);
  view.setUint16(at + 2, hi);
  view.setUint32(at + 4, lo);
}

/**
 * Writes a solicitation of NEIGHBOUR_LENGTH octets with checksum 0: who has the target `t0` to `t3`? Tell the
 * MAC address `hi`, `lo`.
 */
export function writeSolicitation(
  view: DataView,
  at: number,
  t0: number,
  t1: number,
  t2: number,
  t3: number,
  hi: number,
  lo: number,
): void {
  writeHeader(view, at, TYPE.NEIGHBOUR_SOLICITATION, 0, 0);
  setAddress(view, at + TARGET, t0, t1, t2, t3);
  writeLinkLayerOption(view, at + OPTIONS, OPTION.SOURCE_LINK_LAYER, hi, lo);
}

/**
 * Writes an advertisement of NEIGHBOUR_LENGTH octets with checksum 0: the target `t0` to `t3` is at the MAC
 * address `hi`, `lo`. `flags` are of ADVERTISEMENT.
 */
export function writeAdvertisement(
  view: DataView,
  at: number,
  flags: number,
  t0: number,
  t1: number,
  t2: number,
  t3: number,
  hi: number,
  lo: number,
): void {
  writeHeader(view, at, TYPE.NEIGHBOUR_ADVERTISEMENT, 0, flags);
  setAddress(view, at + TARGET, t0, t1, t2, t3);
  writeLinkLayerOption(view, at + OPTIONS, OPTION.TARGET_LINK_LAYER, hi, lo);
}
