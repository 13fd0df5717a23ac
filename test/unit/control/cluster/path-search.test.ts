import { describe, expect, it } from 'vitest';
import { searchPath } from '../../../../src/control/cluster/path-search.js';

/** A path that carries `mtu`, and loses without a word what is larger. */
function path(mtu: number, loses: (attempt: number) => boolean = () => false) {
  const asked: number[] = [];
  const ask = async (size: number) => {
    asked.push(size);
    return size <= mtu && !loses(asked.length) ? 300 : undefined;
  };
  return { ask, asked };
}

describe('searchPath', () => {
  it('is content with one answer of the full size', async () => {
    const { ask, asked } = path(1500);
    expect(await searchPath(ask, 576, () => 1500)).toBe(1500);
    expect(asked).toEqual([576, 1500]);
  });

  it.each([577, 1279, 1400, 1492, 1499])('finds the edge of a black hole at %i', async (mtu) => {
    const { ask, asked } = path(mtu);
    expect(await searchPath(ask, 576, () => 1500)).toBe(mtu);
    expect(asked.length).toBeLessThan(40);
  });

  it('finds 1500 below 65535 with a bounded number of packets', async () => {
    const { ask, asked } = path(1500);
    expect(await searchPath(ask, 576, () => 65_535)).toBe(1500);
    expect(asked.length).toBeLessThanOrEqual(1 + 3 + 16 * 3);
  });

  it('is not misled by single losses', async () => {
    const { ask } = path(1400, (attempt) => attempt % 3 === 1);
    expect(await searchPath(ask, 576, () => 1500)).toBe(1400);
  });

  it('says nothing where nobody answers, after three small packets', async () => {
    const { ask, asked } = path(0);
    expect(await searchPath(ask, 1280, () => 1500)).toBeUndefined();
    expect(asked).toEqual([1280, 1280, 1280]);
  });

  it('follows what ICMP tells the kernel meanwhile, without a search', async () => {
    const { ask, asked } = path(1380);
    let ceiling = 1500;
    const told = async (size: number) => {
      if (size > 1400) ceiling = 1400;
      else if (size > 1380) ceiling = 1380;
      return ask(size);
    };
    expect(await searchPath(told, 576, () => ceiling)).toBe(1380);
    expect(new Set(asked)).toEqual(new Set([576, 1500, 1400, 1380]));
  });

  it('waits in proportion to the round trip, at most a second', async () => {
    const waits = async (rtt: number) => {
      const timeouts: number[] = [];
      const ask = async (_size: number, timeoutMs: number) => {
        timeouts.push(timeoutMs);
        return rtt;
      };
      await searchPath(ask, 576, () => 1500);
      return timeouts;
    };
    expect(await waits(100)).toEqual([1000, 100]);
    expect(await waits(50_000)).toEqual([1000, 200]);
    expect(await waits(900_000)).toEqual([1000, 1000]);
  });
});
