/** What an egress number, of a port or of a peer, has room for. */
import * as ethernet from '../../wire/ethernet.js';
import { GSO } from '../../wire/virtio-net.js';
import { PEER_EGRESS } from '../constants.js';
import { segmentLength } from '../offload.js';
import type { PacketPool } from '../pool.js';
import type { Tables } from '../tables.js';

/** Largest network packet that may leave there, bytes. */
export function egressMtu({ ports, peers }: Tables, egress: number): number {
  return egress < PEER_EGRESS ? ports.mtu[egress] : peers.mtu[egress - PEER_EGRESS];
}

/**
 * Bytes that a bridged packet takes of a peer's MTU: VLAN tags and padding count, since the whole frame is the
 * payload of an outer packet.
 */
export function tunnelLength(pool: PacketPool, slot: number): number {
  if (pool.gsoType[slot] === GSO.NONE) return pool.length[slot] - ethernet.HEADER_LENGTH;
  return pool.l3[slot] - pool.at[slot] - ethernet.HEADER_LENGTH + segmentLength(pool, slot);
}
