/**
 * `engine.checksum`: the Internet checksum by the WebAssembly kernel, as packets have it taken: over what lies in the
 * first-level cache, over mixes as they come from memory, and over captures; summed, and summed while copied.
 */
import type { Figure } from '../figure.js';
import { measureCases, type SizedCase } from './cases.js';
import { FrameStore } from './frame-store.js';
import { captures, mixes, type Named, spaceFor } from './parse.js';
import { joined } from './rewrite.js';
import { Stages } from './stages.js';
import type { Budget } from './timing.js';
import * as workloads from './workloads.js';

export const CHECKSUM = 'engine.checksum';

/** Octets: a shortest frame, one of MTU 1,500, and the longest packet that offloads make. */
const LENGTHS = [60, 1500, 65_535] as const;
/** Sums of one call. */
const SUMS = 64;

export async function measureChecksum(
  budget: Budget,
  say: (text: string) => void,
  scale: workloads.Scale = workloads.FULL,
): Promise<Figure[]> {
  const named = [...mixes(scale), { name: 'all captures', traffic: joined(await captures()) }];
  const stages = new Stages(4 + spaceFor(named), workloads.nodeTables());
  const { context, pool } = stages.engine;
  const from = pool.at[pool.take()];
  const to = pool.at[pool.take()];
  for (let i = 0; i < LENGTHS[2]; i++) pool.bytes[from + i] = i;
  const cases = LENGTHS.flatMap((length): SizedCase[] => [
    fixed(`sum of ${length} octets`, length, () => context.checksum.sum(from, length, 0)),
    fixed(`sum and copy of ${length} octets`, length, () => context.checksum.copySum(to, from, length, 0)),
  ]);
  const overFrames = named.map((each) => framesCase(stages, each));
  return measureCases(CHECKSUM, [...cases, ...overFrames], budget, say);
}

/** What was summed last, where anybody could look: so nothing of it is left out. */
export let lastSum = 0;

function fixed(name: string, octets: number, sum: () => number): SizedCase {
  return {
    name,
    packets: SUMS,
    octets,
    run: () => {
      for (let i = 0; i < SUMS; i++) lastSum = sum();
    },
  };
}

function framesCase({ engine }: Stages, { name, traffic }: Named): SizedCase {
  const { checksum } = engine.context;
  const { places, lengths, count } = new FrameStore(engine.pool, traffic);
  const octets = lengths.reduce((sum, length) => sum + length, 0) / count;
  let next = 0;
  return {
    name: `sum of each frame, ${name}`,
    packets: SUMS,
    octets,
    run: () => {
      for (let i = 0; i < SUMS; i++) {
        lastSum = checksum.sum(places[next], lengths[next], 0);
        next = next + 1 === count ? 0 : next + 1;
      }
    },
  };
}
