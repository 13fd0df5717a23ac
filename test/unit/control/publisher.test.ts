import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/control/plan.js';
import { Publisher } from '../../../src/control/publisher.js';
import type { PolicyChanges } from '../../../src/dataplane/policy-spec.js';
import { NO_POLICY_CHANGES } from '../../../src/dataplane/policy-spec.js';
import type { ServiceChanges } from '../../../src/dataplane/service-spec.js';
import type { TablesData } from '../../../src/dataplane/tables.js';

const NO_SERVICES = { take: () => ({ changed: [], removed: [] }), lost: () => {} };
const IDLE = { swap: async () => {}, changeServices: async () => {}, changePolicies: async () => {} };

describe('Publisher', () => {
  const plan = (generation: number): Plan => ({ generation, networks: [], node: undefined, pods: [] });

  it('puts calls that come during a swap into the one after it', async () => {
    const swapped: number[] = [];
    const target = {
      ...IDLE,
      swap: async ({ generation }: TablesData) => {
        await sleep(5);
        swapped.push(generation);
      },
    };
    const publisher = new Publisher(target, plan, NO_SERVICES);
    const first = publisher.publish();
    await sleep(1);
    const rest = Array.from({ length: 20 }, () => publisher.publish());
    await first;
    expect(publisher.current.generation).toBe(1);
    await Promise.all(rest);
    expect(swapped).toEqual([1, 2]);
    expect(publisher.current.generation).toBe(2);
  });

  it('takes what is attached when the swap begins, not when it was asked for', async () => {
    let pods = 0;
    const seen: number[] = [];
    const planned = (generation: number): Plan => {
      seen.push(pods);
      return plan(generation);
    };
    const publisher = new Publisher(IDLE, planned, NO_SERVICES);
    const one = publisher.publish();
    pods = 1;
    await one;
    expect(seen).toEqual([1]);
  });

  it('keeps the old snapshot where one does not compile, and works again after', async () => {
    let broken = true;
    const planned = (generation: number): Plan => {
      const port = {
        id: 1,
        name: 'p',
        network: 'nowhere',
        domain: 0,
        mac: '02:00:00:00:00:01',
        ips: [],
        mtu: 1500,
      };
      return { ...plan(generation), pods: broken ? [port] : [] };
    };
    const publisher = new Publisher(IDLE, planned, NO_SERVICES);
    await expect(publisher.publish()).rejects.toThrow('nowhere');
    expect(publisher.current.generation).toBe(0);
    broken = false;
    await publisher.publish();
    expect(publisher.current.generation).toBe(1);
  });

  it('numbers snapshots, services and policies out of one sequence, in the order in which they come into force', async () => {
    const seen: string[] = [];
    const target = {
      swap: async ({ generation }: TablesData) => void seen.push(`swap ${generation}`),
      changeServices: async ({ generation }: ServiceChanges) => void seen.push(`services ${generation}`),
      changePolicies: async ({ generation }: PolicyChanges) => void seen.push(`policies ${generation}`),
    };
    const services = { take: () => ({ changed: [], removed: [7] }), lost: () => {} };
    const policies = { take: () => ({ ...NO_POLICY_CHANGES, removedSets: [4] }), lost: () => {} };
    const publisher = new Publisher(target, plan, services, policies);
    const twice = [publisher.publishPolicies(), publisher.publishPolicies()];
    await Promise.all([
      publisher.publish(),
      ...twice,
      publisher.publishServices(),
      publisher.publishServices(),
    ]);
    await publisher.publish();
    expect(seen).toEqual(['policies 1', 'swap 2', 'services 3', 'swap 4']);
    expect(publisher.generation).toBe(4);
  });

  it('does not trouble the data plane where no service and no policy is different', async () => {
    const publisher = new Publisher(IDLE, plan, NO_SERVICES);
    await publisher.publishServices();
    await publisher.publishPolicies();
    expect(publisher.generation).toBe(0);
  });

  it('tells of policies what is said anew without an entry', async () => {
    const told: PolicyChanges[] = [];
    const target = { ...IDLE, changePolicies: async (changes: PolicyChanges) => void told.push(changes) };
    const said = [{ clusterCidrs: [] }, { followsAll: false }, {}];
    const policies = { take: () => ({ ...NO_POLICY_CHANGES, ...said[told.length] }), lost: () => {} };
    const publisher = new Publisher(target, plan, NO_SERVICES, policies);
    for (let i = 0; i < 4; i++) await publisher.publishPolicies();
    expect(told).toEqual([
      { ...NO_POLICY_CHANGES, generation: 1, clusterCidrs: [] },
      { ...NO_POLICY_CHANGES, generation: 2, followsAll: false },
    ]);
  });

  it('says that policies may be lost, and numbers on', async () => {
    const lost: unknown[] = [];
    const refusal = new Error('no memory');
    const target = {
      ...IDLE,
      changePolicies: async () => {
        throw refusal;
      },
    };
    const policies = {
      take: () => ({ ...NO_POLICY_CHANGES, removedSets: [4] }),
      lost: (error: unknown) => void lost.push(error),
    };
    const publisher = new Publisher(target, plan, NO_SERVICES, policies);
    await expect(publisher.publishPolicies()).rejects.toThrow('no memory');
    await publisher.publish();
    expect([publisher.generation, lost]).toEqual([2, [refusal]]);
  });

  it('uses no number twice that the data plane may have seen, and says that services may be lost', async () => {
    const seen: number[] = [];
    const lost: unknown[] = [];
    const target = {
      ...IDLE,
      swap: async ({ generation }: TablesData) => void seen.push(generation),
      changeServices: async ({ generation }: ServiceChanges) => {
        seen.push(generation);
        throw new Error('no memory');
      },
    };
    const services = {
      take: () => ({ changed: [], removed: [7] }),
      lost: (error: unknown) => void lost.push(error),
    };
    const publisher = new Publisher(target, plan, services);
    await expect(publisher.publishServices()).rejects.toThrow('no memory');
    expect(publisher.generation).toBe(0);
    await publisher.publish();
    expect(seen).toEqual([1, 2]);
    expect(lost).toHaveLength(1);
  });
});
