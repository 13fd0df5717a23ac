/**
 * Addresses as text, for control code and for errors people read: never on the path of a packet. In numbers a
 * MAC address is two (ethernet.ts), an IPv4 address one unsigned 32-bit word, an IPv6 address four, and an
 * address of either family an `Ip`. What cannot be read throws an AddressError that quotes the text.
 */

/** A MAC address: its first 16 and its last 32 bits, unsigned. */
export interface Mac {
  hi: number;
  lo: number;
}

export interface Ip {
  family: 4 | 6;
  /** One unsigned 32-bit word for IPv4, four for IPv6, the most significant first. */
  words: Uint32Array;
}

/** An address with a prefix length. Bits behind the prefix are kept: networkOf clears them. */
export interface Cidr extends Ip {
  prefix: number;
}

/** Text that is no address. Its message says what was expected. */
export class AddressError extends Error {
  readonly code = 'BAD_ADDRESS';
}

function bad(text: string, expected: string): AddressError {
  return new AddressError(`'${text}' is not ${expected}`);
}

/** Reads six octets of two hexadecimal digits, between colons or hyphens (IEEE 802-2014 8.1). */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(text)) {
    throw bad(text, 'a MAC address such as 02:00:0a:f4:00:02');
  }
  const digits = text.replace(/[:-]/g, '');
  return { hi: Number.parseInt(digits.slice(0, 4), 16), lo: Number.parseInt(digits.slice(4), 16) };
}

/** Six octets, lower case, between colons. */
export function formatMac(hi: number, lo: number): string {
  const digits = hi.toString(16).padStart(4, '0') + lo.toString(16).padStart(8, '0');
  return digits.match(/../g)?.join(':') ?? '';
}

/**
 * Reads four decimal octets with no leading zeros, which some programs take for octal (RFC 6943 section 3.1.1),
 * to an unsigned 32-bit number.
 */
export function parseIpv4(text: string): number {
  const octets = text.split('.');
  if (
    octets.length !== 4 ||
    !octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256)
  ) {
    throw bad(text, 'an IPv4 address such as 10.244.0.2');
  }
  return octets.reduce((word, octet) => word * 256 + Number(octet), 0);
}

export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/**
 * Reads the text forms of RFC 4291 section 2.2, an IPv4 address in the last two groups included, to four words.
 * No zone (`%eth0`): a zone is not part of an address.
 */
export function parseIpv6(text: string): Uint32Array {
  const halves = text.split('::');
  const [head, tail] = halves.map((half, index) => groups(half, index === halves.length - 1));
  const missing = 8 - (head?.length ?? 0) - (tail?.length ?? 0);
  if (!head || halves.length > 2 || (tail ? missing < 1 : missing !== 0)) throw badIpv6(text);
  const all = tail ? [...head, ...new Array<number>(missing).fill(0), ...tail] : head;
  if (all.some(Number.isNaN)) throw badIpv6(text);
  return Uint32Array.from([0, 2, 4, 6], (i) => all[i] * 0x10000 + all[i + 1]);
}

function badIpv6(text: string): AddressError {
  return bad(text, 'an IPv6 address such as fd00:10:244::2');
}

/** The 16-bit groups of one side of `::`; NaN for what is none. Only the last group may be an IPv4 address. */
function groups(half: string, last: boolean): number[] {
  if (half === '') return [];
  const parts = half.split(':');
  return parts.flatMap((part, index) => {
    if (last && index === parts.length - 1 && part.includes('.')) return groupsOfIpv4(part);
    return /^[0-9a-f]{1,4}$/i.test(part) ? [Number.parseInt(part, 16)] : [Number.NaN];
  });
}

function groupsOfIpv4(text: string): number[] {
  try {
    const word = parseIpv4(text);
    return [word >>> 16, word & 0xffff];
  } catch {
    return [Number.NaN];
  }
}

/**
 * The one text form of RFC 5952: lower case, no leading zeros, `::` for the longest run of two zero groups or
 * more, the first of equal ones. An IPv4-mapped address (::ffff:0:0/96) ends in dotted decimal (section 5).
 */
export function formatIpv6(words: ArrayLike<number>): string {
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `::ffff:${formatIpv4(words[3])}`;
  const all = Array.from(words).flatMap((word) => [word >>> 16, word & 0xffff]);
  const text = all.map((group) => group.toString(16));
  const { start, length } = longestZeros(all);
  if (length < 2) return text.join(':');
  return `${text.slice(0, start).join(':')}::${text.slice(start + length).join(':')}`;
}

function longestZeros(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  });
  return best;
}

/** Reads an address of either family. */
export function parseIp(text: string): Ip {
  if (text.includes(':')) return { family: 6, words: parseIpv6(text) };
  return { family: 4, words: Uint32Array.of(parseIpv4(text)) };
}

export function formatIp(ip: Ip): string {
  return ip.family === 4 ? formatIpv4(ip.words[0]) : formatIpv6(ip.words);
}

/** Reads `ADDRESS/LENGTH` of either family. */
export function parseCidr(text: string): Cidr {
  const [, address, length] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  if (address === undefined) throw bad(text, 'a prefix such as 10.244.0.0/24');
  const ip = parseIp(address);
  const prefix = Number(length);
  const longest = ip.words.length * 32;
  if (prefix > longest)
    throw bad(text, `a prefix: the length of an IPv${ip.family} one is at most ${longest}`);
  return { ...ip, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr)}/${cidr.prefix}`;
}

/** The bits of word `index` that a prefix of that length covers, unsigned. */
export function maskWord(prefix: number, index: number): number {
  const bits = Math.min(Math.max(prefix - index * 32, 0), 32);
  return bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0;
}

/** The same prefix with the bits behind it 0. */
export function networkOf(cidr: Cidr): Cidr {
  return { ...cidr, words: cidr.words.map((word, index) => (word & maskWord(cidr.prefix, index)) >>> 0) };
}

/** True where `ip` is within `cidr`; an address of the other family never is. */
export function contains(cidr: Cidr, ip: Ip): boolean {
  if (cidr.family !== ip.family) return false;
  return cidr.words.every((word, index) => ((word ^ ip.words[index]) & maskWord(cidr.prefix, index)) === 0);
}

/**
 * The link-local address of an interface, from its MAC address: fe80::/64 and the modified EUI-64 identifier,
 * ff:fe in the middle and the universal/local bit inverted (RFC 4291 section 2.5.6 and appendix A).
 */
export function linkLocalOf(mac: Mac): Uint32Array {
  const w2 = ((mac.hi ^ 0x0200) * 0x10000 + ((mac.lo >>> 16) & 0xff00) + 0xff) >>> 0;
  return Uint32Array.of(0xfe80_0000, 0, w2, 0xfe00_0000 + (mac.lo & 0xff_ffff));
}

/** The group that solicitations for an address go to: ff02::1:ff and its last 24 bits (RFC 4291 section 2.7.1). */
export function solicitedNodeOf(words: ArrayLike<number>): Uint32Array {
  return Uint32Array.of(0xff02_0000, 0, 1, 0xff00_0000 + (words[3] & 0xff_ffff));
}

/** The MAC address of an IPv4 group: 01:00:5e and its last 23 bits (RFC 1112 section 6.4). */
export function multicastMacOfIpv4(word: number): Mac {
  return { hi: 0x0100, lo: 0x5e00_0000 + (word & 0x7f_ffff) };
}

/** The MAC address of an IPv6 group: 33:33 and its last 32 bits (RFC 2464 section 7). */
export function multicastMacOfIpv6(words: ArrayLike<number>): Mac {
  return { hi: 0x3333, lo: words[3] };
}
