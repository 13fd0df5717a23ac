/** `engine.*` with tiny tables and mixes: every scenario runs and loses nothing, and what it forwards is right. */
import { describe, expect, it } from 'vitest';
import { warmUp } from '../../../bench/engine/cases.js';
import { measureChecksum } from '../../../bench/engine/checksums.js';
import { peerMac, podAddress, VNI, VTEP_MAC } from '../../../bench/engine/cluster.js';
import { measureFdb } from '../../../bench/engine/fdb.js';
import { measureFib } from '../../../bench/engine/fib.js';
import { REFERENCE_SCENARIO } from '../../../bench/engine/figures.js';
import { measureBridge, measureRoute } from '../../../bench/engine/forwarding.js';
import { MEASURES } from '../../../bench/engine/measures.js';
import { BATCH } from '../../../bench/engine/node.js';
import { measureParse } from '../../../bench/engine/parse.js';
import { makeNode, measurePipeline } from '../../../bench/engine/pipeline.js';
import { addressesWithin, mixedPrefixes } from '../../../bench/engine/prefixes.js';
import { ENGINE_SCENARIOS } from '../../../bench/engine/scenarios.js';
import { measureJoin, measureSegment } from '../../../bench/engine/segments.js';
import { measureService } from '../../../bench/engine/service.js';
import type { Case } from '../../../bench/engine/timing.js';
import { measureDecapsulate, measureEncapsulate } from '../../../bench/engine/tunnel.js';
import type { Scale } from '../../../bench/engine/workloads.js';
import { TOTALS } from '../../../src/dataplane/counters.js';
import type { Engine } from '../../../src/dataplane/engine.js';
import { missingPrograms } from '../../support/netns-programs.js';
import { Collector, fieldsOf } from './engine-tunnel-judge.js';

const BUDGET = { rounds: 1, seconds: 0.005 };
const SCALE: Scale = { flows: { '1 flow': 1, '1 k flows': 100 }, usualFlows: 1000, routes: 3000 };
const SIZES = { few: 10, many: 500 };
const silent = (): void => {};

const SMALL = {
  'engine.pipeline': () => measurePipeline(BUDGET, silent, SCALE),
  'engine.parse': () => measureParse(BUDGET, silent, SCALE),
  'engine.bridge': () => measureBridge(BUDGET, silent, SCALE),
  'engine.route': () => measureRoute(BUDGET, silent, SCALE),
  'engine.encapsulate': () => measureEncapsulate(BUDGET, silent, SCALE),
  'engine.decapsulate': () => measureDecapsulate(BUDGET, silent, SCALE),
  'engine.segment': () => measureSegment(BUDGET, silent),
  'engine.join': () => measureJoin(BUDGET, silent),
  'engine.checksum': () => measureChecksum(BUDGET, silent, SCALE),
  'engine.fib': () => measureFib(BUDGET, silent, SIZES),
  'engine.fdb': () => measureFdb(BUDGET, silent, SIZES),
  'engine.service': () => measureService(BUDGET, silent, { '100 flows': 100 }, 500),
} as const;

describe('a scenario of engine.*', () => {
  it('is listed, measured, and run here', () => {
    const names = ENGINE_SCENARIOS.map(({ name }) => name);
    expect(Object.keys(MEASURES).sort()).toEqual([...names].sort());
    expect(Object.keys(SMALL).sort()).toEqual([...names].sort());
  });

  it.each(Object.entries(SMALL))('%s answers figures that can be', async (name, measure) => {
    const figures = await measure();
    const own = figures.filter(({ scenario }) => scenario === name);
    expect(figures.length).toBe(own.length + 1);
    expect(figures.at(-1)).toMatchObject({
      scenario: REFERENCE_SCENARIO,
      metric: `in ${name}`,
      unit: 'ns',
    });
    expect(new Set(own.map(({ metric }) => metric)).size).toBe(own.length);
    for (const { metric, unit, value, spread } of figures) {
      expect(unit === 'collections' ? value >= 0 : value > 0, metric).toBe(true);
      expect(spread[0] <= value && value <= spread[1], metric).toBe(true);
    }
  });
});

/** What the counters have counted since they were last asked. */
function counted(engine: Engine, run: () => void): Record<string, number> {
  const totals = (): number[] => TOTALS.map((total) => engine.counters.total(total));
  const before = totals();
  run();
  return Object.fromEntries(totals().map((after, i) => [TOTALS[i], after - before[i]]));
}

function runOnce({ prepare, run }: Case): void {
  prepare?.();
  run();
}

describe('the node of engine.pipeline', () => {
  const { node, usual } = makeNode(SCALE);
  const { engine } = node;
  const cases = node.cases();
  const caseOf = (name: string): Case => cases.find((each) => each.name === name)!;

  it.each(cases.map((each) => [each.name, each] as const))('%s: what arrives leaves', (_, each) => {
    const totals = counted(engine, () => runOnce(each));
    expect(totals).toMatchObject({ received: BATCH, dropped: 0, consumed: 0, originated: 0, replicated: 0 });
    expect(totals.sent + totals.joined).toBe(BATCH);
    node.check();
  });

  it('says so where a packet is dropped', () => {
    const broken = makeNode(SCALE).node;
    broken.cases()[0].prepare?.();
    broken.engine.detach(4000);
    broken.cases()[0].run();
    expect(() => broken.check()).toThrow(/packets were dropped/);
  });

  const missing = missingPrograms('tshark', 'text2pcap');
  const reason = missing === undefined ? '' : ` [skipped: needs ${missing}]`;
  it.skipIf(missing !== undefined)(`sends VXLAN that tshark finds nothing wrong with${reason}`, () => {
    const collector = new Collector(engine);
    engine.attach(collector);
    runOnce(caseOf(usual.name));
    const { datagrams } = collector;
    expect(datagrams.length).toBe(BATCH);
    const names = ['vxlan.vni', 'eth.src', 'ip.src', 'ip.ttl', 'ip.checksum.status', 'udp.checksum.status'];
    const bytes = datagrams.map((each) => each.bytes);
    const same = `${VNI} ${VTEP_MAC} ${podAddress(1)} 63 1 1`;
    expect(fieldsOf(bytes, [...names, '_ws.malformed'])).toEqual(new Array(BATCH).fill(same));
    const expected = datagrams.map(({ to }) => {
      const peer = to - 0xc0a8_0000;
      return `${peerMac(peer)} 10.${128 + (peer >> 8)}.${peer & 255}`;
    });
    const to24 = (line: string): string => line.replace(/\.\d+$/, '');
    expect(fieldsOf(bytes, ['eth.dst', 'ip.dst']).map(to24)).toEqual(expected);
    // 1,000 flows go to addresses of four nodes, and a batch has some of each.
    expect(new Set(expected).size).toBe(4);
  });

  it('spreads traffic over the many routes, whose peers are many', () => {
    const collector = new Collector(engine);
    engine.attach(collector);
    for (const [name, least] of [
      ['1 M routes', 150],
      ['10 routes', 6],
    ] as const) {
      collector.datagrams.length = 0;
      runOnce(caseOf(name));
      expect(new Set(collector.datagrams.map(({ to }) => to)).size).toBeGreaterThan(least);
    }
  });
});

describe('mixed prefixes', () => {
  const prefixes = mixedPrefixes(20_000, 1);

  it('are distinct, of lengths 8 to 32, mostly /24, and without host bits', () => {
    expect(new Set(prefixes.map(({ address, length }) => `${address}/${length}`)).size).toBe(20_000);
    const lengths = prefixes.map(({ length }) => length);
    expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([8, 32]);
    expect(lengths.filter((length) => length === 24).length / 20_000).toBeCloseTo(0.59, 1);
    expect(prefixes.filter(({ address, length }) => address % 2 ** (32 - length) !== 0)).toEqual([]);
  });

  it('hold the addresses that are drawn of them', () => {
    const some = prefixes.slice(0, 50);
    const isWithin = (given: number): boolean =>
      some.some(({ address, length }) => given >= address && given < address + 2 ** (32 - length));
    expect([...addressesWithin(some, 500, 2)].every(isWithin)).toBe(true);
  });
});

it('warms up at least once', () => {
  let runs = 0;
  warmUp({ name: 'any', packets: 1, run: () => void runs++ }, 0);
  expect(runs).toBeGreaterThan(0);
});
