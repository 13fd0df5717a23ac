/**
 * The other end of a datagram (PacketPool.remote) as text, and text as that: four words, IPv4 as an IPv4-mapped
 * address (RFC 4291 section 2.5.5.2). Not for the path of a packet.
 */
import { formatIp, formatIpv4, parseIp } from '../../wire/address.js';
import { mappedWords } from '../tables/peer-table.js';

/** The address in the four words from `at` on. */
export function addressText(words: ArrayLike<number>, at = 0): string {
  if (words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff) return formatIpv4(words[at + 3]);
  const unsigned = Uint32Array.of(words[at], words[at + 1], words[at + 2], words[at + 3]);
  return formatIp({ family: 6, words: unsigned });
}

/** Throws AddressError. */
export function addressWords(text: string): Int32Array {
  return Int32Array.from(mappedWords(parseIp(text)));
}
