/**
 * A tuple: who speaks to whom, by what protocol, in which zone. A scratch object, made once and filled for each packet that
 * needs one.
 *
 * The zone is the number of the route table that the way's packets are looked up in: equal addresses of different networks
 * are different flows. The two ways of a flow may have different zones, as that of the tunnel's port is its own.
 *
 * `ports`: source << 16 | destination of TCP, UDP and SCTP; the identifier twice for ICMP and ICMPv6 queries, so that the other
 * way has the same; 0 of what has neither. Addresses: the last word of `source` and `destination` for IPv4.
 */
import type { KeyedHash } from '../tables/hash.js';

export const IPV4 = 0;
/** A bit of `subject`. */
export const IPV6 = 0x100;
const ZONE_SHIFT = 16;
/** Where an IPv6 header has its destination, seen from its source. */
const DESTINATION = 16;

/** What the fourth word of a tuple says. */
export function subjectOf(zone: number, family: number, protocol: number): number {
  return (zone << ZONE_SHIFT) | family | protocol;
}

export function zoneOf(subject: number): number {
  return subject >>> ZONE_SHIFT;
}

export function protocolOf(subject: number): number {
  return subject & 0xff;
}

export function isIpv6(subject: number): boolean {
  return (subject & IPV6) !== 0;
}

export class FlowKey {
  readonly source = new Int32Array(4);
  readonly destination = new Int32Array(4);
  ports = 0;
  subject = 0;
  /** What stands for the addresses in the record: IPv4 addresses as they are, hashes of IPv6 ones. */
  from = 0;
  to = 0;

  constructor(private readonly hash: KeyedHash) {}

  get isIpv6(): boolean {
    return isIpv6(this.subject);
  }

  setIpv4(zone: number, protocol: number, source: number, destination: number, ports: number): void {
    this.source[3] = source;
    this.destination[3] = destination;
    this.seal(subjectOf(zone, IPV4, protocol), ports);
  }

  /** @param at where the 16 octets of the source address begin, with those of the destination behind them. */
  setIpv6(zone: number, protocol: number, view: DataView, at: number, ports: number): void {
    for (let i = 0; i < 4; i++) {
      this.source[i] = view.getInt32(at + 4 * i);
      this.destination[i] = view.getInt32(at + DESTINATION + 4 * i);
    }
    this.seal(subjectOf(zone, IPV6, protocol), ports);
  }

  /** Becomes the tuple of the answers to `key` in a zone of their own; what NAT changes is changed after it. */
  mirror(key: FlowKey, zone: number): void {
    this.source.set(key.destination);
    this.destination.set(key.source);
    const ports = (key.ports << 16) | (key.ports >>> 16);
    this.seal(subjectOf(zone, key.subject & IPV6, protocolOf(key.subject)), ports);
  }

  /** To be called after `source` or `destination` were written to. */
  seal(subject = this.subject, ports = this.ports): void {
    this.subject = subject;
    this.ports = ports | 0;
    this.from = this.standIn(this.source);
    this.to = this.standIn(this.destination);
  }

  private standIn(address: Int32Array): number {
    if (!this.isIpv6) return address[3];
    return this.hash.hash5(address[0], address[1], address[2], address[3], 0);
  }
}
