/**
 * The hash of a packet's flow: equal for all packets of one connection in one direction, so that they take one way
 * through the underlay and stay in order (RFC 7348 section 4.2, RFC 6438).
 *
 * Addresses and protocol, and the ports of TCP and UDP; fragments have ports in the first of them only, so none of
 * them counts. What is not IP is told apart by its MAC addresses. The hash is keyed: who chooses ports does not
 * choose the source port that others see.
 */
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import { KIND, PACKET, type PacketPool } from '../pool.js';
import { KeyedHash, mix32 } from '../tables/hash.js';

export class FlowHash {
  private readonly hash: KeyedHash;
  private readonly key0: number;
  private readonly key1: number;
  private readonly key2: number;

  constructor(
    private readonly pool: PacketPool,
    seed: number,
  ) {
    this.hash = new KeyedHash(seed);
    this.key0 = this.hash.hash1(0);
    this.key1 = this.hash.hash1(1);
    this.key2 = this.hash.hash1(2);
  }

  /** Of a parsed packet; an int32. */
  of(slot: number): number {
    switch (this.pool.kind[slot]) {
      case KIND.IPV4:
        return this.ofIpv4(slot);
      case KIND.IPV6:
        return this.ofIpv6(slot);
      default:
        return this.ofStations(slot);
    }
  }

  private ofIpv4(slot: number): number {
    const { pool } = this;
    const l3 = pool.l3[slot];
    const source = ipv4.src(pool.view, l3) | 0;
    const destination = ipv4.dst(pool.view, l3) | 0;
    return this.mixed(source, destination, pool.protocol[slot], this.ports(slot));
  }

  /** Of the TCP or UDP packet at `l3`, without options, whole. */
  ofPlainIpv4(view: DataView, l3: number): number {
    const ports = view.getInt32(l3 + ipv4.HEADER_LENGTH);
    const source = view.getInt32(l3 + ipv4.SRC);
    return this.mixed(source, view.getInt32(l3 + ipv4.DST), ipv4.protocol(view, l3), ports);
  }

  /** Multilinear, with odd multipliers (those of xxHash), so that two flows that differ in one word only never have one hash. */
  private mixed(source: number, destination: number, protocol: number, ports: number): number {
    const first = Math.imul(source ^ this.key0, 0x9e3779b1) + Math.imul(destination ^ this.key1, 0x85ebca77);
    return mix32((first + Math.imul(ports ^ this.key2, 0xc2b2ae3d) + protocol) | 0);
  }

  private ofIpv6(slot: number): number {
    const { pool } = this;
    const l3 = pool.l3[slot];
    const source = this.ofAddress(l3 + ipv6.SRC, pool.protocol[slot]);
    return this.hash.hash2(source, this.ofAddress(l3 + ipv6.DST, this.ports(slot)));
  }

  /** Of the IPv6 address at `at` and one more word. Reads signed words: unsigned ones might be allocated. */
  private ofAddress(at: number, more: number): number {
    const { view } = this.pool;
    return this.hash.hash5(
      view.getInt32(at),
      view.getInt32(at + 4),
      view.getInt32(at + 8),
      view.getInt32(at + 12),
      more,
    );
  }

  private ofStations(slot: number): number {
    const { pool, hash } = this;
    const { view } = pool;
    const at = pool.at[slot];
    const his = (ethernet.dstHi(view, at) << 16) | ethernet.srcHi(view, at);
    return hash.hash3(ethernet.dstLo(view, at) | 0, ethernet.srcLo(view, at) | 0, his);
  }

  /** Both ports of TCP and UDP, whose headers begin with them; 0 where there are none. */
  private ports(slot: number): number {
    const { pool } = this;
    const l4 = pool.l4[slot];
    if (l4 === 0 || (pool.flags[slot] & PACKET.FRAGMENT) !== 0) return 0;
    const protocol = pool.protocol[slot];
    return protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP ? pool.view.getInt32(l4) : 0;
  }
}
