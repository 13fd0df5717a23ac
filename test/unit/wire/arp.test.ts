import { describe, expect, it } from 'vitest';
import * as arp from '../../../src/wire/arp.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.

// ARP(op=1, hwsrc='02:00:0a:f4:00:02', psrc='10.244.0.2', hwdst='00:00:00:00:00:00', pdst='10.244.0.1')
const REQUEST = '000108000604000102000af400020af400020000000000000af40001';
// ARP(op=2, hwsrc='f2:ff:0a:f4:00:01', psrc='10.244.0.1', hwdst='02:00:0a:f4:00:02', pdst='10.244.0.2')
const REPLY = '0001080006040002f2ff0af400010af4000102000af400020af40002';
// ARP(op=2, hwsrc='f2:ff:0a:f4:00:01', psrc='192.168.77.1', hwdst='02:00:0a:f4:00:02', pdst='10.244.0.2')
const HIGH_REPLY = '0001080006040002f2ff0af40001c0a84d0102000af400020af40002';
// ARP(op=1, hwsrc='02:00:0a:f4:00:02', psrc='0.0.0.0', hwdst='00:00:00:00:00:00', pdst='10.244.0.2')
const PROBE = '000108000604000102000af40002000000000000000000000af40002';
// ARP(op=1, hwsrc='02:00:0a:f4:00:02', psrc='10.244.0.2', hwdst='00:00:00:00:00:00', pdst='10.244.0.2')
const ANNOUNCEMENT = '000108000604000102000af400020af400020000000000000af40002';

describe('arp', () => {
  it('takes a reply apart', () => {
    const view = literal(HIGH_REPLY);
    expect(arp.isEthernetIpv4(view, AT)).toBe(true);
    expect(arp.operation(view, AT)).toBe(arp.OP.REPLY);
    expect([arp.senderMacHi(view, AT), arp.senderMacLo(view, AT)]).toEqual([0xf2ff, 0x0af40001]);
    expect(arp.senderIp(view, AT)).toBe(0xc0a84d01);
    expect([arp.targetMacHi(view, AT), arp.targetMacLo(view, AT)]).toEqual([0x0200, 0x0af40002]);
    expect(arp.targetIp(view, AT)).toBe(0x0af40002);
  });

  it('builds the request and the reply', () => {
    const view = blank(arp.LENGTH);
    arp.writeRequest(view, AT, 0x0200, 0x0af40002, 0x0af40002, 0x0af40001);
    expect(hexOf(view)).toBe(REQUEST);
    arp.writeReply(view, AT, 0xf2ff, 0x0af40001, 0xc0a84d01, 0x0200, 0x0af40002, 0x0af40002);
    expect(hexOf(view)).toBe(HIGH_REPLY);
  });

  it('turns the request into the reply', () => {
    const view = literal(REQUEST);
    arp.turnIntoReply(view, AT, 0xf2ff, 0x0af40001);
    expect(hexOf(view)).toBe(REPLY);
  });

  it('tells probes and announcements', () => {
    expect([REQUEST, PROBE, ANNOUNCEMENT].map((hex) => arp.isProbe(literal(hex), AT))).toEqual([
      false,
      true,
      false,
    ]);
    expect([REQUEST, PROBE, ANNOUNCEMENT].map((hex) => arp.isAnnouncement(literal(hex), AT))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it.each([
    ['another hardware: ARP(hwtype=6, op=1, hwlen=6, plen=4)', '0006080006040001'],
    ['another protocol: ARP(ptype=0x86dd, op=1, hwlen=6, plen=4)', '000186dd06040001'],
    ['another hardware length: ARP(hwlen=8, plen=4)', '0001080008040001'],
    ['another protocol length: ARP(hwlen=6, plen=16)', '0001080006100001'],
  ])('refuses %s', (_, hex) => {
    expect(arp.isEthernetIpv4(literal(hex.padEnd(56, '0')), AT)).toBe(false);
  });
});
