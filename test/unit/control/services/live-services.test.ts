import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Publisher } from '../../../../src/control/publisher.js';
import { LiveServices } from '../../../../src/control/services/live-services.js';
import type { PlanChanges } from '../../../../src/control/services/plan.js';
import type { ServiceChanges, ServiceSpec } from '../../../../src/dataplane/service-spec.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';
import { pod, service } from './samples.js';

/** Live services over a publisher and a data plane that keeps what it is told; it may refuse, having done half of it. */
function world(expose = (changes: PlanChanges) => changes) {
  const has = new Map<number, ServiceSpec>();
  const told: ServiceChanges[] = [];
  const clock = new VirtualClock();
  const faults = { refuses: false, swaps: 0 };
  const target = {
    swap: async () => void faults.swaps++,
    changePolicies: async () => {},
    changeServices: async (changes: ServiceChanges) => {
      told.push(changes);
      for (const id of changes.removed) has.delete(id);
      if (faults.refuses) throw new Error('no memory');
      for (const spec of changes.changed) has.set(spec.id, spec);
    },
  };
  const live: LiveServices = new LiveServices({
    here: { node: 'n1' },
    serviceCidrs: () => ['10.96.0.0/16'],
    expose,
    publish: () => publisher.publishServices(),
    rerouted: () => publisher.publish(),
    log: pino({ enabled: false }),
    clock,
  });
  const publisher = new Publisher(
    target,
    (generation) => ({ generation, networks: [], node: undefined, pods: [] }),
    live,
  );
  const states = () =>
    [...has.values()].flatMap(({ name, backends }) =>
      backends.map(({ address, cluster }) => `${name} ${address} ${cluster}`),
    );
  return { live, has, told, clock, faults, states };
}

const WEB = () => service({ selector: { app: 'web' } });

describe('live services', () => {
  it('tells the data plane once of what is set in one turn, and of nothing twice', async () => {
    const { live, told, states } = world();
    live.setService(WEB());
    live.setPod(pod('a', '10.244.0.5'));
    live.setPod(pod('b', '10.244.0.6'));
    await live.settled();
    expect(states()).toEqual(['shop/web:80 10.244.0.5 active', 'shop/web:80 10.244.0.6 active']);
    live.setPod(pod('b', '10.244.0.6'));
    await live.settled();
    expect(told).toHaveLength(1);
  });

  it('takes endpoints of a node that does not answer for not ready, and believes them again after', async () => {
    const { live, states } = world();
    live.setService(WEB());
    live.setPod(pod('a', '10.244.0.5', { node: 'n1' }));
    live.setPod(pod('b', '10.244.1.6', { node: 'n2' }));
    live.setNodeLive('n2', false);
    await live.settled();
    expect(states()).toEqual(['shop/web:80 10.244.0.5 active', 'shop/web:80 10.244.1.6 unready']);
    live.setPod(pod('c', '10.244.1.7', { node: 'n2' }));
    await live.settled();
    expect(states()).toContain('shop/web:80 10.244.1.7 unready');
    live.setNodeLive('n2', true);
    await live.settled();
    expect(states().every((state) => state.endsWith(' active'))).toBe(true);
  });

  it('tells everything again, and what is gone, after the data plane refused', async () => {
    const { live, has, told, clock, faults, states } = world();
    live.setService(WEB());
    live.setExtra('publish/shop/a', [extra('10.0.0.1')]);
    await live.settled();
    const before = has.size;
    faults.refuses = true;
    live.removeExtra('publish/shop/a');
    live.setPod(pod('a', '10.244.0.5'));
    await expect(live.settled()).rejects.toThrow('no memory');
    faults.refuses = false;
    await clock.advance(1000);
    expect(states()).toEqual(['shop/web:80 10.244.0.5 active']);
    expect([before, has.size]).toEqual([2, 1]);
    expect(told.at(-1)?.removed).toEqual([1]);
    expect(told.map(({ generation }) => generation)).toEqual(
      [...told].map(({ generation }) => generation).sort((a, b) => a - b),
    );
  });

  it('goes on trying, without an end to what it knows', async () => {
    const { live, told, clock, faults, states } = world();
    faults.refuses = true;
    live.setService(WEB());
    live.setPod(pod('a', '10.244.0.5'));
    await clock.advance(60_000);
    expect(told.length).toBeGreaterThan(5);
    faults.refuses = false;
    await clock.advance(10_000);
    expect(states()).toEqual(['shop/web:80 10.244.0.5 active']);
    const { length } = told;
    live.stop();
    await clock.advance(60_000);
    expect(told).toHaveLength(length);
  });

  it('has extras under numbers of their own, and takes them back', async () => {
    const { live, has } = world();
    live.setExtra('dns', [extra('10.244.0.1'), { ...extra('10.244.0.1'), name: 'dns:tcp', protocol: 'TCP' }]);
    await live.settled();
    expect([...has.keys()]).toEqual([0, 1]);
    live.removeExtra('dns');
    await live.settled();
    expect(has.size).toBe(0);
  });

  it('knows addresses outside of the service prefixes, and publishes routes to them before it is settled', async () => {
    const { live, faults } = world();
    live.setService(service({ externalIPs: ['203.0.113.7'] }));
    live.setExtra('publish/shop/a', [extra('203.0.113.7')]);
    await live.settled();
    expect(live.externalAddresses).toEqual(['203.0.113.7']);
    expect(faults.swaps).toBe(1);
    live.setService(service({ externalIPs: ['203.0.113.7'], sessionAffinity: 'ClientIP' }));
    live.removeExtra('publish/shop/a');
    await live.settled();
    expect(faults.swaps).toBe(1);
    live.removeService('shop/web');
    await live.settled();
    expect([live.externalAddresses, faults.swaps]).toEqual([[], 2]);
  });

  it('exposes what is different before it is told', async () => {
    const { live, has } = world(({ removed, changed }) => ({
      removed,
      changed: changed.map((spec) => ({ ...spec, onRemoval: 'drain' })),
    }));
    live.setService(WEB());
    await settle();
    expect(has.get(0)?.onRemoval).toBe('drain');
  });
});

function extra(address: string) {
  return {
    name: `extra ${address}`,
    family: 'IPv4',
    protocol: 'UDP',
    frontends: [{ address, port: 53, scope: 'cluster' }],
    backends: [
      { name: '10.244.0.2:5353', address: '10.244.0.2', port: 5353, local: true, cluster: 'active' },
    ],
  } as const;
}
