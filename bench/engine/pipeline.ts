/**
 * `engine.pipeline`: the whole engine in one thread, from a batch that arrives to what leaves.
 *
 * Batches of 256 frames come from a pod's port. They are parsed, guarded, routed by longest prefix match, their TTL is
 * decremented, and they go to a peer: VXLAN is put before them and the tunnel's device has them. Cycles are as in the
 * worker, with a sweep and two looks at the clock each. How packets come and go is told in bench-device.ts; what
 * that costs is in every figure and, alone, `of that: bench loop`.
 *
 *     1 flow … 1 M flows   60-byte frames to a thousand nodes with a /24 each
 *     IMIX                 the same with 60, 590 and 1,514 octets, 7:4:1
 *     1 M routes           a million mixed prefixes of a thousand nodes, each packet to another; beside the same
 *                          packets by ten routes, in the same engine and the same rounds
 *     bridge to a local pod, decapsulate and deliver   64 pods
 *
 * Garbage collections are counted in a run of their own, since the profiler costs time.
 */
import { GCProfiler } from 'node:v8';
import { type Figure, median } from '../figure.js';
import { warmUp } from './cases.js';
import { cost, plain, rateAndCost, reference } from './figures.js';
import { BATCH, BenchNode, type Workload } from './node.js';
import { type Budget, type Case, timeCases } from './timing.js';
import * as workloads from './workloads.js';

export const PIPELINE = 'engine.pipeline';

const ROUTE = 'route and encapsulate';
const LOOP = 'of that: bench loop';
const MANY = '1 M routes';
const FEW = '10 routes';
/** Cycles in which garbage collections are counted. */
const COUNTED_CYCLES = 4096;

export function measurePipeline(
  budget: Budget,
  say: (text: string) => void,
  scale: workloads.Scale = workloads.FULL,
): Figure[] {
  say('making mixes and tables');
  const { node, usual } = makeNode(scale);
  const cases = [...node.cases(), node.loopCase(LOOP, usual)];
  say('warming up');
  for (const each of cases) warmUp(each, budget.seconds);
  const times = timeCases(cases, budget, say);
  const collections = countCollections(cases.find(({ name }) => name === usual.name)!);
  node.check();
  const ns = (name: string): readonly number[] => times.cases.get(name)!;
  const single = [MANY, FEW, LOOP];
  const names = [...times.cases.keys()].filter((name) => !single.includes(name));
  return [
    ...names.flatMap((name) => rateAndCost(PIPELINE, name, ns(name))),
    cost(PIPELINE, LOOP, ns(LOOP)),
    compareRoutes(ns(MANY), ns(FEW)),
    plain(PIPELINE, 'garbage collections in a million packets', 'collections', [collections]),
    reference(PIPELINE, times),
  ];
}

export function makeNode(scale: workloads.Scale): { node: BenchNode; usual: Workload } {
  const tables = workloads.nodeTables();
  const { many, few } = workloads.byManyAndFew(scale);
  const { usualFlows } = scale;
  const usual = workloads.toPeers(`${ROUTE}, 64 k flows`, tables, usualFlows, 'minimum');
  const node = new BenchNode([
    usual,
    many,
    few,
    ...Object.entries(scale.flows).map(([name, flows]) =>
      workloads.toPeers(`${ROUTE}, ${name}`, tables, flows, 'minimum'),
    ),
    workloads.toPeers(`${ROUTE}, IMIX, 64 k flows`, tables, usualFlows, 'imix'),
    workloads.toNeighbours('bridge to a local pod, 64 k flows', tables, usualFlows),
    workloads.fromPeers('decapsulate and deliver, 64 k flows', tables, usualFlows),
  ]);
  return { node, usual };
}

function countCollections({ prepare, run }: Case): number {
  prepare?.();
  const profiler = new GCProfiler();
  profiler.start();
  for (let cycle = 0; cycle < COUNTED_CYCLES; cycle++) run();
  return (profiler.stop().statistics.length * 1e6) / (COUNTED_CYCLES * BATCH);
}

/** The ratio is of costs: 1 means that a million routes cost nothing. */
function compareRoutes(many: readonly number[], few: readonly number[]): Figure {
  const own = cost(PIPELINE, `${ROUTE}, ${MANY}`, many);
  const baselineValue = median(few);
  return {
    scenario: own.scenario,
    subject: own.subject,
    metric: own.metric,
    unit: own.unit,
    value: own.value,
    baseline: `podwire, ${FEW}`,
    baselineValue,
    ratio: own.value / baselineValue,
    spread: own.spread,
    baselineSpread: [Math.min(...few), Math.max(...few)],
    better: 'lower',
  };
}
