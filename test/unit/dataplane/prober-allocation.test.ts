/**
 * Probing allocates nothing: hundreds of thousands of probes and answers leave the heap as it was. One number boxed
 * on the heap for each would be several megabytes.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { expect, it } from 'vitest';
import { KIND } from '../../../src/dataplane/pool.js';
import { ProberFixture, peer, peer6 } from './prober-fixture.js';

// Code is compiled in place, not by another thread, which on a busy machine is late: until then numbers are boxed.
setFlagsFromString('--no-concurrent-recompilation');

const PEERS = 400;
/** What the measurement itself may leave. */
const SLACK = 512 * 1024;

it('allocates nothing for probes and their answers, whose times are fractions', async () => {
  const peers = Array.from({ length: PEERS }, (_, i) => (i % 2 === 0 ? peer(i) : peer6(i)));
  const { prober, context, output, pool } = new ProberFixture(peers);
  // In an array: a fraction in a variable of a closure is a number on the heap.
  const clock = Float64Array.of(1000.25);
  let answered = 0;
  const turn = (milliseconds: number): void => {
    for (const end = clock[0] + milliseconds; clock[0] < end; clock[0] += 2.5) {
      context.now = clock[0];
      prober.sweep(clock[0]);
      for (let i = 0; i < output.count; i++) {
        const slot = output.slots[i];
        turnIntoReply(pool.view, pool.l3[slot], pool.l4[slot], pool.kind[slot] === KIND.IPV4);
        if (prober.accept(slot)) answered++;
        pool.release(slot);
      }
      output.clear();
    }
  };
  for (let i = 0; i < 20; i++) {
    turn(20_000);
    await wait(1);
  }
  const before = process.memoryUsage().heapUsed;
  const answeredBefore = answered;
  turn(600_000);
  const grown = process.memoryUsage().heapUsed - before;
  expect(answered - answeredBefore).toBeGreaterThan(PEERS * 590);
  expect(grown).toBeLessThan(SLACK);
});

/** In place, without a checksum, which the prober does not look at: source and destination change places. */
function turnIntoReply(view: DataView, l3: number, l4: number, isIpv4: boolean): void {
  const at = l3 + (isIpv4 ? 12 : 8);
  const words = isIpv4 ? 1 : 4;
  for (let i = 0; i < words; i++) {
    const source = view.getInt32(at + i * 4);
    view.setInt32(at + i * 4, view.getInt32(at + (words + i) * 4));
    view.setInt32(at + (words + i) * 4, source);
  }
  view.setUint8(l4, isIpv4 ? 0 : 129);
}
