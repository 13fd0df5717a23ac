/**
 * Which prefixes a routed network may not have. The node reaches every routed network through podwire0, so its
 * prefixes must be apart from all else that the node reaches by a route as specific.
 */
import type { Network, NetworkSpec } from './api/types.js';
import { holds, overlaps } from './cidr.js';
import { invalid, PodwireError } from './errors.js';
import type { HostAddress } from './host/addresses.js';
import { NODE_IFNAME } from './host/node-interface.js';
import { isRouted } from './layout.js';

/** The prefixes that the daemon was started with. */
export interface AddressPlan {
  readonly podCidrs: readonly string[];
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly underlay?: string | undefined;
}

type Named = { readonly name: string; readonly spec: NetworkSpec };

/** @throws PodwireError CIDR_OVERLAP naming the field */
export function refuseOverlap(
  { spec }: Network,
  others: readonly Named[],
  plan: AddressPlan,
  host: readonly HostAddress[],
): void {
  if (!isRouted(spec)) return;
  for (const [index, cidr] of spec.cidrs.entries()) {
    const user = networkWith(cidr, others) ?? plannedUse(cidr, plan) ?? hostAddressIn(cidr, host);
    const field = `spec.cidrs[${index}]`;
    if (user) throw new PodwireError('CIDR_OVERLAP', `${field}: ${cidr} overlaps ${user}`, field);
  }
}

/** @throws PodwireError PARENT_IN_USE: frames of one VLAN of an interface are one network's */
export function refuseSharedParent({ spec }: Network, others: readonly Named[]): void {
  const { mode, parent, vlan } = spec;
  const other = others.find(
    (one) => one.spec.mode === mode && one.spec.parent === parent && one.spec.vlan === vlan,
  );
  if (mode !== 'raw' || !other) return;
  const what = vlan === undefined ? `${parent} without a VLAN` : `VLAN ${vlan} of ${parent}`;
  throw new PodwireError(
    'PARENT_IN_USE',
    `spec.parent: ${what} belongs to network ${other.name}`,
    'spec.parent',
  );
}

/** @throws PodwireError INVALID where a prefix of the daemon's options holds an address of the host */
export function refuseHostAddresses(
  flag: string,
  cidrs: readonly string[],
  host: readonly HostAddress[],
): void {
  for (const cidr of cidrs) {
    const found = hostAddressIn(cidr, host);
    if (found) throw invalid(flag, `${cidr} contains ${found}`);
  }
}

function networkWith(cidr: string, others: readonly Named[]): string | undefined {
  for (const { name, spec } of others) {
    const found = isRouted(spec) && spec.cidrs.find((candidate) => overlaps(candidate, cidr));
    if (found) return `${found} of network ${name}`;
  }
  return undefined;
}

function plannedUse(cidr: string, { clusterCidrs, serviceCidrs }: AddressPlan): string | undefined {
  const cluster = clusterCidrs.find((candidate) => overlaps(candidate, cidr));
  if (cluster) return `the cluster's ${cluster}`;
  const service = serviceCidrs.find((candidate) => overlaps(candidate, cidr));
  return service && `the services' ${service}`;
}

/** A larger prefix of the host's is no harm: the more specific route wins. Its own address within ours is. */
function hostAddressIn(cidr: string, host: readonly HostAddress[]): string | undefined {
  const found = host.find(({ ifname, address }) => ifname !== NODE_IFNAME && holds(cidr, address));
  return found && `${found.address} of the host's interface ${found.ifname}`;
}
