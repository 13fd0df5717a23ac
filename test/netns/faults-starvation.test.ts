/**
 * A data plane with fewer slots than packets that come: it drops and counts, and goes on.
 *
 *     a: eth0 ─── data plane with a few slots ─── b: eth0
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataplane } from '../../src/dataplane/worker/handle.js';
import { DataplaneBench, isBuilt } from '../support/netns-dataplane.js';
import { restingShare } from '../support/netns-process.js';
import { runIn } from '../support/netns-programs.js';
import { missingForDaemon, until } from './daemon-support.js';

const missing = missingForDaemon() ?? (isBuilt ? undefined : 'npm run build');
if (missing) console.log(`skipped: starvation needs ${missing}`);

/** One for the read that waits at each port, and one. */
const FEW = 3;
describe.skipIf(missing).each(['uring', 'poll'] as const)('with --io %s', (io) => {
  let bench: DataplaneBench;
  let plane: Dataplane;

  beforeEach(() => {
    bench = new DataplaneBench();
  });
  afterEach(() => bench.cleanup());

  async function expectEverySlot(): Promise<void> {
    const atRest = async () => {
      const { slots, free, inFlight, held } = await plane.usage();
      return free + inFlight + held === slots;
    };
    expect(await until(atRest)).toBe(true);
    const [received, originated, replicated, joined, consumed, sent, dropped] = (
      ['received', 'originated', 'replicated', 'joined', 'consumed', 'sent', 'dropped'] as const
    ).map((total) => plane.counters.total(total));
    const { held } = await plane.usage();
    expect(received + originated + replicated).toBe(sent + consumed + joined + dropped + held);
  }

  it(`forwards with ${FEW} slots what it can`, async () => {
    plane = await bench.start({ io, slots: FEW });
    const floods = (['a', 'b'] as const).map((side) =>
      runIn(bench.name(side), 'ping', '-q', '-f', '-w1', side === 'a' ? '10.99.0.2' : '10.99.0.1'),
    );
    for (const { text } of await Promise.all(floods)) expect(text).toMatch(/ [1-9]\d* received/);
    const after = await runIn(bench.name('a'), 'ping', '-q', '-c3', '-i0.05', '-W2', '10.99.0.2');
    expect(after.status).toBe(0);
    await expectEverySlot();
  });

  it('does not spin where ports outnumber slots', async () => {
    plane = await bench.start({ io, slots: 1 });
    expect(await restingShare(process.pid, 1000, 0.3)).toBeLessThan(0.3);
    await expectEverySlot();
  });
});
