/**
 * `engine.parse`: what it takes to find the headers of a packet and to check every length. Packets stay where they lie
 * (in-place.ts), so that with many flows they come from memory.
 *
 * Captures are fed as they are: IPv4 and IPv6, options, fragments, ICMP; a packet longer than an MTU counts as one.
 */
import { parsePacket } from '../../src/dataplane/elements/parse.js';
import type { Figure } from '../figure.js';
import { captureNames, readCapture } from '../traffic/captures.js';
import type { Traffic } from '../traffic/traffic.js';
import { measureCases, type SizedCase } from './cases.js';
import { FrameStore, slotsFor } from './frame-store.js';
import { InPlace } from './in-place.js';
import { BATCH } from './node.js';
import { ownBatch, Stages } from './stages.js';
import type { Budget } from './timing.js';
import * as workloads from './workloads.js';

export const PARSE = 'engine.parse';

export interface Named {
  readonly name: string;
  readonly traffic: Traffic;
}

export async function measureParse(
  budget: Budget,
  say: (text: string) => void,
  scale: workloads.Scale = workloads.FULL,
): Promise<Figure[]> {
  const named = [...mixes(scale), ...(await captures())];
  const stages = new Stages(BATCH + spaceFor(named), workloads.nodeTables());
  const { pool } = stages.engine;
  const placed = named.map(({ traffic }) => new InPlace(pool, new FrameStore(pool, traffic)));
  const batch = ownBatch(stages);
  const cases = named.map(({ name }, index): SizedCase => {
    const packets = placed[index];
    return {
      name,
      packets: BATCH,
      run: () => {
        packets.bare(batch);
        for (let i = 0; i < BATCH; i++) parsePacket(pool, batch.slots[i]);
      },
    };
  });
  const loop = { name: 'of that: bench loop', packets: BATCH, isCostOnly: true };
  return measureCases(PARSE, [...cases, { ...loop, run: () => placed[0].bare(batch) }], budget, say);
}

export function spaceFor(named: readonly Named[]): number {
  return named.reduce((sum, { traffic }) => sum + slotsFor(traffic), 0);
}

/** Of the shortest frames by number of flows, and IMIX. */
export function mixes(scale: workloads.Scale): Named[] {
  const shortest = Object.entries(scale.flows).map(([name, flows]) => ({
    name,
    traffic: workloads.mix(flows, {}),
  }));
  return [
    ...shortest,
    { name: 'IMIX, 64 k flows', traffic: workloads.mix(scale.usualFlows, { kind: 'imix' }) },
  ];
}

export async function captures(): Promise<Named[]> {
  const named = captureNames().map(async (name) => ({
    name: `capture ${name}`,
    traffic: await readCapture(name),
  }));
  return Promise.all(named);
}
