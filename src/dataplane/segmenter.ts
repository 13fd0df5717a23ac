/**
 * Segmenter: finishes packets for a device that lacks the offload.
 *
 * `segment` cuts a GSO packet (virtio TCPV4, TCPV6, either with ECN, or UDP_L4) into packets as they go on a
 * wire, each with its own headers and complete checksums; VLAN tags, IPv4 options, IPv6 extension headers and
 * TCP options are repeated in each. `completeChecksum` takes the sum that a packet still lacks.
 *
 * A packet becomes all of its segments or none: where slots or room in the queue are short it is dropped whole,
 * since TCP would send the rest again anyway. Payload is copied and summed in one pass.
 *
 * The checksum field of a GSO packet holds the pseudo header's sum over the whole packet's length. A segment's
 * sum is that one with the length exchanged, so that addresses are not read again and a routing header's
 * final destination stays in.
 *
 * Expects what offload.ts has found sound. Drops: no-slot, tx-queue-full, at the ingress port.
 */
import { type Checksum, complement, completePartial, fold, nonZero } from '../wire/checksum.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import { GSO } from '../wire/virtio-net.js';
import type { Batch } from './batch.js';
import type { Counters } from './counters.js';
import { DROP } from './drop-reasons.js';
import { KIND, PACKET, type PacketPool } from './pool.js';

const UNFINISHED = PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID;

export class Segmenter {
  constructor(
    private readonly pool: PacketPool,
    private readonly checksum: Checksum,
    private readonly counters: Counters,
  ) {}

  /**
   * Cuts `slot` and appends the segments to `queue`, in order. Takes one reference of `slot`, which may be
   * shared: it is only read. The segments are counted as replicated, but for the first.
   */
  segment(slot: number, queue: Batch): void {
    const { pool } = this;
    const at = pool.at[slot];
    const isUdp = pool.gsoType[slot] === GSO.UDP_L4;
    const headers = pool.l4[slot] - at + this.transportHeader(slot, isUdp);
    const payload = pool.l3[slot] + pool.l3Length[slot] - at - headers;
    const size = pool.gsoSize[slot];
    const count = Math.max(1, Math.ceil(payload / size));
    if (count > pool.free || count > queue.capacity - queue.count) {
      this.drop(slot, DROP[count > pool.free ? 'no-slot' : 'tx-queue-full']);
      return;
    }
    for (let i = 0; i < count; i++) {
      const offset = i * size;
      const segment = this.copyHeaders(slot, headers, Math.min(size, payload - offset));
      this.finishNetwork(segment, i);
      if (isUdp) this.finishUdp(slot, segment, headers, offset);
      else this.finishTcp(slot, segment, headers, offset);
      queue.push(segment);
    }
    this.counters.replicated(count - 1);
    pool.release(slot);
  }

  /**
   * Replaces a partial checksum by the complete one, up to the end of the network packet: padding behind it is
   * not summed. The sum may be asked for by several owners of a shared slot; it is taken once and right for all.
   */
  completeChecksum(slot: number): void {
    const { pool } = this;
    if ((pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) === 0) return;
    const start = pool.at[slot] + pool.checksumStart[slot];
    const end = pool.l3[slot] + pool.l3Length[slot];
    completePartial(this.checksum, pool.view, start, end, pool.checksumOffset[slot]);
    pool.flags[slot] &= ~PACKET.PARTIAL_CHECKSUM;
  }

  private transportHeader(slot: number, isUdp: boolean): number {
    return isUdp ? udp.HEADER_LENGTH : tcp.dataOffset(this.pool.view, this.pool.l4[slot]);
  }

  /** A new slot with all headers of `slot` as they are, and the facts of a finished packet. */
  private copyHeaders(slot: number, headers: number, payload: number): number {
    const { pool } = this;
    const segment = pool.take();
    pool.copyFacts(slot, segment);
    this.checksum.copy(pool.at[segment], pool.at[slot], headers);
    pool.length[segment] = headers + payload;
    pool.l3Length[segment] = pool.at[segment] + headers + payload - pool.l3[segment];
    pool.flags[segment] &= ~UNFINISHED;
    pool.gsoType[segment] = GSO.NONE;
    pool.gsoSize[segment] = 0;
    return segment;
  }

  /** Every IPv4 segment gets an identification of its own: any of them may be fragmented on its way. */
  private finishNetwork(segment: number, index: number): void {
    const { pool } = this;
    const { view } = pool;
    const l3 = pool.l3[segment];
    if (pool.kind[segment] === KIND.IPV6) {
      ipv6.setPayloadLength(view, l3, pool.l3Length[segment] - ipv6.HEADER_LENGTH);
      return;
    }
    ipv4.setTotalLength(view, l3, pool.l3Length[segment]);
    ipv4.setId(view, l3, (ipv4.id(view, l3) + index) & 0xffff);
    ipv4.writeChecksum(view, l3, ipv4.headerLength(view, l3));
  }

  /**
   * FIN and PSH belong to the last octet and CWR to the first packet that carries new data (RFC 3168 section
   * 6.1.2), whether or not the sender announced it with GSO.ECN.
   */
  private finishTcp(slot: number, segment: number, headers: number, offset: number): void {
    const { pool } = this;
    const { view } = pool;
    const l4 = pool.l4[segment];
    const payload = pool.length[segment] - headers;
    const isLast = pool.at[slot] + headers + offset + payload === pool.l3[slot] + pool.l3Length[slot];
    let flags = tcp.flags(view, l4);
    if (offset > 0) flags &= ~tcp.FLAG.CWR;
    if (!isLast) flags &= ~(tcp.FLAG.FIN | tcp.FLAG.PSH);
    tcp.setFlags(view, l4, flags);
    tcp.setSequence(view, l4, (tcp.sequence(view, l4) + offset) >>> 0);
    const pseudo = this.pseudoSum(slot, tcp.checksum(view, l4));
    tcp.setChecksum(view, l4, 0);
    tcp.setChecksum(view, l4, this.fillPayload(slot, segment, headers, offset, pseudo));
  }

  private finishUdp(slot: number, segment: number, headers: number, offset: number): void {
    const { pool } = this;
    const { view } = pool;
    const l4 = pool.l4[segment];
    udp.setLength(view, l4, pool.at[segment] + pool.length[segment] - l4);
    const pseudo = this.pseudoSum(slot, udp.checksum(view, l4));
    udp.setChecksum(view, l4, 0);
    udp.setChecksum(view, l4, nonZero(this.fillPayload(slot, segment, headers, offset, pseudo)));
  }

  /** The pseudo header's sum without a length, from the `partial` one of the whole packet. */
  private pseudoSum(slot: number, partial: number): number {
    const { pool } = this;
    const length = pool.l3[slot] + pool.l3Length[slot] - pool.l4[slot];
    return fold(partial + complement(length));
  }

  /** Copies the payload at `offset`; answers the checksum of the segment, whose field must hold 0. */
  private fillPayload(
    slot: number,
    segment: number,
    headers: number,
    offset: number,
    pseudo: number,
  ): number {
    const { pool, checksum } = this;
    const l4 = pool.l4[segment];
    const to = pool.at[segment] + headers;
    const length = pool.length[segment] - headers;
    const transport = to - l4;
    const from = pool.at[slot] + headers + offset;
    const sum = checksum.copySum(to, from, length, pseudo + transport + length);
    return complement(checksum.sum(l4, transport, sum));
  }

  private drop(slot: number, reason: number): void {
    this.counters.dropped(this.pool.port[slot], reason);
    this.pool.release(slot);
  }
}
