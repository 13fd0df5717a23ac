/**
 * Changes of services and the threads that forward: told to all of them, in steps, in order with snapshots. What becomes of packets is
 * judged elsewhere.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileTables } from '../../src/dataplane/tables.js';
import type { Dataplane } from '../../src/dataplane/worker/handle.js';
import { isBuilt } from '../support/netns-dataplane.js';
import { networks } from '../support/snapshots.js';
import { backends, spec } from '../unit/dataplane/services/service-fixture.js';

const HANDLE = new URL('../../dist/src/dataplane/worker/handle.js', import.meta.url);

describe.skipIf(!isBuilt).each([1, 3])('services with workers: %d', (workers) => {
  let plane: Dataplane;

  beforeAll(async () => {
    const built = (await import(HANDLE.href)) as { Dataplane: typeof Dataplane };
    plane = await built.Dataplane.start({ io: 'poll', workers, slots: 64, maxFlows: 4096 });
  });
  afterAll(() => plane.stop());

  it('takes thousands, while snapshots come and go', async () => {
    const changed = Array.from({ length: 2000 }, (_, id) => spec(id, { backends: backends(5) }));
    const tables = (generation: number) => compileTables({ ...networks({ ports: [2] }), generation });
    await Promise.all([
      plane.swap(tables(1)),
      plane.changeServices({ generation: 2, removed: [], changed }),
      plane.swap(tables(3)),
      plane.changeServices({ generation: 4, removed: [1, 2], changed: [spec(2)] }),
    ]);
  });

  it('says by its code what cannot be, and goes on', async () => {
    const wrong = { generation: 5, removed: [], changed: [spec(1, { id: -1 })] };
    await expect(plane.changeServices(wrong)).rejects.toMatchObject({ code: 'TABLE_INVALID' });
    await plane.changeServices({ generation: 6, removed: [], changed: [spec(1)] });
    expect(plane.flows.read(0, 4096, plane.flowTime(), () => undefined)).toBe(-1);
  });
});
