/**
 * Reassemble: puts fragments for the switch itself together (RFC 791 section 3.2, RFC 8200 section 4.5).
 *
 * A datagram gets a slot of its own when its first fragment arrives, in whatever order they come; the payload
 * of each is copied to its place there and the fragment's slot is given back. The whole packet is parsed like a
 * received one and goes on with the header of the fragment at offset 0, without IPv6 extension headers; its
 * transport checksum is still to be verified. Fragments of different ingress ports never meet.
 *
 * Overlapping fragments, and such that disagree about the length, end their datagram (RFC 5722); one that was
 * there before, octet for octet, is dropped alone (RFC 8200 section 4.5). Bounds: reassembly.ts.
 * A datagram not whole after 30 s (IPv4) or 60 s (IPv6) is given up by `sweep`.
 *
 * Output `local`; fragments that went into another packet count as joined. Drops: reassembly, no-slot, and
 * what the parser finds wrong with the whole.
 */
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import { COVERED, KEY_WORDS, Reassemblies } from '../tables/reassembly.js';
import { parsePacket } from './parse.js';

/** ms; RFC 791 suggests 15 s or more, Linux waits 30 s; RFC 8200 section 4.5 says 60 s. */
const TIMEOUT_4 = 30_000;
const TIMEOUT_6 = 60_000;

/** Longest network packet that comes out. */
const MAX_PACKET = 65_535;

/** Where the payload lies in a buffer, from the frame's usual place: room for the longest header before it. */
const PAYLOAD = ethernet.HEADER_LENGTH + ipv4.MAX_HEADER_LENGTH;

export class Reassemble implements Element {
  readonly name = 'reassemble';
  private readonly table = new Reassemblies();
  private readonly key = new Int32Array(KEY_WORDS);
  // The fragment being looked at: its payload's place in the datagram and in the memory, and its header's
  // length as it will be in the whole packet.
  private offset = 0;
  private length = 0;
  private more = false;
  private data = 0;
  private header = 0;

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly local: Batch,
  ) {}

  /** Slots that the element owns: one for each datagram that is not whole yet. */
  get held(): number {
    return this.table.size;
  }

  process(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.take(batch.slots[i]);
  }

  /** Drops the datagrams that are overdue. Answers when the next one will be, or -1. */
  sweep(now: number): number {
    const { table } = this;
    for (let entry = 0; entry < table.due.length; entry++) {
      if (table.isOpen(entry) && table.due[entry] <= now) this.abandon(entry);
    }
    return table.nextDue();
  }

  private take(slot: number): void {
    const { context, table } = this;
    if (context.pool.kind[slot] === KIND.IPV4) this.readIpv4(slot);
    else this.readIpv6(slot);
    if (!this.isFragmentSound()) {
      context.drop(slot, DROP.reassembly);
      return;
    }
    const known = table.find(this.key);
    const entry = known < 0 ? this.open(slot) : known;
    if (entry < 0) {
      context.drop(slot, DROP['no-slot']);
    } else if (!this.fits(entry)) {
      this.abandon(entry);
      context.drop(slot, DROP.reassembly);
    } else if (table.covered(entry, this.offset, this.length) === COVERED.WHOLLY) {
      context.drop(slot, DROP.reassembly);
    } else {
      this.store(slot, entry);
      // The datagram's own slot took the place of its first fragment's.
      if (known >= 0) context.counters.joined();
      context.pool.release(slot);
      if (table.isWhole(entry)) this.finish(entry);
    }
  }

  private readIpv4(slot: number): void {
    const { pool } = this.context;
    const { view } = pool;
    const { key } = this;
    const l3 = pool.l3[slot];
    this.header = ipv4.headerLength(view, l3);
    this.data = l3 + this.header;
    this.length = pool.l3Length[slot] - this.header;
    this.offset = ipv4.fragmentOffset(view, l3);
    this.more = ipv4.moreFragments(view, l3);
    key.fill(0);
    key[0] = pool.port[slot];
    key[1] = (KIND.IPV4 << 8) | ipv4.protocol(view, l3);
    key[2] = ipv4.id(view, l3);
    key[3] = ipv4.src(view, l3);
    key[7] = ipv4.dst(view, l3);
  }

  private readIpv6(slot: number): void {
    const { pool } = this.context;
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
    key[0] = pool.port[slot];
    key[1] = KIND.IPV6 << 8;
    key[2] = extensions.fragmentId(view, fragment);
    for (let i = 0; i < 4; i++) {
      key[3 + i] = ipv6.srcWord(view, l3, i);
      key[7 + i] = ipv6.dstWord(view, l3, i);
    }
  }

  /** All but the last are a multiple of eight octets long, and none ends behind the longest packet. */
  private isFragmentSound(): boolean {
    if (this.more && (this.length === 0 || (this.length & 7) !== 0)) return false;
    return this.header + this.offset + this.length <= MAX_PACKET;
  }

  /** A new entry with a slot of its own, that has the facts of the fragment; -1 where there is no slot. */
  private open(slot: number): number {
    const { context, table } = this;
    const { pool } = context;
    const port = pool.port[slot];
    const victim = table.victim(port);
    if (victim >= 0) this.abandon(victim);
    const buffer = pool.take();
    if (buffer < 0) return -1;
    pool.copyFacts(slot, buffer);
    const timeout = pool.kind[slot] === KIND.IPV4 ? TIMEOUT_4 : TIMEOUT_6;
    return table.open(this.key, port, buffer, context.now + timeout);
  }

  /** Whether the fragment agrees with the datagram's length and with what is there already. */
  private fits(entry: number): boolean {
    const { table } = this;
    const end = this.offset + this.length;
    const total = table.total[entry];
    if (this.more ? total >= 0 && end > total : total >= 0 && end !== total) return false;
    if (!this.more && table.furthest[entry] > end) return false;
    switch (table.covered(entry, this.offset, this.length)) {
      case COVERED.NONE:
        return true;
      case COVERED.WHOLLY:
        return this.isSame(this.payloadOf(entry) + this.offset);
      default:
        return false;
    }
  }

  private isSame(at: number): boolean {
    const { bytes } = this.context.pool;
    for (let i = 0; i < this.length; i++) if (bytes[at + i] !== bytes[this.data + i]) return false;
    return true;
  }

  private payloadOf(entry: number): number {
    return this.context.pool.at[this.table.buffer[entry]] + PAYLOAD;
  }

  private store(slot: number, entry: number): void {
    const { checksum } = this.context;
    const { table } = this;
    const payload = this.payloadOf(entry);
    checksum.copy(payload + this.offset, this.data, this.length);
    table.add(entry, this.offset, this.length);
    if (!this.more) table.total[entry] = this.offset + this.length;
    if (this.offset === 0) this.storeHeader(slot, entry, payload);
  }

  /** Ethernet and network header of the fragment at offset 0, right before the payload. */
  private storeHeader(slot: number, entry: number, payload: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const { header } = this;
    const from = pool.l3[slot];
    const l3 = payload - header;
    checksum.copy(
      l3 - ethernet.HEADER_LENGTH,
      from - ethernet.HEADER_LENGTH,
      ethernet.HEADER_LENGTH + header,
    );
    this.table.header[entry] = header;
    if (pool.kind[slot] === KIND.IPV4) return;
    // What the fragment header names comes next, where the fragmentable part begins.
    ipv6.setNextHeader(view, l3, view.getUint8(this.data - extensions.FRAGMENT_LENGTH));
  }

  private finish(entry: number): void {
    const { context, table } = this;
    const { pool } = context;
    const { view } = pool;
    const slot = table.buffer[entry];
    const l3 = this.payloadOf(entry) - table.header[entry];
    const length = table.header[entry] + table.total[entry];
    table.close(entry);
    pool.at[slot] = l3 - ethernet.HEADER_LENGTH;
    pool.reset(slot, ethernet.HEADER_LENGTH + length, pool.port[slot]);
    if (length > MAX_PACKET) {
      context.drop(slot, DROP.reassembly);
      return;
    }
    if (pool.kind[slot] === KIND.IPV4) {
      ipv4.setTotalLength(view, l3, length);
      ipv4.setFragment(view, l3, 0, 0);
      ipv4.writeChecksum(view, l3, ipv4.headerLength(view, l3));
    } else {
      ipv6.setPayloadLength(view, l3, length - ipv6.HEADER_LENGTH);
    }
    this.deliver(slot);
  }

  private deliver(slot: number): void {
    const { context } = this;
    const verdict = parsePacket(context.pool, slot);
    if (verdict >= 0) context.drop(slot, verdict);
    else if ((context.pool.flags[slot] & PACKET.FRAGMENT) !== 0) context.drop(slot, DROP.reassembly);
    else this.local.push(slot);
  }

  private abandon(entry: number): void {
    const { context, table } = this;
    const slot = table.buffer[entry];
    table.close(entry);
    context.drop(slot, DROP.reassembly);
  }
}
