import { describe, expect, it } from 'vitest';
import * as icmpv6 from '../../../src/wire/icmpv6.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each, less its IPv6 header.

// IPv6(src='fd00:10:244::2',dst='fd00:10:244::1')/ICMPv6EchoRequest(id=0x1234, seq=7, data=b'abcdefgh!')
const REQUEST = '8000bc3612340007616263646566676821';
// IPv6(src='fd00:10:244::1',dst='fd00:10:244::2')/ICMPv6EchoReply(id=0x1234, seq=7, data=b'abcdefgh!')
const REPLY = '8100bb3612340007616263646566676821';
// IPv6(src='fd00:10:244::1',dst='fd00:10:244::2')/ICMPv6PacketTooBig(mtu=1450)/IPv6(src='fd00:10:244::2',
//   dst='fd00:10:244:1::3', nh=17, plen=1452)/b'\x0f\xa0\x00\x35\x05\xac\x12\x34'
const TOO_BIG = '02005be5000005aa';

describe('icmpv6', () => {
  it('takes an echo request apart', () => {
    const view = literal(REQUEST);
    expect([icmpv6.type(view, AT), icmpv6.code(view, AT)]).toEqual([icmpv6.TYPE.ECHO_REQUEST, 0]);
    expect(icmpv6.checksum(view, AT)).toBe(0xbc36);
    expect([icmpv6.identifier(view, AT), icmpv6.sequence(view, AT)]).toEqual([0x1234, 7]);
  });

  it('turns it into the reply', () => {
    const view = literal(REQUEST);
    icmpv6.turnIntoEchoReply(view, AT);
    expect(hexOf(view)).toBe(REPLY);
  });

  it('takes an error apart and builds it', () => {
    expect(icmpv6.mtu(literal(TOO_BIG), AT)).toBe(1450);
    const view = blank(8);
    icmpv6.writeHeader(view, AT, icmpv6.TYPE.PACKET_TOO_BIG, 0, 1450);
    expect(icmpv6.checksum(view, AT)).toBe(0);
    icmpv6.setChecksum(view, AT, 0x5be5);
    expect(hexOf(view)).toBe(TOO_BIG);
  });

  it('sorts the types', () => {
    const types = Array.from({ length: 256 }, (_, type) => type);
    expect(types.filter(icmpv6.isNeighbourDiscovery)).toEqual([133, 134, 135, 136, 137]);
    expect(types.filter(icmpv6.isListenerReport)).toEqual([131, 132, 143]);
    expect(types.filter(icmpv6.isError)).toEqual(types.slice(0, 128));
  });
});
