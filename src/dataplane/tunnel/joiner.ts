/**
 * Joiner: takes the inner frames out of a slot of VXLAN datagrams (RFC 7348 section 5), and joins TCP segments that
 * follow one another to one large packet, by the rules of tcp-run.ts. It is finished as a TSO packet that a pod sent:
 * partial checksum, segment size.
 *
 * A packet of several segments goes to a slot of its own, its payload summed while it is copied. A segment whose
 * checksum is wrong is never joined: it goes on alone and unchanged, as does everything that is not TCP. Order is
 * that of the datagrams. The last one stays in the slot that it came in, where it is not joined.
 *
 * `info` of what comes out is the VNI; `remote`, `remotePort` and `port` are the datagram's; the rest is as of a
 * packet that has just arrived, not parsed. The unit of the counters is the slot: n datagrams replicate n - 1, and a
 * packet of n segments has joined n - 1. Nothing of the datagrams is believed: a frame ends where its datagram ends,
 * and that where its slot does.
 *
 * Drops, each datagram by itself: malformed-tunnel (no VNI, or shorter than an Ethernet header), no-slot.
 */
import { type Checksum, fold } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as tcp from '../../wire/tcp.js';
import { GSO } from '../../wire/virtio-net.js';
import * as vxlan from '../../wire/vxlan.js';
import type { Batch } from '../batch.js';
import type { Counters } from '../counters.js';
import { DROP } from '../drop-reasons.js';
import { PACKET, type PacketPool } from '../pool.js';
import { copyRemote } from './remote.js';
import { isCongestionReduced, TcpRun } from './tcp-run.js';

/** A shorter datagram holds no frame. */
const MIN_DATAGRAM = vxlan.HEADER_LENGTH + ethernet.HEADER_LENGTH;

const NONE = -1;

export class Joiner {
  private readonly run: TcpRun;
  /** Whether `run` holds a frame that is not yet put out, and its network. */
  private isPending = false;
  private vni = 0;
  /** Where the run's segments are joined, once there are two. */
  private joined = NONE;

  constructor(
    private readonly pool: PacketPool,
    private readonly checksum: Checksum,
    private readonly counters: Counters,
  ) {
    this.run = new TcpRun(pool.view, checksum);
  }

  /** Takes `slot`, which nobody else has, and appends to `out` a slot for each packet in it. */
  split(slot: number, out: Batch): void {
    const { pool } = this;
    const at = pool.at[slot];
    const end = Math.min(at + pool.length[slot], pool.end(slot));
    const size = pool.gsoSize[slot] === 0 ? end - at : pool.gsoSize[slot];
    // Datagrams too short for a frame are one drop: nothing is gained by counting octets of garbage.
    if (size >= end - at || size < MIN_DATAGRAM) {
      this.takeOnly(slot, at, Math.min(at + size, end), out);
      return;
    }
    for (let p = at; p < end; p += size) this.datagram(slot, p, Math.min(p + size, end), out);
    this.counters.replicated(Math.ceil((end - at) / size) - 1);
    this.finish(slot, out);
  }

  /** One datagram: its frame stays where it is. */
  private takeOnly(slot: number, at: number, end: number, out: Batch): void {
    const { pool } = this;
    if (!this.isDatagram(at, end)) {
      this.counters.dropped(pool.port[slot], DROP['malformed-tunnel']);
      pool.release(slot);
      return;
    }
    this.vni = vxlan.vni(pool.view, at);
    pool.at[slot] = at + vxlan.HEADER_LENGTH;
    this.push(slot, slot, end - at - vxlan.HEADER_LENGTH, out);
  }

  private isDatagram(at: number, end: number): boolean {
    return end - at >= MIN_DATAGRAM && vxlan.hasVni(this.pool.view, at);
  }

  private datagram(slot: number, at: number, end: number, out: Batch): void {
    const { view, port } = this.pool;
    if (!this.isDatagram(at, end)) {
      this.counters.dropped(port[slot], DROP['malformed-tunnel']);
      return;
    }
    const vni = vxlan.vni(view, at);
    const frame = at + vxlan.HEADER_LENGTH;
    if (this.isPending) {
      if (vni === this.vni && this.join(frame, end - frame)) return;
      this.flush(slot, out);
    }
    this.isPending = true;
    this.vni = vni;
    this.run.begin(frame, end - frame);
  }

  /** Joins the frame to the pending run, if it belongs there and its checksum is right. */
  private join(frame: number, length: number): boolean {
    const { run } = this;
    if (!run.continues(frame, length)) return false;
    if (this.joined < 0 && !this.startJoined()) return false;
    const to = this.pool.at[this.joined] + run.headers + run.payload;
    if (!run.take(frame, length, to)) return false;
    this.counters.joined();
    return true;
  }

  /** Takes a slot and copies the first segment to it. A run that cannot start stays one of a single frame. */
  private startJoined(): boolean {
    const { pool, run } = this;
    const slot = pool.take();
    if (slot < 0) {
      run.close();
      return false;
    }
    if (!run.takeFirst(pool.at[slot] + run.headers)) {
      pool.release(slot);
      return false;
    }
    this.checksum.copy(pool.at[slot], run.at, run.headers);
    this.joined = slot;
    return true;
  }

  /** Puts out what is pending in a slot of its own: `slot` still has datagrams to read. */
  private flush(slot: number, out: Batch): void {
    const { pool, run } = this;
    if (this.joined >= 0) {
      this.pushJoined(slot, out);
      return;
    }
    const own = pool.take();
    if (own < 0) {
      this.counters.dropped(pool.port[slot], DROP['no-slot']);
      return;
    }
    this.checksum.copy(pool.at[own], run.at, run.length);
    this.push(slot, own, run.length, out);
  }

  /** Puts out what is pending behind the last datagram: a frame alone stays where it is. */
  private finish(slot: number, out: Batch): void {
    const { pool, run } = this;
    if (this.isPending && this.joined < 0) {
      pool.at[slot] = run.at;
      this.push(slot, slot, run.length, out);
    } else {
      if (this.isPending) this.pushJoined(slot, out);
      pool.release(slot);
    }
    this.isPending = false;
  }

  private pushJoined(slot: number, out: Batch): void {
    const { run, joined } = this;
    this.joined = NONE;
    this.push(slot, joined, run.headers + run.payload, out);
    // The only segment, where the next one was wrong: it is there as it came.
    if (run.count > 1) this.writeHeaders(joined);
  }

  /** Lengths of the whole, flags of the last segment, and the facts of a TSO packet (virtio-net.ts). */
  private writeHeaders(slot: number): void {
    const { pool, run } = this;
    const { view } = pool;
    const l3 = pool.at[slot] + run.l3;
    const l4 = pool.at[slot] + run.l4;
    const transport = run.headers - run.l4 + run.payload;
    if (run.isIpv6) {
      ipv6.setPayloadLength(view, l3, transport);
    } else {
      ipv4.setTotalLength(view, l3, ipv4.HEADER_LENGTH + transport);
      ipv4.writeChecksum(view, l3, ipv4.HEADER_LENGTH);
    }
    tcp.setFlags(view, l4, run.flags);
    tcp.setChecksum(view, l4, fold(run.pseudo + transport));
    const ecn = isCongestionReduced(run.flags) ? GSO.ECN : 0;
    pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
    pool.gsoType[slot] = (run.isIpv6 ? GSO.TCPV6 : GSO.TCPV4) | ecn;
    pool.gsoSize[slot] = run.size;
    pool.checksumStart[slot] = run.l4;
    pool.checksumOffset[slot] = tcp.CHECKSUM_OFFSET;
  }

  /** `own` is a packet of `length` octets that came in `slot`, which may be the same. */
  private push(slot: number, own: number, length: number, out: Batch): void {
    const { pool } = this;
    pool.reset(own, length, pool.port[slot]);
    pool.info[own] = this.vni;
    if (own !== slot) copyRemote(pool, slot, own);
    out.push(own);
  }
}
