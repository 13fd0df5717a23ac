import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceTable } from '../../../src/dataplane/services/service-table.js';
import { stepsOf } from '../../../src/dataplane/worker/service-steps.js';
import { backends, spec } from './services/service-fixture.js';

describe('stepsOf', () => {
  it('leaves a small change whole, and one of nothing', () => {
    const changes = { generation: 9, removed: [4, 5], changed: [spec(1), spec(2)] };
    expect([...stepsOf(changes, 8)]).toEqual([changes]);
    const nothing = { generation: 9, removed: [], changed: [] };
    expect([...stepsOf(nothing, 8)]).toEqual([nothing]);
  });

  it('takes a large one apart: each service once, in order, none but the last step of the new generation', () => {
    const sizes = fc.array(fc.nat(700), { minLength: 1, maxLength: 30 });
    const run = fc.property(sizes, (counts) => {
      const changed = counts.map((count, id) => spec(id, { backends: backends(count) }));
      const steps = [...stepsOf({ generation: 9, removed: [1000], changed }, 8)];
      expect(steps.flatMap((step) => step.changed)).toEqual(changed);
      expect(steps.map((step) => step.removed)).toEqual(steps.map((_, i) => (i === 0 ? [1000] : [])));
      expect(steps.map(({ generation }) => generation)).toEqual(
        steps.map((_, i) => (i === steps.length - 1 ? 9 : 8)),
      );
      for (const step of steps) {
        const most = step.changed.slice(0, -1).reduce((sum, one) => sum + one.backends.length, 0);
        expect(most).toBeLessThan(1000);
      }
    });
    fc.assert(run, { numRuns: 20 });
  });

  it('comes to the same table', () => {
    const changed = Array.from({ length: 900 }, (_, id) => spec(id % 700, { name: `n${id}` }));
    const table = new ServiceTable(1);
    const steps = [...stepsOf({ generation: 3, removed: [], changed }, 2)];
    expect(steps.length).toBeGreaterThan(3);
    for (const step of steps) table.change(step);
    expect([table.size, table.generation, table.get(10)?.name]).toEqual([700, 3, 'n710']);
  });
});
