/**
 * What every learned table must do, told with a plain array, and the property test that holds a table against it.
 * Keys are numbers here; an adapter turns them into the table's own. Key k is in domain k & 1.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { LEARN } from '../../../../src/dataplane/tables/learned-table.js';

export interface Subject {
  readonly size: number;
  readonly evictions: number;
  readonly expiries: number;
  readonly moves: number;
  readonly refusals: number;
  learn(key: number, port: number, now: number): number;
  lookup(key: number, now: number): number;
  countOf(port: number): number;
  sweep(now: number, budget: number): number;
  forgetPort(port: number): number;
  forgetDomain(domain: number): number;
  /** Key, port and age of what has not aged out, oldest first. */
  list(now: number): [number, number, number][];
}

export interface Bounds {
  readonly capacity: number;
  readonly ports: number;
  readonly ageingMs: number;
  readonly seed: number;
}

export const KEYS = 40;
const PORTS = 5;
const AGEING = 5000;

interface Entry {
  key: number;
  port: number;
  seen: number;
}

class Model {
  /** In the order in which they would be evicted, were there one port. */
  entries: Entry[] = [];
  moves = 0;
  evictions = 0;
  expiries = 0;
  refusals = 0;

  constructor(
    private readonly subject: Subject,
    private readonly capacity: number,
  ) {}

  private aged(entry: Entry, now: number): boolean {
    return now - entry.seen >= AGEING;
  }

  private drop(entry: Entry): void {
    this.entries = this.entries.filter((other) => other !== entry);
  }

  count(port: number): number {
    return this.entries.filter((entry) => entry.port === port).length;
  }

  lookup(key: number, now: number): number {
    const entry = this.entries.find((one) => one.key === key);
    return entry === undefined || this.aged(entry, now) ? -1 : entry.port;
  }

  learn(key: number, port: number, now: number): number {
    if (port < 0 || port >= PORTS) {
      this.refusals += 1;
      return LEARN.refused;
    }
    const known = this.entries.find((one) => one.key === key);
    if (known === undefined) return this.add({ key, port, seen: now }, now);
    const status = this.aged(known, now)
      ? LEARN.learned
      : known.port === port
        ? LEARN.refreshed
        : LEARN.moved;
    // A busy entry goes to the back of the queue once every 1024 ms.
    const stays = status === LEARN.refreshed && Math.floor(known.seen / 1024) === Math.floor(now / 1024);
    Object.assign(known, { port, seen: now });
    if (!stays) this.entries.push(...this.entries.splice(this.entries.indexOf(known), 1));
    if (status === LEARN.learned) this.expiries += 1;
    if (status === LEARN.moved) this.moves += 1;
    return status;
  }

  private add(entry: Entry, now: number): number {
    let status: number = LEARN.learned;
    if (this.entries.length === this.capacity) {
      const aged = this.aged(this.entries[0], now);
      if (aged) this.expiries += 1;
      else this.evictions += 1;
      if (!aged) status = LEARN.evicted;
      this.drop(aged ? this.entries[0] : this.evicted());
    }
    this.entries.push(entry);
    return status;
  }

  /** Which one the table evicted: it must be the oldest of a port that had no fewer than any other. */
  private evicted(): Entry {
    const most = Math.max(...this.entries.map((entry) => this.count(entry.port)));
    const allowed = this.entries.filter(
      ({ port }, i) =>
        this.count(port) === most && this.entries.findIndex((other) => other.port === port) === i,
    );
    const gone = this.entries.filter(({ key, seen }) => this.subject.lookup(key, seen) === -1);
    expect(gone).toHaveLength(1);
    expect(allowed).toContain(gone[0]);
    return gone[0];
  }

  sweep(now: number, budget: number): number {
    const before = this.entries.length;
    while (before - this.entries.length < budget && this.entries.length > 0) {
      if (!this.aged(this.entries[0], now)) break;
      this.entries.shift();
      this.expiries += 1;
    }
    return before - this.entries.length;
  }

  forget(which: (entry: Entry) => boolean): number {
    const before = this.entries.length;
    this.entries = this.entries.filter((entry) => !which(entry));
    return before - this.entries.length;
  }
}

const key = fc.nat(KEYS - 1);
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('learn' as const), key, port: fc.nat(PORTS - 1) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('learn' as const), key, port: fc.constant(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('learn' as const), key, port: fc.constantFrom(-1, PORTS, 65535) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('lookup' as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 300, 1024, 2500) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sweep' as const), budget: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgetPort' as const), port: fc.nat(PORTS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgetDomain' as const), domain: fc.nat(2) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What the table answers and what the model answers. */
function apply(
  one: Exclude<Step, { do: 'wait' }>,
  now: number,
  subject: Subject,
  model: Model,
): [number, number] {
  switch (one.do) {
    case 'learn': {
      // The table goes first: the model asks it which entry it chose among equals.
      const status = subject.learn(one.key, one.port, now);
      return [status, model.learn(one.key, one.port, now)];
    }
    case 'lookup':
      return [subject.lookup(one.key, now), model.lookup(one.key, now)];
    case 'sweep':
      return [subject.sweep(now, one.budget), model.sweep(now, one.budget)];
    case 'forgetPort':
      return [subject.forgetPort(one.port), model.forget((entry) => entry.port === one.port)];
    case 'forgetDomain':
      return [subject.forgetDomain(one.domain), model.forget((entry) => (entry.key & 1) === one.domain)];
  }
}

function compare(subject: Subject, model: Model, now: number): void {
  const ports = Array.from({ length: PORTS + 2 }, (_, i) => i - 1);
  const live = model.entries.filter((entry) => now - entry.seen < AGEING);
  const { size, moves, evictions, expiries, refusals } = subject;
  expect({
    size,
    counts: ports.map((port) => subject.countOf(port)),
    counters: { moves, evictions, expiries, refusals },
    list: subject.list(now),
  }).toEqual({
    size: model.entries.length,
    counts: ports.map((port) => model.count(port)),
    counters: {
      moves: model.moves,
      evictions: model.evictions,
      expiries: model.expiries,
      refusals: model.refusals,
    },
    list: live.map((entry) => [entry.key, entry.port, now - entry.seen]),
  });
}

/** Runs random steps against the table and the model. Clocks begin at 0 and just before the 32-bit wraps. */
export function holdsAgainstModel(create: (bounds: Bounds) => Subject): void {
  const begin = fc.constantFrom(0, 2 ** 31 - 6000, 2 ** 32 - 6000, 2 ** 40);
  const steps = fc.array(step, { maxLength: 150, size: 'max' });
  fc.assert(
    fc.property(begin, fc.integer({ min: 1, max: 12 }), fc.nat(), steps, (start, capacity, seed, list) => {
      let now = start;
      const subject = create({ capacity, ports: PORTS, ageingMs: AGEING, seed });
      const model = new Model(subject, capacity);
      for (const one of list) {
        if (one.do === 'wait') {
          now += one.ms;
          continue;
        }
        const [answer, expected] = apply(one, now, subject, model);
        expect(answer).toBe(expected);
        compare(subject, model, now);
      }
      // Whatever happened, time empties the table.
      while (subject.sweep(now + AGEING, 3) > 0) expect(subject.size).toBeLessThan(capacity);
      expect(subject.size).toBe(0);
    }),
    { numRuns: 80 },
  );
}
