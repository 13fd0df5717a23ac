/**
 * Fragment: cuts packets that exceed the MTU of their egress port or peer into fragments (RFC 791 section 3.2, RFC 8200
 * section 4.5).
 *
 * The packet's own slot becomes the first fragment, payload in place; the others are copies. IPv4 options are
 * repeated as their copied bit says, and a fragment may be fragmented again. IPv6 comes here only from the
 * switch itself, with no extension headers. A partial checksum is completed before, since its sum needs all of
 * the payload; a GSO packet becomes its segments first, and each of those is fragmented.
 *
 * A packet becomes all of its fragments or none. Output `ok`; fragments but the first count as replicated.
 * Drops: no-slot; too-big, where the MTU has no room for a header and eight octets.
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as options from '../../wire/ipv4-options.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import { GSO } from '../../wire/virtio-net.js';
import { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import type { Segmenter } from '../segmenter.js';
import { egressMtu } from './egress-mtu.js';

export class Fragment implements Element {
  readonly name = 'fragment';
  private readonly segments: Batch;
  /** Of the last IPv6 packet fragmented; unique for 2^32 of them (RFC 8200 section 4.5). */
  private identification = 0;

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly ok: Batch,
    private readonly segmenter: Segmenter,
  ) {
    this.segments = new Batch(context.pool.capacity);
  }

  process(batch: Batch): void {
    const { gsoType } = this.context.pool;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (gsoType[slot] === GSO.NONE) this.fragment(slot);
      else this.fragmentSegments(slot);
    }
  }

  private fragmentSegments(slot: number): void {
    const { segments } = this;
    this.segmenter.segment(slot, segments);
    for (let i = 0; i < segments.count; i++) this.fragment(segments.slots[i]);
    segments.clear();
  }

  private fragment(slot: number): void {
    const { pool, tables } = this.context;
    const mtu = egressMtu(tables, pool.egress[slot]);
    this.segmenter.completeChecksum(slot);
    if (pool.l3Length[slot] <= mtu) this.ok.push(slot);
    else if (pool.kind[slot] === KIND.IPV4) this.fragmentIpv4(slot, mtu);
    else this.fragmentIpv6(slot, mtu);
  }

  private fragmentIpv4(slot: number, mtu: number): void {
    const { pool } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const header = ipv4.headerLength(view, l3);
    const laterHeader = options.copiedHeaderLength(view, l3, header);
    const payload = pool.l3Length[slot] - header;
    const first = (mtu - header) & ~7;
    const rest = (mtu - laterHeader) & ~7;
    const count = this.admit(slot, payload, first, rest);
    if (count === 0) return;
    const offset = ipv4.fragmentOffset(view, l3);
    const isLast = !ipv4.moreFragments(view, l3);
    this.ok.push(slot);
    for (let done = first; done < payload; done += rest) {
      const size = Math.min(rest, payload - done);
      const flags = isLast && done + size === payload ? 0 : ipv4.FLAG.MORE_FRAGMENTS;
      const piece = this.copyPiece(slot, l3 + header + done, laterHeader, size);
      this.finishIpv4(slot, piece, laterHeader, flags, offset + done);
      this.ok.push(piece);
    }
    this.shrink(slot, header + first);
    ipv4.setTotalLength(view, l3, header + first);
    ipv4.setFragment(view, l3, ipv4.FLAG.MORE_FRAGMENTS, offset);
    ipv4.writeChecksum(view, l3, header);
    this.context.counters.replicated(count - 1);
  }

  /** How many fragments the payload becomes; 0 where it cannot and the packet is dropped. */
  private admit(slot: number, payload: number, first: number, rest: number): number {
    const { context } = this;
    const count = first < 8 || rest < 8 ? 0 : 1 + Math.ceil((payload - first) / rest);
    if (count > 0 && count - 1 <= context.pool.free) return count;
    context.drop(slot, count === 0 ? DROP['too-big'] : DROP['no-slot']);
    return 0;
  }

  /** A later fragment: Ethernet header and `size` octets of payload; its network header is still to be written. */
  private copyPiece(slot: number, from: number, header: number, size: number): number {
    const { pool, checksum } = this.context;
    const piece = pool.take();
    const link = pool.l3[slot] - pool.at[slot];
    pool.copyFacts(slot, piece);
    this.shrink(piece, header + size);
    pool.l4[piece] = 0;
    checksum.copy(pool.at[piece], pool.at[slot], link);
    checksum.copy(pool.l3[piece] + header, from, size);
    return piece;
  }

  private shrink(slot: number, l3Length: number): void {
    const { pool } = this.context;
    pool.l3Length[slot] = l3Length;
    pool.length[slot] = pool.l3[slot] - pool.at[slot] + l3Length;
    pool.flags[slot] = (pool.flags[slot] | PACKET.FRAGMENT) & ~PACKET.CHECKSUM_VALID;
  }

  private finishIpv4(slot: number, piece: number, header: number, flags: number, offset: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const from = pool.l3[slot];
    const l3 = pool.l3[piece];
    checksum.copy(l3, from, ipv4.HEADER_LENGTH);
    options.writeCopied(view, from, ipv4.headerLength(view, from), l3);
    ipv4.setTotalLength(view, l3, pool.l3Length[piece]);
    ipv4.setFragment(view, l3, flags, offset);
    ipv4.writeChecksum(view, l3, header);
    if (header === ipv4.HEADER_LENGTH) pool.flags[piece] &= ~PACKET.OPTIONS;
  }

  /** The first fragment's headers move eight octets down, so that its payload can stay where it is. */
  private fragmentIpv6(slot: number, mtu: number): void {
    const { pool, checksum, counters } = this.context;
    const { view } = pool;
    const header = ipv6.HEADER_LENGTH + extensions.FRAGMENT_LENGTH;
    const payload = pool.l3Length[slot] - ipv6.HEADER_LENGTH;
    const size = (mtu - header) & ~7;
    const count = this.admit(slot, payload, size, size);
    if (count === 0) return;
    const data = pool.l3[slot] + ipv6.HEADER_LENGTH;
    const next = ipv6.nextHeader(view, pool.l3[slot]);
    const id = this.nextIdentification();
    checksum.copy(pool.at[slot] - extensions.FRAGMENT_LENGTH, pool.at[slot], data - pool.at[slot]);
    pool.at[slot] -= extensions.FRAGMENT_LENGTH;
    pool.l3[slot] -= extensions.FRAGMENT_LENGTH;
    this.ok.push(slot);
    for (let done = size; done < payload; done += size) {
      const length = Math.min(size, payload - done);
      const piece = this.copyPiece(slot, data + done, header, length);
      checksum.copy(pool.l3[piece], pool.l3[slot], ipv6.HEADER_LENGTH);
      this.finishIpv6(piece, next, done, done + length < payload, id);
      this.ok.push(piece);
    }
    this.shrink(slot, header + size);
    this.finishIpv6(slot, next, 0, true, id);
    counters.replicated(count - 1);
  }

  private nextIdentification(): number {
    this.identification = (this.identification + 1) >>> 0;
    return this.identification;
  }

  private finishIpv6(slot: number, next: number, offset: number, more: boolean, id: number): void {
    const { pool } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    ipv6.setPayloadLength(view, l3, pool.l3Length[slot] - ipv6.HEADER_LENGTH);
    ipv6.setNextHeader(view, l3, extensions.EXTENSION.FRAGMENT);
    extensions.writeFragment(view, l3 + ipv6.HEADER_LENGTH, next, offset, more, id);
  }
}
