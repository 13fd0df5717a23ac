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
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import { MAX_PACKET, ReceivedFragment } from '../received-fragment.js';
import { CAPACITY, COVERED, Reassemblies } from '../tables/reassembly.js';
import { parsePacket } from './parse.js';

/** ms; RFC 791 suggests 15 s or more, Linux waits 30 s; RFC 8200 section 4.5 says 60 s. */
const TIMEOUT_4 = 30_000;
const TIMEOUT_6 = 60_000;

/** Where the payload lies in a buffer, from the frame's usual place: room for the longest header before it. */
const PAYLOAD = ethernet.HEADER_LENGTH + ipv4.MAX_HEADER_LENGTH;

export class Reassemble implements Element {
  readonly name = 'reassemble';
  private readonly table = new Reassemblies();
  /** The fragment being looked at. */
  private readonly fragment = new ReceivedFragment();

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

  /** Drops the datagrams that are overdue. Answers how long until the next one will be (ms), or -1. */
  sweep(now: number): number {
    const { table } = this;
    for (let entry = 0; entry < CAPACITY; entry++) {
      if (table.isOpen(entry) && table.due[entry] <= now) this.abandon(entry);
    }
    const next = table.nextDue();
    return next < 0 ? -1 : next - now;
  }

  private take(slot: number): void {
    const { context, table, fragment } = this;
    fragment.read(context.pool, slot);
    if (!fragment.isSound()) {
      context.drop(slot, DROP.reassembly);
      return;
    }
    const known = fragment.isAtomic() ? -1 : table.find(fragment.key);
    const entry = known < 0 ? this.open(slot) : known;
    if (entry < 0) {
      context.drop(slot, DROP['no-slot']);
      return;
    }
    const covered = table.covered(entry, fragment.offset, fragment.length);
    const isRepeated = covered === COVERED.WHOLLY && this.isSame(entry);
    if (this.fits(entry) && (covered === COVERED.NONE || isRepeated)) {
      this.join(slot, entry, known >= 0, isRepeated);
    } else {
      this.abandon(entry);
      context.drop(slot, DROP.reassembly);
    }
  }

  /** @param isKnown false for the first fragment to arrive: the datagram's own slot took its slot's place. */
  private join(slot: number, entry: number, isKnown: boolean, isRepeated: boolean): void {
    const { context, table } = this;
    if (isRepeated) {
      context.drop(slot, DROP.reassembly);
      return;
    }
    this.store(slot, entry);
    if (isKnown) context.counters.joined();
    context.pool.release(slot);
    if (table.isWhole(entry)) this.finish(entry);
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
    return table.open(this.fragment.key, port, buffer, context.now + timeout);
  }

  /** Whether the fragment agrees with what is known of the datagram's length. */
  private fits(entry: number): boolean {
    const { table, fragment } = this;
    const end = fragment.offset + fragment.length;
    const total = table.total[entry];
    if (fragment.more) return total < 0 || end <= total;
    return table.furthest[entry] <= end && (total < 0 || end === total);
  }

  private isSame(entry: number): boolean {
    const { bytes } = this.context.pool;
    const { data, length } = this.fragment;
    const at = this.payloadOf(entry) + this.fragment.offset;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== bytes[data + i]) return false;
    return true;
  }

  private payloadOf(entry: number): number {
    return this.context.pool.at[this.table.buffer[entry]] + PAYLOAD;
  }

  private store(slot: number, entry: number): void {
    const { table } = this;
    const { offset, length, data, more } = this.fragment;
    const payload = this.payloadOf(entry);
    this.context.checksum.copy(payload + offset, data, length);
    table.add(entry, offset, length);
    if (!more) table.total[entry] = offset + length;
    if (offset === 0) this.storeHeader(slot, entry, payload);
  }

  /** Ethernet and network header of the fragment at offset 0, right before the payload. */
  private storeHeader(slot: number, entry: number, payload: number): void {
    const { pool, checksum } = this.context;
    const { header, nextHeader } = this.fragment;
    const length = ethernet.HEADER_LENGTH + header;
    checksum.copy(payload - length, pool.l3[slot] - ethernet.HEADER_LENGTH, length);
    this.table.header[entry] = header;
    if (pool.kind[slot] === KIND.IPV6) ipv6.setNextHeader(pool.view, payload - header, nextHeader);
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
