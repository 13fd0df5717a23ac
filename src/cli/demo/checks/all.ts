/** Every check of the demo, in its order: of one node, or of several. */
import type { Check } from '../check.js';
import { CLUSTER_SETUP_CHECKS } from './cluster-setup.js';
import { CONTAINER_CHECKS } from './containers.js';
import { DETACH_CHECKS } from './detach.js';
import { CONSERVATION_CHECKS, FORGERY_CHECKS } from './drops.js';
import { ICMP_ERROR_CHECKS } from './icmp-errors.js';
import { nodeLossChecks } from './node-loss.js';
import { LOCAL_PING_CHECKS, PING_CHECKS } from './ping.js';
import { POLICY_CHECKS } from './policy.js';
import { RESTART_CHECKS } from './restart.js';
import { serviceChecks } from './services.js';
import { SETUP_CHECKS } from './setup.js';
import { TRANSFER_CHECKS } from './transfer.js';
import { TUNNEL_CHECKS } from './tunnel.js';
import { TUNNEL_FORGERY_CHECKS } from './tunnel-forgeries.js';
import { TUNNEL_MTU_CHECKS } from './tunnel-mtu.js';

export function setupChecks(nodes: number): readonly Check[] {
  return nodes > 1 ? CLUSTER_SETUP_CHECKS : SETUP_CHECKS;
}

/** With `keep` the pods stay attached at the end. */
export function allChecks({ nodes, keep }: { readonly nodes: number; readonly keep: boolean }): Check[] {
  return [
    ...setupChecks(nodes),
    ...PING_CHECKS,
    ...(nodes > 1 ? [] : LOCAL_PING_CHECKS),
    ...ICMP_ERROR_CHECKS,
    ...(nodes > 1 ? TUNNEL_CHECKS : TRANSFER_CHECKS),
    ...CONTAINER_CHECKS,
    ...(nodes > 1 ? serviceChecks() : []),
    ...POLICY_CHECKS,
    ...FORGERY_CHECKS,
    ...(nodes > 1 ? [...TUNNEL_FORGERY_CHECKS, ...TUNNEL_MTU_CHECKS] : []),
    ...CONSERVATION_CHECKS,
    ...(nodes > 1 ? nodeLossChecks() : RESTART_CHECKS),
    ...(keep ? [] : DETACH_CHECKS),
  ];
}
