import { expect, it } from 'vitest';
import { layoutOf } from '../../../src/control/layout.js';
import { ANONYMOUS_MAC } from '../../../src/control/mac.js';
import { MacOwners } from '../../../src/control/mac-owners.js';
import { message, refusal } from './support.js';

const LAYOUT = layoutOf({ mode: 'routed', cidrs: ['10.7.0.0/24'] }, true);
const OWN = '02:70:0a:07:00:05';

function take(owners: MacOwners, owner: string, ip: string, mac?: string): string {
  return owners.take(owner, { mac, ips: [ip] }, LAYOUT);
}

it('gives a MAC address once, whether there is a port yet or not, until it is given back', () => {
  const owners = new MacOwners('default');
  expect(take(owners, 'a', '10.7.0.3', OWN)).toBe(OWN);
  expect(refusal(() => take(owners, 'b', '10.7.0.4', OWN))).toBe('MAC_IN_USE mac');
  expect(message(() => take(owners, 'b', '10.7.0.4', OWN))).toContain('belongs to pod a of network default');
  owners.release('a');
  expect(take(owners, 'b', '10.7.0.4', OWN)).toBe(OWN);
});

it('finds another one for whose own was asked for by somebody else', () => {
  const owners = new MacOwners('default');
  take(owners, 'a', '10.7.0.3', OWN);
  const mac = take(owners, 'b', '10.7.0.5');
  expect(mac).toMatch(/^02:71:/);
  expect(refusal(() => take(owners, 'c', '10.7.0.6', mac))).toBe('MAC_IN_USE mac');
  expect(take(new MacOwners('default'), 'b', '10.7.0.5')).toBe(OWN);
});

it.each([
  ['the gateway’s', '02:70:0a:07:00:01', 'the gateway'],
  ['podwire0’s', '02:70:0a:07:00:02', 'the node'],
])('refuses %s', (_whose, mac, holder) => {
  const owners = new MacOwners('default');
  expect(message(() => take(owners, 'a', '10.7.0.3', mac))).toContain(`belongs to ${holder} of`);
});

it('refuses that of a switch without an address', () => {
  const layout = layoutOf({ mode: 'bridge', internal: true, cidrs: ['10.7.0.0/24'] }, false);
  const wish = { mac: ANONYMOUS_MAC, ips: ['10.7.0.3'] };
  expect(refusal(() => new MacOwners('red').take('a', wish, layout))).toBe('MAC_IN_USE mac');
});

it('refuses what a pod of another node has', () => {
  const others = new Map([[OWN, 'pod there/x of node b']]);
  const wish = { mac: OWN, ips: ['10.7.0.3'] };
  expect(message(() => new MacOwners('red').take('a', wish, LAYOUT, others))).toContain('there/x of node b');
});

it('keeps what a stored attachment has for it', () => {
  const owners = new MacOwners('default');
  owners.claim('lost', OWN);
  expect(refusal(() => take(owners, 'a', '10.7.0.3', OWN))).toBe('MAC_IN_USE mac');
});
