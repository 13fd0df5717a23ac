import { describe, expect, it } from 'vitest';
import {
  addressAt,
  canonicalCidr,
  encloses,
  firstSubnet,
  hostPrefix,
  indexIn,
  overlaps,
  sizeOf,
} from '../../../src/control/cidr.js';

// Python: ipaddress.ip_network(cidr)[index]
describe('addressAt', () => {
  it.each([
    ['10.244.0.0/16', 0n, '10.244.0.0'],
    ['10.244.0.0/16', 257n, '10.244.1.1'],
    ['10.244.0.0/16', -1n, '10.244.255.255'],
    ['255.255.255.0/24', 255n, '255.255.255.255'],
    ['fd00:10:244::/48', 1n, 'fd00:10:244::1'],
    ['fd00:10:244::/48', 1n << 64n, 'fd00:10:244:1::'],
    ['fd00::/64', 4_294_967_296n, 'fd00::1:0:0'],
    ['fd00::/64', -1n, 'fd00::ffff:ffff:ffff:ffff'],
  ])('%s [%d] is %s', (cidr, index, address) => {
    expect(addressAt(cidr, index)).toBe(address);
    expect(indexIn(cidr, address)).toBe(index < 0n ? sizeOf(cidr) + index : index);
  });

  it('has no index for an address outside, of either family', () => {
    expect(indexIn('10.0.0.0/24', '10.0.1.0')).toBeUndefined();
    expect(indexIn('10.0.0.0/24', 'fd00::1')).toBeUndefined();
  });
});

describe('relations of prefixes', () => {
  it.each([
    ['10.0.0.0/8', '10.244.0.0/16', true, true],
    ['10.244.0.0/16', '10.0.0.0/8', true, false],
    ['10.0.0.0/24', '10.0.0.0/24', true, true],
    ['10.0.0.0/24', '10.0.1.0/24', false, false],
    ['0.0.0.0/0', 'fd00::/8', false, false],
    ['fd00::/16', 'fd00:1::/32', true, true],
  ])('%s and %s: overlap %s, enclosed %s', (a, b, overlap, enclosed) => {
    expect(overlaps(a, b)).toBe(overlap);
    expect(overlaps(b, a)).toBe(overlap);
    expect(encloses(a, b)).toBe(enclosed);
  });
});

it('takes the first subnet, or the prefix itself where it is smaller', () => {
  expect(firstSubnet('10.244.0.0/16', 24)).toBe('10.244.0.0/24');
  expect(firstSubnet('10.244.7.0/26', 24)).toBe('10.244.7.0/26');
  expect(firstSubnet('fd00:10:244::/48', 64)).toBe('fd00:10:244::/64');
});

it('clears the bits behind a prefix', () => {
  expect(canonicalCidr('10.0.0.77/24')).toBe('10.0.0.0/24');
  expect(canonicalCidr('FD00:0:0::1/64')).toBe('fd00::/64');
});

it('makes the prefix of one address', () => {
  expect(hostPrefix('10.0.0.1')).toBe('10.0.0.1/32');
  expect(hostPrefix('fd00::1')).toBe('fd00::1/128');
});
