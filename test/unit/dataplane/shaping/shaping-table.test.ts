import { describe, expect, it } from 'vitest';
import type { ImpairmentSpec, PortSpec } from '../../../../src/dataplane/snapshot.js';
import { buildShapingTable } from '../../../../src/dataplane/tables/shaping-table.js';
import { compileTables } from '../../../../src/dataplane/tables.js';
import { networks } from '../../../support/snapshots.js';

const RATE = { bitsPerSecond: 1_000_000, burstBytes: 10_000 };
const SNAPSHOT = networks({ ports: [2] });

function port(more: Partial<PortSpec>): PortSpec {
  return { ...SNAPSHOT.ports[0], ...more };
}

function impairment(more: Partial<ImpairmentSpec>): Partial<PortSpec> {
  return { impairments: [{ direction: 'from-port', prefixes: ['0.0.0.0/0'], ...more }] };
}

describe('the shaping table', () => {
  it('has no row, and marks no port, where nothing is limited', () => {
    const { shaping, ports } = compileTables(SNAPSHOT);
    expect(shaping.queue).toHaveLength(0);
    expect([...ports.shapedFrom, ...ports.shapedTo]).toEqual([0, 0, 0, 0]);
    expect([...ports.expressMtu]).toEqual([1500, 1500]);
  });

  it('marks each direction by itself', () => {
    const [first, second] = SNAPSHOT.ports;
    const limited = [
      { ...first, rates: { toPort: RATE } },
      { ...second, ...impairment({ loss: 0.5 }) },
    ];
    const { ports } = compileTables({ ...SNAPSHOT, ports: limited });
    expect([...ports.shapedFrom, ...ports.shapedTo]).toEqual([0, 1, 1, 0]);
    expect([...ports.expressMtu]).toEqual([0, 1500]);
  });

  it('gives a port the same queues, whatever the others have', () => {
    const limited = port({ rates: { fromPort: RATE, toPort: RATE }, ...impairment({ delayMs: 1 }) });
    const other = { ...SNAPSHOT.ports[1], id: 1, rates: { fromPort: RATE }, ...impairment({ loss: 1 }) };
    const alone = [...buildShapingTable([limited]).queue];
    const together = [...buildShapingTable([other, limited]).queue];
    expect(together.slice(-3)).toEqual(alone);
    expect(new Set(together).size).toBe(5);
  });

  it.each<[string, Partial<PortSpec>, string]>([
    ['a rate of nothing', { rates: { toPort: { ...RATE, bitsPerSecond: 0 } } }, 'TABLE_INVALID'],
    ['a burst below nothing', { rates: { fromPort: { ...RATE, burstBytes: -1 } } }, 'TABLE_INVALID'],
    ['a delay that is no number', impairment({ delayMs: Number.NaN }), 'TABLE_INVALID'],
    ['a delay of hours', impairment({ delayMs: 3_600_000 }), 'TABLE_INVALID'],
    ['a jitter below nothing', impairment({ jitterMs: -1 }), 'TABLE_INVALID'],
    ['a loss of more than all', impairment({ loss: 1.1 }), 'TABLE_INVALID'],
    ['a rate within an impairment', impairment({ rate: { ...RATE, bitsPerSecond: 1.5 } }), 'TABLE_INVALID'],
    [
      'too many impairments',
      { impairments: Array(17).fill({ direction: 'to-port', prefixes: [] }) },
      'TABLE_TOO_LARGE',
    ],
    [
      'limits of the tunnel',
      { attachment: { kind: 'tunnel', domain: 0 }, rates: { toPort: RATE } },
      'TABLE_INVALID',
    ],
  ])('refuses %s', (_, more, code) => {
    expect(() => buildShapingTable([port(more)])).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(port({}).name) }),
    );
  });
});
