import { describe, expect, it } from 'vitest';
import { FlowUpkeep, STEP } from '../../../../src/dataplane/flows/flow-upkeep.js';
import { compileTables } from '../../../../src/dataplane/tables.js';
import { networks } from '../../../support/snapshots.js';
import { find, open, type Rig, rig, UDP } from './flow-fixture.js';

const SECOND = 1000;

function fill(one: Rig, count: number, port: number, from = 0, now = 0): void {
  for (let n = 0; n < count; n++) open(one, UDP, from + n, port, now);
}

describe('FlowUpkeep', () => {
  it('asks for nothing while there is nothing', () => {
    expect(new FlowUpkeep(rig(16).table).sweep(5, 5)).toBe(-1);
  });

  it('frees what is over, within a round, by the clock of the flows', () => {
    const one = rig(8 * STEP, { quota: 8 * STEP });
    const upkeep = new FlowUpkeep(one.table);
    fill(one, 4 * STEP, 1, 0, 7_000_000);
    let now = 0;
    for (let rounds = 0; one.table.size > 0; rounds++) {
      expect(rounds).toBeLessThan(40);
      const wait = upkeep.sweep(now, 7_000_000 + now);
      expect(wait === -1 || (wait > 0 && wait <= 10 * SECOND)).toBe(true);
      now += wait;
    }
    // UDP that nobody has answered lives for 30 s; a round is as long.
    expect(now).toBeGreaterThan(30 * SECOND);
    expect(now).toBeLessThan(65 * SECOND);
    expect(upkeep.sweep(now, now)).toBe(-1);
  });

  it('looks at few entries at once, and not before it is time', () => {
    const one = rig(4 * STEP, { quota: 4 * STEP });
    const upkeep = new FlowUpkeep(one.table);
    fill(one, 3 * STEP, 1);
    const wait = upkeep.sweep(0, 100 * SECOND);
    expect(upkeep.sweep(wait - 1, 100 * SECOND)).toBe(1);
    expect(one.table.size).toBe(3 * STEP);
    upkeep.sweep(wait, 100 * SECOND);
    expect(one.table.size).toBe(2 * STEP);
  });

  it('ends the flows of a port that has gone, in steps, and no others', () => {
    const one = rig(4 * STEP, { quota: 4 * STEP });
    const upkeep = new FlowUpkeep(one.table);
    fill(one, 2 * STEP + 1, 1);
    fill(one, 10, 2, 50_000);
    upkeep.detach(1);
    expect(upkeep.sweep(0, 0)).toBe(0);
    expect(one.table.countOf(1)).toBe(STEP + 1);
    while (upkeep.sweep(0, 0) === 0);
    expect([one.table.countOf(1), one.table.countOf(2)]).toEqual([0, 10]);
    expect(find(one, UDP, 50_003)).toBeGreaterThan(0);
  });

  it('does not take the flows of a port for those of the one that had its number before', () => {
    const one = rig(4 * STEP, { quota: 4 * STEP });
    const upkeep = new FlowUpkeep(one.table);
    fill(one, 3 * STEP, 1);
    upkeep.detach(1);
    upkeep.sweep(0, 0);
    upkeep.attach(1);
    expect(one.table.countOf(1)).toBe(0);
    fill(one, 5, 1, 60_000);
    while (upkeep.sweep(0, 0) === 0);
    expect(one.table.countOf(1)).toBe(5);
  });

  it('gives the ports of tunnel and node seven eighths, and takes it back from what is neither any more', () => {
    const one = rig(64);
    const upkeep = new FlowUpkeep(one.table);
    const tables = compileTables(networks({ ports: [2] }));
    const counts = () =>
      [1, 2, 3].map((port) => {
        fill(one, 64, port, 100 * port);
        const count = one.table.countOf(port);
        one.table.forgetPort(port, 64);
        return count;
      });
    upkeep.swap({ tunnel: { port: 2, domain: 0 }, translation: { ...tables.translation, nodePort: 3 } });
    expect(counts()).toEqual([32, 56, 56]);
    upkeep.swap({ tunnel: { port: -1, domain: 0 }, translation: { ...tables.translation, nodePort: 1 } });
    expect(counts()).toEqual([56, 32, 32]);
  });
});
