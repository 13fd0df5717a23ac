/**
 * Whether a packet that has waited may still go where it was sent when a new snapshot comes into force: both of its
 * ports, or its peer, are what they were. A number may be another port's or node's by then. Control path only.
 */
import { FLOOD_EGRESS, PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { PacketPool } from '../pool.js';
import type { Tables } from '../tables.js';

/** A drop reason, or -1 where it may go. */
export function verdictAfterSwap(pool: PacketPool, slot: number, before: Tables, after: Tables): number {
  const egress = pool.egress[slot];
  if (!isSamePort(pool.port[slot], before, after)) return DROP['port-closed'];
  if (egress === FLOOD_EGRESS) return -1;
  const isSame =
    egress < PEER_EGRESS
      ? isSamePort(egress, before, after)
      : isSamePeer(egress - PEER_EGRESS, pool.domain[slot], before, after);
  return isSame ? -1 : DROP['port-down'];
}

function isSamePort(port: number, { ports: old }: Tables, { ports }: Tables): boolean {
  if (ports.open[port] !== 1 || ports.domain[port] !== old.domain[port]) return false;
  const isSameMac = ports.macHi[port] === old.macHi[port] && ports.macLo[port] === old.macLo[port];
  return isSameMac && ports.peer[port] === old.peer[port];
}

function isSamePeer(peer: number, domain: number, before: Tables, after: Tables): boolean {
  if (after.peers.known[peer] !== 1 || after.domains.vni[domain] !== before.domains.vni[domain]) return false;
  const words = [0, 1, 2, 3].map((word) => peer * 4 + word);
  return words.every((word) => after.peers.address[word] === before.peers.address[word]);
}
