/**
 * Whether headers of two TCP segments are the same but for what differs within one flow: lengths, identification,
 * sequence number, checksums, and FIN, PSH and CWR.
 *
 * Compared in words of 32 bits, with a mask where such a field shares a word with another. The caller has made sure
 * that both are there; offsets are of the diagrams in src/wire.
 */
import * as tcp from '../../wire/tcp.js';

/** Of a word that begins or ends with a field to compare. */
const UPPER = 0xffff_0000;
const LOWER = 0x0000_ffff;

/** The flags are the second octet of their word. */
const FLAG_CWR = tcp.FLAG.CWR << 16;
const MAY_DIFFER = (tcp.FLAG.FIN | tcp.FLAG.PSH | tcp.FLAG.CWR) << 16;

/**
 * 0 where the words at `a` and `b` are the same. In this machine's order: to exchange the octets of both first would be
 * a tenth of the joiner's time.
 */
function differs(view: DataView, a: number, b: number): number {
  return view.getInt32(a, true) ^ view.getInt32(b, true);
}

/** The same for a word of which only the bits of `mask` count, as they stand in the diagrams. */
function differsIn(view: DataView, a: number, b: number, mask: number): number {
  return (view.getInt32(a) ^ view.getInt32(b)) & mask;
}

/** Compares an even number of octets. */
export function sameOctets(view: DataView, a: number, b: number, length: number): boolean {
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) if (differs(view, a + i, b + i) !== 0) return false;
  return words === length || view.getInt16(a + words) === view.getInt16(b + words);
}

/** Network headers of 20 or 40 octets. */
export function sameNetwork(view: DataView, a: number, b: number, isIpv6: boolean): boolean {
  return isIpv6 ? sameIpv6(view, a, b) : sameIpv4(view, a, b);
}

/** Version, header length, TOS; flags and fragment offset; TTL and protocol; addresses. */
function sameIpv4(view: DataView, a: number, b: number): boolean {
  const all =
    differsIn(view, a, b, UPPER) |
    differsIn(view, a + 4, b + 4, LOWER) |
    differsIn(view, a + 8, b + 8, UPPER) |
    differs(view, a + 12, b + 12) |
    differs(view, a + 16, b + 16);
  return all === 0;
}

/** Version, traffic class, flow label; next header and hop limit; addresses. */
function sameIpv6(view: DataView, a: number, b: number): boolean {
  const all = differs(view, a, b) | differsIn(view, a + 4, b + 4, LOWER);
  return all === 0 && sameOctets(view, a + 8, b + 8, 32);
}

/**
 * Ports; acknowledgment; header length, flags and window; urgent pointer; options up to `length`. `b` is the later one:
 * it has no CWR.
 */
export function sameTransport(view: DataView, a: number, b: number, length: number): boolean {
  const all =
    differs(view, a, b) |
    differs(view, a + 8, b + 8) |
    differsIn(view, a + 12, b + 12, ~MAY_DIFFER) |
    (view.getInt32(b + 12) & FLAG_CWR) |
    differsIn(view, a + 16, b + 16, LOWER);
  const { HEADER_LENGTH } = tcp;
  return all === 0 && sameOctets(view, a + HEADER_LENGTH, b + HEADER_LENGTH, length - HEADER_LENGTH);
}
