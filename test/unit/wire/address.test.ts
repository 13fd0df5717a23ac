import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import * as address from '../../../src/wire/address.js';

const words = (hex: string) =>
  Uint32Array.from(hex.match(/.{8}/g) ?? [], (word) => Number.parseInt(word, 16));

describe('MAC addresses', () => {
  it('are read and written', () => {
    expect(address.parseMac('02:00:0a:f4:00:02')).toEqual({ hi: 0x0200, lo: 0x0af40002 });
    expect(address.parseMac('FF-FE-FD-FC-FB-FA')).toEqual({ hi: 0xfffe, lo: 0xfdfcfbfa });
    expect(address.formatMac(0x0200, 0x0af40002)).toBe('02:00:0a:f4:00:02');
    expect(address.formatMac(0, 0)).toBe('00:00:00:00:00:00');
    expect(address.formatMac(0xffff, 0xfdfcfbfa)).toBe('ff:ff:fd:fc:fb:fa');
  });

  it.each([
    '',
    '02:00:0a:f4:00',
    '02:00:0a:f4:00:02:03',
    '02:00:0a:f4:00:0g',
    '2:0:a:f4:0:2',
    '02-00:0a-f4:00-02',
  ])('refuses %j', (text) => {
    expect(() => address.parseMac(text)).toThrow(`'${text}' is not a MAC address`);
  });
});

describe('IPv4 addresses', () => {
  it.each([
    ['0.0.0.0', 0],
    ['10.244.0.2', 0x0af40002],
    ['192.168.77.3', 0xc0a84d03],
    ['255.255.255.255', 0xffffffff],
  ])('reads and writes %s', (text, number) => {
    expect(address.parseIpv4(text)).toBe(number);
    expect(address.formatIpv4(number)).toBe(text);
  });

  it.each([
    '',
    '10.244.0',
    '10.244.0.2.3',
    '10.244.0.256',
    '10.244.0.02',
    '010.1.1.1',
    '0x0a.1.1.1',
    '10.1.1.1 ',
    '1e1.1.1.1',
    '-1.1.1.1',
  ])('refuses %j', (text) => {
    expect(() => address.parseIpv4(text)).toThrow(address.AddressError);
    expect(() => address.parseIpv4(text)).toThrow(`'${text}' is not an IPv4 address`);
  });
});

describe('IPv6 addresses', () => {
  // What inet_pton and inet_ntop of glibc 2.36 make of the text.
  it.each([
    ['::', '00000000000000000000000000000000', '::'],
    ['::1', '00000000000000000000000000000001', '::1'],
    ['2001:db8::1', '20010db8000000000000000000000001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1::1', '20010000000000010000000000000001', '2001:0:0:1::1'],
    ['2001:DB8::', '20010db8000000000000000000000000', '2001:db8::'],
    ['::ffff:192.0.2.128', '00000000000000000000ffffc0000280', '::ffff:192.0.2.128'],
    ['fe80::ff:fe00:1', 'fe80000000000000000000fffe000001', 'fe80::ff:fe00:1'],
    ['1:0:0:2:0:0:0:3', '00010000000000020000000000000003', '1:0:0:2::3'],
    ['1:2:3:4:5:6:7:0', '00010002000300040005000600070000', '1:2:3:4:5:6:7:0'],
    ['0:0:1::', '00000000000100000000000000000000', '0:0:1::'],
    ['::2:0:0:0:0', '00000000000000020000000000000000', '0:0:0:2::'],
  ])('reads %s as glibc does, and writes it as glibc does', (text, hex, canonical) => {
    expect(address.parseIpv6(text)).toEqual(words(hex));
    expect(address.formatIpv6(words(hex))).toBe(canonical);
  });

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4::5:6:7:8',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '::1.2.3',
    '::1.2.3.256',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1/64',
    ' ::1',
  ])('refuses %j', (text) => {
    expect(() => address.parseIpv6(text)).toThrow(`'${text}' is not an IPv6 address`);
  });

  const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(0xffff) });
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  const toWords = (all: number[]) => Uint32Array.from([0, 2, 4, 6], (i) => all[i] * 0x10000 + all[i + 1]);
  const toOctets = (all: number[]) => all.flatMap((value) => [value >>> 8, value & 0xff]);

  it('are written as ipaddr.js reads and writes them', () => {
    fc.assert(
      fc.property(groups, (all) => {
        const text = address.formatIpv6(toWords(all));
        const judge = ipaddr.IPv6.parse(text);
        expect(judge.toByteArray()).toEqual(toOctets(all));
        // ipaddr.js writes IPv4-mapped addresses without dots, which RFC 5952 section 5 allows too.
        if (!judge.isIPv4MappedAddress()) expect(text).toBe(judge.toRFC5952String());
      }),
      { numRuns: 1000 },
    );
  });

  it('are read as ipaddr.js writes them, short or in full', () => {
    fc.assert(
      fc.property(groups, (all) => {
        const judge = ipaddr.IPv6.parse(all.map((value) => value.toString(16)).join(':'));
        const full = judge.parts.map((part) => part.toString(16).padStart(4, '0')).join(':');
        for (const text of [judge.toRFC5952String(), judge.toNormalizedString(), full]) {
          expect(address.parseIpv6(text)).toEqual(toWords(all));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('are refused where ipaddr.js refuses them', () => {
    const text = fc.array(fc.constantFrom(':', '::', '0', '1', 'ab', 'ffff', '12345', '1.2.3.4', '.'), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const joined = parts.join('');
        if (ipaddr.IPv6.isValid(joined)) return;
        expect(() => address.parseIpv6(joined)).toThrow(address.AddressError);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('addresses of either family', () => {
  it('are told apart', () => {
    expect(address.parseIp('10.244.0.2')).toEqual({ family: 4, words: Uint32Array.of(0x0af40002) });
    expect(address.parseIp('fd00::2')).toEqual({
      family: 6,
      words: words('fd000000000000000000000000000002'),
    });
    expect(['10.244.0.2', 'fd00::2'].map((text) => address.formatIp(address.parseIp(text)))).toEqual([
      '10.244.0.2',
      'fd00::2',
    ]);
  });

  it('throw an error with a code', () => {
    expect(() => address.parseIp('pod')).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
  });
});

describe('prefixes', () => {
  it.each([
    ['10.244.7.9/24', '10.244.7.0/24', '10.244.7.255', '10.244.8.0'],
    ['192.168.0.1/0', '0.0.0.0/0', '255.255.255.255', '::'],
    ['192.168.0.1/32', '192.168.0.1/32', '192.168.0.1', '192.168.0.0'],
    ['10.244.7.9/17', '10.244.0.0/17', '10.244.127.255', '10.244.128.0'],
    ['fd00:10:244:8001::1/49', 'fd00:10:244:8000::/49', 'fd00:10:244:ffff::', 'fd00:10:244:7fff::'],
    ['fd00::1/0', '::/0', 'ffff::', '0.0.0.0'],
    ['fd00::1/64', 'fd00::/64', 'fd00::ffff:0:0:0', 'fd00:0:0:1::'],
    ['fd00::8000:1/97', 'fd00::8000:0/97', 'fd00::ffff:ffff', 'fd00::7fff:ffff'],
    ['fd00::1/128', 'fd00::1/128', 'fd00::1', 'fd00::'],
  ])('knows of %s its network, what is in and what is out', (text, network, inside, outside) => {
    const cidr = address.parseCidr(text);
    expect(address.formatCidr(cidr)).toBe(text);
    expect(address.formatCidr(address.networkOf(cidr))).toBe(network);
    expect(address.contains(cidr, address.parseIp(inside))).toBe(true);
    expect(address.contains(cidr, address.parseIp(outside))).toBe(false);
  });

  it('contains what ipaddr.js says that it contains', () => {
    const four = fc.tuple(
      fc.nat(0xffffffff),
      fc.integer({ min: 0, max: 32 }),
      fc.nat(0xffffffff),
      fc.nat(32),
    );
    fc.assert(
      fc.property(four, ([base, prefix, other, same]) => {
        const mask = same === 0 ? 0 : (0xffffffff << (32 - same)) >>> 0;
        const near = ((base & mask) | (other & ~mask)) >>> 0;
        const text = `${address.formatIpv4(base)}/${prefix}`;
        const judge = ipaddr.IPv4.parse(address.formatIpv4(near)).match(ipaddr.IPv4.parseCIDR(text));
        const ip = { family: 4 as const, words: Uint32Array.of(near) };
        expect(address.contains(address.parseCidr(text), ip)).toBe(judge);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['10.244.0.0', "'10.244.0.0' is not a prefix"],
    ['10.244.0.0/', "'10.244.0.0/' is not a prefix"],
    ['10.244.0.0/33', "'10.244.0.0/33' is not a prefix: the length of an IPv4 one is at most 32"],
    ['fd00::/129', "'fd00::/129' is not a prefix: the length of an IPv6 one is at most 128"],
    ['10.244.0.0/08', "'10.244.0.0/08' is not a prefix"],
    ['10.244.0.0/-1', "'10.244.0.0/-1' is not a prefix"],
    ['10.244.0.0/24/24', "'10.244.0.0/24/24' is not a prefix"],
    ['10.244.0/24', "'10.244.0' is not an IPv4 address"],
  ])('refuses %s', (text, message) => {
    expect(() => address.parseCidr(text)).toThrow(message);
  });
});

describe('derived addresses', () => {
  // scapy 2.5.0: in6_mactoifaceid(MAC), behind fe80::/64
  it.each([
    ['02:00:0a:f4:00:02', 'fe80::aff:fef4:2'],
    ['f2:ff:0a:f4:80:ff', 'fe80::f0ff:aff:fef4:80ff'],
    ['00:00:00:ff:ff:ff', 'fe80::200:ff:feff:ffff'],
  ])('makes the link-local address of %s', (mac, text) => {
    expect(address.formatIpv6(address.linkLocalOf(address.parseMac(mac)))).toBe(text);
  });

  it('names the groups that an address is solicited at', () => {
    // scapy 2.5.0: in6_getnsma and in6_getnsmac of fd00:10:244::12:3456
    const group = address.solicitedNodeOf(address.parseIpv6('fd00:10:244::12:3456'));
    expect(address.formatIpv6(group)).toBe('ff02::1:ff12:3456');
    const { hi, lo } = address.multicastMacOfIpv6(group);
    expect(address.formatMac(hi, lo)).toBe('33:33:ff:12:34:56');
  });

  it('maps IPv4 groups, of which 32 share a MAC address', () => {
    // RFC 1112 section 6.4: the low 23 bits
    for (const group of ['224.0.0.251', '239.128.0.251']) {
      const { hi, lo } = address.multicastMacOfIpv4(address.parseIpv4(group));
      expect(address.formatMac(hi, lo)).toBe('01:00:5e:00:00:fb');
    }
  });
});
