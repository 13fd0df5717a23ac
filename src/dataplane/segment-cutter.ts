/**
 * SegmentCutter: the segments of one GSO packet (virtio TCPV4, TCPV6, either with ECN, or UDP_L4), each with its
 * own headers and complete checksums, written wherever the caller has room: a slot for each (segmenter.ts), or many
 * behind one another (tunnel/bundler.ts).
 *
 * VLAN tags, IPv4 options, IPv6 extension headers and TCP options are repeated in each. Payload is copied and summed
 * in one pass. What of the headers is the same in every segment is summed once, in `begin`; `write` adds the
 * few fields that differ.
 *
 * The checksum field of a GSO packet holds the pseudo header's sum over the whole packet's length. A segment's
 * sum is that one with the length exchanged, so that addresses are not read again and a routing header's
 * final destination stays in.
 *
 * Expects what offload.ts has found sound. The packet is only read. To take a word out of a ones'-complement sum is
 * to add its complement (RFC 1624 section 3).
 */
import { type Checksum, complement, fold, nonZero } from '../wire/checksum.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import { GSO } from '../wire/virtio-net.js';
import { KIND, type PacketPool } from './pool.js';

/** FIN and PSH belong to the last octet of a packet. */
const END_FLAGS = tcp.FLAG.FIN | tcp.FLAG.PSH;

export class SegmentCutter {
  /** Octets of all headers of a segment, from the destination MAC on. */
  headers = 0;
  /** Octets of payload of each segment but the last, which may have fewer. */
  size = 0;
  /** How many segments the packet becomes: 1 at least. */
  count = 0;

  private from = 0;
  private payload = 0;
  private l3 = 0;
  private l4 = 0;
  private isIpv6 = false;
  private isUdp = false;
  private id = 0;
  private sequence = 0;
  private flags = 0;
  /** Sums, not folded, of what all segments have in common: IPv4 header; pseudo and transport header. */
  private networkSum = 0;
  private transportSum = 0;

  constructor(
    private readonly pool: PacketPool,
    private readonly checksum: Checksum,
  ) {}

  /** Takes the measure of the packet in `slot`, which must stay as it is until its last segment is written. */
  begin(slot: number): void {
    const { pool } = this;
    const { view } = pool;
    const at = pool.at[slot];
    const l4 = pool.l4[slot];
    this.from = at;
    this.l3 = pool.l3[slot] - at;
    this.l4 = l4 - at;
    this.isIpv6 = pool.kind[slot] === KIND.IPV6;
    this.isUdp = pool.gsoType[slot] === GSO.UDP_L4;
    this.headers = this.l4 + (this.isUdp ? udp.HEADER_LENGTH : tcp.dataOffset(view, l4));
    this.payload = this.l3 + pool.l3Length[slot] - this.headers;
    this.size = pool.gsoSize[slot];
    this.count = Math.max(1, Math.ceil(this.payload / this.size));
    const wholeLength = complement(this.l3 + pool.l3Length[slot] - this.l4);
    if (this.isUdp) this.beginUdp(l4, wholeLength);
    else this.beginTcp(l4, wholeLength);
    if (!this.isIpv6) this.beginIpv4(pool.l3[slot]);
  }

  /** Octets of the frame of segment `index`. */
  frameLength(index: number): number {
    return this.headers + Math.min(this.size, this.payload - index * this.size);
  }

  /** Writes segment `index`, its frame beginning at `to`; answers the frame's length. */
  write(to: number, index: number): number {
    const offset = index * this.size;
    const length = Math.min(this.size, this.payload - offset);
    this.checksum.copy(to, this.from, this.headers);
    if (this.isIpv6) this.finishIpv6(to, length);
    else this.finishIpv4(to, length, index);
    if (this.isUdp) this.finishUdp(to, offset, length);
    else this.finishTcp(to, offset, length);
    return this.headers + length;
  }

  private beginIpv4(l3: number): void {
    const { view } = this.pool;
    const sum = ipv4.headerSum(view, l3, ipv4.headerLength(view, l3));
    this.id = ipv4.id(view, l3);
    this.networkSum =
      sum +
      complement(ipv4.totalLength(view, l3)) +
      complement(this.id) +
      complement(ipv4.checksum(view, l3));
  }

  private beginTcp(l4: number, wholeLength: number): void {
    const { view } = this.pool;
    const sequence = tcp.sequence(view, l4);
    this.sequence = sequence | 0;
    this.flags = tcp.flags(view, l4);
    // The checksum field is summed with the rest: it holds the pseudo header's sum.
    const sum = this.checksum.sum(l4, this.headers - this.l4, wholeLength);
    this.transportSum =
      sum + complement(sequence >>> 16) + complement(sequence & 0xffff) + complement(this.flags);
  }

  private beginUdp(l4: number, wholeLength: number): void {
    const { view } = this.pool;
    const ports = udp.srcPort(view, l4) + udp.dstPort(view, l4);
    this.transportSum = udp.checksum(view, l4) + wholeLength + ports;
  }

  /** Every segment gets an identification of its own: any of them may be fragmented on its way. */
  private finishIpv4(to: number, length: number, index: number): void {
    const { view } = this.pool;
    const l3 = to + this.l3;
    const total = this.headers - this.l3 + length;
    const id = (this.id + index) & 0xffff;
    ipv4.setTotalLength(view, l3, total);
    ipv4.setId(view, l3, id);
    ipv4.setChecksum(view, l3, complement(fold(this.networkSum + total + id)));
  }

  private finishIpv6(to: number, length: number): void {
    const payload = this.headers - this.l3 - ipv6.HEADER_LENGTH + length;
    ipv6.setPayloadLength(this.pool.view, to + this.l3, payload);
  }

  /** CWR belongs to the first packet that carries new data (RFC 3168 section 6.1.2), announced by GSO.ECN or not. */
  private finishTcp(to: number, offset: number, length: number): void {
    const { view } = this.pool;
    const l4 = to + this.l4;
    let flags = this.flags;
    if (offset > 0) flags &= ~tcp.FLAG.CWR;
    if (offset + length < this.payload) flags &= ~END_FLAGS;
    const sequence = (this.sequence + offset) >>> 0;
    tcp.setFlags(view, l4, flags);
    tcp.setSequence(view, l4, sequence);
    const own = this.headers - this.l4 + length + flags + (sequence >>> 16) + (sequence & 0xffff);
    tcp.setChecksum(view, l4, this.fillPayload(to, offset, length, own));
  }

  private finishUdp(to: number, offset: number, length: number): void {
    const { view } = this.pool;
    const l4 = to + this.l4;
    const total = udp.HEADER_LENGTH + length;
    udp.setLength(view, l4, total);
    // The length is summed twice: in the pseudo header and in the field.
    udp.setChecksum(view, l4, nonZero(this.fillPayload(to, offset, length, total + total)));
  }

  /** Copies the payload; answers the checksum over it, what segments have in common, and `own`. */
  private fillPayload(to: number, offset: number, length: number, own: number): number {
    const { headers, from, transportSum } = this;
    const at = from + headers + offset;
    return complement(this.checksum.copySum(to + headers, at, length, transportSum + own));
  }
}
