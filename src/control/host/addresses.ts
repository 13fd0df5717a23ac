/** The addresses and MTUs of the host's own interfaces, whether they are up or not. */
import { familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import { queryJson } from './iproute2.js';

export interface HostAddress {
  readonly ifname: string;
  readonly address: string;
  /** Of the interface. */
  readonly mtu: number;
}

interface LinkAddresses {
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info?: readonly { readonly local?: string }[];
}

/** @throws PodwireError IPROUTE2_MISSING, IPROUTE2_FAILED */
export async function hostAddresses(): Promise<HostAddress[]> {
  const links = await queryJson<LinkAddresses[]>(['address', 'show']);
  return links.flatMap(({ ifname, mtu, addr_info = [] }) =>
    addr_info.flatMap(({ local }) => (local === undefined ? [] : [{ ifname, address: local, mtu }])),
  );
}

/** Bytes that a tunnel packet is longer than what it carries: VXLAN over IPv4 and over IPv6 (RFC 7348). */
const TUNNEL_OVERHEAD = { 4: 50, 6: 70 } as const;

/**
 * MTU of the interface with the underlay address.
 * @throws PodwireError INVALID where no interface has the address
 */
export function underlayMtu(underlay: string, addresses: readonly HostAddress[]): number {
  const found = addresses.find(({ address }) => address === underlay);
  if (!found) throw invalid('--underlay', `no interface of this node has ${underlay}`);
  return found.mtu;
}

/** The MTU that leaves room for the tunnel there. @throws as `underlayMtu` */
export function tunnelMtu(underlay: string, addresses: readonly HostAddress[]): number {
  return underlayMtu(underlay, addresses) - TUNNEL_OVERHEAD[familyOf(underlay)];
}
