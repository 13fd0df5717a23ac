/**
 * Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements, and the options of all five types.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   Type 135    |    Code 0     |          Checksum             |
 *    |     or 136    |               |                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |R|S|O|                     Reserved                            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                                                               |
 *    +                    Target address, 4 words                    +
 *    |                                                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  Option type  |  Length / 8   |                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *    |          Link-layer address (of option types 1 and 2)         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * `at` is the offset of the ICMPv6 message, whose first eight octets were checked to be there, `ip` that of the
 * fixed IPv6 header, `end` the end of the payload: nothing at or beyond it is read. The checksum is ICMPv6's
 * (icmpv6.ts), and the builders leave it 0.
 */
import { code, TYPE, type, writeHeader } from './icmpv6.js';
import {
  DST,
  hopLimit,
  isLinkLocal,
  isMulticast,
  isSolicitedNode,
  isUnspecified,
  SRC,
  sameAddress,
  setAddress,
} from './ipv6.js';

const FLAGS = 4;
/** Where a solicitation or advertisement holds its target: `ipv6.word(view, at + TARGET, i)`. */
export const TARGET = 8;
/** Where a redirect holds the destination that it is about, behind its target. */
const REDIRECTED = 24;
/** Where the options of a neighbour solicitation or advertisement begin; fixedLength has the other types. */
export const OPTIONS = 24;

/** Octets of a solicitation or advertisement with one link-layer address option. */
export const NEIGHBOUR_LENGTH = 32;
/** What a neighbour discovery message leaves its sender with: proof that no router forwarded it. */
export const NEIGHBOUR_HOP_LIMIT = 255;

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

/** Word `index` (0 to 3) of the target of a solicitation or advertisement. */
export function targetWord(view: DataView, at: number, index: number): number {
  return view.getUint32(at + TARGET + (index << 2));
}

/** The flags of an advertisement, of ADVERTISEMENT, unsigned. */
export function advertisementFlags(view: DataView, at: number): number {
  return view.getUint32(at + FLAGS);
}

/** True for a solicitation for duplicate address detection: its sender has no address yet (RFC 4862 section 5.4.2). */
export function isDuplicateDetection(view: DataView, ip: number): boolean {
  return isUnspecified(view, ip + SRC);
}

/**
 * What RFC 4861 asks of the discovery message at `at` (sections 6.1.1, 6.1.2, 7.1.1, 7.1.2 and 8.1): from a
 * neighbour, whole, every option in its place, and sense in what each type says. Not the checksum, nor whether
 * a redirect comes from the host's own router.
 */
export function isValid(view: DataView, ip: number, at: number, end: number): boolean {
  const kind = type(view, at);
  return (
    hopLimit(view, ip) === NEIGHBOUR_HOP_LIMIT &&
    code(view, at) === 0 &&
    end - at >= fixedLength(kind) &&
    areOptionsValid(view, at, end) &&
    makesSense(view, ip, at, end, kind)
  );
}

function makesSense(view: DataView, ip: number, at: number, end: number, kind: number): boolean {
  switch (kind) {
    case TYPE.ROUTER_SOLICITATION:
      return !isUnspecified(view, ip + SRC) || findOption(view, at, end, OPTION.SOURCE_LINK_LAYER) < 0;
    case TYPE.ROUTER_ADVERTISEMENT:
      return isLinkLocal(view, ip + SRC);
    case TYPE.NEIGHBOUR_SOLICITATION:
      return !isMulticast(view, at + TARGET) && isSourceUsable(view, ip, at, end);
    case TYPE.NEIGHBOUR_ADVERTISEMENT:
      return !isMulticast(view, at + TARGET) && !isSolicitedGroup(view, ip, at);
    case TYPE.REDIRECT:
      return isLinkLocal(view, ip + SRC) && isRedirectUsable(view, at);
    default:
      return false;
  }
}

/** From `::`, a solicitation goes to a solicited-node group and names no link-layer address. */
function isSourceUsable(view: DataView, ip: number, at: number, end: number): boolean {
  if (!isDuplicateDetection(view, ip)) return true;
  return isSolicitedNode(view, ip + DST) && findOption(view, at, end, OPTION.SOURCE_LINK_LAYER) < 0;
}

/** A redirect sends a unicast destination to a router, or says that it is a neighbour itself. */
function isRedirectUsable(view: DataView, at: number): boolean {
  if (isMulticast(view, at + REDIRECTED)) return false;
  return isLinkLocal(view, at + TARGET) || sameAddress(view, at + TARGET, at + REDIRECTED);
}

/** An advertisement to a group was not solicited. */
function isSolicitedGroup(view: DataView, ip: number, at: number): boolean {
  return isMulticast(view, ip + DST) && (view.getUint8(at + FLAGS) & 0x40) !== 0;
}

/** Octets before the options of a discovery message of ICMPv6 type `type`: the five differ. */
export function fixedLength(type: number): number {
  if (type === TYPE.ROUTER_SOLICITATION) return 8;
  if (type === TYPE.ROUTER_ADVERTISEMENT) return 16;
  return type === TYPE.REDIRECT ? 40 : OPTIONS;
}

/** True where options fill the discovery message at `at` to `end`, none of length 0 (RFC 4861 section 4.6). */
export function areOptionsValid(view: DataView, at: number, end: number): boolean {
  let p = at + fixedLength(type(view, at));
  for (let length = 1; p < end && length > 0; p += length) length = optionLength(view, p, end);
  return p === end;
}

/**
 * Offset of the first option of type `option` in the discovery message at `at`, wholly before `end`; -1 where
 * there is none or a malformed option comes first.
 */
export function findOption(view: DataView, at: number, end: number, option: number): number {
  return findOptionFrom(view, at + fixedLength(type(view, at)), end, option);
}

/** The same from the option at `from` on: to go through several of one type. */
export function findOptionFrom(view: DataView, from: number, end: number, option: number): number {
  let p = from;
  while (p < end) {
    const length = optionLength(view, p, end);
    if (length === 0) return -1;
    if (view.getUint8(p) === option) return p;
    p += length;
  }
  return -1;
}

/** Octets of the option at `p`, a multiple of 8; 0 where it is malformed or does not fit before `end`. */
export function optionLength(view: DataView, p: number, end: number): number {
  if (p + 8 > end) return 0;
  const length = view.getUint8(p + 1) << 3;
  return p + length > end ? 0 : length;
}

/**
 * True where every link-layer address option of type `option` in the discovery message at `at` names this MAC
 * address, or there is none: a receiver may heed any of several. `lo`: signed or not.
 */
export function namesOnly(
  view: DataView,
  at: number,
  end: number,
  option: number,
  hi: number,
  lo: number,
): boolean {
  let p = findOption(view, at, end, option);
  while (p >= 0) {
    const length = optionLength(view, p, end);
    if (length !== 8 || (linkLayerLo(view, p) | 0) !== (lo | 0) || linkLayerHi(view, p) !== hi) return false;
    p = findOptionFrom(view, p + length, end, option);
  }
  return true;
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
