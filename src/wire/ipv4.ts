/**
 * IPv4 (RFC 791), with options.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |Version|  IHL  |Type of Service|          Total Length         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |         Identification        |Flags|      Fragment Offset    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  Time to Live |    Protocol   |         Header Checksum       |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                       Source Address                          |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                    Destination Address                        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                    Options                    |    Padding    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * `at` is the offset of the header. Lengths and the fragment offset are octets; addresses are unsigned 32-bit
 * numbers. Accessors do not check: the header's presence is checked once, at input.
 */
import { complement, fold, update16 } from './checksum.js';

const VERSION_IHL = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const ID = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL_FIELD = 9;
const CHECKSUM = 10;
/** Where the source address is. */
export const SRC = 12;
/** Where the destination address is. */
export const DST = 16;

/** Octets of a header without options. */
export const HEADER_LENGTH = 20;
export const MAX_HEADER_LENGTH = 60;

/** Bits of the flags field, as they stand in the 16-bit word that they share with the fragment offset. */
export const FLAG = { DONT_FRAGMENT: 0x4000, MORE_FRAGMENTS: 0x2000 } as const;

/** Upper-layer protocols, for IPv4's protocol field and IPv6's next header (IANA, protocol-numbers). */
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132 } as const;

export function version(view: DataView, at: number): number {
  return view.getUint8(at + VERSION_IHL) >>> 4;
}

/** Octets of the header with its options: 20 to 60, and less than 20 only in a malformed one. */
export function headerLength(view: DataView, at: number): number {
  return (view.getUint8(at + VERSION_IHL) & 0x0f) << 2;
}

/** The octet of DSCP (RFC 2474) and ECN (RFC 3168). */
export function tos(view: DataView, at: number): number {
  return view.getUint8(at + TOS);
}

/** Octets of the packet, header included; a frame may be longer by its padding. */
export function totalLength(view: DataView, at: number): number {
  return view.getUint16(at + TOTAL_LENGTH);
}

export function setTotalLength(view: DataView, at: number, length: number): void {
  view.setUint16(at + TOTAL_LENGTH, length);
}

export function id(view: DataView, at: number): number {
  return view.getUint16(at + ID);
}

export function setId(view: DataView, at: number, id: number): void {
  view.setUint16(at + ID, id);
}

export function dontFragment(view: DataView, at: number): boolean {
  return (view.getUint16(at + FRAGMENT) & FLAG.DONT_FRAGMENT) !== 0;
}

export function moreFragments(view: DataView, at: number): boolean {
  return (view.getUint16(at + FRAGMENT) & FLAG.MORE_FRAGMENTS) !== 0;
}

/** Offset of this fragment in the packet's payload, in octets. */
export function fragmentOffset(view: DataView, at: number): number {
  return (view.getUint16(at + FRAGMENT) & 0x1fff) << 3;
}

/** True for any part of a fragmented packet, the first among them. */
export function isFragment(view: DataView, at: number): boolean {
  return (view.getUint16(at + FRAGMENT) & 0x3fff) !== 0;
}

/** Writes the flags and the fragment offset (octets, a multiple of 8). */
export function setFragment(view: DataView, at: number, flags: number, offset: number): void {
  view.setUint16(at + FRAGMENT, flags | (offset >>> 3));
}

export function ttl(view: DataView, at: number): number {
  return view.getUint8(at + TTL);
}

export function setTtl(view: DataView, at: number, ttl: number): void {
  view.setUint8(at + TTL, ttl);
}

export function protocol(view: DataView, at: number): number {
  return view.getUint8(at + PROTOCOL_FIELD);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function setChecksum(view: DataView, at: number, check: number): void {
  view.setUint16(at + CHECKSUM, check);
}

export function src(view: DataView, at: number): number {
  return view.getUint32(at + SRC);
}

export function setSrc(view: DataView, at: number, address: number): void {
  view.setUint32(at + SRC, address);
}

export function dst(view: DataView, at: number): number {
  return view.getUint32(at + DST);
}

export function setDst(view: DataView, at: number, address: number): void {
  view.setUint32(at + DST, address);
}

/** 224.0.0.0/4 (RFC 5771). */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe;
}

/**
 * Takes one from the TTL, which must not be 0, and updates the checksum.
 *
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). The word that holds the TTL in its upper octet goes from m to
 * m' = m - 0x0100, so ~m + m' = 0xffff - 0x0100 whatever the protocol in the lower octet is, and in
 * ones'-complement arithmetic HC' = HC + 0x0100 with the carry brought around. Equation 3 never yields 0xffff
 * here (a header's sum is not zero), so 0xffff as well as a carry out wraps: hence `>=`. TTL, protocol and checksum are
 * one aligned word of the header: read once, written once.
 */
export function decrementTtl(view: DataView, at: number): void {
  const word = view.getInt32(at + TTL);
  const check = (word & 0xffff) + 0x0100;
  view.setInt32(
    at + TTL,
    ((word - 0x0100_0000) & ~0xffff) | ((check >= 0xffff ? check + 1 : check) & 0xffff),
  );
}

/** Writes DSCP and ECN and updates the checksum. */
export function rewriteTos(view: DataView, at: number, tos: number): void {
  const old = view.getUint16(at + VERSION_IHL);
  const next = (old & 0xff00) | tos;
  view.setUint16(at + VERSION_IHL, next);
  view.setUint16(at + CHECKSUM, update16(view.getUint16(at + CHECKSUM), old, next));
}

/**
 * Ones'-complement sum of a header of `length` octets (a multiple of 4), folded; 0xffff where its checksum
 * is right. In TypeScript: 20 octets take it no longer than they take a call into WebAssembly (10 ns), and
 * callers need no Checksum at hand.
 */
export function headerSum(view: DataView, at: number, length: number): number {
  let sum = 0;
  for (let p = at; p < at + length; p += 4) sum += view.getUint16(p) + view.getUint16(p + 2);
  return fold(sum);
}

export function isChecksumRight(view: DataView, at: number, length: number): boolean {
  return headerSum(view, at, length) === 0xffff;
}

/** The checksum that a header of `length` octets should have; its checksum field may hold anything. */
export function headerChecksum(view: DataView, at: number, length: number): number {
  return complement(fold(headerSum(view, at, length) + complement(view.getUint16(at + CHECKSUM))));
}

/** Writes the checksum of a header of `length` octets. */
export function writeChecksum(view: DataView, at: number, length: number): void {
  view.setUint16(at + CHECKSUM, 0);
  view.setUint16(at + CHECKSUM, complement(headerSum(view, at, length)));
}

/**
 * Writes a header of HEADER_LENGTH octets with its checksum: arguments in the order of the diagram.
 * `totalLength` counts this header; `flags` are of FLAG; the fragment offset is 0.
 */
export function writeHeader(
  view: DataView,
  at: number,
  tos: number,
  totalLength: number,
  id: number,
  flags: number,
  ttl: number,
  protocol: number,
  src: number,
  dst: number,
): void {
  view.setUint16(at + VERSION_IHL, 0x4500 | tos);
  view.setUint16(at + TOTAL_LENGTH, totalLength);
  view.setUint16(at + ID, id);
  view.setUint16(at + FRAGMENT, flags);
  view.setUint16(at + TTL, (ttl << 8) | protocol);
  view.setUint32(at + SRC, src);
  view.setUint32(at + DST, dst);
  writeChecksum(view, at, HEADER_LENGTH);
}
