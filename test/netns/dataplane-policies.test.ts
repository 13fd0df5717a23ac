/**
 * Changes of policies and the threads that forward: told to all of them, in order with snapshots and services. What becomes of packets
 * is judged elsewhere.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileTables } from '../../src/dataplane/tables.js';
import type { Dataplane } from '../../src/dataplane/worker/handle.js';
import { isBuilt } from '../support/netns-dataplane.js';
import { networks } from '../support/snapshots.js';
import { allow, changes, inSets, tier } from '../unit/dataplane/policy/policy-fixture.js';

const HANDLE = new URL('../../dist/src/dataplane/worker/handle.js', import.meta.url);

describe.skipIf(!isBuilt).each([1, 3])('policies with workers: %d', (workers) => {
  let plane: Dataplane;

  beforeAll(async () => {
    const built = (await import(HANDLE.href)) as { Dataplane: typeof Dataplane };
    plane = await built.Dataplane.start({ io: 'poll', workers, slots: 64, maxFlows: 4096 });
  });
  afterAll(() => plane.stop());

  it('takes thousands, while snapshots and services come and go', async () => {
    const rulesets = Array.from({ length: 2000 }, (_, i) => ({
      id: i + 1,
      tiers: [tier([allow(1, inSets(i))])],
    }));
    const tables = (generation: number) => compileTables({ ...networks({ ports: [2] }), generation });
    await Promise.all([
      plane.swap(tables(1)),
      plane.changePolicies(changes({ generation: 2, rulesets })),
      plane.changeServices({ generation: 3, removed: [], changed: [] }),
      plane.changePolicies(changes({ generation: 4, removedRulesets: [7] })),
      plane.swap(tables(5)),
    ]);
  });

  it('says by its code and entry what cannot be, and goes on', async () => {
    const port = { port: 1, identity: 2, ingress: 7, egress: 0 };
    const wrong = changes({ generation: 6, ports: [port] });
    await expect(plane.changePolicies(wrong)).rejects.toMatchObject({
      code: 'TABLE_INVALID',
      message: 'port 1 has ruleset 7, which is not there',
    });
    await plane.changePolicies(changes({ generation: 7, ports: [{ ...port, ingress: 8 }] }));
  });
});
