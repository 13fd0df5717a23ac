import { describe, expect, it } from 'vitest';
import { mergeLearned } from '../../../src/dataplane/worker/learned-answer.js';
import type { LearnedMac, LearnedNeighbour } from '../../../src/dataplane/worker/messages.js';

function mac(lo: number, port: number, ageMs: number, more: Partial<LearnedMac> = {}): LearnedMac {
  return { domain: 0, vlan: 0, mac: `02:aa:00:00:00:0${lo}`, port, ageMs, ...more };
}

function neighbour(address: string, lo: number, ageMs: number, domain = 0): LearnedNeighbour {
  return { domain, address, mac: `02:aa:00:00:00:0${lo}`, port: lo, ageMs };
}

describe('mergeLearned', () => {
  it('leaves one answer as it is', () => {
    const answer = { fdb: [mac(1, 1, 50), mac(2, 1, 40)], neighbours: [neighbour('10.0.0.1', 1, 3)] };
    expect(mergeLearned([answer])).toEqual(answer);
    expect(mergeLearned([])).toEqual({ fdb: [], neighbours: [] });
  });

  it('believes of each address who has heard it last, and lists the oldest first', () => {
    const merged = mergeLearned([
      { fdb: [mac(1, 1, 500), mac(2, 2, 20)], neighbours: [neighbour('10.0.0.1', 1, 9)] },
      { fdb: [mac(2, 3, 30), mac(1, 4, 10), mac(3, 5, 7)], neighbours: [neighbour('10.0.0.1', 2, 8)] },
    ]);
    expect(merged).toEqual({
      fdb: [mac(2, 2, 20), mac(1, 4, 10), mac(3, 5, 7)],
      neighbours: [neighbour('10.0.0.1', 2, 8)],
    });
  });

  it('keeps domains, VLANs and families apart', () => {
    const fdb = [mac(1, 1, 5), mac(1, 2, 4, { vlan: 7 }), mac(1, 3, 3, { domain: 1 })];
    const neighbours = [
      neighbour('fd00::1', 1, 5),
      neighbour('10.0.0.1', 1, 4),
      neighbour('10.0.0.1', 2, 3, 1),
    ];
    const answers = fdb.map((entry, i) => ({ fdb: [entry], neighbours: [neighbours[i]] }));
    expect(mergeLearned(answers)).toEqual({ fdb, neighbours });
  });
});
