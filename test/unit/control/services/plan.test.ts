import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServicePlan } from '../../../../src/control/services/plan.js';
import type { ServiceSpec } from '../../../../src/dataplane/service-spec.js';
import { pod, service, slice } from './samples.js';

const HERE = { node: 'n1', zone: 'a' };
const SELECTOR = { selector: { app: 'web' } };
const at = (address: string, more = {}) => ({ addresses: [address], ...more });

function plan(): ServicePlan {
  return new ServicePlan(HERE);
}

function only(all: ServicePlan): ServiceSpec {
  const { changed, removed } = all.changes();
  expect([changed.length, removed.length]).toEqual([1, 0]);
  return changed[0];
}

const names = ({ backends }: ServiceSpec) => backends.map(({ name }) => name);

describe('what is planned of a service', () => {
  it('has its addresses, backends and affinity', () => {
    const all = plan();
    all.setService(service({ sessionAffinity: 'ClientIP' }));
    all.setSlice(slice([at('10.244.0.5', { nodeName: 'n1' }), at('10.244.1.6')]));
    expect(only(all)).toEqual({
      id: 0,
      name: 'shop/web:80',
      family: 'IPv4',
      protocol: 'TCP',
      frontends: [{ address: '10.96.0.7', port: 80, scope: 'cluster' }],
      backends: [
        { name: '10.244.0.5:8080', address: '10.244.0.5', port: 8080, local: true, cluster: 'active' },
        { name: '10.244.1.6:8080', address: '10.244.1.6', port: 8080, local: false, cluster: 'active' },
      ],
      affinitySeconds: 10_800,
    });
  });

  it('says what becomes of connections whose endpoint goes, where the manifest does', () => {
    const all = plan();
    const web = service();
    const annotations = { 'podwire.dev/on-endpoint-removal': 'drain' };
    all.setService({ ...web, metadata: { ...web.metadata, annotations } });
    expect(only(all).onRemoval).toBe('drain');
    all.setService(web);
    expect(only(all).onRemoval).toBeUndefined();
  });

  it('is one for each port and family', () => {
    const all = plan();
    const ports = [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const dual = {
      clusterIPs: ['10.96.0.7', 'fd00::7'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    };
    all.setService(service({ ...dual, ports }));
    all.setSlice(slice([at('fd00:1::5')], [{ name: 'dns', port: 53, protocol: 'UDP' }], { family: 'IPv6' }));
    const { changed } = all.changes();
    expect(
      changed.map(({ name, frontends, backends }) => [name, frontends[0].address, backends.length]),
    ).toEqual([
      ['shop/web:http', '10.96.0.7', 0],
      ['shop/web:dns', '10.96.0.7', 0],
      ['shop/web:http/IPv6', 'fd00::7', 0],
      ['shop/web:dns/IPv6', 'fd00::7', 1],
    ]);
    expect(changed[3].backends[0].name).toBe('[fd00:1::5]:53');
  });

  it.each([
    [{ type: 'NodePort' }, 'cluster cluster'],
    [{ type: 'NodePort', externalTrafficPolicy: 'Local' }, 'cluster split'],
    [{ type: 'NodePort', internalTrafficPolicy: 'Local' }, 'local cluster'],
  ])('says by policy whose endpoints a client is given: %j', (spec, expected) => {
    const all = plan();
    all.setService(service({ ...spec, ports: [{ port: 80, nodePort: 30_080 }] }));
    const { frontends } = only(all);
    expect(frontends.map(({ scope }) => scope).join(' ')).toBe(expected);
    expect(frontends[1]).toMatchObject({ address: 'node', port: 30_080 });
  });

  it('has addresses from outside of its family, but not where a load balancer is a proxy', () => {
    const all = plan();
    const given = service({
      type: 'LoadBalancer',
      externalIPs: ['192.0.2.1', '2001:db8::1'],
      loadBalancerIP: '192.0.2.2',
    });
    const ingress = [{ ip: '192.0.2.2' }, { ip: '192.0.2.3' }, { ip: '192.0.2.4', ipMode: 'Proxy' as const }];
    all.setService({ ...given, status: { loadBalancer: { ingress } } });
    expect(only(all).frontends.map(({ address }) => address)).toEqual([
      '10.96.0.7',
      '192.0.2.1',
      '192.0.2.2',
      '192.0.2.3',
    ]);
  });

  it('is nothing of headless services, names, and those of another proxy', () => {
    const all = plan();
    all.setService(service({ clusterIPs: ['None'] }, 'headless'));
    all.setService(
      service(
        { type: 'ExternalName', externalName: 'a.b', clusterIPs: undefined, ipFamilies: undefined },
        'name',
      ),
    );
    const foreign = service({}, 'foreign');
    foreign.metadata.labels = { 'service.kubernetes.io/service-proxy-name': 'x' };
    all.setService(foreign);
    expect(all.changes()).toEqual({ changed: [], removed: [] });
  });
});

describe('what changes', () => {
  it('is the one service of a slice, and nothing where nothing is different', () => {
    const all = plan();
    for (const name of ['a', 'b', 'c']) all.setService(service({}, name));
    expect(all.changes().changed.map(({ id }) => id)).toEqual([0, 1, 2]);
    all.setSlice(slice([at('10.244.0.5')], undefined, { name: 'x', of: 'b' }));
    expect(only(all)).toMatchObject({ id: 1, name: 'shop/b:80' });
    all.setSlice(slice([at('10.244.0.5')], undefined, { name: 'x', of: 'b' }));
    expect(all.changes()).toEqual({ changed: [], removed: [] });
    // A slice that goes over to another service leaves the first.
    all.setSlice(slice([at('10.244.0.5')], undefined, { name: 'x', of: 'c' }));
    expect(all.changes().changed.map(({ name, backends }) => [name, backends.length])).toEqual([
      ['shop/b:80', 0],
      ['shop/c:80', 1],
    ]);
    all.removeSlice('shop/x');
    expect(names(only(all))).toEqual([]);
  });

  it('numbers stay, and are given again only after their service was said to be gone', () => {
    const all = plan();
    all.setService(service({}, 'a'));
    all.setService(service({}, 'b'));
    all.changes();
    all.removeService('shop/a');
    all.setService(service({}, 'c'));
    expect(all.changes()).toMatchObject({ removed: [0], changed: [{ id: 2 }] });
    all.setService(service({}, 'd'));
    expect(only(all).id).toBe(0);
    expect([...all.all()].map(({ id }) => id).sort()).toEqual([0, 1, 2]);
  });

  it('follows pods by their labels', () => {
    const all = plan();
    all.setService(service(SELECTOR));
    all.setService(service({ selector: { app: 'web', tier: 'x' } }, 'tier'));
    all.changes();
    all.setPod(pod('p', '10.244.0.5'));
    expect(only(all)).toMatchObject({ name: 'shop/web:80' });
    all.setPod(pod('p', '10.244.0.5', { labels: { app: 'web', tier: 'x' } }));
    expect(only(all)).toMatchObject({ name: 'shop/tier:80' });
    all.setPod(pod('p', '10.244.0.5', { labels: { app: 'db' } }));
    expect(all.changes().changed.map(names)).toEqual([[], []]);
    all.setPod(pod('p', '10.244.0.5'));
    all.setPod(pod('q', '10.244.0.6', { ready: false }));
    expect(only(all).backends.map(({ cluster }) => cluster)).toEqual(['active', 'unready']);
    all.setPod(pod('p', '10.244.0.5', { terminating: true }));
    // No other is ready, so it goes on being given new flows.
    expect(all.changes().changed).toEqual([]);
    all.setPod(pod('q', '10.244.0.6'));
    expect(only(all).backends.map(({ cluster }) => cluster)).toEqual(['draining', 'active']);
    all.removePod('shop/p@n1');
    all.removePod('shop/q@n1');
    expect(names(only(all))).toEqual([]);
  });

  it('has slices beside what is computed, but computes nothing where Kubernetes’ controller does', () => {
    const all = plan();
    all.setService(service(SELECTOR));
    all.setPod(pod('p', '10.244.0.5'));
    all.setSlice(slice([at('10.244.0.5'), at('192.0.2.9')]));
    expect(names(only(all))).toEqual(['10.244.0.5:8080', '192.0.2.9:8080']);
    const manager = 'endpointslice-controller.k8s.io';
    all.setSlice(slice([at('10.244.0.6')], undefined, { name: 'k', manager }));
    all.removeSlice('shop/web-1');
    expect(names(only(all))).toEqual(['10.244.0.6:8080']);
  });

  it('follows zones', () => {
    const all = plan();
    all.setService(service({ ...SELECTOR, trafficDistribution: 'PreferSameZone' }));
    all.setPod(pod('p', '10.244.0.5', { node: 'n1' }));
    all.setPod(pod('q', '10.244.1.6', { node: 'n2' }));
    const states = () => only(all).backends.map(({ cluster }) => cluster);
    expect(states()).toEqual(['active', 'active']);
    all.setZone('n1', 'a');
    all.setZone('n2', 'b');
    expect(states()).toEqual(['active', 'draining']);
    all.setHere({ node: 'n1', zone: 'b' });
    expect(states()).toEqual(['draining', 'active']);
  });

  it('ends where a plan made at once would be, whatever the order', () => {
    const step = fc.record({ what: fc.nat(5), which: fc.nat(3), value: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const all = plan();
        const known = new Map<number, ServiceSpec>();
        const finals = new Map<string, (target: ServicePlan) => void>();
        for (const { what, which, value } of steps) {
          const apply = action(what % 3, which, value, what > 2);
          apply(all);
          finals.set(`${what % 3} ${which}`, what > 2 ? () => {} : apply);
          const { changed, removed } = all.changes();
          for (const id of removed) expect(known.delete(id)).toBe(true);
          for (const one of changed) known.set(one.id, one);
        }
        const fresh = plan();
        for (const apply of finals.values()) apply(fresh);
        const shape = (list: Iterable<ServiceSpec>) =>
          Object.fromEntries([...list].map(({ id: _, ...rest }) => [rest.name, rest]));
        expect(shape(known.values())).toEqual(shape(fresh.changes().changed));
        expect(shape(all.all())).toEqual(shape(known.values()));
      }),
      { numRuns: 100 },
    );
  });

  it('is one service in fifty thousand', () => {
    const all = plan();
    // Parsed once: what is looked at here is the plan.
    const sample = service(SELECTOR);
    const { metadata } = sample;
    for (let i = 0; i < 50_000; i++) {
      all.setService({
        ...sample,
        metadata: { ...metadata, name: `s${i}` },
        spec: { ...sample.spec, selector: { app: `s${i}` } },
      });
    }
    for (let i = 0; i < 500; i++)
      all.setPod(pod(`p${i}`, `10.244.0.${i % 250}`, { labels: { app: `s${i % 100}` } }));
    const began = performance.now();
    expect(all.changes().changed).toHaveLength(50_000);
    const whole = performance.now() - began;
    for (let i = 0; i < 100; i++) {
      all.setPod(pod('p7', `10.245.0.${i}`, { labels: { app: 's7' } }));
      expect(only(all).name).toBe('shop/s7:80');
    }
    // Looking at all services for each change would take a hundred times as long as the first plan did.
    expect(performance.now() - began - whole).toBeLessThan(20 * whole);
  });
});

/** Sets, or takes away, one of a few services, slices and pods. */
function action(what: number, which: number, value: number, gone: boolean): (target: ServicePlan) => void {
  const name = `x${which}`;
  if (what === 0) {
    const given = service({ selector: { app: `v${value}` } }, name);
    return (target) => (gone ? target.removeService(`shop/${name}`) : target.setService(given));
  }
  if (what === 1) {
    const given = slice([at(`10.244.9.${value}`)], undefined, { name, of: `x${value}` });
    return (target) => (gone ? target.removeSlice(`shop/${name}`) : target.setSlice(given));
  }
  const given = pod(name, `10.244.1.${which}`, { labels: { app: `v${value}` } });
  return (target) => (gone ? target.removePod(`shop/${name}@n1`) : target.setPod(given));
}
