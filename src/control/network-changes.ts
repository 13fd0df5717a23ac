/**
 * What of a network can change while pods are attached to it. The pods keep their addresses and their subnet; so
 *
 *     sourceGuard        at once
 *     egress, masquerade  at once; connections that are masqueraded go on as they are
 *     mtu                for pods attached from then on, and for all when the daemon starts again
 *     cidrs              routed, bridge: more subnets behind those there are
 *     ranges, gateways   raw: for pods attached from then on; default routes follow when the daemon starts again
 *
 * and nothing else. Without pods everything can.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkSpec } from './api/types.js';
import { PodwireError } from './errors.js';
import { layoutOf } from './layout.js';
import type { LiveNetwork } from './live-network.js';

const ALWAYS: readonly (keyof NetworkSpec)[] = ['sourceGuard', 'mtu', 'egress', 'masquerade'];
const OF_RAW: readonly (keyof NetworkSpec)[] = ['ranges', 'gateways'];

/** @returns why the network cannot go on with its pods under the new spec: `spec.vni of network red is fixed`. */
export function whyNotEvolve({ name, spec: before }: LiveNetwork, after: NetworkSpec): string | undefined {
  const field = changedFields(before, after).find((changed) => !isLive(changed, before, after));
  if (field === undefined) return undefined;
  const more = field === 'cidrs' && isExtensible(before) ? ' but for new subnets at its end' : '';
  return `spec.${field} of network ${name} is fixed${more}`;
}

/** @throws PodwireError ADDRESS_IN_USE where a new router of the LAN has an address of a pod */
export function refuseRoutersOfPods({ pool }: LiveNetwork, spec: NetworkSpec): void {
  for (const [index, address] of (spec.gateways ?? []).entries()) {
    const owner = pool.ownerOf(address);
    if (owner === undefined) continue;
    const field = `spec.gateways[${index}]`;
    throw new PodwireError('ADDRESS_IN_USE', `${field}: ${address} belongs to pod ${owner}`, field);
  }
}

/** @throws PodwireError NETWORK_IN_USE */
export function refuseInUse({ pool, spec }: LiveNetwork, what: string): void {
  const elsewhere = spec.mode === 'overlay' ? pool.foreignSize : 0;
  if (pool.size + elsewhere === 0) return;
  const pods = pool.size === 1 ? 'a pod is' : `${pool.size} pods are`;
  const where = pool.size === 0 ? 'pods of other nodes are' : pods;
  throw new PodwireError('NETWORK_IN_USE', `${what} while ${where} attached to it: detach first`);
}

function isLive(field: keyof NetworkSpec, before: NetworkSpec, after: NetworkSpec): boolean {
  if (field === 'cidrs') return isExtensible(before) && keepsSubnets(before, after);
  return ALWAYS.includes(field) || (before.mode === 'raw' && OF_RAW.includes(field));
}

function isExtensible({ mode }: NetworkSpec): boolean {
  return mode === 'routed' || mode === 'bridge';
}

/** Every subnet stays what and where it is. */
function keepsSubnets(before: NetworkSpec, after: NetworkSpec): boolean {
  const later = layoutOf(after, false);
  return layoutOf(before, false).every(({ cidrs }, index) => isDeepStrictEqual(cidrs, later[index]?.cidrs));
}

function changedFields(before: NetworkSpec, after: NetworkSpec): (keyof NetworkSpec)[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof NetworkSpec>;
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
