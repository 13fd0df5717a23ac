import { expect, it } from 'vitest';
import { layoutOf } from '../../../src/control/layout.js';
import { ANONYMOUS_MAC, macOf } from '../../../src/control/mac.js';

it('pairs the i-th IPv4 with the i-th IPv6 prefix', () => {
  const cidrs = ['10.1.0.0/24', 'fd01::/64', '10.2.0.0/24', 'fd02::/64', '10.3.0.0/24'];
  expect(layoutOf({ mode: 'bridge', cidrs }, false).map((domain) => [domain.cidrs, domain.gateways])).toEqual(
    [
      [
        ['10.1.0.0/24', 'fd01::/64'],
        ['10.1.0.1', 'fd01::1'],
      ],
      [
        ['10.2.0.0/24', 'fd02::/64'],
        ['10.2.0.1', 'fd02::1'],
      ],
      [['10.3.0.0/24'], ['10.3.0.1']],
    ],
  );
});

it('keeps the gateway’s and the node’s addresses from pods', () => {
  const [domain] = layoutOf({ mode: 'routed', cidrs: ['10.244.0.0/24', 'fd00::/64'] }, true);
  expect(Object.fromEntries(domain.reserved)).toEqual({
    '10.244.0.1': 'the gateway',
    'fd00::1': 'the gateway',
    '10.244.0.2': 'the node',
    'fd00::2': 'the node',
  });
});

it('has no gateway in internal and direct networks', () => {
  for (const spec of [
    { mode: 'bridge' as const, cidrs: ['10.1.0.0/24'], internal: true },
    { mode: 'direct' as const, cidrs: ['10.1.0.0/31'] },
  ]) {
    expect(layoutOf(spec, false)[0]).toMatchObject({ gateways: [], reserved: new Map() });
  }
});

it('makes MAC addresses of IPv4 addresses, else of a hash of the IPv6 address', () => {
  expect(macOf(['10.244.0.3', 'fd00::3'])).toBe('02:70:0a:f4:00:03');
  expect(macOf(['fd00::3', '10.244.0.3'])).toBe('02:70:0a:f4:00:03');
  // printf 'fd00::3#0' | sha256sum, the first four octets; 'fd00::3#1' where that is taken.
  expect(macOf(['fd00::3'])).toBe('02:71:ab:c9:0e:4d');
  expect(macOf(['fd00::3'], (mac) => mac === '02:71:ab:c9:0e:4d')).toBe('02:71:9e:7f:a3:5c');
  expect(macOf([])).toBe(ANONYMOUS_MAC);
});
