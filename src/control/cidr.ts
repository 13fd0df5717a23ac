/**
 * Arithmetic on prefixes, for control code: which address is the n-th, which prefixes overlap. Addresses are
 * text in their one canonical form; numbers are BigInt, since an IPv6 prefix has more than 2^53 of them.
 */
import {
  type Cidr,
  contains,
  formatCidr,
  formatIp,
  type Ip,
  networkOf,
  parseCidr,
  parseIp,
} from '../wire/address.js';

export type Family = 4 | 6;

/** An address in canonical form. @throws AddressError */
export function canonicalIp(text: string): string {
  return formatIp(parseIp(text));
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** The whole prefix of one address: `10.0.0.1/32`. */
export function hostPrefix(address: string): string {
  return `${address}/${bitsOf(familyOf(address))}`;
}

/** The canonical prefix, bits behind it cleared. @throws AddressError */
export function canonicalCidr(text: string): string {
  return formatCidr(networkOf(parseCidr(text)));
}

/** How many addresses the prefix has, the first and last included. */
export function sizeOf(cidr: string): bigint {
  const { family, prefix } = parseCidr(cidr);
  return 1n << BigInt(bitsOf(family) - prefix);
}

/** The n-th address of the prefix, from 0; negative counts from its end: -1 is the last. */
export function addressAt(cidr: string, index: bigint): string {
  const parsed = networkOf(parseCidr(cidr));
  const offset = index < 0n ? sizeOf(cidr) + index : index;
  return formatIp(fromNumber(parsed.family, toNumber(parsed) + offset));
}

/** The first address that a host can have in it: the one after the prefix itself. */
export function firstHost(cidr: string): string {
  return addressAt(cidr, parseCidr(cidr).prefix >= bitsOf(familyOf(cidr)) - 1 ? 0n : 1n);
}

/** Position of the address in the prefix, or undefined where it lies outside. */
export function indexIn(cidr: string, address: string): bigint | undefined {
  const parsed = networkOf(parseCidr(cidr));
  const ip = parseIp(address);
  return contains(parsed, ip) ? toNumber(ip) - toNumber(parsed) : undefined;
}

export function holds(cidr: string, address: string): boolean {
  return contains(parseCidr(cidr), parseIp(address));
}

export function overlaps(a: string, b: string): boolean {
  const [left, right] = [parseCidr(a), parseCidr(b)];
  return left.prefix <= right.prefix ? contains(left, right) : contains(right, left);
}

/** Whether every address of `inner` is in `outer`. */
export function encloses(outer: string, inner: string): boolean {
  const [left, right] = [parseCidr(outer), parseCidr(inner)];
  return left.prefix <= right.prefix && contains(left, right);
}

/** The first subnet of that length; the prefix itself where it is not larger. */
export function firstSubnet(cidr: string, length: number): string {
  const parsed = networkOf(parseCidr(cidr));
  return formatCidr({ ...parsed, prefix: Math.max(parsed.prefix, length) } satisfies Cidr);
}

function toNumber(ip: Ip): bigint {
  return ip.words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

function fromNumber(family: Family, number: bigint): Ip {
  const count = bitsOf(family) / 32;
  const words = Uint32Array.from({ length: count }, (_, index) =>
    Number((number >> BigInt(32 * (count - 1 - index))) & 0xffff_ffffn),
  );
  return { family, words };
}
