/**
 * Ethernet II (IEEE 802.3-2018 3.1.1) with 802.1Q and 802.1ad tags.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                      Destination address                      |
 *    +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                               |                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *    |                         Source address                        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   EtherType, or TPID of a tag |  PCP|D|  VID (tag control)    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   EtherType after the tag     |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * A MAC address is handled as two numbers, `hi` (the first 16 bits) and `lo` (the last 32, unsigned): one
 * 48-bit number would leave V8's integer range, and a BigInt is an allocation. However many tags a frame has,
 * the EtherType of its payload stands in the two bytes before that payload.
 *
 * `at` is the offset of the frame's first byte, except where a function says otherwise.
 */

/** Where the destination address is: `macHi(view, at + DST)`. */
export const DST = 0;
/** Where the source address is: `macHi(view, at + SRC)`. */
export const SRC = 6;
const TYPE = 12;

/** Octets before the payload of a frame without tags. */
export const HEADER_LENGTH = 14;
export const TAG_LENGTH = 4;

/** Tags that are looked through: a customer's and a service's (802.1ad). More is malformed to us. */
export const MAX_TAGS = 2;

/** What a frame carries (IANA, ieee-802-numbers). */
export const ETHERTYPE = {
  IPV4: 0x0800,
  ARP: 0x0806,
  /** 802.1Q customer tag. */
  VLAN: 0x8100,
  IPV6: 0x86dd,
  /** 802.1ad service tag. */
  SERVICE_VLAN: 0x88a8,
} as const;

/** Types below this are the length of an 802.3 frame with an LLC header. */
export const FIRST_ETHERTYPE = 0x0600;

/** The first 16 bits of the MAC address at `at`. */
export function macHi(view: DataView, at: number): number {
  return view.getUint16(at);
}

/** The last 32 bits of the MAC address at `at`, unsigned. */
export function macLo(view: DataView, at: number): number {
  return view.getUint32(at + 2);
}

/** Writes a MAC address at `at`. */
export function setMac(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint16(at, hi);
  view.setUint32(at + 2, lo);
}

export function dstHi(view: DataView, at: number): number {
  return view.getUint16(at + DST);
}

export function dstLo(view: DataView, at: number): number {
  return view.getUint32(at + DST + 2);
}

export function srcHi(view: DataView, at: number): number {
  return view.getUint16(at + SRC);
}

export function srcLo(view: DataView, at: number): number {
  return view.getUint32(at + SRC + 2);
}

export function setDst(view: DataView, at: number, hi: number, lo: number): void {
  setMac(view, at + DST, hi, lo);
}

export function setSrc(view: DataView, at: number, hi: number, lo: number): void {
  setMac(view, at + SRC, hi, lo);
}

/** Sends the frame back where it came from: the old source becomes the destination, `hi`, `lo` the source. */
export function turnAround(view: DataView, at: number, hi: number, lo: number): void {
  setMac(view, at + DST, srcHi(view, at), srcLo(view, at) | 0);
  setMac(view, at + SRC, hi, lo);
}

/** Exchanges source and destination. */
export function swapMacs(view: DataView, at: number): void {
  turnAround(view, at, dstHi(view, at), dstLo(view, at) | 0);
}

/** Group addresses, broadcast among them, have the I/G bit: the lowest of the first octet. */
export function isMulticastHi(hi: number): boolean {
  return (hi & 0x0100) !== 0;
}

export function isBroadcast(hi: number, lo: number): boolean {
  return hi === 0xffff && lo === 0xffffffff;
}

/** The type field after the addresses: of the payload, or of the outermost tag. */
export function etherType(view: DataView, at: number): number {
  return view.getUint16(at + TYPE);
}

export function setEtherType(view: DataView, at: number, type: number): void {
  view.setUint16(at + TYPE, type);
}

/** The type of the payload at `payloadAt`, however many tags stand before it. */
export function payloadType(view: DataView, payloadAt: number): number {
  return view.getUint16(payloadAt - 2);
}

export function isTag(type: number): boolean {
  return type === ETHERTYPE.VLAN || type === ETHERTYPE.SERVICE_VLAN;
}

/**
 * The offset of the payload behind the addresses, tags and type, or -1 where the frame ends (at `end`) before
 * that or has more than MAX_TAGS tags. Reads nothing at or beyond `end`.
 */
export function payloadOffset(view: DataView, at: number, end: number): number {
  let payload = at + HEADER_LENGTH;
  for (let tags = 0; payload <= end; tags++) {
    if (!isTag(payloadType(view, payload))) return payload;
    if (tags === MAX_TAGS) return -1;
    payload += TAG_LENGTH;
  }
  return -1;
}

/** Writes an untagged header of HEADER_LENGTH octets. */
export function writeHeader(
  view: DataView,
  at: number,
  dstHi: number,
  dstLo: number,
  srcHi: number,
  srcLo: number,
  type: number,
): void {
  setMac(view, at + DST, dstHi, dstLo);
  setMac(view, at + SRC, srcHi, srcLo);
  view.setUint16(at + TYPE, type);
}

/** Tag control information of the outermost tag: 3 bits priority, 1 drop eligible, 12 VLAN identifier. */
export function tagControl(view: DataView, at: number): number {
  return view.getUint16(at + HEADER_LENGTH);
}

export function vlanId(control: number): number {
  return control & 0x0fff;
}

export function priority(control: number): number {
  return control >>> 13;
}

/** Puts a tag outside all others, in the TAG_LENGTH octets before `at`; returns the frame's new offset. */
export function pushTag(view: DataView, at: number, type: number, control: number): number {
  const to = at - TAG_LENGTH;
  moveAddresses(view, at, to);
  view.setUint16(to + TYPE, type);
  view.setUint16(to + HEADER_LENGTH, control);
  return to;
}

/** Takes the outermost tag off; returns the frame's new offset, TAG_LENGTH later. */
export function popTag(view: DataView, at: number): number {
  const to = at + TAG_LENGTH;
  moveAddresses(view, at, to);
  return to;
}

/** The twelve octets of both addresses, read whole before they are written, since the places overlap. */
function moveAddresses(view: DataView, from: number, to: number): void {
  const a = view.getUint32(from);
  const b = view.getUint32(from + 4);
  const c = view.getUint32(from + 8);
  view.setUint32(to, a);
  view.setUint32(to + 4, b);
  view.setUint32(to + 8, c);
}
