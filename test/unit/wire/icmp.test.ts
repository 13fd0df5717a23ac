import { describe, expect, it } from 'vitest';
import * as icmp from '../../../src/wire/icmp.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.

// ICMP(id=0x1234, seq=7)/b'abcdefgh!'
const REQUEST = '0800332f12340007616263646566676821';
// ICMP(type=0, id=0x1234, seq=7)/b'abcdefgh!'
const REPLY = '00003b2f12340007616263646566676821';
// ICMP(type=3, code=4, nexthopmtu=1450)/IP(len=1500, id=9, flags='DF', ttl=63, proto=17, src='10.244.0.2',
//   dst='10.244.1.3')/UDP(sport=4000, dport=53, len=1480, chksum=0x1234)
const FRAGMENTATION_NEEDED = '0304cf80000005aa450005dc000940003f111f1c0af400020af401030fa0003505c81234';

describe('icmp', () => {
  it('takes an echo request apart', () => {
    const view = literal(REQUEST);
    expect([icmp.type(view, AT), icmp.code(view, AT)]).toEqual([icmp.TYPE.ECHO_REQUEST, 0]);
    expect(icmp.checksum(view, AT)).toBe(0x332f);
    expect([icmp.identifier(view, AT), icmp.sequence(view, AT)]).toEqual([0x1234, 7]);
  });

  it('turns it into the reply', () => {
    const view = literal(REQUEST);
    icmp.turnIntoEchoReply(view, AT);
    expect(hexOf(view)).toBe(REPLY);
  });

  it('takes an error apart and builds it', () => {
    const view = literal(FRAGMENTATION_NEEDED);
    expect([icmp.type(view, AT), icmp.code(view, AT)]).toEqual([3, icmp.UNREACHABLE.FRAGMENTATION_NEEDED]);
    expect(icmp.nextHopMtu(view, AT)).toBe(1450);
    const built = blank(8);
    icmp.writeHeader(built, AT, icmp.TYPE.UNREACHABLE, icmp.UNREACHABLE.FRAGMENTATION_NEEDED, 1450);
    expect(icmp.checksum(built, AT)).toBe(0);
    icmp.setChecksum(built, AT, 0xcf80);
    expect(hexOf(built)).toBe(FRAGMENTATION_NEEDED.slice(0, 16));
  });

  it('tells errors from what may be answered by one', () => {
    const errors = Array.from({ length: 256 }, (_, type) => type).filter(icmp.isError);
    expect(errors).toEqual([3, 4, 5, 11, 12]);
  });
});
