import { describe, expect, it } from 'vitest';
import { endpointsOf } from '../../../../src/control/services/endpoints.js';
import { isControlled, selects, slicesFromPods } from '../../../../src/control/services/from-pods.js';
import type { ServicePod } from '../../../../src/control/services/types.js';
import { pod, service, slice } from './samples.js';

const ZONES = new Map([
  ['n1', 'a'],
  ['n2', 'b'],
]);
const SELECTOR = { selector: { app: 'web' } };

function conditions(pods: ServicePod[], spec = {}): unknown[] {
  return slicesFromPods(service({ ...SELECTOR, ...spec }), pods, ZONES).flatMap(({ endpoints }) =>
    endpoints.map(({ conditions: { ready, serving, terminating } }) => [ready, serving, terminating]),
  );
}

describe('selects', () => {
  it('wants every label of the selector, in its namespace', () => {
    const both = service({ selector: { app: 'web', tier: 'front' } });
    const labels = { app: 'web', tier: 'front', more: 'x' };
    expect(selects(both, pod('a', '10.0.0.1', { labels }))).toBe(true);
    expect(selects(both, pod('a', '10.0.0.1'))).toBe(false);
    expect(selects(both, pod('a', '10.0.0.1', { labels, namespace: 'other' }))).toBe(false);
  });

  it('is nobody’s without a selector', () => {
    for (const spec of [{}, { selector: {} }])
      expect(selects(service(spec), pod('a', '10.0.0.1'))).toBe(false);
  });
});

describe('slicesFromPods', () => {
  it('has ready, unready and terminating pods as Kubernetes’ controller does', () => {
    expect(
      conditions([
        pod('a', '10.0.0.1'),
        pod('b', '10.0.0.2', { ready: false }),
        pod('c', '10.0.0.3', { terminating: true }),
        pod('d', '10.0.0.4', { ready: false, terminating: true }),
      ]),
    ).toEqual([
      [true, true, false],
      [false, false, false],
      [false, true, true],
      [false, false, true],
    ]);
    const hidden = [pod('b', '10.0.0.2', { ready: false })];
    expect(conditions(hidden, { publishNotReadyAddresses: true })).toEqual([[true, true, false]]);
  });

  it('resolves named ports in each pod, by protocol', () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'metrics', port: 9000 },
    ];
    const pods = [
      pod('a', '10.0.0.1', { ports: [{ name: 'web', protocol: 'TCP', port: 8080 }] }),
      pod('b', '10.0.0.2', { ports: [{ name: 'web', protocol: 'TCP', port: 9090 }] }),
      pod('c', '10.0.0.3', { ports: [{ name: 'web', protocol: 'UDP', port: 9090 }] }),
    ];
    const slices = slicesFromPods(service({ ...SELECTOR, ports }), pods, ZONES);
    const read = (name: string) =>
      endpointsOf({ name, protocol: 'TCP' }, 'IPv4', slices, { node: 'n1' }).map(
        ({ address, port }) => `${address} ${port}`,
      );
    expect(read('http')).toEqual(['10.0.0.1 8080', '10.0.0.2 9090']);
    expect(read('metrics')).toEqual(['10.0.0.1 9000', '10.0.0.2 9000', '10.0.0.3 9000']);
  });

  it('has a slice for each family, and leaves out pods without one', () => {
    const dual = {
      clusterIPs: ['10.96.0.7', 'fd00::7'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    };
    const pods = [pod('a', '10.0.0.1', { ips: ['10.0.0.1', 'fd00:1::1'] }), pod('b', '10.0.0.2')];
    const slices = slicesFromPods(service({ ...SELECTOR, ...dual }), pods, ZONES);
    expect(
      slices.map((one) => [one.addressType, one.endpoints.map(({ addresses }) => addresses[0])]),
    ).toEqual([
      ['IPv4', ['10.0.0.1', '10.0.0.2']],
      ['IPv6', ['fd00:1::1']],
    ]);
  });

  it('makes hints of trafficDistribution', () => {
    const hints = (spec: Record<string, unknown>, node?: string) =>
      slicesFromPods(service({ ...SELECTOR, ...spec }), [{ ...pod('a', '10.0.0.1'), node }], ZONES)[0]
        .endpoints[0].hints;
    expect(hints({}, 'n1')).toBeUndefined();
    for (const trafficDistribution of ['PreferClose', 'PreferSameZone']) {
      expect(hints({ trafficDistribution }, 'n2')).toEqual({ forZones: [{ name: 'b' }] });
    }
    const sameNode = { trafficDistribution: 'PreferSameNode' };
    expect(hints(sameNode, 'n1')).toEqual({ forZones: [{ name: 'a' }], forNodes: [{ name: 'n1' }] });
    expect(hints(sameNode, 'n3')).toEqual({ forNodes: [{ name: 'n3' }] });
    expect(hints(sameNode)).toBeUndefined();
  });

  it('are known from those of Kubernetes’ controller', () => {
    const [own] = slicesFromPods(service(SELECTOR), [pod('a', '10.0.0.1')], ZONES);
    expect(isControlled(own)).toBe(false);
    expect(isControlled(slice([], [], { manager: 'endpointslice-controller.k8s.io' }))).toBe(true);
  });
});
