/** The addresses and MTUs of the host's own interfaces, whether they are up or not. */
import { familyOf } from '../cidr.js';
import { invalid, PodwireError } from '../errors.js';
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
  /** Missing where the link layer has none. */
  readonly address?: string;
  readonly addr_info?: readonly { readonly local?: string }[];
}

const NO_MAC = '00:00:00:00:00:00';

/** One of the host's interfaces. */
export interface HostInterface {
  readonly ifname: string;
  readonly mac: string;
  readonly mtu: number;
}

/** The interface that has the address. @throws PodwireError INTERFACE_NOT_FOUND, IPROUTE2_MISSING, IPROUTE2_FAILED */
export async function interfaceWith(address: string): Promise<HostInterface> {
  const links = await queryJson<LinkAddresses[]>(['address', 'show']);
  const link = links.find(({ addr_info = [] }) => addr_info.some(({ local }) => local === address));
  if (link) return { ifname: link.ifname, mac: link.address ?? NO_MAC, mtu: link.mtu };
  throw new PodwireError('INTERFACE_NOT_FOUND', `no interface of this node has ${address}`);
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
