/**
 * What of a snapshot keeps networks apart: routed networks have no routes to one another, and a route that says so, with the
 * note under which packets along it are refused (policies/apart-notes.ts). So a person reads which networks they are, and the
 * sender is told at once.
 *
 * A network has one for each prefix of every other one, and all but the default network for the cluster's, since pods of other
 * nodes are the default network's. Where there are many networks there are none: then there is just no route
 * (compile-egress.ts).
 */
import type { RouteSpec } from '../dataplane/snapshot.js';
import { DEFAULT_NETWORK } from './model/network.js';
import type { Plan, PlannedNetwork } from './plan.js';

/** Networks that are kept apart by routes: 64 of two prefixes are 8,000. */
export const MOST_APART = 64;

/** Names of those that are kept apart from one another. */
export function apartNetworks(networks: readonly PlannedNetwork[]): string[] {
  const routed = networks.filter(isRouted).map(({ name }) => name);
  return routed.length > MOST_APART ? [] : routed.sort();
}

/** Of notes of pairs. */
export function pairKey(from: string, to: string): string {
  return `${from} ${to}`;
}

/** @param network that is routed. */
export function apartRoutes(network: PlannedNetwork, { networks, apart }: Plan): RouteSpec[] {
  if (!apart) return [];
  const own = new Set(cidrsOf(network));
  return networks.flatMap((other) => {
    const note = other === network ? undefined : apart.notes.get(pairKey(network.name, other.name));
    if (note === undefined) return [];
    const prefixes = [...cidrsOf(other), ...(other.name === DEFAULT_NETWORK ? apart.clusterCidrs : [])];
    return [...new Set(prefixes)]
      .filter((prefix) => !own.has(prefix))
      .map((prefix) => ({ table: network.routeTable, prefix, kind: 'apart' as const, note }));
  });
}

export function isRouted(network: PlannedNetwork): boolean {
  return network.domains.some(({ gateways }) => gateways.length > 0);
}

function cidrsOf({ domains }: PlannedNetwork): string[] {
  return domains.flatMap(({ cidrs }) => cidrs);
}
