/**
 * What a received fragment says of itself: which datagram it belongs to, and which part of it this is
 * (RFC 791 section 3.2, RFC 8200 section 4.5). One object, read anew for each fragment.
 */
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as extensions from '../wire/ipv6-extensions.js';
import { KIND, type PacketPool } from './pool.js';
import { KEY_WORDS } from './tables/reassembly.js';

/** Longest network packet that fragments may make together. */
export const MAX_PACKET = 65_535;

export class ReceivedFragment {
  /** Port, family and protocol, identification, source, destination; RFC 8200 leaves the protocol out. */
  readonly key = new Int32Array(KEY_WORDS);
  /** Where the payload belongs in the datagram, and its length: octets. */
  offset = 0;
  length = 0;
  /** Whether another part follows. */
  more = false;
  /** Where the payload is in the memory. */
  data = 0;
  /** Octets of the network header, without IPv6 extension headers. */
  header = 0;
  /** IPv6: what the fragmentable part begins with. */
  nextHeader = 0;

  /** `slot` holds a fragment that the parser has found sound. */
  read(pool: PacketPool, slot: number): void {
    this.key[0] = pool.port[slot];
    if (pool.kind[slot] === KIND.IPV4) this.readIpv4(pool, slot);
    else this.readIpv6(pool, slot);
  }

  /** All but the last are a multiple of eight octets long, and none ends behind the longest packet. */
  isSound(): boolean {
    if (this.more && (this.length === 0 || (this.length & 7) !== 0)) return false;
    return this.header + this.offset + this.length <= MAX_PACKET;
  }

  /** A whole IPv6 packet with a fragment header: it has to do with no other fragment (RFC 6946 section 4). */
  isAtomic(): boolean {
    return this.offset === 0 && !this.more;
  }

  private readIpv4(pool: PacketPool, slot: number): void {
    const { view } = pool;
    const { key } = this;
    const l3 = pool.l3[slot];
    this.header = ipv4.headerLength(view, l3);
    this.data = l3 + this.header;
    this.length = pool.l3Length[slot] - this.header;
    this.offset = ipv4.fragmentOffset(view, l3);
    this.more = ipv4.moreFragments(view, l3);
    key.fill(0, 1);
    key[1] = (KIND.IPV4 << 8) | ipv4.protocol(view, l3);
    key[2] = ipv4.id(view, l3);
    key[3] = ipv4.src(view, l3);
    key[7] = ipv4.dst(view, l3);
  }

  private readIpv6(pool: PacketPool, slot: number): void {
    const { view } = pool;
    const { key } = this;
    const l3 = pool.l3[slot];
    const end = l3 + pool.l3Length[slot];
    const fragment = l3 + extensions.fragmentHeader(extensions.walk(view, l3, end));
    this.header = ipv6.HEADER_LENGTH;
    this.data = fragment + extensions.FRAGMENT_LENGTH;
    this.length = end - this.data;
    this.offset = extensions.fragmentOffset(view, fragment);
    this.more = extensions.moreFragments(view, fragment);
    this.nextHeader = view.getUint8(fragment);
    key[1] = KIND.IPV6 << 8;
    key[2] = extensions.fragmentId(view, fragment);
    for (let i = 0; i < 4; i++) {
      key[3 + i] = ipv6.srcWord(view, l3, i);
      key[7 + i] = ipv6.dstWord(view, l3, i);
    }
  }
}
