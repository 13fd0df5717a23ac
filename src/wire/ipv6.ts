/**
 * IPv6 (RFC 8200 section 3): the fixed header of 40 octets. What may stand between it and the upper layer is
 * in ipv6-extensions.ts.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |Version| Traffic Class |           Flow Label                  |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |         Payload Length        |  Next Header  |   Hop Limit   |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                                                               |
 *    +                  Source Address, 4 words                      +
 *    |                                                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                                                               |
 *    +                Destination Address, 4 words                   +
 *    |                                                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * An address is four unsigned 32-bit words, word 0 the most significant. Functions that take `addressAt` work
 * on an address anywhere in a packet: `at + SRC`, `at + DST`, or a target in neighbour discovery.
 */

const VERSION_CLASS_FLOW = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
/** Where the source address is. */
export const SRC = 8;
/** Where the destination address is. */
export const DST = 24;

export const HEADER_LENGTH = 40;
export const ADDRESS_LENGTH = 16;
/** Every link carries packets of this size whole (RFC 8200 section 5). */
export const MIN_MTU = 1280;

export function version(view: DataView, at: number): number {
  return view.getUint8(at + VERSION_CLASS_FLOW) >>> 4;
}

/** The octet of DSCP (RFC 2474) and ECN (RFC 3168). */
export function trafficClass(view: DataView, at: number): number {
  return (view.getUint16(at + VERSION_CLASS_FLOW) >>> 4) & 0xff;
}

export function setTrafficClass(view: DataView, at: number, trafficClass: number): void {
  const rest = view.getUint16(at + VERSION_CLASS_FLOW) & 0xf00f;
  view.setUint16(at + VERSION_CLASS_FLOW, rest | (trafficClass << 4));
}

/** 20 bits (RFC 6437). */
export function flowLabel(view: DataView, at: number): number {
  return view.getUint32(at + VERSION_CLASS_FLOW) & 0xfffff;
}

/** Octets behind this header, extension headers included. */
export function payloadLength(view: DataView, at: number): number {
  return view.getUint16(at + PAYLOAD_LENGTH);
}

export function setPayloadLength(view: DataView, at: number, length: number): void {
  view.setUint16(at + PAYLOAD_LENGTH, length);
}

/** Type of what follows directly: an extension header or the upper layer. */
export function nextHeader(view: DataView, at: number): number {
  return view.getUint8(at + NEXT_HEADER);
}

export function setNextHeader(view: DataView, at: number, type: number): void {
  view.setUint8(at + NEXT_HEADER, type);
}

export function hopLimit(view: DataView, at: number): number {
  return view.getUint8(at + HOP_LIMIT);
}

export function setHopLimit(view: DataView, at: number, hopLimit: number): void {
  view.setUint8(at + HOP_LIMIT, hopLimit);
}

/** Takes one from the hop limit, which must not be 0. IPv6 has no header checksum to update. */
export function decrementHopLimit(view: DataView, at: number): void {
  view.setUint8(at + HOP_LIMIT, view.getUint8(at + HOP_LIMIT) - 1);
}

/** Word `index` (0 to 3) of the source address, signed: V8 would box more than 31 bits where this is not inlined. */
export function srcWord(view: DataView, at: number, index: number): number {
  return view.getInt32(at + SRC + (index << 2));
}

/** Word `index` (0 to 3) of the destination address. */
export function dstWord(view: DataView, at: number, index: number): number {
  return view.getInt32(at + DST + (index << 2));
}

/** Word `index` (0 to 3) of the address at `addressAt`. */
export function word(view: DataView, addressAt: number, index: number): number {
  return view.getInt32(addressAt + (index << 2));
}

/** Writes an address at `addressAt`. */
export function setAddress(
  view: DataView,
  addressAt: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): void {
  view.setUint32(addressAt, w0);
  view.setUint32(addressAt + 4, w1);
  view.setUint32(addressAt + 8, w2);
  view.setUint32(addressAt + 12, w3);
}

/** Copies the address at `fromAddress`; read whole before written, so that the places may overlap. */
export function copyAddress(view: DataView, toAddress: number, fromAddress: number): void {
  setAddress(
    view,
    toAddress,
    word(view, fromAddress, 0) | 0,
    word(view, fromAddress, 1) | 0,
    word(view, fromAddress, 2) | 0,
    word(view, fromAddress, 3) | 0,
  );
}

/** Exchanges source and destination of the header at `at`. */
export function swapAddresses(view: DataView, at: number): void {
  for (let i = 0; i < ADDRESS_LENGTH; i += 4) {
    const word = view.getInt32(at + SRC + i);
    view.setInt32(at + SRC + i, view.getInt32(at + DST + i));
    view.setInt32(at + DST + i, word);
  }
}

export function sameAddress(view: DataView, a: number, b: number): boolean {
  return (
    word(view, a, 3) === word(view, b, 3) &&
    word(view, a, 2) === word(view, b, 2) &&
    word(view, a, 1) === word(view, b, 1) &&
    word(view, a, 0) === word(view, b, 0)
  );
}

/** `::`, the source of a host that has no address yet (RFC 4291 section 2.5.2). */
export function isUnspecified(view: DataView, addressAt: number): boolean {
  return (
    (word(view, addressAt, 0) |
      word(view, addressAt, 1) |
      word(view, addressAt, 2) |
      word(view, addressAt, 3)) ===
    0
  );
}

/** `::1` (RFC 4291 section 2.5.3). */
export function isLoopback(view: DataView, addressAt: number): boolean {
  return (
    (word(view, addressAt, 0) | word(view, addressAt, 1) | word(view, addressAt, 2)) === 0 &&
    word(view, addressAt, 3) === 1
  );
}

/** `ff00::/8` (RFC 4291 section 2.7). */
export function isMulticast(view: DataView, addressAt: number): boolean {
  return view.getUint8(addressAt) === 0xff;
}

/** `fe80::/10` (RFC 4291 section 2.5.6): never forwarded. */
export function isLinkLocal(view: DataView, addressAt: number): boolean {
  return (view.getUint16(addressAt) & 0xffc0) === 0xfe80;
}

/** `ff02::1:ff00:0/104`: where solicitations for one neighbour go (RFC 4291 section 2.7.1). */
export function isSolicitedNode(view: DataView, addressAt: number): boolean {
  return (
    word(view, addressAt, 0) === (0xff02_0000 | 0) &&
    word(view, addressAt, 1) === 0 &&
    word(view, addressAt, 2) === 1 &&
    view.getUint8(addressAt + 12) === 0xff
  );
}

/** The last word of the solicited-node group of a unicast address with last word `w3`. */
export function solicitedNodeWord3(w3: number): number {
  return (0xff00_0000 | (w3 & 0x00ff_ffff)) >>> 0;
}

/**
 * Writes the header but for its addresses, which the caller writes with setAddress or copyAddress at
 * `at + SRC` and `at + DST`.
 */
export function writeHeader(
  view: DataView,
  at: number,
  trafficClass: number,
  flowLabel: number,
  payloadLength: number,
  nextHeader: number,
  hopLimit: number,
): void {
  view.setUint32(at + VERSION_CLASS_FLOW, 0x6000_0000 | (trafficClass << 20) | flowLabel);
  view.setUint16(at + PAYLOAD_LENGTH, payloadLength);
  view.setUint8(at + NEXT_HEADER, nextHeader);
  view.setUint8(at + HOP_LIMIT, hopLimit);
}
