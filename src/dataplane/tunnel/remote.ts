/** The other end of a tunnel datagram, as the packet pool keeps it: four words of address and a port. */
import type { PacketPool } from '../pool.js';

export function copyRemote(pool: PacketPool, from: number, to: number): void {
  const { remote, remotePort } = pool;
  const a = from << 2;
  const b = to << 2;
  remote[b] = remote[a];
  remote[b + 1] = remote[a + 1];
  remote[b + 2] = remote[a + 2];
  remote[b + 3] = remote[a + 3];
  remotePort[to] = remotePort[from];
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
