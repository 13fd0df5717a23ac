/**
 * IPv4 options (RFC 791 section 3.1): what stands between the fixed 20 octets and the end of the header.
 *
 *     0                   1                        one octet:   END (0), NOP (1)
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5              the others:  type, length (type and length octets
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+- - -                      included), data
 *    |C|cls|  number |     length    | data
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+- - -        C: copied into every fragment, not the first alone
 *
 * Functions take `at`, the offset of the IPv4 header, and `length`, that of the whole header, which is checked
 * at input. Options themselves are not: areSound says whether they may be walked.
 */
import { HEADER_LENGTH } from './ipv4.js';

export const OPTION = {
  END: 0,
  NOP: 1,
  RECORD_ROUTE: 7,
  TIMESTAMP: 68,
  LOOSE_SOURCE_ROUTE: 131,
  STRICT_SOURCE_ROUTE: 137,
  ROUTER_ALERT: 148,
} as const;

/** The bit of an option's type that makes it part of every fragment. */
const COPIED = 0x80;

/** Octets of the option at `p`; 0 at the end of the list or where it does not fit before `end`. */
function optionLength(view: DataView, p: number, end: number): number {
  const kind = view.getUint8(p);
  if (kind === OPTION.END) return 0;
  if (kind === OPTION.NOP) return 1;
  if (p + 2 > end) return 0;
  const length = view.getUint8(p + 1);
  return length < 2 || p + length > end ? 0 : length;
}

/** True where every option fits; behind END there may be anything. */
export function areSound(view: DataView, at: number, length: number): boolean {
  const end = at + length;
  let p = at + HEADER_LENGTH;
  while (p < end && view.getUint8(p) !== OPTION.END) {
    const octets = optionLength(view, p, end);
    if (octets === 0) return false;
    p += octets;
  }
  return true;
}

/** True where a loose or strict source route is among the options. */
export function hasSourceRoute(view: DataView, at: number, length: number): boolean {
  const end = at + length;
  let p = at + HEADER_LENGTH;
  while (p < end) {
    const kind = view.getUint8(p);
    if (kind === OPTION.LOOSE_SOURCE_ROUTE || kind === OPTION.STRICT_SOURCE_ROUTE) return true;
    const octets = optionLength(view, p, end);
    if (octets === 0) return false;
    p += octets;
  }
  return false;
}

/** Octets of a header with the options that later fragments carry, padded to a multiple of four. */
export function copiedHeaderLength(view: DataView, at: number, length: number): number {
  const end = at + length;
  let copied = HEADER_LENGTH;
  let p = at + HEADER_LENGTH;
  while (p < end) {
    const octets = optionLength(view, p, end);
    if (octets === 0) break;
    if ((view.getUint8(p) & COPIED) !== 0) copied += octets;
    p += octets;
  }
  return (copied + 3) & ~3;
}

/**
 * Writes the options that later fragments carry behind the fixed header at `to`, padded with END, and the
 * header length that results.
 */
export function writeCopied(view: DataView, at: number, length: number, to: number): void {
  const end = at + length;
  const padded = to + copiedHeaderLength(view, at, length);
  let out = to + HEADER_LENGTH;
  let p = at + HEADER_LENGTH;
  while (p < end) {
    const octets = optionLength(view, p, end);
    if (octets === 0) break;
    if ((view.getUint8(p) & COPIED) !== 0) {
      for (let i = 0; i < octets; i++) view.setUint8(out++, view.getUint8(p + i));
    }
    p += octets;
  }
  while (out < padded) view.setUint8(out++, OPTION.END);
  view.setUint8(to, 0x40 | ((padded - to) >>> 2));
}
