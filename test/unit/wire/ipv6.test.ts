import { describe, expect, it } from 'vitest';
import * as ipv6 from '../../../src/wire/ipv6.js';
import { AT, blank, hexOf, literal } from './literal.js';

// scapy 2.5.0: IPv6(tc=0xb9, fl=0x12345, plen=1240, nh=58, hlim=255, src='fe80::1', dst='ff02::1:ff00:2')
const HEADER = '6b91234504d83afffe800000000000000000000000000001ff0200000000000000000001ff000002';
const SRC = AT + ipv6.SRC;
const DST = AT + ipv6.DST;

describe('ipv6', () => {
  it('takes a header apart', () => {
    const view = literal(HEADER);
    expect(ipv6.version(view, AT)).toBe(6);
    expect(ipv6.trafficClass(view, AT)).toBe(0xb9);
    expect(ipv6.flowLabel(view, AT)).toBe(0x12345);
    expect(ipv6.payloadLength(view, AT)).toBe(1240);
    expect(ipv6.nextHeader(view, AT)).toBe(58);
    expect(ipv6.hopLimit(view, AT)).toBe(255);
    expect([0, 1, 2, 3].map((i) => ipv6.srcWord(view, AT, i))).toEqual([0xfe800000 | 0, 0, 0, 1]);
    expect([0, 1, 2, 3].map((i) => ipv6.dstWord(view, AT, i))).toEqual([
      0xff020000 | 0,
      0,
      1,
      0xff000002 | 0,
    ]);
    expect([0, 1, 2, 3].map((i) => ipv6.word(view, DST, i))).toEqual([0xff020000 | 0, 0, 1, 0xff000002 | 0]);
  });

  it('builds the same header', () => {
    const view = blank(40);
    ipv6.writeHeader(view, AT, 0xb9, 0x12345, 1240, 58, 255);
    ipv6.setAddress(view, SRC, 0xfe800000, 0, 0, 1);
    ipv6.setAddress(view, DST, 0xff020000, 0, 1, 0xff000002);
    expect(hexOf(view)).toBe(HEADER);
  });

  it('builds the same from other values, field by field', () => {
    const view = literal(`${'ee'.repeat(40)}fe800000000000000000000000000001${HEADER.slice(48)}`);
    ipv6.writeHeader(view, AT, 0, 0x12345, 0, 0, 0);
    ipv6.setTrafficClass(view, AT, 0xb9);
    ipv6.setPayloadLength(view, AT, 1240);
    ipv6.setNextHeader(view, AT, 58);
    ipv6.setHopLimit(view, AT, 0);
    ipv6.setHopLimit(view, AT, 255);
    ipv6.copyAddress(view, SRC, AT + 40);
    ipv6.copyAddress(view, DST, AT + 56);
    expect(hexOf(view, 40)).toBe(HEADER);
  });

  it('decrements the hop limit only', () => {
    const view = literal(HEADER);
    ipv6.decrementHopLimit(view, AT);
    expect(hexOf(view)).toBe(HEADER.replace('3aff', '3afe'));
  });

  it('copies an address to a place that overlaps its own', () => {
    const view = literal(HEADER);
    ipv6.copyAddress(view, SRC + 4, SRC);
    expect(hexOf(view).slice(24, 56)).toBe('fe800000000000000000000000000001');
  });

  it.each([
    ['::', 'isUnspecified', '00000000000000000000000000000000'],
    ['::1', 'isLoopback', '00000000000000000000000000000001'],
    ['ff02::1', 'isMulticast', 'ff020000000000000000000000000001'],
    ['ff02::1:ff12:3456', 'isSolicitedNode isMulticast', 'ff0200000000000000000001ff123456'],
    ['ff02::1:fe12:3456', 'isMulticast', 'ff0200000000000000000001fe123456'],
    ['ff05::1:ff12:3456', 'isMulticast', 'ff0500000000000000000001ff123456'],
    ['fe80::1', 'isLinkLocal', 'fe800000000000000000000000000001'],
    ['febf::1', 'isLinkLocal', 'febf0000000000000000000000000001'],
    ['fec0::1', '', 'fec00000000000000000000000000001'],
    ['0:0:1::', '', '00000000000100000000000000000000'],
    ['8000::', '', '80000000000000000000000000000000'],
  ])('knows what %s is: %s', (_, kinds, hex) => {
    const view = literal(hex);
    const tests = [
      ipv6.isUnspecified,
      ipv6.isLoopback,
      ipv6.isSolicitedNode,
      ipv6.isMulticast,
      ipv6.isLinkLocal,
    ];
    const found = tests.filter((test) => test(view, AT)).map((test) => test.name);
    expect(found.join(' ')).toBe(kinds);
  });

  it('compares addresses in every word', () => {
    const view = literal(HEADER + HEADER);
    expect(ipv6.sameAddress(view, SRC, SRC + 40)).toBe(true);
    for (const octet of [0, 4, 8, 12]) {
      const other = literal(HEADER + HEADER);
      other.setUint8(SRC + octet, 0x55);
      expect(ipv6.sameAddress(other, SRC, SRC + 40)).toBe(false);
    }
  });

  it('names the solicited-node group', () => {
    expect(ipv6.solicitedNodeWord3(0x8012_3456)).toBe(0xff12_3456);
  });
});
