import { describe, expect, it } from 'vitest';
import { parseNetwork } from '../../../../src/control/model/network.js';
import { message, refusal } from '../support.js';

function network(spec: unknown, metadata: unknown = { name: 'backend' }): unknown {
  return { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata, spec };
}

function spec(fields: Record<string, unknown>): unknown {
  return network({ mode: 'bridge', cidrs: ['10.80.0.0/24'], ...fields });
}

function raw(fields: Record<string, unknown>): unknown {
  return spec({ mode: 'raw', parent: 'eth0', ...fields });
}

describe('parseNetwork', () => {
  it('accepts a network and makes its prefixes canonical', () => {
    const parsed = parseNetwork({
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'backend', labels: { 'example.com/tier': 'db' } },
      spec: { mode: 'bridge', cidrs: ['10.80.0.0/24', 'FD80:0::/64'], internal: true, mtu: 1400 },
      status: { gateways: ['ignored'] },
    });
    expect(parsed).toEqual({
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'backend', labels: { 'example.com/tier': 'db' } },
      spec: { mode: 'bridge', cidrs: ['10.80.0.0/24', 'fd80::/64'], internal: true, mtu: 1400 },
    });
  });

  it.each([
    [null, 'INVALID body'],
    [[], 'INVALID body'],
    [{}, 'INVALID apiVersion'],
    [{ apiVersion: 'v1', kind: 'Network', metadata: { name: 'x' }, spec: {} }, 'INVALID apiVersion'],
    [network({ cidrs: [] }), 'INVALID spec.mode'],
    [network({ mode: 'bridge' }), 'INVALID spec.cidrs'],
    [spec({ mode: 'turbo' }), 'INVALID spec.mode'],
    [spec({ mode: 'overlay', sourceGuard: false }), 'INVALID spec.sourceGuard'],
    [spec({ mode: 'overlay', cidrs: ['10.80.0.0/24', '10.81.0.0/24'] }), 'INVALID spec.cidrs'],
    [spec({ mode: 'overlay', vni: 0 }), 'INVALID spec.vni'],
    [spec({ mode: 'overlay', vni: 2 ** 24 }), 'INVALID spec.vni'],
    [spec({ mode: 'raw' }), 'INVALID spec.parent'],
    [raw({ parent: 'lo' }), 'INVALID spec.parent'],
    [raw({ parent: 'podwire0' }), 'INVALID spec.parent'],
    [raw({ parent: 'a name' }), 'INVALID spec.parent'],
    [raw({ vlan: 0 }), 'INVALID spec.vlan'],
    [raw({ vlan: 4095 }), 'INVALID spec.vlan'],
    [raw({ internal: true }), 'INVALID spec.internal'],
    [raw({ cidrs: [] }), 'INVALID spec.cidrs'],
    [raw({ cidrs: ['10.80.0.0/24', '10.81.0.0/24'] }), 'INVALID spec.cidrs'],
    [raw({ gateways: ['10.81.0.1'] }), 'INVALID spec.gateways[0]'],
    [raw({ gateways: ['10.80.0.255'] }), 'INVALID spec.gateways[0]'],
    [raw({ gateways: ['10.80.0.1/24'] }), 'INVALID spec.gateways[0]'],
    [raw({ gateways: ['10.80.0.1', '10.80.0.2'] }), 'INVALID spec.gateways'],
    [raw({ ranges: ['10.80.1.0/28'] }), 'INVALID spec.ranges[0]'],
    [raw({ ranges: ['10.80.0.0/16'] }), 'INVALID spec.ranges[0]'],
    [raw({ ranges: ['10.80.0.17/28'] }), 'INVALID spec.ranges[0]'],
    [raw({ ranges: ['10.80.0.16/28', '10.80.0.24/29'] }), 'INVALID spec.ranges[1]'],
    [spec({ mode: 'host' }), 'INVALID spec.cidrs'],
    [spec({ mode: 'none' }), 'INVALID spec.cidrs'],
    [network({ mode: 'none', mtu: 1400 }), 'INVALID spec.mtu'],
    [network({ mode: 'host', sourceGuard: false }), 'INVALID spec.sourceGuard'],
    [network({ mode: 'host', internal: true }), 'INVALID spec.internal'],
    [spec({ vni: 77 }), 'INVALID spec.vni'],
    [spec({ parent: 'eth0' }), 'INVALID spec.parent'],
    [spec({ vlan: 12 }), 'INVALID spec.vlan'],
    [spec({ gateways: ['10.80.0.1'] }), 'INVALID spec.gateways'],
    [spec({ ranges: ['10.80.0.0/28'] }), 'INVALID spec.ranges'],
    [spec({ colour: 'blue' }), 'INVALID spec.colour'],
    [spec({ internal: 'yes' }), 'INVALID spec.internal'],
    [spec({ cidrs: [] }), 'INVALID spec.cidrs'],
    [spec({ cidrs: ['10.80.0.0'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['10.80.0.0/24', 7] }), 'INVALID spec.cidrs[1]'],
    [spec({ cidrs: ['10.80.0.9/24'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['10.80.0.0/31'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['fd80::/128'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['127.0.0.0/8'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['169.254.0.0/16'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['224.0.0.0/24'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['0.0.0.0/0'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['fe80::/64'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['ff02::/64'] }), 'INVALID spec.cidrs[0]'],
    [spec({ cidrs: ['10.80.0.0/16', '10.80.7.0/24'] }), 'INVALID spec.cidrs[1]'],
    [spec({ mtu: 500 }), 'INVALID spec.mtu'],
    [spec({ mtu: 70000 }), 'INVALID spec.mtu'],
    [spec({ mtu: 1400.5 }), 'INVALID spec.mtu'],
    [spec({ mtu: 1000, cidrs: ['fd80::/64'] }), 'INVALID spec.mtu'],
    [spec({ mode: 'direct', internal: true }), 'INVALID spec.internal'],
    [spec({ mode: 'direct', cidrs: ['10.0.0.0/31', '10.0.1.0/31'] }), 'INVALID spec.cidrs'],
    [network({ mode: 'bridge', cidrs: ['10.80.0.0/24'] }, {}), 'INVALID metadata.name'],
    [network({ mode: 'bridge', cidrs: ['10.80.0.0/24'] }, { name: 'Big' }), 'INVALID metadata.name'],
    [
      network({ mode: 'bridge', cidrs: ['10.80.0.0/24'] }, { name: 'b', namespace: 'x' }),
      'INVALID metadata.namespace',
    ],
    [
      network({ mode: 'bridge', cidrs: ['10.80.0.0/24'] }, { name: 'b', labels: { a: 'not a value' } }),
      'INVALID metadata.labels.a',
    ],
  ])('%j: %s', (value, expected) => {
    expect(refusal(() => parseNetwork(value))).toBe(expected);
  });

  it.each([
    [spec({ mtu: 576 }), 'IPv4 at its least MTU'],
    [spec({ mode: 'direct', cidrs: ['10.0.0.0/31', 'fd00::/127'] }), 'a point-to-point pair'],
    [spec({ internal: true, cidrs: ['10.0.0.0/31'] }), 'an internal network of two'],
    [network({ mode: 'none' }), 'no prefixes'],
    [raw({}), 'no router, no ranges'],
    [raw({ internal: false, mtu: 1400, vlan: 12 }), 'what is not internal says nothing'],
    [raw({ vlan: 4094, gateways: ['10.80.0.254'], ranges: ['10.80.0.16/28', '10.80.0.7/32'] }), 'all of it'],
    [network({ mode: 'host', cidrs: [] }), 'as it is answered'],
  ])('%j: %s', (value) => {
    expect(refusal(() => parseNetwork(value))).toBe('accepted');
  });

  it('says what was meant where bits stand behind the length', () => {
    expect(message(() => parseNetwork(spec({ cidrs: ['10.80.0.9/24'] })))).toBe(
      'spec.cidrs[0]: 10.80.0.9/24 has bits behind its length; did you mean 10.80.0.0/24?',
    );
  });
});
