import { describe, expect, it } from 'vitest';
import { ReadRound } from '../../../../src/dataplane/devices/read-round.js';

/** Runs a round in which every read is asked, and so many of them bring a packet. */
function run(round: ReadRound, packets: (reads: number) => number, bytes: number, datagrams = 1): number {
  const reads = round.begin();
  for (let i = 0; i < reads; i++) round.ask();
  for (let i = 0; i < packets(reads); i++) round.bring(bytes, datagrams);
  return reads;
}

const all = (reads: number): number => reads;
const none = (): number => 0;

describe('ReadRound', () => {
  it('doubles while all bring a packet, up to a batch', () => {
    const round = new ReadRound();
    expect(Array.from({ length: 9 }, () => run(round, all, 100))).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64]);
  });

  it('brings no more than half a mebibyte', () => {
    const round = new ReadRound();
    const reads = Array.from({ length: 9 }, () => run(round, all, 65_536));
    expect(reads).toEqual([1, 2, 4, 8, 8, 8, 8, 8, 8]);
  });

  it('brings no more than five hundred short datagrams in bundles', () => {
    const round = new ReadRound();
    const reads = Array.from({ length: 9 }, () => run(round, all, 40 * 68, 40));
    expect(reads).toEqual([1, 2, 4, 8, 12, 12, 12, 12, 12]);
  });

  it('counts bundles of long datagrams by their bytes', () => {
    const round = new ReadRound();
    const reads = Array.from({ length: 6 }, () => run(round, all, 45 * 1450, 45));
    expect(reads).toEqual([1, 2, 4, 8, 8, 8]);
  });

  it('follows what comes, and one read more', () => {
    const round = new ReadRound();
    for (let i = 0; i < 5; i++) run(round, all, 100);
    expect(run(round, () => 5, 100)).toBe(32);
    expect(run(round, () => 5, 100)).toBe(6);
  });

  it('is the waiting read alone after nothing came', () => {
    const round = new ReadRound();
    for (let i = 0; i < 5; i++) run(round, all, 100);
    run(round, none, 0);
    expect(run(round, none, 0)).toBe(1);
  });

  it('goes on after empty packets', () => {
    const round = new ReadRound();
    expect(Array.from({ length: 4 }, () => run(round, all, 0))).toEqual([1, 2, 4, 8]);
  });
});
