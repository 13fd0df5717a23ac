/**
 * How many bytes a packet has on the wire: that of a GSO packet becomes many frames, each with headers of its own.
 * Without preamble and frame check sequence, as Linux's queueing disciplines count (qdisc_pkt_len_init).
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import { dataOffset } from '../../wire/tcp.js';
import { HEADER_LENGTH as UDP_HEADER } from '../../wire/udp.js';
import { GSO } from '../../wire/virtio-net.js';
import type { PacketPool } from '../pool.js';

export function wireLength(pool: PacketPool, slot: number): number {
  const length = pool.length[slot];
  if (pool.gsoType[slot] === GSO.NONE) return length;
  const l4 = pool.l4[slot];
  const transport = pool.protocol[slot] === PROTOCOL.TCP ? dataOffset(pool.view, l4) : UDP_HEADER;
  const headers = l4 - pool.at[slot] + transport;
  const payload = pool.l3[slot] + pool.l3Length[slot] - l4 - transport;
  const frames = Math.max(Math.ceil(payload / pool.gsoSize[slot]), 1);
  return length + (frames - 1) * headers;
}
