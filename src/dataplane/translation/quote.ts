/**
 * The packet that an ICMP error quotes: its tuple, and its translation, so that who gets the error knows the connection
 * that it is about (RFC 5508 section 4). Only what the quote holds is rewritten; a transport checksum in it stays as it is,
 * for nobody checks it: most quotes are cut.
 */
import { l4Checksum, pseudoIpv6 } from '../../wire/checksum.js';
import * as icmp from '../../wire/icmp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import { GSO } from '../../wire/virtio-net.js';
import type { Context } from '../element.js';
import { type FlowKey, IPV6, subjectOf } from '../flows/flow-key.js';
import { answerPorts, isIcmp, queryPorts } from '../flows/icmp-queries.js';
import { KIND, PACKET } from '../pool.js';
import type { Rewritten } from './rewrite.js';
import { hasPorts, swapPorts, ZONE } from './tuple.js';

/** Octets of ports. */
const PORTS = 4;

export class Quote {
  /** Where the quoted network header and its ports begin. */
  private l3 = 0;
  private l4 = 0;
  private protocol = 0;
  private isQueryToo = false;

  constructor(private readonly context: Context) {}

  /** Finds the quote of the ICMP error in `slot`. False where it has no ports, nor is the query that is asked for besides. */
  read(slot: number, isQueryToo = false): boolean {
    const { pool } = this.context;
    this.isQueryToo = isQueryToo;
    this.l3 = pool.l4[slot] + icmp.HEADER_LENGTH;
    const end = pool.l3[slot] + pool.l3Length[slot];
    return pool.kind[slot] === KIND.IPV4 ? this.readIpv4(end) : this.readIpv6(end);
  }

  /** The tuple of the packets that go the way which the error goes: the quoted one's other way. */
  fill(key: FlowKey, zone: number = ZONE): void {
    const { view } = this.context.pool;
    const { l3, protocol } = this;
    const ports = this.portsOfAnswers();
    if (ipv4.version(view, l3) === 4) {
      key.setIpv4(zone, protocol, view.getInt32(l3 + ipv4.DST), view.getInt32(l3 + ipv4.SRC), ports);
      return;
    }
    for (let i = 0; i < 4; i++) {
      key.source[i] = ipv6.dstWord(view, l3, i);
      key.destination[i] = ipv6.srcWord(view, l3, i);
    }
    key.seal(subjectOf(zone, IPV6, protocol), ports);
  }

  /**
   * Makes the quoted packet that of `quoted`, and the error one to its source; from its destination, where the error came
   * from the end of the connection itself. The error's checksum must have been right.
   */
  rewrite(slot: number, quoted: Rewritten): void {
    const { pool } = this.context;
    const { view } = pool;
    if (pool.kind[slot] === KIND.IPV4) this.rewriteIpv4(slot, quoted);
    else this.rewriteIpv6(slot, quoted);
    view.setInt32(this.l4, quoted.ports);
    this.seal(slot);
  }

  private portsOfAnswers(): number {
    const { view } = this.context.pool;
    if (!isIcmp(this.protocol)) return swapPorts(view.getInt32(this.l4));
    return answerPorts(this.protocol, queryPorts(view, this.l4));
  }

  private readIpv4(end: number): boolean {
    const { view } = this.context.pool;
    const { l3 } = this;
    if (l3 + ipv4.HEADER_LENGTH > end || ipv4.version(view, l3) !== 4) return false;
    if (ipv4.headerLength(view, l3) < ipv4.HEADER_LENGTH || ipv4.fragmentOffset(view, l3) !== 0) return false;
    return this.found(l3 + ipv4.headerLength(view, l3), ipv4.protocol(view, l3), end);
  }

  private readIpv6(end: number): boolean {
    const { view } = this.context.pool;
    const { l3 } = this;
    if (l3 + ipv6.HEADER_LENGTH > end || ipv6.version(view, l3) !== 6) return false;
    const chain = extensions.walk(view, l3, end);
    if (chain < 0 || chain === extensions.TOO_LONG || extensions.isLaterFragment(chain)) return false;
    return this.found(l3 + extensions.upperOffset(chain), extensions.upperProtocol(chain), end);
  }

  private found(l4: number, protocol: number, end: number): boolean {
    this.l4 = l4;
    this.protocol = protocol;
    if (hasPorts(protocol)) return l4 + PORTS <= end;
    return this.isQueryToo && isIcmp(protocol) && l4 + icmp.HEADER_LENGTH <= end;
  }

  private rewriteIpv4(slot: number, { source, destination }: Rewritten): void {
    const { pool } = this.context;
    const { view } = pool;
    const { l3 } = this;
    const outer = pool.l3[slot];
    if (view.getInt32(outer + ipv4.SRC) === view.getInt32(l3 + ipv4.DST)) {
      view.setInt32(outer + ipv4.SRC, destination[3]);
    }
    view.setInt32(outer + ipv4.DST, source[3]);
    ipv4.writeChecksum(view, outer, ipv4.headerLength(view, outer));
    const length = ipv4.headerLength(view, l3);
    const isRight = ipv4.isChecksumRight(view, l3, length);
    view.setInt32(l3 + ipv4.SRC, source[3]);
    view.setInt32(l3 + ipv4.DST, destination[3]);
    if (isRight) ipv4.writeChecksum(view, l3, length);
  }

  private rewriteIpv6(slot: number, { source, destination }: Rewritten): void {
    const { pool } = this.context;
    const { view } = pool;
    const { l3 } = this;
    const outer = pool.l3[slot];
    const isFromThere = ipv6.sameAddress(view, outer + ipv6.SRC, l3 + ipv6.DST);
    for (let i = 0; i < 4; i++) {
      if (isFromThere) view.setInt32(outer + ipv6.SRC + 4 * i, destination[i]);
      view.setInt32(outer + ipv6.DST + 4 * i, source[i]);
      view.setInt32(l3 + ipv6.SRC + 4 * i, source[i]);
      view.setInt32(l3 + ipv6.DST + 4 * i, destination[i]);
    }
  }

  /** The error's own checksum, whole. */
  private seal(slot: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const length = pool.l3[slot] + pool.l3Length[slot] - l4;
    if (pool.kind[slot] === KIND.IPV4) {
      icmp.setChecksum(view, l4, 0);
      icmp.setChecksum(view, l4, l4Checksum(checksum, 0, l4, length));
    } else {
      icmpv6.setChecksum(view, l4, 0);
      const pseudo = pseudoIpv6(view, pool.l3[slot], PROTOCOL.ICMPV6, length);
      icmpv6.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, length));
    }
    pool.flags[slot] = (pool.flags[slot] & ~PACKET.PARTIAL_CHECKSUM) | PACKET.TRANSLATED;
    pool.gsoType[slot] = GSO.NONE;
  }
}
