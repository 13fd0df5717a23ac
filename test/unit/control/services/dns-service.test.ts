import { describe, expect, it } from 'vitest';
import { dnsServiceOf } from '../../../../src/control/services/dns-service.js';
import { service, slice } from './samples.js';

const HEADLESS = { clusterIP: 'None', clusterIPs: ['None'] };
const HTTP = [{ name: 'http', port: 8080 }];

describe('dnsServiceOf', () => {
  it('has the addresses of a service and its ports that have names', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const asked = () => {
      throw new Error('nobody needs the endpoints');
    };
    expect(dnsServiceOf(service({ ports }), asked)).toEqual({
      kind: 'cluster',
      ips: ['10.96.0.7'],
      ports: [
        { name: 'http', protocol: 'tcp', port: 80 },
        { name: 'dns', protocol: 'udp', port: 53 },
      ],
    });
  });

  it('has nothing for one that waits for its address', () => {
    const waiting = service({ clusterIPs: undefined, ipFamilies: undefined });
    expect(dnsServiceOf(waiting, () => [])).toBeUndefined();
  });

  it('has another name without its last dot', () => {
    const spec = { type: 'ExternalName', externalName: 'Www.Example.', clusterIPs: undefined };
    const external = service({ ...spec, ipFamilies: undefined });
    expect(dnsServiceOf(external, () => [])).toEqual({ kind: 'external', target: 'www.example' });
  });

  it('has the ready endpoints of a headless service, by hostname or by address', () => {
    const slices = [
      slice(
        [
          { addresses: ['10.244.0.3'], hostname: 'pet-0' },
          { addresses: ['10.244.0.4'], conditions: { ready: false } },
          { addresses: ['10.244.0.5'] },
        ],
        HTTP,
      ),
      slice([{ addresses: ['fd00::3'], hostname: 'pet-0' }], HTTP, { name: 'six', family: 'IPv6' }),
    ];
    const ports = [{ name: 'http', protocol: 'tcp', port: 8080 }];
    expect(dnsServiceOf(service(HEADLESS), () => slices)).toEqual({
      kind: 'headless',
      endpoints: [
        { hostname: '10-244-0-5', ips: ['10.244.0.5'], ports },
        { hostname: 'pet-0', ips: ['10.244.0.3', 'fd00::3'], ports },
      ],
    });
  });

  it('has those that are not ready where the service publishes them', () => {
    const slices = [slice([{ addresses: ['10.244.0.4'], conditions: { ready: false } }])];
    const found = dnsServiceOf(service({ ...HEADLESS, publishNotReadyAddresses: true }), () => slices);
    expect(found).toMatchObject({ endpoints: [{ hostname: '10-244-0-4', ports: [] }] });
  });

  it('has each endpoint and port once, whichever slices they are in', () => {
    const one = [{ addresses: ['10.244.0.3'], hostname: 'pet-0' }];
    const metrics = { name: 'metrics', port: 9090 };
    const slices = [slice(one, HTTP), slice(one, [...HTTP, metrics], { name: 'more' })];
    expect(dnsServiceOf(service(HEADLESS), () => slices)).toEqual({
      kind: 'headless',
      endpoints: [
        {
          hostname: 'pet-0',
          ips: ['10.244.0.3'],
          ports: [
            { name: 'http', protocol: 'tcp', port: 8080 },
            { name: 'metrics', protocol: 'tcp', port: 9090 },
          ],
        },
      ],
    });
  });
});
