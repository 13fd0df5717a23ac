/**
 * MAC addresses follow from IP addresses, so that they survive restarts unstored, and an address that moves
 * from one pod to another keeps its MAC: no neighbour cache goes stale.
 *
 * 02:70 and the four octets of the IPv4 address; without one, or where somebody has asked for just that MAC address
 * before, 02:71 and 32 bits of the first address's SHA-256. The MAC address of a node's end of the tunnel is 02:72 and 32 bits of the SHA-256 of the node's uid,
 * so it stays when the node's addresses change. All have the locally administered bit set (IEEE 802-2014 section
 * 8.4.4), and no two kinds can be the same.
 */
import { createHash } from 'node:crypto';
import { formatMac, parseIpv4 } from '../wire/address.js';
import { familyOf } from './cidr.js';

const FROM_IPV4 = 0x0270;
const FROM_HASH = 0x0271;
const VTEP = 0x0272;

/** Of the switch where it has no address: no pod can have 0.0.0.1. */
export const ANONYMOUS_MAC = formatMac(FROM_IPV4, 1);

/** @param taken whether another station of the same bridge domain has it. */
export function macOf(addresses: readonly string[], taken: (mac: string) => boolean = () => false): string {
  if (addresses.length === 0) return ANONYMOUS_MAC;
  const ipv4 = addresses.find((address) => familyOf(address) === 4);
  const plain = ipv4 === undefined ? undefined : formatMac(FROM_IPV4, parseIpv4(ipv4));
  if (plain !== undefined && !taken(plain)) return plain;
  for (let attempt = 0; ; attempt++) {
    const mac = formatMac(FROM_HASH, hash32(`${addresses[0]}#${attempt}`));
    if (!taken(mac)) return mac;
  }
}

/** Of this node's end of the tunnel. */
export function vtepMacOf(uid: string): string {
  return formatMac(VTEP, hash32(uid));
}

function hash32(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
