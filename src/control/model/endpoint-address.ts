import { AddressError, parseIp } from '../../wire/address.js';
import { canonicalIp } from '../cidr.js';
import { invalid } from '../errors.js';

/**
 * An address that a service can lead to, or be reached at from outside, in canonical form. As in Kubernetes: not
 * unspecified, loopback, link-local or multicast (validation.ValidateNonSpecialIP).
 * @throws PodwireError INVALID naming the field
 */
export function parseServiceAddress(field: string, text: string): string {
  try {
    const { family, words } = parseIp(text);
    if (isSpecial(family, words)) {
      throw invalid(field, `${text} may not be unspecified, loopback, link-local or multicast`);
    }
    return canonicalIp(text);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
}

/** RFC 6890: 0/8, 127/8, 169.254/16, 224/3; ::, ::1, IPv4-mapped, fe80::/10, ff00::/8. */
function isSpecial(family: 4 | 6, words: Uint32Array): boolean {
  const [first] = words;
  const top = first >>> 24;
  if (family === 4) return top === 0 || top === 127 || top >= 224 || first >>> 16 === 0xa9fe;
  const isLow = first === 0 && words[1] === 0;
  return isLow || top === 0xff || first >>> 22 === 0xfe80 >>> 6;
}
