/**
 * What a sender left for its network card to finish, and no card has.
 *
 * A Linux VXLAN device hands inner packets on with partial checksums and uncut segments, and its card finishes them.
 * Where the underlay is a veth pair or a virtio card of the same machine nobody does: the marks that say so are lost
 * at our UDP socket, and the packet seems to have a wrong checksum and to be larger than any MTU. Other user-space
 * switches drop it without a trace.
 *
 * A partial checksum holds the folded sum of the pseudo header, so it is known by that: the packet gets its offload
 * facts back. A right checksum is the same number once in 65,536 packets; then nobody checks that one, and nothing
 * else changes. An uncut UDP packet cannot be restored: where its datagrams begin is not in it.
 */
import { fold, pseudoIpv4, pseudoIpv6 } from '../../wire/checksum.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import * as udp from '../../wire/udp.js';
import { GSO } from '../../wire/virtio-net.js';
import { MIN_SEGMENT } from '../offload.js';
import { KIND, PACKET, type PacketPool } from '../pool.js';

const FINISHED = PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID | PACKET.FRAGMENT;

/**
 * Gives a parsed inner packet back the offload facts that it lost on its way.
 * @param mtu largest inner packet of its sender's, bytes: the size of the segments that it is to become
 */
export function restoreOffload(pool: PacketPool, slot: number, mtu: number): void {
  const protocol = pool.protocol[slot];
  const l4 = pool.l4[slot];
  if (l4 === 0 || (pool.flags[slot] & FINISHED) !== 0) return;
  if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) return;
  const offset = protocol === PROTOCOL.TCP ? tcp.CHECKSUM_OFFSET : udp.CHECKSUM_OFFSET;
  if (pool.view.getUint16(l4 + offset) !== partialSum(pool, slot, protocol)) return;
  pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
  pool.checksumStart[slot] = l4 - pool.at[slot];
  pool.checksumOffset[slot] = offset;
  if (protocol === PROTOCOL.TCP && pool.l3Length[slot] > mtu) restoreSegments(pool, slot, mtu);
}

function partialSum(pool: PacketPool, slot: number, protocol: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const length = l3 + pool.l3Length[slot] - pool.l4[slot];
  if (pool.kind[slot] === KIND.IPV4) return fold(pseudoIpv4(view, l3, protocol, length));
  return fold(pseudoIpv6(view, l3, protocol, length));
}

function restoreSegments(pool: PacketPool, slot: number, mtu: number): void {
  const l4 = pool.l4[slot];
  const size = mtu - (l4 - pool.l3[slot]) - tcp.dataOffset(pool.view, l4);
  if (size < MIN_SEGMENT) return;
  pool.gsoType[slot] = pool.kind[slot] === KIND.IPV4 ? GSO.TCPV4 : GSO.TCPV6;
  pool.gsoSize[slot] = size;
}
