/**
 * How a network's prefixes become bridge domains: the i-th IPv4 with the i-th IPv6 prefix. The first address
 * that a host can have in a prefix is the switch's own, the gateway; in the node's network the second is the
 * node's. Internal and direct networks have no gateway, and all their addresses are for pods.
 */
import type { NetworkSpec } from './api/types.js';
import { addressAt, familyOf, holds } from './cidr.js';
import { type AddressRange, usable } from './ipam.js';
import { routersOf } from './model/raw-network.js';

/** Whom the second address of the node's network is reserved for. */
export const THE_NODE = 'the node';

export interface DomainLayout extends AddressRange {
  /** Of the switch, IPv4 first; empty where the network is not routed. */
  readonly gateways: readonly string[];
  /** Pods' default routes lead to them, IPv4 first: the gateways, or other people's routers. */
  readonly routers: readonly string[];
}

export function isRouted(spec: NetworkSpec): boolean {
  return spec.mode !== 'direct' && spec.mode !== 'raw' && !isPortless(spec) && spec.internal !== true;
}

/** Its pods reach the outside through the node. */
export function hasEgress(spec: NetworkSpec): boolean {
  return isRouted(spec) && spec.egress !== false;
}

/** Its pods have no interface of the switch: the node's own, or none at all. */
export function isPortless({ mode }: Pick<NetworkSpec, 'mode'>): boolean {
  return mode === 'host' || mode === 'none';
}

/** @param withNode whether the node itself has addresses in the first domain. */
export function layoutOf(spec: NetworkSpec, withNode: boolean): DomainLayout[] {
  const ipv4 = spec.cidrs.filter((cidr) => familyOf(cidr) === 4);
  const ipv6 = spec.cidrs.filter((cidr) => familyOf(cidr) === 6);
  const count = Math.max(ipv4.length, ipv6.length);
  return Array.from({ length: count }, (_, index) => {
    const cidrs = [ipv4[index], ipv6[index]].filter((cidr) => cidr !== undefined);
    const gateways = isRouted(spec) ? cidrs.map((cidr) => hostAddress(cidr, 0)) : [];
    const node = withNode && index === 0 ? nodeAddresses(cidrs) : [];
    if (spec.mode === 'raw') return lanLayout(spec, cidrs);
    return {
      cidrs,
      gateways,
      routers: gateways,
      reserved: new Map([
        ...gateways.map((address) => [address, 'the gateway'] as const),
        ...node.map((address) => [address, THE_NODE] as const),
      ]),
    };
  });
}

/** The switch has no address on a LAN of other people's. */
function lanLayout(spec: NetworkSpec, cidrs: readonly string[]): DomainLayout {
  const routers = routersOf(spec);
  const reserved = new Map(routers.map((address) => [address, 'the router'] as const));
  return { cidrs, gateways: [], routers, reserved, given: spec.ranges ?? [] };
}

/** An address of the domain with the length of its prefix: `10.244.0.3/24`. */
export function withLength({ cidrs }: DomainLayout, address: string): string {
  return `${address}/${cidrs.find((cidr) => holds(cidr, address))?.split('/')[1]}`;
}

/** The node's addresses in its network: the second of each prefix. */
export function nodeAddresses(cidrs: readonly string[]): string[] {
  return cidrs.map((cidr) => hostAddress(cidr, 1));
}

/** The n-th address, from 0, that a host can have. */
function hostAddress(cidr: string, index: number): string {
  return addressAt(cidr, usable(cidr)[0] + BigInt(index));
}
