/**
 * The records of flows: tuples, state word and decision, which engines side by side read and write without locks.
 *
 * Tuples change only while the state is ENDED, and each flow of an entry has a number, in the state word. Decision and tuples are
 * written between two versions: odd while somebody writes. Who finds the version even, and the same after reading, has read
 * one flow at one moment. Otherwise the tuple is looked at again, between two looks at the flow's number; the decision is
 * then nobody's (`isStale`), and the reader makes its own. A thread that is stopped while it writes holds up nobody: its entry
 * is not given to another flow (`claim`) until it has gone on.
 *
 * V8 does not inline Atomics: one costs 10 to 20 ns, more than all the rest of a record. So a lookup has two, and none where an
 * engine is alone; what lies between is read plainly, in the order that is written here, which V8 keeps for typed arrays, and
 * x86 too. A processor that reorders loads could put one of them behind the second look, by some nanoseconds; to tear what is
 * read, another thread would have to end a flow and write the next in that time.
 */
import { type FlowKey, isIpv6 } from './flow-key.js';
import { type FlowMemory, RECORD, RECORD_SHIFT, TUPLE_SHIFT } from './flow-memory.js';
import { FLOW, FLOW_NUMBER, openingWord, STATE_MASK } from './flow-states.js';

/** Of a flow that nothing was decided about: no generation. */
const UNDECIDED = -1;
/** Of a free entry. */
const NO_PORT = -1;

/** What a lookup found, as of one moment. */
export class FoundFlow {
  /** State word; `track` and `decide` want it. */
  state = 0;
  kind = 0;
  target = 0;
  argument = 0;
  /** The decision is not of the table's generation, or there is none. */
  isStale = false;
}

export class FlowRecords {
  readonly words: Int32Array;
  readonly found = new FoundFlow();
  private readonly addresses: Int32Array;
  private readonly isShared: boolean;

  constructor(memory: FlowMemory) {
    this.words = new Int32Array(memory.records);
    this.addresses = new Int32Array(memory.addresses);
    this.isShared = memory.engines > 1;
  }

  /** As of lately. Who acts on it moves it by `move`, or compares it with what it finds later. */
  state(entry: number): number {
    return this.words[(entry << RECORD_SHIFT) + RECORD.STATE];
  }

  /** To be had before a record is read, and given to `read` after it. */
  version(entry: number): number {
    return this.isShared ? Atomics.load(this.words, (entry << RECORD_SHIFT) + RECORD.VERSION) : 0;
  }

  /** Answers whether the state was `before` and now is `after`. */
  move(entry: number, before: number, after: number): boolean {
    const at = (entry << RECORD_SHIFT) + RECORD.STATE;
    return Atomics.compareExchange(this.words, at, before, after) === before;
  }

  port(entry: number): number {
    return this.words[(entry << RECORD_SHIFT) + RECORD.PORT];
  }

  created(entry: number): number {
    return this.words[(entry << RECORD_SHIFT) + RECORD.CREATED];
  }

  /** Whether the handle has this tuple. `key` for the addresses of IPv6, null for IPv4. */
  matches(
    handle: number,
    from: number,
    to: number,
    ports: number,
    subject: number,
    key: FlowKey | null,
  ): boolean {
    const { words } = this;
    const at = ((handle >>> 1) << RECORD_SHIFT) + ((handle & 1) << TUPLE_SHIFT);
    if (words[at] !== from || words[at + 1] !== to) return false;
    if (words[at + 2] !== ports || words[at + 3] !== subject) return false;
    return key === null || this.hasAddresses(handle, key);
  }

  has(handle: number, key: FlowKey): boolean {
    return this.matches(handle, key.from, key.to, key.ports, key.subject, key.isIpv6 ? key : null);
  }

  /** The hash's words of a way's tuple. */
  tupleWord(handle: number, word: number): number {
    return this.words[((handle >>> 1) << RECORD_SHIFT) + ((handle & 1) << TUPLE_SHIFT) + word];
  }

  /** The same of IPv6 addresses: source and destination, four words each. */
  addressWord(handle: number, word: number): number {
    return this.addresses[(handle << 3) + word];
  }

  private hasAddresses(handle: number, key: FlowKey): boolean {
    const { addresses } = this;
    const { source, destination } = key;
    const at = handle << 3;
    for (let i = 0; i < 4; i++) {
      if (addresses[at + i] !== source[i] || addresses[at + 4 + i] !== destination[i]) return false;
    }
    return true;
  }

  /** Fills `found`. Answers false where, since `version`, the record was written: look again (`recheck`). */
  read(entry: number, state: number, version: number, generation: number): boolean {
    const { words, found } = this;
    const at = entry << RECORD_SHIFT;
    found.state = state;
    found.kind = words[at + RECORD.KIND];
    found.target = words[at + RECORD.TARGET];
    found.argument = words[at + RECORD.ARGUMENT];
    found.isStale = words[at + RECORD.GENERATION] !== generation;
    if (!this.isShared) return true;
    found.isStale ||= (version & 1) !== 0;
    return (version & 1) === 0 && Atomics.load(words, at + RECORD.VERSION) === version;
  }

  /** Whether the handle has the tuple, of a flow that `found` then says nothing about but its state. The slow way of `read`. */
  recheck(
    handle: number,
    from: number,
    to: number,
    ports: number,
    subject: number,
    key: FlowKey | null,
  ): boolean {
    const { words, found } = this;
    const at = ((handle >>> 1) << RECORD_SHIFT) + RECORD.STATE;
    found.state = Atomics.load(words, at);
    found.isStale = true;
    if (!this.matches(handle, from, to, ports, subject, key)) return false;
    return isSameFlow(Atomics.load(words, at), found.state);
  }

  /** Notes a decision. Answers false where another engine is just writing one, or the flow has ended. */
  decide(
    entry: number,
    state: number,
    kind: number,
    target: number,
    argument: number,
    generation: number,
  ): boolean {
    const at = entry << RECORD_SHIFT;
    if (!this.claim(entry)) return false;
    const isSame = isSameFlow(Atomics.load(this.words, at + RECORD.STATE), state);
    if (isSame) this.putDecision(at, kind, target, argument, generation);
    this.yield(entry);
    return isSame;
  }

  /** Makes the version odd, unless it is. */
  claim(entry: number): boolean {
    const at = (entry << RECORD_SHIFT) + RECORD.VERSION;
    const version = Atomics.load(this.words, at);
    return (version & 1) === 0 && Atomics.compareExchange(this.words, at, version, version + 1) === version;
  }

  private yield(entry: number): void {
    Atomics.add(this.words, (entry << RECORD_SHIFT) + RECORD.VERSION, 1);
  }

  /** Begins a flow in an ended entry that was claimed. */
  write(entry: number, original: FlowKey, reply: FlowKey, port: number, state: number, now: number): void {
    const { words } = this;
    const at = entry << RECORD_SHIFT;
    this.putTuple(2 * entry, original);
    this.putTuple(2 * entry + 1, reply);
    this.putDecision(at, 0, 0, 0, UNDECIDED);
    this.put(at + RECORD.CREATED, now | 0);
    this.put(at + RECORD.PORT, port);
    Atomics.store(words, at + RECORD.STATE, openingWord(words[at + RECORD.STATE], state));
    this.yield(entry);
  }

  /** Ends the flow that the entry has, whichever it is. */
  end(entry: number): void {
    let word = this.state(entry);
    while (!this.move(entry, word, word & -FLOW_NUMBER)) word = this.state(entry);
  }

  /** Of an ended entry. */
  free(entry: number): void {
    this.put((entry << RECORD_SHIFT) + RECORD.PORT, NO_PORT);
  }

  /** An entry that nobody can use yet: its owner's sweep tries again. */
  putAside(entry: number, port: number): void {
    this.put((entry << RECORD_SHIFT) + RECORD.PORT, port);
  }

  private putDecision(at: number, kind: number, target: number, argument: number, generation: number): void {
    this.put(at + RECORD.KIND, kind);
    this.put(at + RECORD.TARGET, target);
    this.put(at + RECORD.ARGUMENT, argument);
    this.put(at + RECORD.GENERATION, generation);
  }

  private putTuple(handle: number, key: FlowKey): void {
    const at = ((handle >>> 1) << RECORD_SHIFT) + ((handle & 1) << TUPLE_SHIFT);
    this.put(at, key.from);
    this.put(at + 1, key.to);
    this.put(at + 2, key.ports);
    this.put(at + 3, key.subject);
    if (!isIpv6(key.subject)) return;
    for (let i = 0; i < 4; i++) {
      Atomics.store(this.addresses, (handle << 3) + i, key.source[i]);
      Atomics.store(this.addresses, (handle << 3) + 4 + i, key.destination[i]);
    }
  }

  private put(at: number, word: number): void {
    if (this.isShared) Atomics.store(this.words, at, word);
    else this.words[at] = word;
  }
}

export function isSameFlow(word: number, other: number): boolean {
  return (word ^ other) >>> 16 === 0 && (word & STATE_MASK) !== FLOW.ENDED;
}
