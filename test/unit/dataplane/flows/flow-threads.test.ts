import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { type FlowMemory, makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import { FlowReader, type FlowRow } from '../../../../src/dataplane/flows/flow-reader.js';
import type { FlowHammered, FlowHammerStart } from '../../../support/flow-hammer.js';

const script = fileURLToPath(new URL('../../../../dist/test/support/flow-hammer.js', import.meta.url));
const isBuilt = existsSync(script);
const reason = isBuilt ? '' : ' [skipped: needs dist/, which npm run build makes]';
const ENGINES = 3;
const TUPLES = 100;

async function hammer(memory: FlowMemory, isLying = false): Promise<FlowHammered[]> {
  const common = { memory, gate: new SharedArrayBuffer(8), milliseconds: 1000, tuples: TUPLES };
  const run = (own: number) =>
    new Promise<FlowHammered>((resolve, reject) => {
      const workerData: FlowHammerStart = { ...common, own, isLying: isLying && own === 0 };
      const worker = new Worker(script, { workerData });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  return Promise.all(Array.from({ length: ENGINES }, (_, own) => run(own)));
}

function sum(results: FlowHammered[], of: keyof FlowHammered): number {
  return results.reduce((total, one) => total + one[of], 0);
}

function read(memory: FlowMemory): FlowRow[] {
  const list: FlowRow[] = [];
  const reader = new FlowReader(memory);
  for (let place = 0; place >= 0; ) place = reader.read(place, 7, 0, (row) => list.push(row));
  return list;
}

describe.skipIf(!isBuilt)(`engines that share a flow table${reason}`, () => {
  it('never find a torn decision, or another flow’s; no tuple is there twice, and every entry is somebody’s', async () => {
    const memory = makeFlowMemory(20 * ENGINES, ENGINES, 9);
    const results = await hammer(memory);
    console.log(JSON.stringify(results));
    expect(sum(results, 'wrong')).toBe(0);
    for (const of of ['opened', 'decided', 'foreign', 'ended'] as const)
      expect(sum(results, of)).toBeGreaterThan(100);
    const rows = read(memory);
    expect(rows).toHaveLength(sum(results, 'size'));
    expect(new Set(rows.map(({ original }) => original.source[0])).size).toBe(rows.length);
    // Both words of each in the index, and nothing else.
    expect(new Int32Array(memory.index).filter((word) => word !== 0)).toHaveLength(2 * rows.length);
  });

  it('would be seen to, if one did', async () => {
    expect(sum(await hammer(makeFlowMemory(20 * ENGINES, ENGINES, 9), true), 'wrong')).toBeGreaterThan(0);
  });
});
