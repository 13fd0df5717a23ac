/**
 * IPv6 extension headers (RFC 8200 section 4): from the fixed header to the upper layer.
 *
 *     Hop-by-hop, destination options,      Fragment
 *     routing; the authentication header
 *     has its own unit of length            0                   1                   2                   3
 *    +---------------+---------------+      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |  Next Header  | Hdr Ext Len   |     +---------------+---------------+-------------------------+---+-+
 *    +---------------+---------------+     |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
 *    |       type-specific data      |     +---------------+---------------+-------------------------+---+-+
 *                                          |                         Identification                      |
 *                                          +-------------------------------------------------------------+
 *
 * walk() goes through the chain once and returns all that it found in one number of 30 bits, a small integer
 * to V8: nothing is allocated and no state is left behind. The functions below it take the number apart.
 * Negative numbers are errors: TRUNCATED, TOO_LONG, MISPLACED.
 *
 * Mobility, HIP and Shim6 headers and ESP end the walk as if they were an upper layer.
 */
import { HEADER_LENGTH, nextHeader } from './ipv6.js';

/** Next header values of extension headers (IANA, ipv6-parameters). */
export const EXTENSION = {
  HOP_BY_HOP: 0,
  ROUTING: 43,
  FRAGMENT: 44,
  AUTHENTICATION: 51,
  /** Nothing follows (RFC 8200 section 4.7): the walk ends here. */
  NONE: 59,
  DESTINATION: 60,
} as const;

/** The chain goes beyond the end of the packet. */
export const TRUNCATED = -1;
/** More headers, or more octets of them, than our limits. */
export const TOO_LONG = -2;
/** Hop-by-hop options that are not first (RFC 8200 section 4.1), or a second fragment header. */
export const MISPLACED = -3;

/** Our own limits, as RFC 8504 section 5.3 allows: a chain costs its sender little and every hop much. */
export const MAX_HEADERS = 8;
export const MAX_CHAIN_OCTETS = 1024;

/** Octets of a fragment header. */
export const FRAGMENT_LENGTH = 8;

// The result: offsets from the fixed header in units of four octets, which every extension header is a
// multiple of. 40 + MAX_CHAIN_OCTETS octets need nine bits.
const OFFSET_MASK = 0x1ff;
const PROTOCOL_SHIFT = 9;
const FRAGMENT_SHIFT = 17;
const LATER = 1 << 26;
const HOP_BY_HOP = 1 << 27;
const SEGMENTS_LEFT = 1 << 28;

/**
 * Walks from the fixed header at `at` to the upper layer, or to the fragment header of a later fragment, which
 * has no upper-layer header behind it. Reads nothing at or beyond `end`, the end of the payload; the fixed
 * header itself has been checked to be there. The upper-layer header lies at or before `end`, with no promise
 * of how much of it is there.
 */
export function walk(view: DataView, at: number, end: number): number {
  let type = nextHeader(view, at);
  let p = at + HEADER_LENGTH;
  let found = 0;
  for (let headers = 0; isExtension(type); headers++) {
    if (headers === MAX_HEADERS) return TOO_LONG;
    if (p + 8 > end) return TRUNCATED;
    found = note(view, at, p, type, found);
    if (found < 0) return found;
    const length = octets(view, p, type);
    type = view.getUint8(p);
    p += length;
    if (p > end) return TRUNCATED;
    if (p - at > HEADER_LENGTH + MAX_CHAIN_OCTETS) return TOO_LONG;
    if ((found & LATER) !== 0) break;
  }
  return found | (type << PROTOCOL_SHIFT) | ((p - at) >>> 2);
}

function isExtension(type: number): boolean {
  return (
    type === EXTENSION.HOP_BY_HOP ||
    type === EXTENSION.ROUTING ||
    type === EXTENSION.FRAGMENT ||
    type === EXTENSION.DESTINATION ||
    type === EXTENSION.AUTHENTICATION
  );
}

/** Octets of the extension header at `p`; the authentication header counts in fours (RFC 4302 section 2.2). */
function octets(view: DataView, p: number, type: number): number {
  if (type === EXTENSION.FRAGMENT) return FRAGMENT_LENGTH;
  const length = view.getUint8(p + 1);
  return type === EXTENSION.AUTHENTICATION ? (length + 2) << 2 : (length + 1) << 3;
}

/** Adds what the header at `p` says to `found`, or returns MISPLACED. */
function note(view: DataView, at: number, p: number, type: number, found: number): number {
  if (type === EXTENSION.HOP_BY_HOP) return p === at + HEADER_LENGTH ? found | HOP_BY_HOP : MISPLACED;
  if (type === EXTENSION.ROUTING) return view.getUint8(p + 3) === 0 ? found : found | SEGMENTS_LEFT;
  if (type !== EXTENSION.FRAGMENT) return found;
  if (fragmentHeader(found) !== 0) return MISPLACED;
  const later = fragmentOffset(view, p) === 0 ? 0 : LATER;
  return found | (((p - at) >>> 2) << FRAGMENT_SHIFT) | later;
}

/** Octets from the fixed header to the upper-layer header, or to the data of a later fragment. */
export function upperOffset(walked: number): number {
  return (walked & OFFSET_MASK) << 2;
}

/** Protocol of the upper layer; of a later fragment, what its fragment header says. */
export function upperProtocol(walked: number): number {
  return (walked >>> PROTOCOL_SHIFT) & 0xff;
}

/** Octets from the fixed header to the fragment header; 0 where there is none. */
export function fragmentHeader(walked: number): number {
  return ((walked >>> FRAGMENT_SHIFT) & OFFSET_MASK) << 2;
}

/** True where the packet is not the first fragment, so that no upper-layer header is in it. */
export function isLaterFragment(walked: number): boolean {
  return (walked & LATER) !== 0;
}

/** True where every hop is asked to look at options, of which a router may process none (RFC 8200 section 4). */
export function hasHopByHop(walked: number): boolean {
  return (walked & HOP_BY_HOP) !== 0;
}

/** True where a routing header is not used up: the destination address is not yet the final one. */
export function hasSegmentsLeft(walked: number): boolean {
  return (walked & SEGMENTS_LEFT) !== 0;
}

/** Offset of this fragment in the fragmentable part, in octets; `fragmentAt` is its fragment header. */
export function fragmentOffset(view: DataView, fragmentAt: number): number {
  return view.getUint16(fragmentAt + 2) & 0xfff8;
}

export function moreFragments(view: DataView, fragmentAt: number): boolean {
  return (view.getUint16(fragmentAt + 2) & 1) !== 0;
}

export function fragmentId(view: DataView, fragmentAt: number): number {
  return view.getUint32(fragmentAt + 4);
}

/** Writes a fragment header; `offset` is in octets, a multiple of 8. */
export function writeFragment(
  view: DataView,
  fragmentAt: number,
  nextHeader: number,
  offset: number,
  more: boolean,
  id: number,
): void {
  view.setUint8(fragmentAt, nextHeader);
  view.setUint8(fragmentAt + 1, 0);
  view.setUint16(fragmentAt + 2, offset | (more ? 1 : 0));
  view.setUint32(fragmentAt + 4, id);
}
