/** Addresses as octets in network order, for sockets and frames. */
import { formatIp, parseIp, parseMac } from '../../../wire/address.js';

/** 4 or 16 octets of an address's text. Throws AddressError. */
export function octetsOf(text: string): Uint8Array {
  const { words } = parseIp(text);
  const octets = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) octets.writeUInt32BE(word, index * 4);
  return octets;
}

export function textOf(octets: Uint8Array): string {
  const buffer = Buffer.from(octets);
  const words = Uint32Array.from({ length: octets.length / 4 }, (_, index) => buffer.readUInt32BE(index * 4));
  return formatIp({ family: words.length === 1 ? 4 : 6, words });
}

/** 6 octets of a MAC address's text. */
export function macOctets(text: string): Uint8Array {
  const { hi, lo } = parseMac(text);
  const octets = Buffer.alloc(6);
  octets.writeUInt16BE(hi, 0);
  octets.writeUInt32BE(lo, 2);
  return octets;
}
