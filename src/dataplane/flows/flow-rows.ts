/**
 * Flows as rows of words, for a file and another process: what a record and its activity have, without the decision.
 *
 * Decisions are not kept: next hops, notes and generations are those of one process, and whoever takes the flow up decides again.
 * Nor is what stands for IPv6 addresses in a tuple, which is a hash with this process's secret. Times are of the machine's
 * monotonic clock, as in the table, so they go on counting while nobody runs.
 *
 * Reads as FlowReader does: from any thread, while engines go on, and asks nothing of them. A row that changes while it is
 * copied is left out.
 */
import { isIpv6 } from './flow-key.js';
import {
  ACTIVITY_WORDS,
  type FlowMemory,
  RECORD,
  RECORD_SHIFT,
  TUPLE_SHIFT,
  TUPLE_WORDS,
} from './flow-memory.js';
import { EntryWalk } from './flow-reader.js';
import { isSameFlow } from './flow-records.js';
import { FLOW, isExpendable, lifetimeOf, lifetimes, MARK, STATE_MASK } from './flow-states.js';

/** Words of a row. */
export const ROW = {
  /** State and marks. */
  STATE: 0,
  PORT: 1,
  CREATED: 2,
  /** Of each way, original and reply: ACTIVITY_WORDS. */
  ACTIVITY: 4,
  /** Of each way TUPLE_WORDS, as in the record. */
  TUPLES: 16,
  /** Of IPv6: source and destination of each way, four words each. */
  ADDRESSES: 24,
} as const;
export const ROW_WORDS = 24;
export const ROW_WORDS_IPV6 = 40;
const STATE_WORD = STATE_MASK | MARK.REPLIED | MARK.ASSURED | MARK.DOUBTED;
/** Where a tuple has its subject. */
const SUBJECT = 3;

/** Where a row has the subject of a way's tuple. */
export function subjectAt(way: number): number {
  return ROW.TUPLES + (way << TUPLE_SHIFT) + SUBJECT;
}

/** Where a row has the activity of a way. */
export function activityAt(way: number): number {
  return ROW.ACTIVITY + way * ACTIVITY_WORDS;
}

/** How many words the row at `at` has. */
export function rowLength(words: Int32Array, at: number): number {
  return isIpv6(words[at + subjectAt(0)]) ? ROW_WORDS_IPV6 : ROW_WORDS;
}

/** Whether it is the state of a flow that is not over, as this version knows them. */
export function isRowState(word: number): boolean {
  const state = word & STATE_MASK;
  return state !== FLOW.ENDED && state <= FLOW.OTHER && (word & ~STATE_WORD) === 0;
}

export class FlowRows {
  /** How many words of the last `copy` are rows. */
  length = 0;
  /** And how many rows. */
  count = 0;
  private readonly records: Int32Array;
  private readonly addresses: Int32Array;
  private readonly activity: readonly Int32Array[];
  private readonly walk: EntryWalk;
  private readonly lifetimes = lifetimes();

  constructor(memory: FlowMemory) {
    this.records = new Int32Array(memory.records);
    this.addresses = new Int32Array(memory.addresses);
    this.activity = memory.activity.map((way) => new Int32Array(way));
    this.walk = new EntryWalk(memory);
  }

  /**
   * Copies the flows that live among `budget` entries from `place` on (0 to begin). Answers where to go on, or -1 at the end.
   * @param into has room for `budget` rows of ROW_WORDS_IPV6
   * @param isWhole also those that go first when room is needed: opening, closing, or unanswered.
   */
  copy(place: number, budget: number, now: number, isWhole: boolean, into: Int32Array): number {
    this.length = 0;
    this.count = 0;
    return this.walk.each(place, budget, (entry) => {
      const words = this.copyEntry(entry, now, isWhole, into, this.length);
      if (words === 0) return;
      this.length += words;
      this.count++;
    });
  }

  /** Answers how many words that is. */
  private copyEntry(entry: number, now: number, isWhole: boolean, into: Int32Array, at: number): number {
    const { records, activity } = this;
    const record = entry << RECORD_SHIFT;
    const state = Atomics.load(records, record + RECORD.STATE);
    if ((state & STATE_MASK) === FLOW.ENDED || (!isWhole && isExpendable(state))) return 0;
    if (this.idle(entry, now) >= lifetimeOf(this.lifetimes, state)) return 0;
    into[at + ROW.STATE] = state & STATE_WORD;
    into[at + ROW.PORT] = records[record + RECORD.PORT];
    into[at + ROW.CREATED] = records[record + RECORD.CREATED];
    into[at + ROW.CREATED + 1] = 0;
    for (let way = 0; way < 2; way++) {
      const from = entry * ACTIVITY_WORDS;
      const to = at + activityAt(way);
      for (let i = 0; i < ACTIVITY_WORDS; i++) into[to + i] = activity[way][from + i];
    }
    for (let i = 0; i < 2 * TUPLE_WORDS; i++) into[at + ROW.TUPLES + i] = records[record + RECORD.TUPLES + i];
    const length = rowLength(into, at);
    if (length === ROW_WORDS_IPV6) this.copyAddresses(entry, into, at);
    return isSameFlow(Atomics.load(records, record + RECORD.STATE), state) ? length : 0;
  }

  private copyAddresses(entry: number, into: Int32Array, at: number): void {
    const from = entry << RECORD_SHIFT;
    for (let i = 0; i < 1 << RECORD_SHIFT; i++) into[at + ROW.ADDRESSES + i] = this.addresses[from + i];
    for (let way = 0; way < 2; way++) {
      const tuple = at + ROW.TUPLES + (way << TUPLE_SHIFT);
      into[tuple] = into[tuple + 1] = 0;
    }
  }

  private idle(entry: number, now: number): number {
    const [original, reply] = this.activity;
    const at = entry * ACTIVITY_WORDS;
    return Math.min((now - original[at]) | 0, (now - reply[at]) | 0);
  }
}
