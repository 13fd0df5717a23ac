/**
 * Flows: what is known of connections, and what was decided about them, found by the tuple of either way.
 *
 * A packet is looked up once (`lookup4`, `lookup`). The answer is a handle, entry and way, or NOTHING; with it, in the
 * table's fields, state and decision, as of one moment. `track` then tells the table of the packet: what it says about a wrong
 * packet is the caller's to act on. A first packet is decided about and opens a flow (`open`). A decision is words of
 * the caller's own and the generation in which it was made; `isStale` says that it must be made again.
 *
 * Engines that forward side by side share one memory (flow-memory.ts). The engine that opens a flow owns it: it alone frees the
 * entry, and keeps its place in lists and quotas (residents.ts). Any engine finds it, counts in its own way of it, moves its
 * state by compare-and-swap, and decides again. There is no lock, and nobody waits: what another engine is just writing counts as
 * stale. `now` must be of one clock for all of them (ms; kept modulo 2^32, so the sweep must come round within 19 days).
 *
 * Resets (TCP): one that has exactly the sequence number that the other end has acknowledged closes the connection; an
 * older one is invalid; a later one may be right or forged, as windows are not followed, so the connection is as short-lived
 * as a closed one until its next packet (Linux does the same; RFC 5961 section 3.2).
 *
 * Fragments have no ports but in the first, and are no business of this table: docs/decisions/0037.
 *
 * Bounds: FlowMemory's capacity. Evicts as residents.ts says. Costs: docs/decisions/0037.
 */
import { FLAG } from '../../wire/tcp.js';
import { KeyedHash } from '../tables/hash.js';
import { requireInteger } from '../tables/table-error.js';
import { FlowActivity } from './flow-activity.js';
import { MOVE, nextWord, openingState } from './flow-advance.js';
import { type FlowTableOptions, OPEN, TRACK } from './flow-answers.js';
import { FlowFinder } from './flow-finder.js';
import { NOTHING } from './flow-index.js';
import { type FlowKey, IPV4, protocolOf, subjectOf } from './flow-key.js';
import { ENGINE, ENGINE_WORDS, WAY } from './flow-memory.js';
import { FlowRecords, type FoundFlow, isSameFlow } from './flow-records.js';
import { ROW } from './flow-rows.js';
import { FLOW, isExpendable, lifetimes, MARK, STATE_MASK } from './flow-states.js';
import { Residents } from './residents.js';

export { type FlowTableOptions, NOTHING, OPEN, TRACK };

/** How often another entry is tried where one cannot be claimed. */
const TRIES = 4;

export class FlowTable {
  /** Of the last lookup that found something. */
  readonly found: FoundFlow;
  /** Decisions of another generation are stale. */
  generation = 0;
  readonly hash: KeyedHash;
  /** Entries that are this engine's. */
  readonly share: number;
  /** Flows that a port may have, unless `setQuota` has said otherwise. */
  readonly defaultQuota: number;
  private readonly own: number;
  private readonly isShared: boolean;
  private readonly finder: FlowFinder;
  private readonly records: FlowRecords;
  private readonly activity: FlowActivity;
  private readonly counts: Int32Array;
  private readonly residents: Residents;
  /** Entries before the engine's own, and where the sweep is among those. */
  private readonly base: number;
  private hand = 0;

  /** Throws TABLE_INVALID. */
  constructor({ memory, own = 0, ports, quota, timeouts }: FlowTableOptions) {
    const share = memory.capacity / memory.engines;
    requireInteger('engine', own, 0, memory.engines - 1);
    requireInteger('number of ports', ports, 1, 0x10000);
    requireInteger('quota', quota ?? 1, 1, share);
    this.hash = new KeyedHash(memory.seed);
    this.share = share;
    this.defaultQuota = quota ?? Math.max(1, share >>> 1);
    this.own = own * ENGINE_WORDS;
    this.base = own * share;
    this.isShared = memory.engines > 1;
    this.records = new FlowRecords(memory);
    this.found = this.records.found;
    this.activity = new FlowActivity(memory);
    this.counts = new Int32Array(memory.counts);
    this.finder = new FlowFinder(memory, this.hash, this.records, this.activity, lifetimes(timeouts));
    this.residents = new Residents(share, ports, this.defaultQuota, {
      isKept: (entry) => !isExpendable(this.records.state(entry + this.base)),
      idle: (entry, now) => this.activity.idle(entry + this.base, now),
    });
  }

  /** Flows that this engine owns, with those that are over and were not swept yet. */
  get size(): number {
    return this.residents.size;
  }

  /** Entries of this engine that were in use at least once: what a round of the sweep looks at. */
  get touched(): number {
    return this.residents.touched;
  }

  /** How many of them the port has opened. */
  countOf(port: number): number {
    return port >>> 0 < this.residents.ports ? this.residents.count(port) : 0;
  }

  /** One of ENGINE, of this engine, modulo 2^32. */
  count(which: number): number {
    return this.counts[this.own + which];
  }

  /** @param quota 1 to `share`. A port that has more gives up one of its own for each that it opens. */
  setQuota(port: number, quota: number): void {
    this.residents.setQuota(port, quota);
  }

  /** The handle of an IPv4 tuple, or NOTHING. Words as in flow-key.ts, int32: a uint32 may be allocated. */
  lookup4(
    zone: number,
    protocol: number,
    source: number,
    destination: number,
    ports: number,
    now: number,
  ): number {
    const subject = subjectOf(zone, IPV4, protocol);
    return this.finder.find(source | 0, destination | 0, ports | 0, subject, null, now, this.generation);
  }

  lookup(key: FlowKey, now: number): number {
    const { from, to, ports, subject } = key;
    return this.finder.find(from, to, ports, subject, key.isIpv6 ? key : null, now, this.generation);
  }

  /** Word `word` of the tuple of a way that was looked up, as flow-key.ts has them: what stands for addresses, ports. */
  tupleWord(handle: number, word: number): number {
    return this.records.tupleWord(handle, word);
  }

  /** Word `word` of an IPv6 tuple: 0 to 3 of the source, 4 to 7 of the destination. */
  addressWord(handle: number, word: number): number {
    return this.records.addressWord(handle, word);
  }

  /** The port that the flow's first packet came in by. */
  opener(handle: number): number {
    return this.records.port(handle >>> 1);
  }

  /**
   * Tells of packets of the flow that was looked up: `state` as the lookup gave it. Flags, sequence and acknowledgment are those of
   * TCP; `flags` of SCTP: SCTP_END or 0; 0 of others. One of TRACK.
   */
  track(
    handle: number,
    state: number,
    flags: number,
    sequence: number,
    acknowledgment: number,
    packets: number,
    bytes: number,
    now: number,
  ): number {
    const { records, activity } = this;
    const entry = handle >>> 1;
    const way = handle & 1;
    for (;;) {
      const before = records.state(entry);
      if (!isSameFlow(before, state)) return TRACK.gone;
      const age = (now - records.created(entry)) | 0;
      const after = nextWord(before, way, flags, activity.ahead(entry, way, sequence), age);
      if (after >= 0 && after <= MOVE.LAST) return after;
      if (after !== before) {
        if (!records.move(entry, before, after)) continue;
        this.settle(entry);
      }
      if ((flags & FLAG.ACK) !== 0)
        activity.acknowledge(entry, way, acknowledgment, isFirstWord(before, way));
      activity.count(entry, way, packets, bytes, now);
      return TRACK.fine;
    }
  }

  /**
   * For who keeps a copy of what a lookup found. Whether a flow in this state stays in it whatever packet within the connection
   * comes: of TCP, with ACK and without SYN, FIN and RST; so that `tell` is all there is to `track`, and `acknowledge` of TCP.
   */
  staysWithin(handle: number, state: number): boolean {
    return staysWithin(state, handle & 1);
  }

  /** Whether it is the same flow in the same state, and lives. */
  isStill(handle: number, state: number, now: number): boolean {
    return this.records.state(handle >>> 1) === state && this.finder.isUsed(handle, state, now);
  }

  /** Has what `isStill` and `tell` look at brought near. The answer says nothing. */
  approach(handle: number): number {
    return this.records.state(handle >>> 1) ^ this.activity.idleOf(handle >>> 1, handle & 1, 0);
  }

  tell(handle: number, packets: number, bytes: number, now: number): void {
    this.activity.count(handle >>> 1, handle & 1, packets, bytes, now);
  }

  /** The same of packets that came a while ago; nothing where the flow that was found in this state has ended. */
  tellLate(handle: number, state: number, packets: number, bytes: number, now: number): void {
    if (isSameFlow(this.records.state(handle >>> 1), state)) this.tell(handle, packets, bytes, now);
  }

  acknowledge(handle: number, acknowledgment: number): void {
    this.activity.acknowledge(handle >>> 1, handle & 1, acknowledgment, false);
  }

  /**
   * Opens a flow that `port` has sent the first packet of, without a decision; `reply` is the tuple of its answers. Answers the
   * handle of its original way, which is also the last found, or one of OPEN. The packet itself is told with `track`.
   */
  open(original: FlowKey, reply: FlowKey, port: number, flags: number, now: number): number {
    const first = openingState(protocolOf(original.subject), flags);
    if (first === FLOW.ENDED) return OPEN.invalid;
    if (port >>> 0 >= this.residents.ports) return this.refuse();
    if (this.isTaken(original, 0, now) || this.isTaken(reply, 0, now)) return this.clash();
    const entry = this.acquire(port, now);
    if (entry === 0) return this.refuse();
    this.activity.clear(entry, now);
    this.records.write(entry, original, reply, port, first, now);
    const answer = this.enter(entry, original, reply, now);
    if (answer < 0) return answer;
    this.records.read(entry, this.records.state(entry), this.records.version(entry), this.generation);
    return answer;
  }

  /**
   * Takes up a flow of `ROW.PORT` that another process knew, as the row at `at` has it, without a decision. Answers whether it
   * could without another one's loss.
   */
  restore(original: FlowKey, reply: FlowKey, rows: Int32Array, at: number, now: number): boolean {
    const port = rows[at + ROW.PORT];
    if (port >>> 0 >= this.residents.ports || !this.residents.hasRoom(port)) return false;
    if (this.isTaken(original, 0, now) || this.isTaken(reply, 0, now)) return false;
    const entry = this.acquire(port, now);
    if (entry === 0) return false;
    this.activity.load(entry, rows, at + ROW.ACTIVITY);
    this.records.write(entry, original, reply, port, rows[at + ROW.STATE], rows[at + ROW.CREATED]);
    this.settle(entry);
    return this.enter(entry, original, reply, now) >= 0;
  }

  /**
   * Notes what was decided in `generation` about the flow that was looked up. Answers false where another engine was just doing it,
   * or the flow has ended: what was decided holds for this packet, and the next one asks again.
   */
  decide(
    handle: number,
    state: number,
    kind: number,
    target: number,
    argument: number,
    generation: number,
  ): boolean {
    return this.records.decide(handle >>> 1, state, kind, target, argument, generation);
  }

  /** Ends the flow that was looked up. Its entry is free at once, or, where another engine owns it, when that one's sweep comes by. */
  end(handle: number, state: number): void {
    const entry = handle >>> 1;
    let before = this.records.state(entry);
    while (isSameFlow(before, state) && !this.records.move(entry, before, before & ~STATE_MASK)) {
      before = this.records.state(entry);
    }
    if (isSameFlow(before, state) && this.isOwn(entry)) this.release(entry);
  }

  /** Ends the flows that the port has opened, at most `budget`. Answers how many: fewer means that none is left. */
  forgetPort(port: number, budget: number): number {
    if (port >>> 0 >= this.residents.ports) return 0;
    for (let ended = 0; ended < budget; ended++) {
      const entry = this.residents.anyOf(port);
      if (entry === 0) return ended;
      this.release(entry + this.base);
    }
    return budget;
  }

  /** Looks at the next `budget` entries of this engine and frees those that are over. Answers how many that was. */
  sweep(now: number, budget: number): number {
    const { touched } = this.residents;
    let freed = 0;
    for (let looked = Math.min(budget, touched); looked > 0; looked--) {
      this.hand = this.hand >= touched ? 1 : this.hand + 1;
      const entry = this.hand + this.base;
      if (this.records.port(entry) < 0) continue;
      if (this.finder.isAlive(entry, this.records.state(entry), now)) this.residents.settle(this.hand);
      else {
        this.release(entry);
        freed++;
        this.add(ENGINE.EXPIRED);
      }
    }
    return freed;
  }

  /** Makes what was written to an entry to be found. Answers its handle, or one of OPEN, and then it is free again. */
  private enter(entry: number, original: FlowKey, reply: FlowKey, now: number): number {
    if (!this.finder.insert(entry)) {
      this.release(entry);
      return this.refuse();
    }
    // Another engine may have opened one with the same tuple meanwhile. It sees this one, or is seen, or both give way.
    if (this.isShared && (this.isTaken(original, entry, now) || this.isTaken(reply, entry, now))) {
      this.release(entry);
      return this.clash();
    }
    this.add(ENGINE.OPENED);
    return 2 * entry;
  }

  /** Whether a flow that lives has the tuple, other than `except`. Frees what does not and is this engine's. */
  private isTaken(key: FlowKey, except: number, now: number): boolean {
    for (;;) {
      const handle = this.finder.taken(key, except, now);
      if (handle >= 0) return handle > 0;
      if (!this.isOwn(-handle >>> 1)) continue;
      this.release(-handle >>> 1);
      this.add(ENGINE.EXPIRED);
    }
  }

  /** A claimed entry for a flow of the port, or 0. */
  private acquire(port: number, now: number): number {
    for (let tries = 0; tries < TRIES; tries++) {
      const victim = this.residents.victim(port, now);
      if (victim !== 0) {
        this.release(victim + this.base);
        this.add(ENGINE.EVICTED);
      }
      const entry = this.residents.take(port) + this.base;
      this.tellSize();
      if (this.records.claim(entry)) return entry;
      this.records.putAside(entry, port);
    }
    return 0;
  }

  /** Frees an own entry that is not free. */
  private release(entry: number): void {
    this.records.end(entry);
    this.finder.remove(entry);
    this.records.free(entry);
    this.residents.release(entry - this.base);
    this.tellSize();
  }

  /** The state has changed: an own entry may belong in another list. */
  private settle(entry: number): void {
    if (this.isOwn(entry)) this.residents.settle(entry - this.base);
  }

  private isOwn(entry: number): boolean {
    return entry > this.base && entry <= this.base + this.residents.share;
  }

  private refuse(): number {
    this.add(ENGINE.REFUSED);
    return OPEN.refused;
  }

  private clash(): number {
    this.add(ENGINE.CLASHES);
    return OPEN.clash;
  }

  private tellSize(): void {
    Atomics.store(this.counts, this.own + ENGINE.TOUCHED, this.residents.touched);
    Atomics.store(this.counts, this.own + ENGINE.SIZE, this.residents.size);
  }

  private add(which: number): void {
    const at = this.own + which;
    Atomics.store(this.counts, at, (this.counts[at] + 1) | 0);
  }
}

/** Whether no packet within the connection changes the word. */
function staysWithin(word: number, way: number): boolean {
  const marks = MARK.REPLIED | MARK.ASSURED;
  switch (word & STATE_MASK) {
    case FLOW.ESTABLISHED:
      return (word & (marks | MARK.DOUBTED)) === marks;
    case FLOW.UDP_STREAM:
      return (word & marks) === marks;
    case FLOW.UDP:
      return way === WAY.ORIGINAL && (word & MARK.REPLIED) === 0;
    default:
      return false;
  }
}

/** Whether nothing that the way has acknowledged is known yet, or may be of another start. */
function isFirstWord(before: number, way: number): boolean {
  const isKnown = way === WAY.ORIGINAL || (before & MARK.REPLIED) !== 0;
  return !isKnown || (before & STATE_MASK) !== FLOW.ESTABLISHED;
}
