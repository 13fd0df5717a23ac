import { describe, expect, it } from 'vitest';
import { BUCKET_BYTES, RateBuckets } from '../../../../src/dataplane/shaping/rate-buckets.js';
import type { RateSpec } from '../../../../src/dataplane/snapshot.js';
import { buildShapingTable, type ShapingData } from '../../../../src/dataplane/tables/shaping-table.js';
import { networks } from '../../../support/snapshots.js';

/** One row: what port 0 may send. */
function data(rate: RateSpec): ShapingData {
  const { ports } = networks({ ports: [1] });
  return buildShapingTable([{ ...ports[0], rates: { fromPort: rate } }]);
}

/** A millisecond for each 125 bytes. */
const MEGABIT = { bitsPerSecond: 1_000_000, burstBytes: 0 };

const ROW = 0;
const MINUTE = 60_000_000;

describe('RateBuckets', () => {
  it('lets go at once what the burst covers, and then one packet behind the other', () => {
    const table = data({ ...MEGABIT, burstBytes: 2000 });
    const buckets = new RateBuckets();
    const waits = [1000, 1000, 1000, 1000].map((bytes) => buckets.take(table, ROW, bytes, 0, 100_000));
    expect(waits).toEqual([0, 0, 8000, 16_000]);
    expect(buckets.take(table, ROW, 1000, 24_000, 100_000)).toBe(0);
    expect(buckets.take(table, ROW, 1000, 24_000, 100_000)).toBe(8000);
  });

  it('lets pass what is larger than the burst when nothing is owed', () => {
    const table = data({ ...MEGABIT, burstBytes: 1000 });
    const buckets = new RateBuckets();
    expect(buckets.take(table, ROW, 10_000, 0, 100_000)).toBe(0);
    expect(buckets.take(table, ROW, 1000, 0, 100_000)).toBe(80_000);
    expect(buckets.take(table, ROW, 10_000, 80_000, 100_000)).toBe(8000);
  });

  it('refuses what would wait too long, which then costs nothing', () => {
    const table = data(MEGABIT);
    const buckets = new RateBuckets();
    for (let i = 0; i < 11; i++) expect(buckets.take(table, ROW, 1250, 0, 100_000)).toBe(i * 10_000);
    expect(buckets.take(table, ROW, 1250, 0, 100_000)).toBe(-1);
    expect(buckets.take(table, ROW, 1250, 10_000, 100_000)).toBe(100_000);
  });

  it.each([8_000, 3_333_333, 1_000_000_000, 25_000_000_000])('is exact at %i bit/s', (bitsPerSecond) => {
    const table = data({ bitsPerSecond, burstBytes: 0 });
    const buckets = new RateBuckets();
    let now = 0x7fff_0000 | 0;
    let elapsed = 0;
    const packets = 5000;
    for (let i = 0; i < packets; i++) {
      const wait = buckets.take(table, ROW, 1514, now, 2 ** 29);
      elapsed += wait;
      now = (now + wait) | 0;
    }
    const expected = ((packets - 1) * 1514 * 8e6) / bitsPerSecond;
    expect(Math.abs(elapsed - expected)).toBeLessThan(2);
  });

  it('lets two engines have together what one may have', () => {
    const table = data(MEGABIT);
    const shared = new SharedArrayBuffer(BUCKET_BYTES);
    const both = [new RateBuckets(shared), new RateBuckets(shared)];
    const waits = Array.from({ length: 10 }, (_, i) => both[i % 2].take(table, ROW, 125, 0, 100_000));
    expect(waits).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]);
  });

  it('owes nothing after hours, when it is refreshed, nor when it is reset', () => {
    const table = data(MEGABIT);
    const [queue] = table.queue;
    const buckets = new RateBuckets();
    buckets.take(table, ROW, 1250, 0, 100_000);
    for (let minute = 0; minute < 300; minute += 10) buckets.refresh(queue, (minute * MINUTE) | 0);
    expect(buckets.take(table, ROW, 1250, (299 * MINUTE) | 0, 100_000)).toBe(0);
    expect(buckets.take(table, ROW, 1250, (299 * MINUTE) | 0, 100_000)).toBe(10_000);
    buckets.reset(queue, (299 * MINUTE) | 0);
    expect(buckets.take(table, ROW, 1250, (299 * MINUTE) | 0, 100_000)).toBe(0);
  });

  it('keeps a debt that is refreshed', () => {
    const table = data(MEGABIT);
    const buckets = new RateBuckets();
    buckets.take(table, ROW, 1250, 0, 100_000);
    buckets.refresh(table.queue[0], 4000);
    expect(buckets.take(table, ROW, 1250, 4000, 100_000)).toBe(6000);
  });
});
