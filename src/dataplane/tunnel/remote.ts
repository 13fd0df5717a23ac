/** The other end of a tunnel datagram, as the packet pool keeps it: four words of address and a port. */
import type { PacketPool } from '../pool.js';

/** @param addresses four words each, of which the ones at `index` are meant: another pool's, or a table's. */
export function setRemote(
  { remote, remotePort }: PacketPool,
  slot: number,
  addresses: Int32Array,
  index: number,
  port: number,
): void {
  const from = index << 2;
  const to = slot << 2;
  remote[to] = addresses[from];
  remote[to + 1] = addresses[from + 1];
  remote[to + 2] = addresses[from + 2];
  remote[to + 3] = addresses[from + 3];
  remotePort[slot] = port;
}

export function copyRemote(pool: PacketPool, from: number, to: number): void {
  setRemote(pool, to, pool.remote, from, pool.remotePort[from]);
}

export function sameRemote(pool: PacketPool, one: number, other: number): boolean {
  const { remote, remotePort } = pool;
  const a = one << 2;
  const b = other << 2;
  return (
    remote[a + 3] === remote[b + 3] &&
    remote[a + 2] === remote[b + 2] &&
    remote[a + 1] === remote[b + 1] &&
    remote[a] === remote[b] &&
    remotePort[one] === remotePort[other]
  );
}
