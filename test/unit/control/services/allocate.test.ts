import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseService } from '../../../../src/control/model/service.js';
import { ServiceAllocator, type ServiceRanges } from '../../../../src/control/services/allocate.js';
import type { Service } from '../../../../src/control/services/types.js';
import { refusal } from '../support.js';

const DUAL = { cidrs: ['10.96.0.0/24', 'fd00:10:96::/112'] };

function service(name: string, spec: Record<string, unknown> = {}, status?: unknown): Service {
  return parseService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
    status,
  });
}

function pool(ranges: ServiceRanges = DUAL): ServiceAllocator {
  return new ServiceAllocator(ranges);
}

const both = { ipFamilyPolicy: 'PreferDualStack' };
const NODE_PORT = { type: 'NodePort' };
const LOCAL_LB = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };

function ips(given: Service): readonly string[] {
  return given.spec.clusterIPs ?? [];
}

describe('cluster IPs', () => {
  it('come from above the band for fixed ones, the next after the last', () => {
    const all = pool();
    expect(ips(all.allocate(service('a')))).toEqual(['10.96.0.17']);
    expect(ips(all.allocate(service('b', both)))).toEqual(['10.96.0.18', 'fd00:10:96::101']);
    all.release('default/a');
    expect(ips(all.allocate(service('c')))).toEqual(['10.96.0.19']);
    expect(ips(all.allocate(service('d', { clusterIP: '10.96.0.10' })))).toEqual(['10.96.0.10']);
  });

  it('come from the low band when all else is taken, and again from what was released', () => {
    const all = pool({ cidrs: ['10.96.0.0/27'], reserved: new Map([['10.96.0.10', 'the resolver']]) });
    const given = Array.from({ length: 29 }, (_, i) => ips(all.allocate(service(`s${i}`)))[0]);
    expect(given[0]).toBe('10.96.0.17');
    expect(given[13]).toBe('10.96.0.30');
    expect(given[14]).toBe('10.96.0.1');
    expect(new Set(given).size).toBe(29);
    expect(given).not.toContain('10.96.0.10');
    expect(refusal(() => all.allocate(service('more')))).toBe('ADDRESS_EXHAUSTED spec.clusterIPs[0]');
    all.release('default/s3');
    expect(ips(all.allocate(service('more')))).toEqual([given[3]]);
  });

  it.each([
    [{ clusterIP: '10.97.0.1' }, 'INVALID spec.clusterIPs[0]'],
    [{ clusterIP: '10.96.0.0' }, 'INVALID spec.clusterIPs[0]'],
    [{ clusterIP: '10.96.0.255' }, 'INVALID spec.clusterIPs[0]'],
    [{ clusterIPs: ['10.96.0.5', 'fd00::1'], ...both }, 'INVALID spec.clusterIPs[1]'],
    [{ clusterIP: '10.96.0.7' }, 'ADDRESS_IN_USE spec.clusterIPs[0]'],
    [{ externalIPs: ['10.96.0.9'] }, 'INVALID spec.externalIPs[0]'],
  ])('%j: %s', (spec, expected) => {
    const all = pool();
    all.allocate(service('holder', { clusterIP: '10.96.0.7' }));
    expect(refusal(() => all.allocate(service('web', spec)))).toBe(expected);
  });

  it('follow families and policy', () => {
    const all = pool();
    const shape = (spec: Record<string, unknown>, ranges?: ServiceRanges) => {
      const { ipFamilies, ipFamilyPolicy } = (ranges ? pool(ranges) : all).allocate(service('f', spec)).spec;
      all.release('default/f');
      return `${ipFamilies?.join()} ${ipFamilyPolicy}`;
    };
    expect(shape({})).toBe('IPv4 SingleStack');
    expect(shape({ ipFamilies: ['IPv6'] })).toBe('IPv6 SingleStack');
    expect(shape({ clusterIP: 'fd00:10:96::7' })).toBe('IPv6 SingleStack');
    expect(shape({ ipFamilies: ['IPv6'], ...both })).toBe('IPv6,IPv4 PreferDualStack');
    expect(shape(both, { cidrs: ['10.96.0.0/24'] })).toBe('IPv4 PreferDualStack');
    expect(shape({}, { cidrs: ['fd00::/112', '10.96.0.0/24'] })).toBe('IPv6 SingleStack');
    expect(shape({ clusterIP: 'None', selector: { a: 'b' } })).toBe('IPv4 SingleStack');
    expect(shape({ clusterIP: 'None' })).toBe('IPv4,IPv6 RequireDualStack');
    const single = pool({ cidrs: ['10.96.0.0/24'] });
    const require = { ipFamilyPolicy: 'RequireDualStack' };
    expect(refusal(() => single.allocate(service('x', require)))).toBe('INVALID spec.ipFamilyPolicy');
    expect(refusal(() => single.allocate(service('x', { ipFamilies: ['IPv6'] })))).toBe(
      'INVALID spec.ipFamilies[0]',
    );
  });

  it('stay when the service is applied again, and a second one comes and goes', () => {
    const all = pool();
    const first = ips(all.allocate(service('a')));
    expect(ips(all.allocate(service('a', { ports: [{ port: 81 }] })))).toEqual(first);
    const two = ips(all.allocate(service('a', both)));
    expect(two).toEqual([first[0], 'fd00:10:96::101']);
    expect(ips(all.allocate(service('a')))).toEqual(two);
    expect(ips(all.allocate(service('a', { ipFamilyPolicy: 'SingleStack' })))).toEqual(first);
    expect(refusal(() => all.allocate(service('b', { clusterIP: 'fd00:10:96::101' })))).toBe('accepted');
  });

  it('do not move while the service has one', () => {
    const all = pool();
    all.allocate(service('a'));
    all.allocate(service('h', { clusterIP: 'None' }));
    expect(refusal(() => all.allocate(service('a', { clusterIP: '10.96.0.5' })))).toBe(
      'INVALID spec.clusterIPs[0]',
    );
    expect(refusal(() => all.allocate(service('a', { clusterIP: 'None' })))).toBe(
      'INVALID spec.clusterIPs[0]',
    );
    expect(refusal(() => all.allocate(service('a', { ipFamilies: ['IPv6'] })))).toBe(
      'INVALID spec.ipFamilies[0]',
    );
    expect(ips(all.allocate(service('h')))).toEqual(['None']);
    const name = { type: 'ExternalName', externalName: 'a.b', ports: undefined };
    expect(ips(all.allocate(service('a', name)))).toEqual([]);
    expect(ips(all.allocate(service('a', { clusterIP: '10.96.0.5' })))).toEqual(['10.96.0.5']);
  });
});

describe('node ports', () => {
  const ports = (given: Service) => given.spec.ports?.map(({ nodePort }) => nodePort);

  it('are chosen above the low band, kept by port and protocol, and only where they are wanted', () => {
    const all = pool();
    expect(ports(all.allocate(service('a', NODE_PORT)))).toEqual([30_086]);
    const two = [
      { name: 'new', port: 443 },
      { name: 'old', port: 80 },
    ];
    expect(ports(all.allocate(service('a', { ...NODE_PORT, ports: two })))).toEqual([30_087, 30_086]);
    expect(ports(all.allocate(service('b')))).toEqual([undefined]);
    const without = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false };
    expect(ports(all.allocate(service('c', without)))).toEqual([undefined]);
    const health = all.allocate(service('d', LOCAL_LB)).spec;
    expect(health.healthCheckNodePort).toBe(30_089);
    expect(all.allocate(service('d', LOCAL_LB)).spec).toEqual(health);
  });

  it('may be shared by protocols, not by services', () => {
    const all = pool();
    const fixed = (protocol: string, nodePort = 30_001) => ({
      ...NODE_PORT,
      ports: [{ port: 80, protocol, nodePort }],
    });
    all.allocate(service('a', fixed('TCP')));
    expect(refusal(() => all.allocate(service('b', fixed('UDP'))))).toBe('accepted');
    expect(refusal(() => all.allocate(service('c', fixed('TCP'))))).toBe(
      'PORT_IN_USE spec.ports[0].nodePort',
    );
    expect(refusal(() => all.allocate(service('c', fixed('TCP', 80))))).toBe(
      'INVALID spec.ports[0].nodePort',
    );
    all.release('default/a');
    expect(refusal(() => all.allocate(service('c', fixed('TCP'))))).toBe('accepted');
  });

  it('run out', () => {
    const all = pool({ ...DUAL, nodePorts: { first: 40_000, last: 40_001 } });
    for (const name of ['a', 'b']) all.allocate(service(name, NODE_PORT));
    expect(refusal(() => all.allocate(service('c', NODE_PORT)))).toBe(
      'NODE_PORTS_EXHAUSTED spec.ports[0].nodePort',
    );
    // After the error nothing is taken.
    all.release('default/a');
    expect(ports(all.allocate(service('c', NODE_PORT)))).toEqual([40_000]);
  });
});

describe('addresses from outside', () => {
  it('are shared by services with different ports, and clash by port', () => {
    const all = pool();
    const at = (port: number) => ({ externalIPs: ['192.0.2.1'], ports: [{ port }] });
    all.allocate(service('a', at(80)));
    expect(refusal(() => all.allocate(service('b', at(443))))).toBe('accepted');
    expect(refusal(() => all.allocate(service('c', at(80))))).toBe('PORT_IN_USE spec.externalIPs[0]');
    const lb = { type: 'LoadBalancer' };
    const wish = { ...lb, loadBalancerIP: '192.0.2.1' };
    expect(refusal(() => all.allocate(service('d', wish)))).toBe('PORT_IN_USE spec.loadBalancerIP');
    expect(refusal(() => all.allocate(service('d', { ...wish, loadBalancerClass: 'x/y' })))).toBe('accepted');
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
    expect(refusal(() => all.allocate(service('e', lb, status)))).toBe(
      'PORT_IN_USE status.loadBalancer.ingress[0].ip',
    );
    const proxy = { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'Proxy' }] } };
    expect(refusal(() => all.allocate(service('e', lb, proxy)))).toBe('accepted');
  });
});

describe('ServiceAllocator', () => {
  it('gives nothing twice, whatever comes and goes, and claims what it has given', () => {
    const step = fc.record({ name: fc.integer({ min: 0, max: 12 }), kind: fc.integer({ min: 0, max: 4 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ranges = { cidrs: ['10.96.0.0/28', 'fd00::/125'], nodePorts: { first: 30_000, last: 30_009 } };
        const all = pool(ranges);
        const kept = new Map<string, Service>();
        for (const { name, kind } of steps) {
          const key = `s${name}`;
          const wish = [{}, both, NODE_PORT, LOCAL_LB][kind];
          if (!wish) {
            all.release(`default/${key}`);
            kept.delete(key);
          } else if (refusal(() => kept.set(key, all.allocate(service(key, wish)))).startsWith('INVALID')) {
            throw new Error('nothing that is asked for here is wrong');
          }
        }
        const given = [...kept.values()].flatMap(({ spec }) => [
          ...(spec.clusterIPs ?? []),
          ...(spec.ports ?? []).flatMap(({ nodePort }) => (nodePort ? [String(nodePort)] : [])),
          ...(spec.healthCheckNodePort ? [String(spec.healthCheckNodePort)] : []),
        ]);
        expect(new Set(given).size).toBe(given.length);
        const again = pool(ranges);
        for (const one of kept.values()) again.claim(one);
        for (const one of kept.values()) expect(again.allocate(one)).toEqual(one);
      }),
      { numRuns: 60 },
    );
  });
});
