import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ipv4 from '../../../src/wire/ipv4.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.

// IP(tos=0xb8, len=1500, id=0xbeef, flags='DF', ttl=64, proto=17, src='10.244.0.2', dst='192.168.77.3')
const PLAIN = '45b805dcbeef400040115cc80af40002c0a84d03';
// The same with ttl=63
const ONE_HOP_ON = '45b805dcbeef40003f115dc80af40002c0a84d03';
// The same as PLAIN with tos=0xbb
const CONGESTED = '45bb05dcbeef400040115cc50af40002c0a84d03';
// IP(len=60, id=1, ttl=1, proto=6, src='172.16.0.1', dst='224.0.0.251',
//    options=[IPOption_Router_Alert(), IPOption_RR(length=7, routers=['1.2.3.4'])])
const OPTIONS = '4800003c000100000106849fac100001e00000fb940400000707040102030400';
// IP(len=1500, id=7, flags='MF', frag=185, ttl=63, proto=17, src='10.244.0.2', dst='10.244.0.3')
const FRAGMENT = '450005dc000720b93f113f650af400020af40003';

describe('ipv4', () => {
  it('takes a header apart', () => {
    const view = literal(PLAIN);
    expect(ipv4.version(view, AT)).toBe(4);
    expect(ipv4.headerLength(view, AT)).toBe(20);
    expect(ipv4.tos(view, AT)).toBe(0xb8);
    expect(ipv4.totalLength(view, AT)).toBe(1500);
    expect(ipv4.id(view, AT)).toBe(0xbeef);
    expect(ipv4.dontFragment(view, AT)).toBe(true);
    expect(ipv4.isFragment(view, AT)).toBe(false);
    expect(ipv4.ttl(view, AT)).toBe(64);
    expect(ipv4.protocol(view, AT)).toBe(ipv4.PROTOCOL.UDP);
    expect(ipv4.checksum(view, AT)).toBe(0x5cc8);
    expect(ipv4.src(view, AT)).toBe(0x0af40002);
    expect(ipv4.dst(view, AT)).toBe(0xc0a84d03);
  });

  it('builds the same header', () => {
    const view = blank(20);
    ipv4.writeHeader(view, AT, 0xb8, 1500, 0xbeef, ipv4.FLAG.DONT_FRAGMENT, 64, 17, 0x0af40002, 0xc0a84d03);
    expect(hexOf(view)).toBe(PLAIN);
  });

  it('knows options and their checksum', () => {
    const view = literal(OPTIONS);
    expect(ipv4.headerLength(view, AT)).toBe(32);
    expect(ipv4.src(view, AT)).toBe(0xac100001);
    expect(ipv4.isMulticast(ipv4.dst(view, AT))).toBe(true);
    expect(ipv4.isMulticast(ipv4.src(view, AT))).toBe(false);
    expect(ipv4.isChecksumRight(view, AT, 32)).toBe(true);
    expect(ipv4.isChecksumRight(view, AT, 20)).toBe(false);
  });

  it('takes a fragment apart and builds it', () => {
    const view = literal(FRAGMENT);
    expect(ipv4.isFragment(view, AT)).toBe(true);
    expect(ipv4.moreFragments(view, AT)).toBe(true);
    expect(ipv4.dontFragment(view, AT)).toBe(false);
    expect(ipv4.fragmentOffset(view, AT)).toBe(1480);
    const built = blank(20);
    ipv4.writeHeader(built, AT, 0, 9999, 0, ipv4.FLAG.DONT_FRAGMENT, 1, 17, 0, 0);
    ipv4.setTotalLength(built, AT, 1500);
    ipv4.setId(built, AT, 7);
    ipv4.setFragment(built, AT, ipv4.FLAG.MORE_FRAGMENTS, 1480);
    ipv4.setTtl(built, AT, 63);
    ipv4.setSrc(built, AT, 0x0af40002);
    ipv4.setDst(built, AT, 0x0af40003);
    ipv4.writeChecksum(built, AT, 20);
    expect(hexOf(built)).toBe(FRAGMENT);
  });

  it('counts the first fragment as one by its flag alone, the last by its offset alone', () => {
    const view = literal(FRAGMENT);
    ipv4.setFragment(view, AT, ipv4.FLAG.MORE_FRAGMENTS, 0);
    expect([ipv4.isFragment(view, AT), ipv4.fragmentOffset(view, AT)]).toEqual([true, 0]);
    ipv4.setFragment(view, AT, 0, 8);
    expect([ipv4.isFragment(view, AT), ipv4.moreFragments(view, AT)]).toEqual([true, false]);
  });

  it('decrements the TTL with its checksum', () => {
    const view = literal(PLAIN);
    ipv4.decrementTtl(view, AT);
    expect(hexOf(view)).toBe(ONE_HOP_ON);
  });

  it('rewrites DSCP and ECN with the checksum', () => {
    const view = literal(PLAIN);
    ipv4.rewriteTos(view, AT, 0xbb);
    expect(hexOf(view)).toBe(CONGESTED);
    ipv4.rewriteTos(view, AT, 0xb8);
    expect(hexOf(view)).toBe(PLAIN);
  });

  it('finds a checksum wrong after any one bit has changed', () => {
    for (let bit = 0; bit < 256; bit++) {
      const view = literal(OPTIONS);
      const octet = AT + (bit >>> 3);
      view.setUint8(octet, view.getUint8(octet) ^ (1 << (bit & 7)));
      expect(ipv4.isChecksumRight(view, AT, 32)).toBe(false);
    }
  });

  it('computes the checksum whatever the field holds', () => {
    const view = literal(PLAIN);
    for (const field of [0, 0xffff, 0x5cc8, 0xa337, 1]) {
      ipv4.setChecksum(view, AT, field);
      expect(ipv4.headerChecksum(view, AT, 20)).toBe(0x5cc8);
    }
  });

  it('decrements to what a checksum from scratch would be, for every carry', () => {
    const header = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(header, fc.integer({ min: 1, max: 255 }), (octets, ttl) => {
        const view = blank(20);
        octets.forEach((octet, i) => {
          view.setUint8(AT + i, octet);
        });
        view.setUint8(AT, 0x45);
        ipv4.setTtl(view, AT, ttl);
        ipv4.writeChecksum(view, AT, 20);
        ipv4.decrementTtl(view, AT);
        expect(ipv4.ttl(view, AT)).toBe(ttl - 1);
        expect(ipv4.checksum(view, AT)).toBe(ipv4.headerChecksum(view, AT, 20));
      }),
      { numRuns: 500 },
    );
  });

  it('decrements rightly for each of the 65,536 checksums', () => {
    const view = literal(PLAIN);
    for (let id = 0; id < 0x10000; id++) {
      ipv4.setTtl(view, AT, 64);
      ipv4.setId(view, AT, id);
      ipv4.writeChecksum(view, AT, 20);
      ipv4.decrementTtl(view, AT);
      if (ipv4.checksum(view, AT) !== ipv4.headerChecksum(view, AT, 20)) expect.fail(`id ${id}`);
    }
  });
});
