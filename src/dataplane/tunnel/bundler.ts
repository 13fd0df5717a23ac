/**
 * Bundler: makes of packets the VXLAN datagrams of a tunnel (RFC 7348 section 5), several of one length behind one
 * another where they go to one place, so that one send with UDP_SEGMENT carries them all.
 *
 * - A GSO packet is cut straight into bundles: each segment with its own VXLAN header, headers and complete checksums
 *   (segment-cutter.ts).
 * - Any other packet gets its VXLAN header in the octets before it. One that follows another of its flow (same hash,
 *   other end and VNI) and is not longer is appended to that one's bundle; a shorter one is the last of it. To copy
 *   a packet takes far less time than to send it by itself.
 *
 * Order is kept but for what is appended, which stands where its bundle does: within a flow, always. A bundle is queued
 * with its first packet and may grow until `finish`, which must be called before the queue is sent.
 *
 * A packet becomes all of its segments or none. The unit of the counters is the slot: a packet that is cut into n
 * bundles replicates n - 1, and one that is appended is joined. Expects what `Parse` has found sound, with `remote`,
 * `remotePort` and `egress` set. Drops: no-slot, tx-queue-full, at the ingress port.
 */
import type { Checksum } from '../../wire/checksum.js';
import { GSO } from '../../wire/virtio-net.js';
import * as vxlan from '../../wire/vxlan.js';
import type { Batch } from '../batch.js';
import type { Counters } from '../counters.js';
import { DROP } from '../drop-reasons.js';
import { PACKET, type PacketPool } from '../pool.js';
import { SegmentCutter } from '../segment-cutter.js';
import type { Segmenter } from '../segmenter.js';
import { MAX_DATAGRAMS, MAX_OCTETS, OpenBundles } from './open-bundles.js';
import { copyRemote } from './remote.js';

export class Bundler {
  private readonly cutter: SegmentCutter;
  private readonly open: OpenBundles;

  constructor(
    private readonly pool: PacketPool,
    private readonly checksum: Checksum,
    private readonly counters: Counters,
    private readonly segmenter: Segmenter,
  ) {
    this.cutter = new SegmentCutter(pool, checksum);
    this.open = new OpenBundles(pool);
  }

  /** Takes one reference of `slot`, which may be shared, and appends what becomes of it to `out` or to what is in it. */
  add(slot: number, vni: number, flow: number, out: Batch): void {
    const { pool, open } = this;
    const hash = flow | 0;
    const place = open.placeOf(hash);
    if (pool.gsoType[slot] !== GSO.NONE) {
      open.close(place);
      this.cut(slot, vni, hash, out);
      return;
    }
    if ((pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) !== 0) this.segmenter.completeChecksum(slot);
    const length = pool.length[slot];
    if (open.takes(place, slot, length + vxlan.HEADER_LENGTH, vni, hash)) {
      this.append(place, pool.at[slot], length, vni);
      pool.release(slot);
    } else {
      open.close(place);
      const own = this.begin(slot, vni, hash, out);
      if (own >= 0) open.open(place, own);
    }
  }

  /**
   * The same for a packet at `at` of `length` octets that asks for no offload, in a slot that nobody else has:
   * its facts need not be set, but for `egress` and `domain`.
   */
  addPlain(slot: number, at: number, length: number, vni: number, hash: number, out: Batch): void {
    const { pool, open } = this;
    const place = open.placeOf(hash);
    if (open.takes(place, slot, length + vxlan.HEADER_LENGTH, vni, hash)) {
      this.append(place, at, length, vni);
      pool.release(slot);
    } else if (out.count === out.capacity) {
      this.drop(slot, DROP['tx-queue-full']);
    } else {
      this.enclose(slot, at, length, vni, hash, out);
      open.open(place, slot);
    }
  }

  /** Nothing more is appended to what has been added until now. */
  finish(): void {
    this.open.forget();
  }

  private append(place: number, from: number, length: number, vni: number): void {
    const { pool, open } = this;
    const bundle = open.at(place);
    const to = pool.at[bundle] + pool.length[bundle];
    vxlan.writeHeader(pool.view, to, vni);
    this.checksum.copy(to + vxlan.HEADER_LENGTH, from, length);
    this.counters.joined();
    open.appended(place, length + vxlan.HEADER_LENGTH);
  }

  /** The packet becomes a datagram, in place where nobody else has it. Answers its slot, or -1 where it was dropped. */
  private begin(slot: number, vni: number, hash: number, out: Batch): number {
    const { pool } = this;
    if (out.isFull) return this.drop(slot, DROP['tx-queue-full']);
    const own = pool.isShared(slot) ? this.copyOf(slot) : slot;
    if (own < 0) return this.drop(slot, DROP['no-slot']);
    pool.flags[own] = 0;
    pool.gsoType[own] = GSO.NONE;
    this.enclose(own, pool.at[own], pool.length[own], vni, hash, out);
    return own;
  }

  private enclose(slot: number, at: number, length: number, vni: number, hash: number, out: Batch): void {
    const { pool } = this;
    const begin = at - vxlan.HEADER_LENGTH;
    vxlan.writeHeader(pool.view, begin, vni);
    pool.at[slot] = begin;
    pool.length[slot] = length + vxlan.HEADER_LENGTH;
    pool.gsoSize[slot] = 0;
    pool.info[slot] = hash;
    out.push(slot);
  }

  /** A slot with the packet's bytes and destination, in exchange for the reference; -1 where the pool is empty. */
  private copyOf(slot: number): number {
    const { pool } = this;
    const own = this.takeLike(slot);
    if (own < 0) return -1;
    this.checksum.copy(pool.at[own], pool.at[slot], pool.length[slot]);
    pool.length[own] = pool.length[slot];
    pool.release(slot);
    return own;
  }

  private cut(slot: number, vni: number, hash: number, out: Batch): void {
    const { pool, cutter } = this;
    cutter.begin(slot);
    const size = vxlan.HEADER_LENGTH + cutter.frameLength(0);
    const each = Math.max(1, Math.min(MAX_DATAGRAMS, Math.floor(MAX_OCTETS / size)));
    const bundles = Math.ceil(cutter.count / each);
    const isPoolShort = bundles > pool.free;
    if (isPoolShort || bundles > out.capacity - out.count) {
      this.drop(slot, DROP[isPoolShort ? 'no-slot' : 'tx-queue-full']);
      return;
    }
    for (let first = 0; first < cutter.count; first += each) {
      const last = Math.min(first + each, cutter.count);
      out.push(this.bundle(slot, vni, hash, first, last, size));
    }
    this.counters.replicated(bundles - 1);
    pool.release(slot);
  }

  /** A slot with the segments from `first` to before `last`, the datagram of the first of which has `size` octets. */
  private bundle(slot: number, vni: number, hash: number, first: number, last: number, size: number): number {
    const { pool, cutter } = this;
    const bundle = this.takeLike(slot);
    const at = pool.at[bundle];
    let to = at;
    for (let i = first; i < last; i++) {
      vxlan.writeHeader(pool.view, to, vni);
      to += vxlan.HEADER_LENGTH;
      to += cutter.write(to, i);
    }
    pool.reset(bundle, to - at, pool.port[slot]);
    pool.info[bundle] = hash;
    if (last - first > 1) pool.gsoSize[bundle] = size;
    return bundle;
  }

  /** A new slot on the same way as `slot`; -1 where the pool is empty. */
  private takeLike(slot: number): number {
    const { pool } = this;
    const own = pool.take();
    if (own < 0) return -1;
    pool.port[own] = pool.port[slot];
    pool.egress[own] = pool.egress[slot];
    pool.domain[own] = pool.domain[slot];
    copyRemote(pool, slot, own);
    return own;
  }

  private drop(slot: number, reason: number): number {
    this.counters.dropped(this.pool.port[slot], reason);
    this.pool.release(slot);
    return -1;
  }
}
