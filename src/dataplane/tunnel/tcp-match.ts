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

/** Compares an even number of octets. */
export function sameOctets(view: DataView, a: number, b: number, length: number): boolean {
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) {
    if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
  }
  return words === length || view.getInt16(a + words) === view.getInt16(b + words);
}

/** Network headers of 20 or 40 octets. */
export function sameNetwork(view: DataView, a: number, b: number, isIpv6: boolean): boolean {
  return isIpv6 ? sameIpv6(view, a, b) : sameIpv4(view, a, b);
}

/** Version, header length, TOS; flags and fragment offset; TTL and protocol; addresses. */
function sameIpv4(view: DataView, a: number, b: number): boolean {
  const differs =
    ((view.getInt32(a) ^ view.getInt32(b)) & UPPER) |
    ((view.getInt32(a + 4) ^ view.getInt32(b + 4)) & LOWER) |
    ((view.getInt32(a + 8) ^ view.getInt32(b + 8)) & UPPER) |
    (view.getInt32(a + 12) ^ view.getInt32(b + 12)) |
    (view.getInt32(a + 16) ^ view.getInt32(b + 16));
  return differs === 0;
}

/** Version, traffic class, flow label; next header and hop limit; addresses. */
function sameIpv6(view: DataView, a: number, b: number): boolean {
  const differs =
    (view.getInt32(a) ^ view.getInt32(b)) | ((view.getInt32(a + 4) ^ view.getInt32(b + 4)) & LOWER);
  return differs === 0 && sameOctets(view, a + 8, b + 8, 32);
}

/**
 * Ports; acknowledgment; header length, flags and window; urgent pointer; options up to `length`. `b` is the later one:
 * it has no CWR.
 */
export function sameTransport(view: DataView, a: number, b: number, length: number): boolean {
  const word = view.getInt32(b + 12);
  const differs =
    (view.getInt32(a) ^ view.getInt32(b)) |
    (view.getInt32(a + 8) ^ view.getInt32(b + 8)) |
    ((view.getInt32(a + 12) ^ word) & ~MAY_DIFFER) |
    (word & FLAG_CWR) |
    ((view.getInt32(a + 16) ^ view.getInt32(b + 16)) & LOWER);
  return (
    differs === 0 &&
    sameOctets(view, a + tcp.HEADER_LENGTH, b + tcp.HEADER_LENGTH, length - tcp.HEADER_LENGTH)
  );
}
