/**
 * What of a snapshot is about the way out: networks with egress have a default route to the node's port, behind which the
 * host's kernel routes on (host/nft-rules.ts).
 *
 * The kernel routes to pods too, so whatever is a pod's, of another network or of the cluster, must not get there: it leads
 * nowhere, as without a way out. Of other networks that are routed compile-apart.ts sees to that. Where there are many, the
 * kernel's rule that nothing goes from podwire0 to podwire0 has to do.
 */
import type { RouteSpec } from '../dataplane/snapshot.js';
import { MOST_APART } from './compile-apart.js';
import type { Plan, PlannedNetwork } from './plan.js';

const EVERYWHERE = ['0.0.0.0/0', '::/0'];

/** The port that packets by this table leave through; undefined: they do not. */
export function wayOut({ node, egress, networks }: Plan, table: number): number | undefined {
  const network = networks.find(({ routeTable }) => routeTable === table);
  return egress && network?.egress ? node?.id : undefined;
}

/**
 * @param network that is routed.
 * @param apart routes of the network that keep it apart already.
 */
export function egressRoutes(
  network: PlannedNetwork,
  plan: Plan,
  apart: readonly RouteSpec[] = [],
): RouteSpec[] {
  const { routeTable: table } = network;
  const port = wayOut(plan, table);
  if (port === undefined) return [];
  const out = EVERYWHERE.map((prefix) => ({ table, prefix, kind: 'port' as const, port }));
  const told = new Set(apart.map(({ prefix }) => prefix));
  const nothing = nowhere(network, plan)
    .filter((prefix) => !told.has(prefix))
    .map((prefix) => ({ table, prefix, kind: 'unreachable' as const }));
  return [...nothing, ...out];
}

/** Without what the network or a peer has itself. */
function nowhere(network: PlannedNetwork, { networks, egress, cluster }: Plan): string[] {
  const others = networks.length > MOST_APART ? [] : networks.filter((other) => other !== network);
  const prefixes = new Set([...(egress?.clusterCidrs ?? []), ...others.flatMap(cidrsOf)]);
  const known = [...cidrsOf(network), ...(cluster?.peers ?? []).flatMap((peer) => peer.prefixes)];
  for (const prefix of known) prefixes.delete(prefix);
  return [...prefixes];
}

function cidrsOf({ mode, domains }: PlannedNetwork): string[] {
  // The LAN of a raw network is the host's to route to.
  return mode === 'raw' ? [] : domains.flatMap(({ cidrs }) => cidrs);
}
