import { describe, expect, it } from 'vitest';
import * as ethernet from '../../../src/wire/ethernet.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.

// Ether(dst='02:00:0a:f4:00:03', src='02:00:0a:f4:00:02', type=0x0800)/b'\x45'
const UNTAGGED = '02000af4000302000af40002080045';
// Ether(dst='02:00:0a:f4:00:03', src='f2:00:0a:f4:00:02')/Dot1Q(vlan=4094, prio=5, id=1, type=0x86dd)/b'\x60'
const TAGGED = '02000af40003f2000af400028100bffe86dd60';
// Ether(dst='33:33:00:00:00:01', src='02:00:0a:f4:00:02')/Dot1AD(vlan=100)/Dot1Q(vlan=7, type=0x0806)/b'\x00'
const DOUBLE = '33330000000102000af4000288a8006481000007080600';
const END = (hex: string) => AT + hex.length / 2;

describe('ethernet', () => {
  it('takes an untagged frame apart', () => {
    const view = literal(UNTAGGED);
    expect([ethernet.dstHi(view, AT), ethernet.dstLo(view, AT)]).toEqual([0x0200, 0x0af40003]);
    expect([ethernet.srcHi(view, AT), ethernet.srcLo(view, AT)]).toEqual([0x0200, 0x0af40002]);
    expect([ethernet.macHi(view, AT + ethernet.SRC), ethernet.macLo(view, AT + ethernet.SRC)]).toEqual([
      0x0200, 0x0af40002,
    ]);
    expect(ethernet.etherType(view, AT)).toBe(ethernet.ETHERTYPE.IPV4);
    expect(ethernet.payloadOffset(view, AT, END(UNTAGGED))).toBe(AT + 14);
    expect(ethernet.payloadType(view, AT + 14)).toBe(0x0800);
  });

  it('builds the same frame', () => {
    const view = blank(15);
    ethernet.writeHeader(view, AT, 0x0200, 0x0af40003, 0x0200, 0x0af40002, ethernet.ETHERTYPE.IPV4);
    view.setUint8(AT + ethernet.HEADER_LENGTH, 0x45);
    expect(hexOf(view)).toBe(UNTAGGED);
  });

  it('takes a tag apart', () => {
    const view = literal(TAGGED);
    expect(ethernet.srcHi(view, AT)).toBe(0xf200);
    expect(ethernet.isTag(ethernet.etherType(view, AT))).toBe(true);
    const control = ethernet.tagControl(view, AT);
    expect([ethernet.vlanId(control), ethernet.priority(control), control & 0x1000]).toEqual([
      4094, 5, 0x1000,
    ]);
    const payload = ethernet.payloadOffset(view, AT, END(TAGGED));
    expect(payload).toBe(AT + 18);
    expect(ethernet.payloadType(view, payload)).toBe(ethernet.ETHERTYPE.IPV6);
  });

  it('pushes the tag and pops it again', () => {
    const view = literal(`00000000${'02000af40003f2000af4000286dd60'}`);
    const tagged = ethernet.pushTag(view, AT + 4, ethernet.ETHERTYPE.VLAN, 0xbffe);
    expect(tagged).toBe(AT);
    expect(hexOf(view)).toBe(TAGGED);
    const popped = ethernet.popTag(view, tagged);
    expect(popped).toBe(AT + 4);
    expect(hexOf(view).slice(8)).toBe('02000af40003f2000af4000286dd60');
  });

  it('looks through two tags', () => {
    const view = literal(DOUBLE);
    expect(ethernet.etherType(view, AT)).toBe(ethernet.ETHERTYPE.SERVICE_VLAN);
    expect(ethernet.payloadOffset(view, AT, END(DOUBLE))).toBe(AT + 22);
    expect(ethernet.payloadType(view, AT + 22)).toBe(ethernet.ETHERTYPE.ARP);
  });

  it('refuses a third tag', () => {
    // Ether(dst='33:33:00:00:00:01', src='02:00:0a:f4:00:02')/Dot1AD(vlan=100)/Dot1Q(vlan=7)/Dot1Q(vlan=8, type=0x0806)
    const view = literal('33330000000102000af4000288a8006481000007810000080806');
    expect(ethernet.payloadOffset(view, AT, view.byteLength)).toBe(-1);
  });

  it.each([UNTAGGED, TAGGED, DOUBLE])(
    'reads nothing beyond the end of a frame that is cut short: %s',
    (hex) => {
      const payload = ethernet.payloadOffset(literal(hex), AT, END(hex)) - AT;
      for (let length = 0; length < payload; length++) {
        const view = literal(hex.slice(0, 2 * length));
        expect(ethernet.payloadOffset(view, AT, view.byteLength)).toBe(-1);
      }
      expect(ethernet.payloadOffset(literal(hex.slice(0, 2 * payload)), AT, AT + payload)).toBe(AT + payload);
    },
  );

  it('exchanges the addresses', () => {
    const view = literal(TAGGED);
    ethernet.swapMacs(view, AT);
    expect(hexOf(view)).toBe('f2000af4000202000af400038100bffe86dd60');
    ethernet.turnAround(view, AT, 0x0242, 0xffffffff);
    expect(hexOf(view, 12)).toBe('02000af400030242ffffffff');
  });

  it('writes addresses and types singly', () => {
    const view = blank(14);
    ethernet.setDst(view, AT, 0x0200, 0x0af40003);
    ethernet.setSrc(view, AT, 0x0200, 0x0af40002);
    ethernet.setEtherType(view, AT, 0x0800);
    expect(hexOf(view)).toBe(UNTAGGED.slice(0, 28));
  });

  it('tells groups, broadcast and stations apart', () => {
    expect(ethernet.isMulticastHi(0x3333)).toBe(true);
    expect(ethernet.isMulticastHi(0x0100)).toBe(true);
    expect(ethernet.isMulticastHi(0xfeff)).toBe(false);
    expect(ethernet.isBroadcast(0xffff, 0xffffffff)).toBe(true);
    expect(ethernet.isBroadcast(0xffff, 0xfffffffe)).toBe(false);
  });
});
