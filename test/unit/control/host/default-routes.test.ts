import { expect, it } from 'vitest';
import { defaults4, defaults6 } from '../../../../src/control/host/default-routes.js';

// cat /proc/net/route and /proc/net/ipv6_route of a namespace with `default via 192.0.2.1 dev other`,
// 0.0.0.0/1 through tun0, and `default via fd00:10:244::1 dev eth0`.
const ROUTE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
other\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
eth0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;
const IPV6_ROUTE = `fd000010024400000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000010024400000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

it('finds the devices of default routes, and of no others', () => {
  expect(defaults4(ROUTE)).toEqual(['other']);
  expect(defaults6(IPV6_ROUTE)).toEqual(['eth0']);
});

it('finds none in a namespace without routes or without IPv6', () => {
  expect(defaults4(ROUTE.split('\n')[0])).toEqual([]);
  expect(defaults4('')).toEqual([]);
  expect(defaults6('')).toEqual([]);
});
