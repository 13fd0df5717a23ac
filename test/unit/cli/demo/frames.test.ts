/** The forged packets, octet by octet as scapy 2.5 builds them. */
import { expect, it } from 'vitest';
import { forgeries } from '../../../../src/cli/demo/frames.js';
import { octetsOf, textOf } from '../../../../src/cli/demo/probe/address.js';
import { internetChecksum } from '../../../../src/cli/demo/probe/icmp.js';

const WEB = { mac: '02:70:0a:50:00:03', ipv4: '10.80.0.3', ipv6: 'fd00:10:80::3' };
const DB = { mac: '02:70:0a:50:00:04', ipv4: '10.80.0.4', ipv6: 'fd00:10:80::4' };
const CACHE = { mac: '02:70:0a:51:00:0c', ipv4: '10.81.0.12', ipv6: 'fd00:10:81::12' };

// u4 = UDP(sport=40000, dport=5353, chksum=0)/b'forged'
const SCAPY = {
  // Ether(db, '02:de:ad:be:ef:01')/IP(web, db, id=0)/u4
  'spoofed-mac':
    '02700a50000402deadbeef0108004500002200000000401166250a5000030a5000049c4014e9000e0000666f72676564',
  // Ether(db, web)/IP(cache, db, id=0)/u4
  'spoofed-ipv4':
    '02700a50000402700a500003080045000022000000004011661b0a51000c0a5000049c4014e9000e0000666f72676564',
  // Ether(db, web)/IPv6(cache, db)/UDP(sport=40000, dport=5353)/b'forged'
  'spoofed-ipv6':
    '02700a50000402700a50000386dd60000000000e1140fd000010008100000000000000000012fd000010008000000000' +
    '0000000000049c4014e9000e1535666f72676564',
  // Ether(db, web)/ARP(op=2, hwsrc=web, psrc=cache, hwdst=db, pdst=db)
  'spoofed-arp': '02700a50000402700a5000030806000108000604000202700a5000030a51000c02700a5000040a500004',
  // Ether(db, web)/IP(web, db, id=0, len=1034)/u4
  'malformed-ipv4':
    '02700a50000402700a50000308004500040a000000004011623d0a5000030a5000049c4014e9000e0000666f72676564',
};

it('builds what scapy builds, for each reason', () => {
  const built = forgeries(WEB, DB, CACHE, 5353).map(({ reason, frame }) => [reason, frame.toString('hex')]);
  expect(Object.fromEntries(built)).toEqual(SCAPY);
});

it('sums as the example of RFC 1071 section 3, and an odd octet as if a zero followed', () => {
  expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0x220d);
  expect(internetChecksum(Uint8Array.of(0x12, 0x34, 0x56))).toBe(0xffff - (0x1234 + 0x5600));
});

it('takes addresses there and back', () => {
  expect(Buffer.from(octetsOf('10.80.0.3')).toString('hex')).toBe('0a500003');
  expect(textOf(octetsOf('10.80.0.3'))).toBe('10.80.0.3');
  expect(Buffer.from(octetsOf('fd00:10:80::3')).toString('hex')).toBe('fd000010008000000000000000000003');
  expect(textOf(octetsOf('fd00:10:80:0:0::3'))).toBe('fd00:10:80::3');
});
