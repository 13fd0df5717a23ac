import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { LivePolicies } from '../../../../src/control/policies/live-policies.js';
import { Publisher } from '../../../../src/control/publisher.js';
import type { PolicyChanges } from '../../../../src/dataplane/policy-spec.js';
import { networkPolicy, PolicyMirror, policyPod } from '../../../support/policy-plans.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

/** Live policies over a publisher and a data plane that keeps what it is told; it may lose it on the way. */
function world() {
  const has = new PolicyMirror();
  const told: PolicyChanges[] = [];
  const clock = new VirtualClock();
  const faults = { loses: false };
  const target = {
    swap: async () => {},
    changeServices: async () => {},
    changePolicies: async (changes: PolicyChanges) => {
      told.push(changes);
      if (faults.loses) throw new Error('no memory');
      has.change(changes);
    },
  };
  const live: LivePolicies = new LivePolicies({
    publish: () => publisher.publishPolicies(),
    log: pino({ enabled: false }),
    clock,
  });
  const services = { take: () => ({ changed: [], removed: [] }), lost: () => {} };
  const publisher = new Publisher(
    target,
    (generation) => ({ generation, networks: [], node: undefined, pods: [] }),
    services,
    live,
  );
  return { live, has, told, clock, faults };
}

const WEB = policyPod('a/web', { app: 'web' }, { port: 1 });
const POLICY = networkPolicy('a/p', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] });

describe('live policies', () => {
  it('tell nothing before what there is, is known', async () => {
    const { live, told, has } = world();
    live.setPod(WEB);
    live.setPolicy(POLICY);
    await live.settled();
    expect(told).toEqual([]);
    live.open();
    await live.settled();
    expect(has.ports.get(1)?.ingress).toBeGreaterThan(0);
    expect(live.problem).toBeUndefined();
  });

  it('say what is wrong while it is not known, attach nobody, and go on when the store tells', async () => {
    const { live, has } = world();
    live.setPod(WEB);
    live.known();
    expect(has.ports.size).toBe(0);
    live.miss();
    expect(live.problem).toContain('closed');
    expect(() => live.checkKnown()).toThrow(expect.objectContaining({ code: 'STORE_UNREACHABLE' }));
    live.known();
    await live.settled();
    expect([live.problem, has.ports.size]).toEqual([undefined, 1]);
    live.checkKnown();
  });

  it('tell everything again after the data plane may have lost some of it', async () => {
    const { live, has, told, faults, clock } = world();
    live.open();
    live.setPod(WEB);
    live.setPod(policyPod('a/gone', { app: 'x' }, { ips: ['10.0.0.1'] }));
    live.setPolicy(POLICY);
    await live.settled();
    faults.loses = true;
    live.removePod('a/gone@n1');
    live.setPod(policyPod('a/db', { app: 'db' }, { ips: ['10.0.0.9'] }));
    await expect(live.settled()).rejects.toThrow('no memory');
    faults.loses = false;
    await clock.advance(10_000);
    await settle();
    expect([...has.addresses.keys()]).toEqual([' 10.0.0.9']);
    const [{ identities }] = [told.at(-1) as PolicyChanges];
    expect(identities.map(({ id }) => id).sort()).toEqual([...has.identities].sort());
    expect(has.ports.get(1)?.ingress).toBeGreaterThan(0);
  });

  it('follow all connections for as long as somebody wants them', async () => {
    const { live, told } = world();
    live.open();
    const [first, second] = [await live.follow(), await live.follow()];
    first();
    first();
    await live.settled();
    expect(told.map(({ followsAll }) => followsAll)).toEqual([true]);
    second();
    await live.settled();
    expect(told.map(({ followsAll }) => followsAll)).toEqual([true, false]);
  });

  it('forget nodes and overlays that are no more', async () => {
    const { live, has } = world();
    live.open();
    live.setNodes([{ name: 'n2', labels: {}, addresses: ['192.0.2.2'] }]);
    live.setOverlays(new Map([['blue', 5]]));
    live.setPod(policyPod('a/db', {}, { ips: ['10.0.0.9'], network: 'blue' }));
    await live.settled();
    expect([...has.addresses.keys()].sort()).toEqual([' 192.0.2.2', '5 10.0.0.9']);
    live.setNodes([]);
    live.setOverlays(new Map());
    await live.settled();
    expect([...has.addresses.keys()]).toEqual([' 10.0.0.9']);
  });
});
