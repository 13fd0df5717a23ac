/** Names that ask for the name of an address: four octets under in-addr.arpa, 32 digits under ip6.arpa (RFC 3596). */
import { formatIpv4, formatIpv6 } from '../../wire/address.js';

/** The address in its one text form, or undefined where the name is not one of a whole address. */
export function addressOf(labels: readonly string[]): string | undefined {
  const zone = labels.slice(-2).join('.');
  const parts = labels.slice(0, -2).reverse();
  if (zone === 'in-addr.arpa') return ipv4Of(parts);
  return zone === 'ip6.arpa' ? ipv6Of(parts) : undefined;
}

function ipv4Of(octets: readonly string[]): string | undefined {
  if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet))) return undefined;
  if (octets.some((octet) => Number(octet) > 255)) return undefined;
  return formatIpv4(octets.reduce((word, octet) => word * 256 + Number(octet), 0));
}

function ipv6Of(digits: readonly string[]): string | undefined {
  if (digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/.test(digit))) return undefined;
  const text = digits.join('');
  return formatIpv6([0, 8, 16, 24].map((at) => Number.parseInt(text.slice(at, at + 8), 16)));
}
