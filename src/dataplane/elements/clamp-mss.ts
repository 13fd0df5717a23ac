/**
 * ClampMss: lowers the segment size that a TCP handshake announces to what fits the way to a peer (RFC 9293 section
 * 3.7.1, RFC 4459 section 3.2), so that connections do not depend on ICMP errors that others may drop.
 *
 * Looks at segments with SYN, routed and bridged, in either direction: whoever hears the announcement sends no more than it. `info` is the
 * peer; the limit is its MTU without an IP and a TCP header. Without the option a sender takes 536 or 1220 octets
 * (section 3.7.1), and none is added. The checksum is updated by the difference; one that is still to be completed
 * holds no sum of the option yet.
 *
 * Output `ok`; drops nothing.
 */
import { update16 } from '../../wire/checksum.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as tcp from '../../wire/tcp.js';
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import { KIND, type PacketPool } from '../pool.js';
import { isSumPending } from '../transport-checksum.js';

export class ClampMss implements Element {
  readonly name = 'clamp-mss';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly ok: Batch,
  ) {}

  process(batch: Batch): void {
    const { pool, tables } = this.context;
    const { mtu } = tables.peers;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (isSyn(pool, slot)) clamp(pool, slot, mtu[pool.info[slot]]);
      this.ok.push(slot);
    }
  }
}

/** SYN, with or without ACK, in a packet whose TCP header the parser has found. */
function isSyn(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (pool.protocol[slot] !== PROTOCOL.TCP || l4 === 0) return false;
  return (tcp.flags(pool.view, l4) & tcp.FLAG.SYN) !== 0;
}

function clamp(pool: PacketPool, slot: number, mtu: number): void {
  const { view } = pool;
  const l4 = pool.l4[slot];
  const headers = pool.kind[slot] === KIND.IPV4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH;
  const limit = mtu - headers - tcp.HEADER_LENGTH;
  const announced = tcp.maximumSegment(view, l4);
  if (limit <= 0 || announced <= limit) return;
  const value = tcp.findOption(view, l4, tcp.OPTION.MSS) + 2;
  view.setUint16(value, limit);
  if (isSumPending(pool, slot)) return;
  // Options have no alignment: at an odd place the two octets belong to two words, each in the other's half.
  const isOdd = ((value - l4) & 1) === 1;
  const old = isOdd ? swap(announced) : announced;
  tcp.setChecksum(view, l4, update16(tcp.checksum(view, l4), old, isOdd ? swap(limit) : limit));
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
