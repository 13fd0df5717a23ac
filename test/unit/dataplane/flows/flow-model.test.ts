/** The flow table held against a plain list of flows: lookups, states, times, quotas, and who is evicted for whom. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ENGINE } from '../../../../src/dataplane/flows/flow-memory.js';
import { OPEN, TRACK } from '../../../../src/dataplane/flows/flow-table.js';
import { find, GRE, open, pass, type Rig, rig, rows, UDP } from './flow-fixture.js';

const PORTS = 4;
const FLOWS = 30;
const SAMPLE = 8;
/** ms. */
const STREAM_AFTER = 2000;

interface Flow {
  readonly protocol: number;
  readonly n: number;
  readonly port: number;
  readonly created: number;
  seen: number;
  replied: boolean;
  stream: boolean;
  counts: [number, number];
}

class Model {
  /** By port: what goes first, oldest first; and what is kept, in the order in which it would be looked at. */
  readonly expendable = Array.from({ length: PORTS }, (): Flow[] => []);
  readonly kept = Array.from({ length: PORTS }, (): Flow[] => []);

  constructor(
    private readonly one: Rig,
    private readonly capacity: number,
    private readonly quota: number,
  ) {}

  get all(): Flow[] {
    return [...this.expendable, ...this.kept].flat();
  }

  alive(flow: Flow, now: number): boolean {
    return now - flow.seen < (flow.protocol === GRE ? 600_000 : flow.stream ? 120_000 : 30_000);
  }

  find(protocol: number, n: number): Flow | undefined {
    return this.all.find((flow) => flow.protocol === protocol && flow.n === n);
  }

  remove(flow: Flow): void {
    for (const list of [...this.expendable, ...this.kept]) {
      const at = list.indexOf(flow);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** After the table has opened a flow: holds the one that went, if any, against those that were allowed to. */
  open(protocol: number, n: number, port: number, now: number): number {
    if (port >= PORTS) return OPEN.refused;
    const known = this.find(protocol, n);
    if (known !== undefined && this.alive(known, now)) return OPEN.clash;
    if (known !== undefined) this.remove(known);
    const allowed = this.victims(port, now);
    if (allowed.length > 0) this.judge(allowed, protocol, n);
    const flow: Flow = {
      protocol,
      n,
      port,
      created: now,
      seen: now,
      replied: false,
      stream: false,
      counts: [0, 0],
    };
    this.expendable[port].push(flow);
    return TRACK.fine;
  }

  private judge(allowed: Flow[], protocol: number, n: number): void {
    const left = rows(this.one).map((row) => `${row.protocol} ${row.original.source[0] - 0x0a000000}`);
    const gone = this.all.filter((flow) => !left.includes(`${flow.protocol} ${flow.n}`));
    // The one that has been opened may have the tuple of one that had ended.
    expect(gone.filter((flow) => flow.protocol !== protocol || flow.n !== n)).toHaveLength(1);
    expect(allowed).toContain(gone[0]);
    const kept = this.kept[gone[0].port];
    // Those that were looked at with it go to the back.
    if (kept.includes(gone[0])) kept.push(...kept.splice(0, SAMPLE));
    this.remove(gone[0]);
  }

  /** Who may go: one by port, where ports have as many. */
  private victims(port: number, now: number): Flow[] {
    if (this.expendable[port].length + this.kept[port].length >= this.quota) {
      return [this.expendable[port][0] ?? this.leastUsed(port, now)];
    }
    if (this.all.length < this.capacity) return [];
    const flooding = this.largest(this.expendable);
    if (flooding.length > 0) return flooding.map((each) => this.expendable[each][0]);
    return this.largest(this.kept).map((each) => this.leastUsed(each, now));
  }

  private largest(lists: Flow[][]): number[] {
    const most = Math.max(...lists.map((list) => list.length));
    return most === 0 ? [] : lists.flatMap((list, port) => (list.length === most ? [port] : []));
  }

  private leastUsed(port: number, now: number): Flow {
    const looked = this.kept[port].slice(0, SAMPLE);
    return looked.reduce((chosen, flow) => (now - flow.seen > now - chosen.seen ? flow : chosen));
  }

  pass(protocol: number, n: number, way: number, now: number): number {
    const flow = this.find(protocol, n);
    if (flow === undefined || !this.alive(flow, now)) return -1;
    flow.replied ||= way === 1;
    if (protocol === UDP && flow.replied && now - flow.created > STREAM_AFTER) flow.stream = true;
    flow.seen = now;
    flow.counts[way] += 1;
    const isKept = protocol === GRE ? flow.replied : flow.stream;
    if (isKept && !this.kept[flow.port].includes(flow)) {
      this.remove(flow);
      this.kept[flow.port].push(flow);
    }
    return TRACK.fine;
  }

  end(which: (flow: Flow) => boolean): number {
    const gone = this.all.filter(which);
    for (const flow of gone) this.remove(flow);
    return gone.length;
  }
}

const protocol = fc.constantFrom(UDP, GRE);
const n = fc.nat(FLOWS - 1);
const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant('open' as const), protocol, n, port: fc.nat(PORTS) }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('pass' as const), protocol, n, way: fc.nat(1) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 900, 2001, 31_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), protocol, n }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), port: fc.nat(PORTS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Steps, some of which are opened and answered flows: so that tables fill up with those, too. */
const stepOrSteps = fc.oneof(
  { weight: 2, arbitrary: step.map((one): Step[] => [one]) },
  {
    weight: 1,
    arbitrary: fc.record({ n, port: fc.nat(PORTS - 1) }).map(({ n, port }): Step[] => [
      { do: 'wait', ms: 1 },
      { do: 'open', protocol: GRE, n, port },
      { do: 'pass', protocol: GRE, n, way: 1 },
    ]),
  },
);

/** What the table does, and what the model says it should. */
function apply(
  one: Exclude<Step, { do: 'wait' }>,
  now: number,
  subject: Rig,
  model: Model,
): [number, number] {
  const { table } = subject;
  switch (one.do) {
    case 'open': {
      const answer = open(subject, one.protocol, one.n, one.port, now);
      const expected = model.open(one.protocol, one.n, one.port, now);
      return [answer > 0 ? TRACK.fine : answer, expected];
    }
    case 'pass':
      return [
        pass(subject, one.protocol, one.n, one.way, now),
        model.pass(one.protocol, one.n, one.way, now),
      ];
    case 'end': {
      const handle = find(subject, one.protocol, one.n, now, 1);
      if (handle > 0) table.end(handle, table.found.state);
      const ended = model.end(
        (flow) => flow.protocol === one.protocol && flow.n === one.n && model.alive(flow, now),
      );
      return [handle > 0 ? 1 : 0, ended];
    }
    case 'forget':
      return [table.forgetPort(one.port, 100), model.end((flow) => flow.port === one.port)];
    case 'sweep':
      return [table.sweep(now, 100), model.end((flow) => !model.alive(flow, now))];
  }
}

function compare(subject: Rig, model: Model, now: number): void {
  const { table } = subject;
  const order = (lines: string[]): string[] => lines.sort();
  const told = rows(subject, now).map(({ protocol, original, reply, port, age, idle, isReplied }) =>
    [
      protocol,
      original.source[0] - 0x0a000000,
      port,
      age,
      idle,
      isReplied,
      original.packets,
      reply.bytes / 100,
    ].join(),
  );
  const expected = model.all.map(({ protocol, n, port, created, seen, replied, counts }) =>
    [protocol, n, port, now - created, now - seen, replied, ...counts].join(),
  );
  expect(order(told)).toEqual(order(expected));
  expect(table.size).toBe(expected.length);
  for (let port = 0; port < PORTS; port++) {
    expect(table.countOf(port)).toBe(model.expendable[port].length + model.kept[port].length);
  }
  for (const protocol of [UDP, GRE]) {
    for (let n = 0; n < FLOWS; n++) {
      const flow = model.find(protocol, n);
      const isThere = flow !== undefined && model.alive(flow, now);
      const [there, back] = [find(subject, protocol, n, now), find(subject, protocol, n, now, 1)];
      expect([there > 0, back]).toEqual([isThere, isThere ? there + 1 : -1]);
    }
  }
}

it('does what a plain list of flows does', () => {
  const begin = fc.constantFrom(0, 2 ** 31 - 6000, 2 ** 32 - 6000, 2 ** 40);
  const steps = fc.array(stepOrSteps, { maxLength: 80, size: 'max' });
  const bounds = fc.integer({ min: 1, max: 24 });
  let evictions = 0;
  fc.assert(
    fc.property(begin, bounds, bounds, steps, (start, capacity, most, list) => {
      const quota = Math.min(capacity, most);
      const subject = rig(capacity, { ports: PORTS, quota });
      const model = new Model(subject, capacity, quota);
      let now = start;
      for (const one of list.flat()) {
        if (one.do === 'wait') {
          now += one.ms;
          continue;
        }
        const [answer, expected] = apply(one, now, subject, model);
        expect(answer).toBe(expected);
        compare(subject, model, now);
      }
      evictions += subject.reader.count(ENGINE.EVICTED);
      subject.table.sweep(now + 600_000, 100);
      expect([subject.table.size, new Int32Array(subject.memory.index).some((word) => word !== 0)]).toEqual([
        0,
        false,
      ]);
    }),
    { numRuns: 50 },
  );
  // Of so many steps a good part must have met a full table.
  expect(evictions).toBeGreaterThan(50);
});
