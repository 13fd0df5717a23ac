/**
 * Writes other addresses and ports into a packet, in place, with every checksum updated by the difference (RFC 1624).
 *
 * A checksum that is still to be completed holds the sum of the pseudo header, so only the addresses change it. UDP over
 * IPv4 without a checksum stays without. SCTP's covers no address, but is computed anew where a port changed; one that was wrong
 * before stays wrong. Later fragments have no ports: their datagram's checksum is in the first one.
 *
 * What is written comes from the scratch object `to`, which the caller fills.
 */
import { complement, fold, nonZero } from '../../wire/checksum.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as sctp from '../../wire/sctp.js';
import { CHECKSUM_OFFSET as TCP_CHECKSUM } from '../../wire/tcp.js';
import { CHECKSUM_OFFSET as UDP_CHECKSUM } from '../../wire/udp.js';
import { KIND, PACKET, type PacketPool } from '../pool.js';
import { isSumPending } from '../transport-checksum.js';

/** IPv4 addresses in the last of four words; ports as in a header: source << 16 | destination. */
export class Rewritten {
  readonly source = new Int32Array(4);
  readonly destination = new Int32Array(4);
  ports = 0;
}

export function rewrite(pool: PacketPool, slot: number, to: Rewritten): void {
  const sum = pool.kind[slot] === KIND.IPV4 ? rewriteIpv4(pool, slot, to) : rewriteIpv6(pool, slot, to);
  rewriteTransport(pool, slot, to.ports, sum);
  pool.flags[slot] |= PACKET.TRANSLATED;
}

/** Answers by how much the sum of the pseudo header has grown, not folded. */
function rewriteIpv4(pool: PacketPool, slot: number, { source, destination }: Rewritten): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const from = l3 + ipv4.SRC;
  const to = l3 + ipv4.DST;
  const sum = growth(view.getInt32(from), source[3]) + growth(view.getInt32(to), destination[3]);
  view.setInt32(from, source[3]);
  view.setInt32(to, destination[3]);
  ipv4.setChecksum(view, l3, complement(fold(complement(ipv4.checksum(view, l3)) + sum)));
  return sum;
}

function rewriteIpv6(pool: PacketPool, slot: number, { source, destination }: Rewritten): number {
  const { view } = pool;
  const from = pool.l3[slot] + ipv6.SRC;
  const to = pool.l3[slot] + ipv6.DST;
  let sum = 0;
  for (let i = 0; i < 4; i++) {
    sum += growth(view.getInt32(from + 4 * i), source[i]);
    sum += growth(view.getInt32(to + 4 * i), destination[i]);
    view.setInt32(from + 4 * i, source[i]);
    view.setInt32(to + 4 * i, destination[i]);
  }
  return sum;
}

function rewriteTransport(pool: PacketPool, slot: number, ports: number, addresses: number): void {
  const { view } = pool;
  const l4 = pool.l4[slot];
  if (l4 === 0) return;
  switch (pool.protocol[slot]) {
    case PROTOCOL.TCP:
      updateSum(pool, slot, l4 + TCP_CHECKSUM, addresses, growth(view.getInt32(l4), ports), false);
      break;
    case PROTOCOL.UDP:
      updateSum(pool, slot, l4 + UDP_CHECKSUM, addresses, growth(view.getInt32(l4), ports), true);
      break;
    case PROTOCOL.SCTP:
      rewriteSctp(pool, slot, ports);
      return;
    default:
      return;
  }
  view.setInt32(l4, ports);
}

function updateSum(
  pool: PacketPool,
  slot: number,
  field: number,
  addresses: number,
  ports: number,
  isUdp: boolean,
): void {
  const { view } = pool;
  const check = view.getUint16(field);
  if (isSumPending(pool, slot)) {
    view.setUint16(field, fold(check + addresses));
  } else if (!isUdp) {
    view.setUint16(field, complement(fold(complement(check) + addresses + ports)));
  } else if (check !== 0) {
    view.setUint16(field, nonZero(complement(fold(complement(check) + addresses + ports))));
  }
}

function rewriteSctp(pool: PacketPool, slot: number, ports: number): void {
  const { view } = pool;
  const l4 = pool.l4[slot];
  if (view.getInt32(l4) === ports) return;
  const length = pool.l3[slot] + pool.l3Length[slot] - l4;
  const isRight = sctp.isChecksumRight(view, l4, length);
  view.setInt32(l4, ports);
  if (isRight) sctp.writeChecksum(view, l4, length);
}

/** What a sum of 16-bit words grows by, modulo 65535, where a word of 32 bits goes from `old` to `next`. Not negative. */
export function growth(old: number, next: number): number {
  return (~old >>> 16) + (~old & 0xffff) + (next >>> 16) + (next & 0xffff);
}
