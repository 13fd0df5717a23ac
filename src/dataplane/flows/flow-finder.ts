/**
 * From a tuple to its flow: index, record, and whether the flow still lives. Any engine may ask at any time.
 *
 * Cost: a hash, a bucket, a record, and the way's activity; three cache lines where nothing is in the cache.
 */
import type { KeyedHash } from '../tables/hash.js';
import type { FlowActivity } from './flow-activity.js';
import { FlowIndex, handleOf, NOTHING, placeAfter } from './flow-index.js';
import type { FlowKey } from './flow-key.js';
import { type FlowMemory, TUPLE_WORDS } from './flow-memory.js';
import { type FlowRecords, isSameFlow } from './flow-records.js';
import { FLOW, lifetimeOf, STATE_MASK } from './flow-states.js';

export class FlowFinder {
  private readonly index: FlowIndex;

  constructor(
    memory: FlowMemory,
    private readonly hash: KeyedHash,
    private readonly records: FlowRecords,
    private readonly activity: FlowActivity,
    private readonly lifetimes: Int32Array,
  ) {
    this.index = new FlowIndex(memory.index, memory.capacity);
  }

  /** The handle of the words of a tuple, and `records.found`; or NOTHING. `key` for IPv6, null for IPv4. */
  find(
    from: number,
    to: number,
    ports: number,
    subject: number,
    key: FlowKey | null,
    now: number,
    generation: number,
  ): number {
    const { records, index } = this;
    const hash = this.hash.hash5(from, to, ports, subject, 0);
    for (let found = index.next(hash, 0); found >= 0; found = index.next(hash, placeAfter(found))) {
      const handle = handleOf(found);
      const entry = handle >>> 1;
      const version = records.version(entry);
      const state = records.state(entry);
      if (!records.matches(handle, from, to, ports, subject, key)) continue;
      if (!this.isUsed(handle, state, now)) continue;
      if (records.read(entry, state, version, generation)) return handle;
      if (records.recheck(handle, from, to, ports, subject, key)) return handle;
    }
    return NOTHING;
  }

  /**
   * Whether another entry than `except` has the tuple: its handle where that flow lives, 0 where there is none. One that is over
   * is ended for good, so that nobody revives it, and told as a negative handle, once.
   */
  taken(key: FlowKey, except: number, now: number): number {
    const { index, records } = this;
    const hash = this.hash.hash5(key.from, key.to, key.ports, key.subject, 0);
    for (let found = index.next(hash, 0); found >= 0; found = index.next(hash, placeAfter(found))) {
      const handle = handleOf(found);
      const entry = handle >>> 1;
      const state = records.state(entry);
      if (entry === except || (state & STATE_MASK) === FLOW.ENDED || !records.has(handle, key)) continue;
      if (!isSameFlow(records.state(entry), state)) continue;
      if (this.isAlive(entry, state, now)) return handle;
      if (records.move(entry, state, state & ~STATE_MASK)) return -handle;
    }
    return 0;
  }

  isAlive(entry: number, state: number, now: number): boolean {
    return this.activity.idle(entry, now) < lifetimeOf(this.lifetimes, state);
  }

  /** Both ways of an entry, as its record has them. Answers false where there is no room. */
  insert(entry: number): boolean {
    const { index } = this;
    if (!index.insert(this.hashOf(2 * entry), 2 * entry)) return false;
    // Who speaks to itself has one tuple for both ways, and is found by it once.
    return this.isSymmetric(entry) || index.insert(this.hashOf(2 * entry + 1), 2 * entry + 1);
  }

  remove(entry: number): void {
    this.index.remove(this.hashOf(2 * entry), 2 * entry);
    this.index.remove(this.hashOf(2 * entry + 1), 2 * entry + 1);
  }

  /** `isAlive`, without a look at the other way's activity where this one's is enough. */
  isUsed(handle: number, state: number, now: number): boolean {
    const { activity } = this;
    const lifetime = lifetimeOf(this.lifetimes, state);
    const entry = handle >>> 1;
    return activity.idleOf(entry, handle & 1, now) < lifetime || activity.idle(entry, now) < lifetime;
  }

  private hashOf(handle: number): number {
    const { hash, records } = this;
    const from = records.tupleWord(handle, 0);
    const to = records.tupleWord(handle, 1);
    return hash.hash5(from, to, records.tupleWord(handle, 2), records.tupleWord(handle, 3), 0);
  }

  private isSymmetric(entry: number): boolean {
    const { records } = this;
    for (let word = 0; word < TUPLE_WORDS; word++) {
      if (records.tupleWord(2 * entry, word) !== records.tupleWord(2 * entry + 1, word)) return false;
    }
    return true;
  }
}
