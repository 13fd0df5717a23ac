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
 * Within a flow order is kept; between flows it may change until `finish`, which must be called at the end of a batch
 * with the queue that `add` was given.
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
import type { PacketPool } from '../pool.js';
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

  /** Takes one reference of `slot`, which may be shared, and appends what becomes of it to `out` now or later. */
  add(slot: number, vni: number, hash: number, out: Batch): void {
    const { pool, open } = this;
    const place = open.placeOf(hash);
    if (pool.gsoType[slot] !== GSO.NONE) {
      this.close(place, out);
      this.cut(slot, vni, hash | 0, out);
      return;
    }
    this.segmenter.completeChecksum(slot);
    const bundle = open.takes(place, slot, pool.length[slot] + vxlan.HEADER_LENGTH, vni, hash | 0);
    if (bundle >= 0) {
      this.append(place, bundle, slot, vni, out);
      return;
    }
    this.close(place, out);
    this.begin(place, slot, vni, hash | 0, out);
  }

  /** Appends to `out` what still waited for more. */
  finish(out: Batch): void {
    const { open } = this;
    if (open.count === 0) return;
    for (let place = 0; place < open.places; place++) this.close(place, out);
  }

  private close(place: number, out: Batch): void {
    if (this.open.isOpen(place)) out.push(this.open.close(place));
  }

  private append(place: number, bundle: number, slot: number, vni: number, out: Batch): void {
    const { pool, open } = this;
    const to = pool.at[bundle] + pool.length[bundle];
    vxlan.writeHeader(pool.view, to, vni);
    this.checksum.copy(to + vxlan.HEADER_LENGTH, pool.at[slot], pool.length[slot]);
    const takesMore = open.appended(place, pool.length[slot] + vxlan.HEADER_LENGTH);
    this.counters.joined();
    pool.release(slot);
    if (!takesMore) this.close(place, out);
  }

  /** The packet becomes a datagram, in place where nobody else has it; it stays open where another one would fit. */
  private begin(place: number, slot: number, vni: number, hash: number, out: Batch): void {
    const { pool, open } = this;
    if (this.room(out) < 1) {
      this.drop(slot, DROP['tx-queue-full']);
      return;
    }
    const own = pool.isShared(slot) ? this.copyOf(slot) : slot;
    if (own < 0) {
      this.drop(slot, DROP['no-slot']);
      return;
    }
    const at = pool.at[own] - vxlan.HEADER_LENGTH;
    const length = pool.length[own] + vxlan.HEADER_LENGTH;
    vxlan.writeHeader(pool.view, at, vni);
    pool.at[own] = at;
    pool.reset(own, length, pool.port[own]);
    pool.info[own] = hash;
    if (open.hasRoom(own, length)) open.open(place, own, vni);
    else out.push(own);
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
    if (isPoolShort || bundles > this.room(out)) {
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

  /** Places in `out` that no open bundle will need. */
  private room(out: Batch): number {
    return out.capacity - out.count - this.open.count;
  }

  private drop(slot: number, reason: number): void {
    this.counters.dropped(this.pool.port[slot], reason);
    this.pool.release(slot);
  }
}
