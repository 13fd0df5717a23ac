/** What the kinds of policies have in common: prefixes, and lists whose items are checked under their own path. */
import { AddressError, formatCidr, networkOf, parseCidr } from '../../wire/address.js';
import { invalid } from '../errors.js';

/**
 * A prefix of either family in canonical form. As in Kubernetes, bits behind its length are let pass, and mean nothing.
 * @throws PodwireError INVALID naming the field
 */
export function readPolicyCidr(field: string, text: string): string {
  try {
    const cidr = networkOf(parseCidr(text));
    if (cidr.family === 6 && cidr.prefix >= 96 && isMapped(cidr.words)) {
      throw invalid(field, `${text} is IPv4 written as IPv6: write it as IPv4`);
    }
    return formatCidr(cidr);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
}

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2: no packet has such an address. */
function isMapped([first, second, third]: Uint32Array): boolean {
  return first === 0 && second === 0 && third === 0xffff;
}

/** Each item under its own path; undefined where there is none, which Kubernetes takes for a list left out. */
export function normalList<T, U>(
  field: string,
  items: readonly T[] | undefined,
  normal: (field: string, item: T) => U,
): U[] | undefined {
  if (!items || items.length === 0) return undefined;
  return items.map((item, index) => normal(`${field}[${index}]`, item));
}
