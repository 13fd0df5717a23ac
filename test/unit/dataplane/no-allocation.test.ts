/**
 * Ten million packets of every kind through the engine, in a process of their own: the old generation of the
 * heap is never collected, since nothing gets there, and the heap does not grow.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadGolden } from '../../support/golden-case.js';
import type { Result, Workload } from '../../support/no-allocation-run.js';

const script = fileURLToPath(new URL('../../../dist/test/support/no-allocation-run.js', import.meta.url));
const isBuilt = existsSync(script);
const reason = isBuilt ? '' : ' [skipped: needs dist/, which npm run build makes]';

const MEGABYTE = 1 << 20;

/** Collections of the young generation that the process needs for itself. */
const TOLERATED = 2;

/**
 * Code is compiled where it is needed and not by another thread: on a busy machine that is given its time late, and
 * until then numbers are boxed that no compiled code boxes.
 */
const COMPILE_AT_ONCE = ['--no-concurrent-recompilation'];

async function workload(golden: string, packets: number, leak = false): Promise<Workload> {
  const { snapshot, offloads, steps } = await loadGolden(golden);
  const inputs = steps.flatMap(({ inputs }) =>
    [...inputs].flatMap(([port, packets]) =>
      packets.map(({ bytes, facts, remote }) => ({
        port,
        bytes: Buffer.from(bytes).toString('hex'),
        facts,
        remote,
      })),
    ),
  );
  return { packets, warmUp: 500_000, snapshot, offloads, inputs, leak };
}

function run(work: Workload): Result {
  const args = ['--expose-gc', ...COMPILE_AT_ONCE, script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    input: JSON.stringify(work),
    encoding: 'utf8',
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout) as Result;
}

describe.skipIf(!isBuilt)(`no allocation${reason}`, () => {
  it('would be seen', async () => {
    const { collections, heapGrowth } = run(await workload('mixed', 2_000_000, true));
    expect(heapGrowth).toBeGreaterThan(MEGABYTE);
    expect(Object.keys(collections).length).toBeGreaterThan(0);
  }, 60_000);

  it.each([
    ['ten million packets', 'mixed', 10_000_000],
    ['errors and fragments', 'mixed-rare', 1_000_000],
    ['a tunnel, both ways', 'mixed-tunnel', 3_000_000],
  ])(
    'for %s',
    async (_, golden, count) => {
      const { packets, milliseconds, collections, heapGrowth, sent } = run(await workload(golden, count));
      const rate = (packets / milliseconds / 1000).toFixed(2);
      console.log(
        `${golden}: ${packets} packets, ${rate} Mpps, heap ${heapGrowth} bytes, ${JSON.stringify(collections)}`,
      );
      expect(packets).toBeGreaterThanOrEqual(count);
      expect(sent).toBeGreaterThan(count / 2);
      expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
      expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
      expect(heapGrowth).toBeLessThan(MEGABYTE);
    },
    60_000,
  );
});
