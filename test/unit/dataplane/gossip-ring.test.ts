import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { GossipRing, makeRing, RECORD_WORDS, RECORDS } from '../../../src/dataplane/gossip-ring.js';
import type { Consumed, HammerStart, Produced } from '../../support/gossip-hammer.js';

const script = fileURLToPath(new URL('../../../dist/test/support/gossip-hammer.js', import.meta.url));
const isBuilt = existsSync(script);
const reason = isBuilt ? '' : ' [skipped: needs dist/, which npm run build makes]';

/** A ring that has carried `carried` records (modulo 2^32) before, and its two ends. */
function setUp(carried = 0) {
  const shared = makeRing();
  const words = new Int32Array(shared);
  words[0] = words[16] = carried;
  return { producer: new GossipRing(shared), consumer: new GossipRing(shared) };
}

function record(number: number): Int32Array {
  return Int32Array.from({ length: RECORD_WORDS }, (_, i) => number * 100 + i);
}

function take(ring: GossipRing): number[] {
  const into = new Int32Array(RECORD_WORDS);
  ring.peek(into);
  ring.release();
  return [...into];
}

/** Both ends of a new ring in threads of their own, for a second. */
async function hammer(producers: number): Promise<{ produced: Produced[]; consumed: Consumed }> {
  const common = {
    ring: makeRing(),
    gate: new SharedArrayBuffer(8),
    threads: producers + 1,
    milliseconds: 1000,
  };
  const run = (role: HammerStart['role']) =>
    new Promise<unknown>((resolve, reject) => {
      const worker = new Worker(script, { workerData: { ...common, role } satisfies HammerStart });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const produced = Array.from({ length: producers }, () => run('producer') as Promise<Produced>);
  const consumed = (await run('consumer')) as Consumed;
  return { produced: await Promise.all(produced), consumed };
}

describe('GossipRing', () => {
  it('hands over records in order, each whole', () => {
    const { producer, consumer } = setUp();
    expect(consumer.waiting).toBe(0);
    for (const number of [1, 2, 3]) expect(producer.push(record(number), 0)).toBe(true);
    expect(consumer.waiting).toBe(3);
    expect([1, 2, 3].map(() => take(consumer))).toEqual([1, 2, 3].map((number) => [...record(number)]));
    expect(consumer.waiting).toBe(0);
  });

  it('keeps a record until it is released', () => {
    const { producer, consumer } = setUp();
    producer.push(record(7), 0);
    const seen = new Int32Array(RECORD_WORDS);
    consumer.peek(seen);
    expect([seen, consumer.waiting]).toEqual([record(7), 1]);
  });

  it.each([
    ['new', 0],
    ['about to pass 2^31', 2 ** 31 - 10],
    ['about to pass 2^32', -10],
  ])('refuses what there is no room for, and only that: %s', (_, carried) => {
    const { producer, consumer } = setUp(carried);
    for (let number = 0; number < RECORDS; number++) expect(producer.push(record(number), 0)).toBe(true);
    expect(producer.push(record(-1), 0)).toBe(false);
    expect(consumer.waiting).toBe(RECORDS);
    for (let number = 0; number < 3 * RECORDS; number++) {
      expect(take(consumer)).toEqual([...record(number)]);
      expect(producer.push(record(number + RECORDS), 0)).toBe(true);
      expect(producer.push(record(-1), 0)).toBe(false);
    }
  });

  it('leaves places free where it is asked to', () => {
    const { producer, consumer } = setUp();
    let pushed = 0;
    while (producer.push(record(pushed), RECORDS / 2)) pushed++;
    expect(pushed).toBe(RECORDS / 2);
    expect(producer.push(record(0), 0)).toBe(true);
    take(consumer);
    expect(producer.push(record(0), RECORDS / 2)).toBe(false);
    take(consumer);
    expect(producer.push(record(0), RECORDS / 2)).toBe(true);
  });

  it('is found as it is by an end that is opened later', () => {
    const shared = makeRing();
    const first = new GossipRing(shared);
    for (const number of [1, 2]) first.push(record(number), 0);
    expect(take(new GossipRing(shared))).toEqual([...record(1)]);
    expect(take(new GossipRing(shared))).toEqual([...record(2)]);
  });
});

describe.skipIf(!isBuilt)(`a ring between two threads${reason}`, () => {
  it('loses nothing unseen, tears nothing and keeps the order', async () => {
    const { produced, consumed } = await hammer(1);
    const [{ accepted, refused }] = produced;
    console.log(`${accepted} records in a second, ${refused} refused`);
    expect(accepted).toBeGreaterThan(10 * RECORDS);
    expect(consumed).toMatchObject({ received: accepted, torn: 0, unordered: 0 });
    // What was refused after the last that came is no gap.
    expect(consumed.gaps).toBeLessThanOrEqual(refused);
    expect(consumed.last).toBe(accepted + consumed.gaps);
  });

  it('would be seen to, if two threads pushed', async () => {
    const { produced, consumed } = await hammer(2);
    const accepted = produced.reduce((sum, one) => sum + one.accepted, 0);
    expect(consumed.unordered + consumed.torn + Math.abs(accepted - consumed.received)).toBeGreaterThan(0);
  });
});
