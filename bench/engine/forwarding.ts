/**
 * `engine.bridge` and `engine.route`: what forwarding costs between parsing and the way out, in elements as they are
 * wired. Packets are parsed already and stay where they lie (in-place.ts).
 *
 *     engine.bridge   attachment, classify, forward: to 64 pods of the same subnet, by the static FDB
 *     engine.route    route-input, route-lookup, decrement-ttl, next-hop: to a thousand nodes with a /24 each
 *
 * `of that: bench loop` is what setting the facts takes.
 */
import type { Element } from '../../src/dataplane/element.js';
import type { Figure } from '../figure.js';
import { measureCases, type SizedCase } from './cases.js';
import { FrameStore } from './frame-store.js';
import { InPlace } from './in-place.js';
import { BATCH } from './node.js';
import { mixes, type Named, spaceFor } from './parse.js';
import { checkNoDrops, ownBatch, Stages } from './stages.js';
import type { Budget } from './timing.js';
import * as workloads from './workloads.js';

export const BRIDGE = 'engine.bridge';
export const ROUTE = 'engine.route';

type Say = (text: string) => void;

export function measureBridge(budget: Budget, say: Say, scale = workloads.FULL): Figure[] {
  const shortest = Object.entries(scale.flows).map(([name, flows]) => ({
    name,
    traffic: workloads.bridged(flows, {}),
  }));
  const imix = workloads.bridged(scale.usualFlows, { kind: 'imix' });
  const named = [...shortest, { name: 'IMIX, 64 k flows', traffic: imix }];
  return measure(BRIDGE, ['attachment', 'classify', 'forward'], named, budget, say);
}

export function measureRoute(budget: Budget, say: Say, scale = workloads.FULL): Figure[] {
  const elements = ['route-input', 'route-lookup', 'decrement-ttl', 'next-hop'];
  return measure(ROUTE, elements, mixes(scale), budget, say);
}

function measure(
  scenario: string,
  names: readonly string[],
  named: readonly Named[],
  budget: Budget,
  say: Say,
): Figure[] {
  const stages = new Stages(BATCH + spaceFor(named), workloads.nodeTables());
  const { pool } = stages.engine;
  const elements = names.map((name) => stages.named(name));
  const placed = named.map(({ traffic }) => new InPlace(pool, new FrameStore(pool, traffic)));
  const batch = ownBatch(stages);
  const cases = named.map(
    ({ name }, index): SizedCase => ({
      name,
      packets: BATCH,
      run: () => forward(stages, placed[index], batch, elements),
    }),
  );
  const loop = { name: 'of that: bench loop', packets: BATCH, isCostOnly: true };
  const all = [...cases, { ...loop, run: () => placed[0].parsed(batch) }];
  const figures = measureCases(scenario, all, budget, say);
  checkNoDrops(stages);
  return figures;
}

function forward(
  stages: Stages,
  packets: InPlace,
  batch: ReturnType<typeof ownBatch>,
  elements: readonly Element[],
): void {
  packets.parsed(batch);
  const { input } = elements[0];
  for (let i = 0; i < BATCH; i++) input.push(batch.slots[i]);
  stages.run(elements);
  if (stages.forget() !== BATCH) throw new Error('packets went another way than the one that is measured');
}
