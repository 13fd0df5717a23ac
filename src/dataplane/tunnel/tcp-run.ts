/**
 * TcpRun: TCP segments that follow one another in one flow, and may become one packet again: Linux's rules
 * (net/ipv4/af_inet.c inet_gro_receive, net/ipv4/tcp_offload.c tcp_gro_receive), under which cutting the packet gives
 * back what was joined.
 *
 * - Same Ethernet header and tags, addresses, TOS, TTL and DF; no IPv4 options, IPv6 extension headers or fragments.
 *   IPv4 identifications count up; with DF they may be anything, since they mean nothing then (RFC 6864 section 4.1).
 * - Same ports, acknowledgment, window and option octets; sequence numbers without a gap. No SYN, RST or URG.
 * - All of one payload size but the last, which may be shorter. A PSH or FIN is the last too, and a CWR only
 *   ever the first: the segmenter puts them back there.
 * - At most 65,535 octets of network packet.
 * - The checksums of every segment are right. What differs from one segment to the next is few fields, so the sums
 *   of the rest are taken once.
 *
 * It holds no slot. `begin` takes any frame of at least an Ethernet header, and says nothing wrong about a hostile
 * one: no octet at or behind its end is read. Sums of headers are "not folded"; to take a word out of one is to add
 * its complement.
 */
import { type Checksum, complement, fold, pseudoIpv4, pseudoIpv6 } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as tcp from '../../wire/tcp.js';
import { MIN_SEGMENT } from '../offload.js';
import { sameNetwork, sameOctets, sameTransport } from './tcp-match.js';

const { FIN, SYN, RST, PSH, URG, CWR } = tcp.FLAG;
/** A segment with one of these is never joined to others. */
const ALONE = SYN | RST | URG;
/** After one of these nothing is joined. */
export const END = FIN | PSH;

const MAX_NETWORK = 65_535;

export class TcpRun {
  /** The first segment's frame, and octets of it. */
  at = 0;
  length = 0;
  /** From the frame to its network and transport header, and octets of all headers. */
  l3 = 0;
  l4 = 0;
  headers = 0;
  isIpv6 = false;
  /** Octets of payload of each segment but the last. */
  size = 0;
  /** Segments, and octets of their payload. */
  count = 0;
  payload = 0;
  /** Flags of the first segment with FIN and PSH of the last. */
  flags = 0;
  /** Sum of the pseudo header without the length. */
  pseudo = 0;

  private isOpen = false;
  /** The sequence number that must come next, as an int32: a number that V8 keeps without a box. */
  private next = 0;
  private id = 0;
  private dontFragment = false;
  /** Sums of what every segment's headers have in common. */
  private networkSum = 0;
  private transportSum = 0;

  constructor(
    private readonly view: DataView,
    private readonly checksum: Checksum,
  ) {}

  /** A new run, of this frame alone. Others may follow where it is a TCP segment with payload. */
  begin(at: number, length: number): void {
    this.at = at;
    this.length = length;
    this.count = 1;
    this.isOpen = this.measure(at, at + length);
  }

  /** No further segment is taken. */
  close(): void {
    this.isOpen = false;
  }

  /** Whether the frame at `at`, of `length` octets, continues the run, its checksums aside. */
  continues(at: number, length: number): boolean {
    const { view, headers } = this;
    const payload = length - headers;
    if (!this.isOpen || payload <= 0 || payload > this.size) return false;
    if (headers - this.l3 + this.payload + payload > MAX_NETWORK) return false;
    if ((tcp.sequence(view, at + this.l4) | 0) !== this.next) return false;
    return (
      sameTransport(view, this.at + this.l4, at + this.l4, headers - this.l4) &&
      sameNetwork(view, this.at + this.l3, at + this.l3, this.isIpv6) &&
      sameOctets(view, this.at, at, this.l3) &&
      this.hasLength(at + this.l3, length - this.l3) &&
      (this.isIpv6 || this.hasNextId(at + this.l3))
    );
  }

  /**
   * Verifies the first segment's checksums while its payload is copied to `to`: before any other is taken. A run whose
   * first segment is wrong is closed.
   */
  takeFirst(to: number): boolean {
    const { view, at, checksum } = this;
    const l3 = at + this.l3;
    const l4 = at + this.l4;
    const sequence = tcp.sequence(view, l4);
    const sum = checksum.sum(l4, this.headers - this.l4, 0);
    this.pseudo = this.isIpv6
      ? pseudoIpv6(view, l3, ipv4.PROTOCOL.TCP, 0)
      : pseudoIpv4(view, l3, ipv4.PROTOCOL.TCP, 0);
    this.transportSum =
      this.pseudo +
      sum +
      complement(sequence >>> 16) +
      complement(sequence & 0xffff) +
      complement(tcp.flags(view, l4)) +
      complement(tcp.checksum(view, l4));
    if (!this.isIpv6) this.networkSum = this.commonNetworkSum(l3);
    this.isOpen = this.isRight(at, this.size, to);
    return this.isOpen;
  }

  /** Verifies a segment that continues the run while its payload is copied to `to`; the run grows by it if it is right. */
  take(at: number, length: number, to: number): boolean {
    const payload = length - this.headers;
    if (!this.isRight(at, payload, to)) return false;
    const flags = tcp.flags(this.view, at + this.l4);
    this.count++;
    this.payload += payload;
    this.next = (this.next + payload) | 0;
    this.flags |= flags & END;
    if (payload < this.size || (flags & END) !== 0) this.isOpen = false;
    return true;
  }

  /** Finds the headers. Whether another segment may follow this one. */
  private measure(at: number, end: number): boolean {
    const { view } = this;
    const l3 = ethernet.payloadOffset(view, at, end);
    if (l3 < 0) return false;
    this.l3 = l3 - at;
    const type = ethernet.payloadType(view, l3);
    this.isIpv6 = type === ethernet.ETHERTYPE.IPV6;
    if (this.isIpv6) return this.isPlainIpv6(l3, end) && this.measureTcp(at, l3 + ipv6.HEADER_LENGTH, end);
    if (type !== ethernet.ETHERTYPE.IPV4 || !this.isPlainIpv4(l3, end)) return false;
    this.id = ipv4.id(view, l3);
    this.dontFragment = ipv4.dontFragment(view, l3);
    return this.measureTcp(at, l3 + ipv4.HEADER_LENGTH, end);
  }

  private isPlainIpv4(l3: number, end: number): boolean {
    const { view } = this;
    if (l3 + ipv4.HEADER_LENGTH > end || ipv4.version(view, l3) !== 4) return false;
    if (ipv4.headerLength(view, l3) !== ipv4.HEADER_LENGTH || ipv4.isFragment(view, l3)) return false;
    return ipv4.protocol(view, l3) === ipv4.PROTOCOL.TCP && this.hasLength(l3, end - l3);
  }

  private isPlainIpv6(l3: number, end: number): boolean {
    const { view } = this;
    if (l3 + ipv6.HEADER_LENGTH > end || ipv6.version(view, l3) !== 6) return false;
    return ipv6.nextHeader(view, l3) === ipv4.PROTOCOL.TCP && this.hasLength(l3, end - l3);
  }

  private measureTcp(at: number, l4: number, end: number): boolean {
    const { view } = this;
    if (l4 + tcp.HEADER_LENGTH > end) return false;
    const header = tcp.dataOffset(view, l4);
    const size = end - l4 - header;
    if (header < tcp.HEADER_LENGTH || size < MIN_SEGMENT) return false;
    this.l4 = l4 - at;
    this.headers = this.l4 + header;
    this.size = size;
    this.payload = size;
    this.next = (tcp.sequence(view, l4) + size) | 0;
    this.flags = tcp.flags(view, l4);
    return (this.flags & (ALONE | END)) === 0;
  }

  /** Whether the network packet is as long as the frame has room for: one with padding stays alone. */
  private hasLength(l3: number, room: number): boolean {
    const { view } = this;
    if (this.isIpv6) return ipv6.payloadLength(view, l3) === room - ipv6.HEADER_LENGTH;
    return ipv4.totalLength(view, l3) === room;
  }

  private hasNextId(l3: number): boolean {
    return this.dontFragment || ipv4.id(this.view, l3) === ((this.id + this.count) & 0xffff);
  }

  private commonNetworkSum(l3: number): number {
    const { view } = this;
    return (
      ipv4.headerSum(view, l3, ipv4.HEADER_LENGTH) +
      complement(ipv4.totalLength(view, l3)) +
      complement(ipv4.id(view, l3)) +
      complement(ipv4.checksum(view, l3))
    );
  }

  /** Whether both checksums of a segment of the run are right. Its payload is copied to `to`. */
  private isRight(at: number, payload: number, to: number): boolean {
    const { view, headers } = this;
    if (!this.isIpv6 && !this.isNetworkRight(at + this.l3)) return false;
    const l4 = at + this.l4;
    const sequence = tcp.sequence(view, l4);
    const own = (sequence >>> 16) + (sequence & 0xffff) + tcp.flags(view, l4) + tcp.checksum(view, l4);
    const length = headers - this.l4 + payload;
    return this.checksum.copySum(to, at + headers, payload, this.transportSum + own + length) === 0xffff;
  }

  private isNetworkRight(l3: number): boolean {
    const { view } = this;
    const own = ipv4.totalLength(view, l3) + ipv4.id(view, l3) + ipv4.checksum(view, l3);
    return fold(this.networkSum + own) === 0xffff;
  }
}

/** Whether the packet says that the sender has reduced its window (RFC 3168 section 6.1.2). */
export function isCongestionReduced(flags: number): boolean {
  return (flags & CWR) !== 0;
}
