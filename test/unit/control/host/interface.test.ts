import { expect, it } from 'vitest';
import { interfaceCommands } from '../../../../src/control/host/interface.js';

const SETTINGS = {
  ifname: 'eth0',
  mac: '02:70:0a:f4:00:03',
  mtu: 1450,
  addresses: ['10.244.0.3/24', 'fd00::3/64'],
  gateways: ['10.244.0.1', 'fd00::1'],
};

it('gives an interface MAC, MTU, addresses, a link-local address, and default routes, in that order', () => {
  expect(interfaceCommands(SETTINGS, true, { 4: false, 6: false })).toEqual([
    'link set dev lo up',
    'link set dev eth0 address 02:70:0a:f4:00:03 mtu 1450 gso_max_size 65536',
    'link set dev eth0 addrgenmode none',
    'address replace 10.244.0.3/24 dev eth0',
    'address replace fd00::3/64 dev eth0 nodad',
    'address replace fe80::70:aff:fef4:3/64 dev eth0 nodad scope link',
    'link set dev eth0 up',
    'route replace default via 10.244.0.1 dev eth0',
    'route replace default via fd00::1 dev eth0',
  ]);
});

it('leaves IPv6 alone where it is off, and default routes that are others’', () => {
  const ipv4 = { ...SETTINGS, addresses: ['10.244.0.3/24'], gateways: ['10.244.0.1'] };
  expect(interfaceCommands(ipv4, false, { 4: true, 6: false })).toEqual([
    'link set dev lo up',
    'link set dev eth0 address 02:70:0a:f4:00:03 mtu 1450 gso_max_size 65536',
    'address replace 10.244.0.3/24 dev eth0',
    'link set dev eth0 up',
  ]);
});
