/**
 * Connections that policy lets pass, of IPv4 and not translated, at hand by the tuple of a way: what saves a packet of a known one
 * the lookup. The flow table stays the truth. An entry counts for FRESH ms, and while no snapshot, service or policy is
 * newer; then it is held against its flow again. So a connection that has ended otherwise passes for so much longer, as in Linux one
 * does for two minutes more; none that a change forbids does.
 *
 * What each packet changes of its flow is kept in the entry, and told to the flow with the first packet after FRESH, when
 * another takes the entry's place, or by `sweep`. What an end has acknowledged is told as of that packet.
 *
 * A tuple may be in one of the two entries of a cache line, which is the one thing that is touched; of others that are there, the one
 * goes whose flow was asked first. With 64 k connections one in twenty has to share its line with two others; with one entry
 * for each, two in five did. Memory: 11 MiB an engine, of which only what is used is touched.
 */
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import { GSO } from '../../wire/virtio-net.js';
import type { Context } from '../element.js';
import { IPV4, subjectOf } from '../flows/flow-key.js';
import { NOTHING } from '../flows/flow-table.js';
import { wirePackets } from '../offload.js';
import { mix32 } from '../tables/hash.js';
import { DECISION } from '../translation/chooser.js';

const LINES = 131_072;
const LINE_SHIFT = 4;
const LINE_MASK = LINES - 1;
const ENTRIES = LINES * 2;
const SHIFT = 3;
const ENTRY_WORDS = 1 << SHIFT;
const WAITING_MASK = ENTRIES - 1;
/** Connections whose lines the second-level cache has, beside all else. */
const WIDE = 8192;
/** ms */
const FRESH = 1000;
const NEVER = -1;
const NONE = -1;

/** Words of an entry; a subject of 0 is none, since no connection of these is in zone 0. */
const HOT = {
  SOURCE: 0,
  DESTINATION: 1,
  PORTS: 2,
  SUBJECT: 3,
  GENERATION: 4,
  TOLD: 5,
  PACKETS: 6,
  BYTES: 7,
} as const;
/** Of a segment within a connection: ACK, and none of these. */
const OPENING_OR_CLOSING = tcp.FLAG.SYN | tcp.FLAG.FIN | tcp.FLAG.RST;

export class Admitted {
  private readonly words = new Int32Array(ENTRIES << SHIFT);
  /** By entry: the flow, in the state in which it was found. */
  private readonly handles = new Int32Array(ENTRIES);
  private readonly states = new Int32Array(ENTRIES);
  /** Entries whose flow has something to be told, in the order in which they have; each once. */
  private readonly waiting = new Int32Array(ENTRIES);
  private readonly isWaiting = new Uint8Array(ENTRIES);
  private head = 0;
  private count = 0;
  /** Says nothing: a load whose value nobody wants would be left out. */
  near = 0;

  /** @param seed keys the hash: who chooses ports should not choose whose entry goes. */
  constructor(
    private readonly context: Context,
    private readonly seed: number,
  ) {}

  /** The line of the packet's tuple, whoever is there: IPv4 at `l3`, ports at `l4`. Brings it near. */
  placeOf(l3: number, l4: number): number {
    const { view } = this.context.pool;
    const source = view.getInt32(l3 + ipv4.SRC);
    const destination = view.getInt32(l3 + ipv4.DST);
    const ports = view.getInt32(l4);
    const hash = mix32(
      (source ^ Math.imul(destination ^ this.seed, 0x9e37_79b1) ^ Math.imul(ports, 0x85eb_ca6b)) | 0,
    );
    const place = (hash & LINE_MASK) << LINE_SHIFT;
    this.near ^= this.words[place];
    return place;
  }

  /**
   * Whether the packet, TCP or UDP, not a fragment, is within a connection that passes; then that is told of it. False: nothing
   * is said about it here.
   */
  admits(slot: number, l3: number, l4: number, zone: number, line: number): boolean {
    const { pool } = this.context;
    const { words } = this;
    let place = this.find(l3, l4, zone, line);
    if (place < 0) {
      place = this.fetch(l3, l4, zone, line);
      if (place < 0) return false;
    }
    if (ipv4.protocol(pool.view, l3) === PROTOCOL.TCP) {
      if ((tcp.flags(pool.view, l4) & (OPENING_OR_CLOSING | tcp.FLAG.ACK)) !== tcp.FLAG.ACK) return false;
    }
    if (words[place + HOT.PACKETS] === 0) this.enlist(place >>> SHIFT);
    words[place + HOT.PACKETS] += pool.gsoType[slot] === GSO.NONE ? 1 : wirePackets(pool, slot);
    words[place + HOT.BYTES] += ipv4.totalLength(pool.view, l3);
    return true;
  }

  /** Whether it is known as one that passes, in this generation and lately. */
  has(l3: number, l4: number, zone: number, line: number): boolean {
    return this.find(l3, l4, zone, line) >= 0;
  }

  private find(l3: number, l4: number, zone: number, line: number): number {
    const { view } = this.context.pool;
    const { words } = this;
    const ports = view.getInt32(l4);
    if (words[line + HOT.PORTS] === ports && this.isAt(l3, zone, line)) return line;
    const second = line + ENTRY_WORDS;
    return words[second + HOT.PORTS] === ports && this.isAt(l3, zone, second) ? second : NONE;
  }

  private isAt(l3: number, zone: number, place: number): boolean {
    const { pool, millis, generation } = this.context;
    const { view } = pool;
    const { words } = this;
    return (
      words[place + HOT.SOURCE] === view.getInt32(l3 + ipv4.SRC) &&
      words[place + HOT.DESTINATION] === view.getInt32(l3 + ipv4.DST) &&
      words[place + HOT.SUBJECT] === subjectOf(zone, IPV4, ipv4.protocol(view, l3)) &&
      words[place + HOT.GENERATION] === generation &&
      ((millis - words[place + HOT.TOLD]) | 0) < FRESH
    );
  }

  /** Whether so many connections are in use that what they need should be asked for ahead: it is not near. */
  get isWide(): boolean {
    return this.count > WIDE;
  }

  /** Tells flows what has waited long enough. Answers ms until the next, or -1. */
  sweep(millis: number): number {
    while (this.count > 0) {
      const entry = this.waiting[this.head];
      const left = (this.words[(entry << SHIFT) + HOT.TOLD] + FRESH - millis) | 0;
      if (left > 0 && left <= FRESH) return left;
      this.head = (this.head + 1) & WAITING_MASK;
      this.count--;
      this.isWaiting[entry] = 0;
      this.tell(entry);
    }
    return NEVER;
  }

  /** From the flow table, in place of what was there; its place, or NONE. */
  private fetch(l3: number, l4: number, zone: number, line: number): number {
    const { pool, flows, millis, generation } = this.context;
    const { view } = pool;
    const { words } = this;
    const protocol = ipv4.protocol(view, l3);
    const source = view.getInt32(l3 + ipv4.SRC);
    const destination = view.getInt32(l3 + ipv4.DST);
    const ports = view.getInt32(l4);
    const handle = flows.lookup4(zone, protocol, source, destination, ports, millis);
    const { found } = flows;
    const isAdmitted = handle !== NOTHING && !found.isStale && (found.kind & DECISION.ADMIT) !== 0;
    if (!isAdmitted || !flows.staysWithin(handle, found.state)) return NONE;
    if (protocol === PROTOCOL.TCP) flows.acknowledge(handle, tcp.acknowledgment(view, l4) | 0);
    const place = this.placeFor(line, handle);
    const entry = place >>> SHIFT;
    this.tell(entry);
    words[place + HOT.SOURCE] = source;
    words[place + HOT.DESTINATION] = destination;
    words[place + HOT.PORTS] = ports;
    words[place + HOT.SUBJECT] = subjectOf(zone, IPV4, protocol);
    words[place + HOT.GENERATION] = generation;
    words[place + HOT.TOLD] = millis;
    this.handles[entry] = handle;
    this.states[entry] = found.state;
    return place;
  }

  /** Where the way of a flow goes in a line: where it was before, else where the other is that was asked about first. */
  private placeFor(line: number, handle: number): number {
    const { words, handles } = this;
    const second = line + ENTRY_WORDS;
    if (handles[line >>> SHIFT] === handle) return line;
    if (handles[second >>> SHIFT] === handle) return second;
    return ((words[second + HOT.TOLD] - words[line + HOT.TOLD]) | 0) < 0 ? second : line;
  }

  private enlist(entry: number): void {
    if (this.isWaiting[entry] === 1) return;
    this.isWaiting[entry] = 1;
    this.waiting[(this.head + this.count++) & WAITING_MASK] = entry;
  }

  /** What has come since, to the flow that the entry was made of, if it is still the same. */
  private tell(entry: number): void {
    const { words } = this;
    const place = entry << SHIFT;
    const packets = words[place + HOT.PACKETS];
    if (packets === 0) return;
    const { flows, millis } = this.context;
    flows.tellLate(this.handles[entry], this.states[entry], packets, words[place + HOT.BYTES] >>> 0, millis);
    words[place + HOT.PACKETS] = 0;
    words[place + HOT.BYTES] = 0;
  }
}
