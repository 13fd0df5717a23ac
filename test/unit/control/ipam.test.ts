import { describe, expect, it } from 'vitest';
import { AddressPool, type AddressRange, usable } from '../../../src/control/ipam.js';

function range(cidrs: string[], reserved: Record<string, string> = {}): AddressRange {
  return { cidrs, reserved: new Map(Object.entries(reserved)) };
}

const DUAL = [
  range(['10.0.0.0/29', 'fd00::/125'], {
    '10.0.0.1': 'the gateway',
    '10.0.0.2': 'the node',
    'fd00::1': 'the gateway',
    'fd00::2': 'the node',
  }),
];

function code(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as { field?: string }).field ?? ''}`.trim();
  }
  return 'nothing thrown';
}

describe('AddressPool', () => {
  it('gives addresses of the ranges alone, and a family without one only to who asks', () => {
    const lan = { ...range(['192.168.7.0/24', 'fd07::/64'], { '192.168.7.1': 'the router' }) };
    const pool = new AddressPool('lan', [{ ...lan, given: ['192.168.7.0/30', '192.168.7.254/31'] }]);
    expect(pool.allocate('a').ips).toEqual(['192.168.7.2']);
    expect(pool.allocate('b').ips).toEqual(['192.168.7.3']);
    expect(pool.allocate('c', ['fd07::5']).ips).toEqual(['192.168.7.254', 'fd07::5']);
    // .255 is for broadcasts.
    expect(code(() => pool.allocate('d'))).toBe('ADDRESS_EXHAUSTED');
    expect(code(() => pool.allocate('d', ['192.168.7.9']))).toBe('INVALID ips[0]');
    pool.release('b');
    expect(pool.allocate('d').ips).toEqual(['192.168.7.3']);
    pool.setRanges([{ ...lan, given: ['192.168.7.8/29'] }]);
    expect(pool.allocate('e').ips).toEqual(['192.168.7.8']);
    expect(pool.ownerOf('192.168.7.2')).toBe('a');
  });

  it('gives none by itself where nothing is given', () => {
    const pool = new AddressPool('lan', [{ ...range(['192.168.7.0/24']), given: [] }]);
    expect(code(() => pool.allocate('a'))).toBe('INVALID ips');
    // Those that say an address get it.
    expect(() => pool.checkRoom()).not.toThrow();
    expect(pool.allocate('a', ['192.168.7.9']).ips).toEqual(['192.168.7.9']);
  });

  it('gives no address where the network has no prefix, and counts who is in it', () => {
    const pool = new AddressPool('none', []);
    expect(pool.allocate('a')).toEqual({ domain: 0, ips: [] });
    expect(pool.fits({ domain: 0, ips: [] })).toBe(true);
    expect(pool.fits({ domain: 0, ips: ['10.0.0.1'] })).toBe(true);
    expect(pool.size).toBe(1);
    expect(code(() => pool.allocate('b', ['10.0.0.1']))).toBe('INVALID ips[0]');
    expect(pool.release('a')).toEqual([]);
    expect(pool.size).toBe(0);
  });

  it('gives the lowest free address of each family, after gateway and node', () => {
    const pool = new AddressPool('default', DUAL);
    expect(pool.allocate('a')).toEqual({ domain: 0, ips: ['10.0.0.3', 'fd00::3'] });
    expect(pool.allocate('b')).toEqual({ domain: 0, ips: ['10.0.0.4', 'fd00::4'] });
    expect(pool.release('a')).toEqual(['10.0.0.3', 'fd00::3']);
    expect(pool.allocate('c').ips).toEqual(['10.0.0.3', 'fd00::3']);
  });

  it('gives an owner what it has already', () => {
    const pool = new AddressPool('default', DUAL);
    expect(pool.allocate('a')).toBe(pool.allocate('a'));
    expect(pool.size).toBe(1);
  });

  it('never gives out the network and the broadcast address', () => {
    const pool = new AddressPool('n', [range(['10.0.0.0/30'])]);
    expect([pool.allocate('a').ips, pool.allocate('b').ips]).toEqual([['10.0.0.1'], ['10.0.0.2']]);
    expect(code(() => pool.allocate('c'))).toBe('ADDRESS_EXHAUSTED');
  });

  it('gives out both addresses of a point-to-point prefix (RFC 3021, RFC 6164)', () => {
    const pool = new AddressPool('pair', [range(['10.0.0.0/31', 'fd00::/127'])]);
    expect(pool.allocate('a').ips).toEqual(['10.0.0.0', 'fd00::']);
    expect(pool.allocate('b').ips).toEqual(['10.0.0.1', 'fd00::1']);
  });

  it('takes nothing where one family is exhausted', () => {
    const pool = new AddressPool('n', [range(['10.0.0.0/30', 'fd00::/64'])]);
    pool.allocate('a');
    pool.allocate('b');
    expect(code(() => pool.allocate('c'))).toBe('ADDRESS_EXHAUSTED');
    expect(pool.size).toBe(2);
    pool.release('a');
    expect(pool.allocate('c').ips).toEqual(['10.0.0.1', 'fd00::1']);
  });

  it('goes on to the next bridge domain when the first is full', () => {
    const pool = new AddressPool('n', [range(['10.0.0.0/30']), range(['10.1.0.0/30'])]);
    expect(['a', 'b', 'c'].map((owner) => pool.allocate(owner).domain)).toEqual([0, 0, 1]);
  });

  it('gives the address that is asked for, and allocates the other family', () => {
    const pool = new AddressPool('default', DUAL);
    expect(pool.allocate('a', ['10.0.0.5'])).toEqual({ domain: 0, ips: ['10.0.0.5', 'fd00::3'] });
    expect(pool.allocate('b', ['fd00::7', '10.0.0.6'])).toEqual({ domain: 0, ips: ['10.0.0.6', 'fd00::7'] });
    expect(pool.allocate('c', ['FD00:0::0004']).ips).toEqual(['10.0.0.3', 'fd00::4']);
  });

  it('lets an address choose the bridge domain', () => {
    const pool = new AddressPool('n', [
      range(['10.0.0.0/24', 'fd00::/64']),
      range(['10.1.0.0/24', 'fd01::/64']),
    ]);
    expect(pool.allocate('a', ['10.1.0.9'])).toEqual({ domain: 1, ips: ['10.1.0.9', 'fd01::1'] });
  });

  it.each([
    ['10.9.0.1', 'INVALID ips[0]'],
    ['10.0.0.0', 'INVALID ips[0]'],
    ['10.0.0.7', 'INVALID ips[0]'],
    ['fd00::', 'INVALID ips[0]'],
    ['10.0.0.1', 'ADDRESS_IN_USE'],
    ['fd00::2', 'ADDRESS_IN_USE'],
    ['10.0.0.3', 'ADDRESS_IN_USE'],
  ])('refuses %s with %s', (address, expected) => {
    const pool = new AddressPool('default', DUAL);
    pool.allocate('a');
    expect(code(() => pool.allocate('b', [address]))).toBe(expected);
    expect(pool.size).toBe(1);
  });

  it('refuses two addresses of a family, and addresses of two bridge domains', () => {
    const pool = new AddressPool('n', [
      range(['10.0.0.0/24', 'fd00::/64']),
      range(['10.1.0.0/24', 'fd01::/64']),
    ]);
    expect(code(() => pool.allocate('a', ['10.0.0.4', '10.0.0.5']))).toBe('INVALID ips');
    expect(code(() => pool.allocate('a', ['10.0.0.4', 'fd01::5']))).toBe('INVALID ips');
  });

  it('claims stored allocations, each address for one owner', () => {
    const pool = new AddressPool('default', DUAL);
    const stored = { domain: 0, ips: ['10.0.0.3', 'fd00::3'] };
    expect(pool.fits(stored)).toBe(true);
    pool.claim('a', stored);
    expect(code(() => pool.claim('b', { domain: 0, ips: ['10.0.0.4', 'fd00::3'] }))).toBe('ADDRESS_IN_USE');
    expect(pool.allocate('b').ips).toEqual(['10.0.0.4', 'fd00::4']);
  });

  it.each([
    [{ domain: 1, ips: ['10.0.0.3'] }],
    [{ domain: 0, ips: ['10.2.0.3'] }],
    [{ domain: 0, ips: ['10.0.0.1'] }],
    [{ domain: 0, ips: ['10.0.0.7'] }],
  ])('says that %j does not fit', (allocation) => {
    expect(new AddressPool('default', DUAL).fits(allocation)).toBe(false);
  });

  it('finds an address in a large prefix that is nearly full', () => {
    const pool = new AddressPool('n', [range(['10.0.0.0/20'])]);
    for (let index = 0; index < 4094; index++) pool.allocate(`p${index}`);
    expect(code(() => pool.allocate('one more'))).toBe('ADDRESS_EXHAUSTED');
    pool.release('p4000');
    expect(pool.allocate('one more').ips).toEqual(['10.0.15.161']);
  });
});

describe('usable', () => {
  it.each([
    ['10.0.0.0/24', 1n, 255n],
    ['10.0.0.0/31', 0n, 2n],
    ['10.0.0.0/32', 0n, 1n],
    ['fd00::/64', 1n, 1n << 64n],
    ['fd00::/127', 0n, 2n],
  ])('of %s is from %d to %d', (cidr, first, end) => {
    expect(usable(cidr)).toEqual([first, end]);
  });

  it('does not give out again what turned out to be another node’s', () => {
    const pool = new AddressPool('red', [{ cidrs: ['10.80.0.0/29'], reserved: new Map() }]);
    expect(pool.allocate('here/a').ips).toEqual(['10.80.0.1']);
    pool.claimForeign('there/x of node b', '10.80.0.1');
    pool.release('here/a');
    expect(pool.allocate('here/a').ips).toEqual(['10.80.0.2']);
    expect(pool.foreignSize).toBe(1);
    pool.keepForeign(new Set());
    expect(pool.allocate('here/c').ips).toEqual(['10.80.0.1']);
  });
});
