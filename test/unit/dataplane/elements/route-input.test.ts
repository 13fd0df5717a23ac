// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { describe, expect, it } from 'vitest';
import { RouteInput } from '../../../../src/dataplane/elements/route-input.js';
import { KIND, PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex, RouterFixture, SNAPSHOT } from '../router-fixture.js';

// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2')/ICMP(id=7,seq=1)/b'abcd'
const PING = bytes(`
    02000000000102000a00000208004500002000010000400165d90a0000020a000102080033310007000161626364
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2')/UDP(sport=9,dport=9)/b'abcd'/Padding(b'\xee'*14)
const PADDED = bytes(`
    02000000000102000a00000208004500002000010000401165c90a0000020a00010200090009000c25fa61626364eeee
    eeeeeeeeeeeeeeeeeeeeeeee
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:1::2')/ICMPv6EchoRequest(id=7,seq=1)/b'abcd'
const PING6 = bytes(`
    02000000000102000a00000286dd60000000000c3a40fd000000000000000000000000000002fd000001000000000000
    0000000000028000c0e30007000161626364
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',options=[IPOption_RR(routers=['0.0.0.0']),
//        IPOption_NOP()])/ICMP()
const RECORD_ROUTE = bytes(`
    02000000000102000a00000208004700002400010000400158cd0a0000020a00010207070400000000010800f7ff0000
    0000
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',options=[IPOption_LSRR(routers=['10.0.9.9'])])/
//        ICMP()
const LOOSE = bytes(`
    02000000000102000a000002080047000024000100004001d3ba0a0000020a0001028307040a000909000800f7ff0000
    0000
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',options=[IPOption_NOP(),
//        IPOption_SSRR(routers=['10.0.9.9'])])/ICMP()
const STRICT = bytes(`
    02000000000102000a000002080047000024000100004001483f0a0000020a000102018907040a0009090800f7ff0000
    0000
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',options=[IPOption(b'\x94\x05\x00\x00')])/ICMP()
const BAD_OPTION = bytes(`
    02000000000102000a000002080046000020000100004001d0d30a0000020a000102940500000800f7ff00000000
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',chksum=0x1234)/ICMP()
const BAD_CHECKSUM = bytes(
  `02000000000102000a00000208004500001c00010000400112340a0000020a0001020800f7ff00000000`,
);
// scapy: toGw/IPv6(src='fe80::aff:fe00:2',dst='fe80::ff:fe00:1')/ICMPv6EchoRequest()
const LINK_LOCAL_ECHO = bytes(`
    02000000000102000a00000286dd6000000000083a40fe8000000000000000000afffe000002fe800000000000000000
    00fffe00000180007ab800000000
  `);
// scapy: toGw/IPv6(src='fe80::aff:fe00:2',dst='fd00::1')/ICMPv6EchoRequest()
const LINK_LOCAL_SOURCE = bytes(`
    02000000000102000a00000286dd6000000000083a40fe8000000000000000000afffe000002fd000000000000000000
    00000000000180007b3800000000
  `);
// scapy: toGw/IP(src='169.254.7.7',dst='10.0.0.1')/ICMP()
const ZEROCONF_SOURCE = bytes(
  `02000000000102000a00000208004500001c000100004001bfdaa9fe07070a0000010800f7ff00000000`,
);

// addresses4=[('0.0.0.0','10.0.1.2'),('0.1.2.3','10.0.1.2'),('127.0.0.1','10.0.1.2'),
//        ('224.0.0.5','10.0.1.2'),('240.0.0.1','10.0.1.2'),('255.255.255.255','10.0.1.2'),
//        ('10.0.0.2','0.0.0.0'),('10.0.0.2','127.0.0.1'),('10.0.0.2','240.1.1.1')]
// unforwardable4=[('10.0.0.2','224.0.0.251'),('10.0.0.2','239.1.2.3'),('10.0.0.2',
//        '255.255.255.255'),('10.0.0.2','169.254.1.1'),('169.254.1.1','10.0.1.2')]
// Sources 0/8, 127/8, 224/4, 240/4, broadcast; destinations 0/8, 127/8, 240/4.
// scapy: [toGw/IP(src=s,dst=d)/ICMP() for s,d in addresses4]
const MARTIANS_4 = [
  bytes(`02000000000102000a00000208004500001c0001000040016fdf000000000a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c0001000040016ddb000102030a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c000100004001f0dd7f0000010a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c0001000040018fd9e00000050a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c0001000040017fddf00000010a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c0001000040016fdfffffffff0a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c00010000400170df0a000002000000000800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c000100004001f1dd0a0000027f0000010800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c0001000040017fdc0a000002f00101010800f7ff00000000`),
];
// Groups, the limited broadcast, 169.254/16 as destination and as source.
// scapy: [toGw/IP(src=s,dst=d)/ICMP() for s,d in unforwardable4]
const UNFORWARDABLE_4 = [
  bytes(`02000000000102000a00000208004500001c0001000040018fe30a000002e00000fb0800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c0001000040017fda0a000002ef0102030800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c00010000400170df0a000002ffffffff0800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c000100004001c5df0a000002a9fe01010800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c000100004001c4dfa9fe01010a0001020800f7ff00000000`),
];
// addresses6=[('ff02::1','fd00:1::2'),('::','fd00:1::2'),('::1','fd00:1::2'),('fd00::2',
//        '::'),('fd00::2','::1')]
// unforwardable6=[('fd00::2','ff02::fb'),('fd00::2','ff0e::1'),('fd00::2','fe80::9'),
//        ('fe80::2','fd00:1::2'),('fe80::2','fe80::9'),('fd00::2','fe80::ff:fe00:101')]
// From a group, from :: and ::1, to :: and ::1.
// scapy: [toGw/IPv6(src=s,dst=d)/UDP() for s,d in addresses6]
const MARTIANS_6 = [
  bytes(`
    02000000000102000a00000286dd6000000000081140ff020000000000000000000000000001fd000001000000000000
    000000000002003500350008036d
  `),
  bytes(`
    02000000000102000a00000286dd600000000008114000000000000000000000000000000000fd000001000000000000
    0000000000020035003500080271
  `),
  bytes(`
    02000000000102000a00000286dd600000000008114000000000000000000000000000000001fd000001000000000000
    0000000000020035003500080270
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000200000000000000000000
    0000000000000035003500080272
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000200000000000000000000
    0000000000010035003500080271
  `),
];
// Groups, link-local either way; the last is the switch's link-local address in the other domain.
// scapy: [toGw/IPv6(src=s,dst=d)/UDP() for s,d in unforwardable6]
const UNFORWARDABLE_6 = [
  bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002ff020000000000000000
    0000000000fb0035003500080274
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002ff0e0000000000000000
    0000000000010035003500080362
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fe800000000000000000
    00000000000900350035000803e8
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fe800000000000000000000000000002fd000001000000000000
    00000000000200350035000803ee
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fe800000000000000000000000000002fe800000000000000000
    0000000000090035003500080268
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fe800000000000000000
    00fffe00010100350035000803f0
  `),
];

function setUp() {
  const fixture = new RouterFixture();
  const outputs = { ok: fixture.batch(), local: fixture.batch() };
  const element = new RouteInput(fixture.context, fixture.batch(), outputs);
  return { fixture, element, ...outputs };
}

describe('RouteInput', () => {
  it.each([
    ['IPv4', PING],
    ['IPv6', PING6],
    ['IPv4 with a record route option', RECORD_ROUTE],
  ])('passes %s on unchanged', (_, frame) => {
    const { fixture, element, ok } = setUp();
    fixture.run(element, fixture.receive(frame));
    expect(fixture.send(ok)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['loose', LOOSE],
    ['strict', STRICT],
  ])('refuses a %s source route', (_, frame) => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.receive(frame));
    expect(fixture.drops('source-route')).toBe(1);
    fixture.expectBalance();
  });

  it('refuses an option that is longer than the header', () => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.receive(BAD_OPTION));
    expect(fixture.drops('malformed-ipv4')).toBe(1);
    fixture.expectBalance();
  });

  it('checks the IPv4 header checksum, also where the transport checksum was verified', () => {
    const { fixture, element } = setUp();
    const slot = fixture.receive(BAD_CHECKSUM);
    fixture.pool.flags[slot] |= PACKET.CHECKSUM_VALID;
    fixture.run(element, slot);
    expect(fixture.drops('ipv4-checksum')).toBe(1);
    fixture.expectBalance();
  });

  it.each([
    ...MARTIANS_4.map((frame) => ['martian', frame] as const),
    ...MARTIANS_6.map((frame) => ['martian', frame] as const),
    ...UNFORWARDABLE_4.map((frame) => ['not-forwardable', frame] as const),
    ...UNFORWARDABLE_6.map((frame) => ['not-forwardable', frame] as const),
  ])('drops as %s (%#)', (reason, frame) => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.receive(frame));
    expect(fixture.drops(reason)).toBe(1);
    fixture.expectBalance();
  });

  it.each([
    ['the switch’s link-local address', LINK_LOCAL_ECHO],
    ['an address of the switch from a link-local one', LINK_LOCAL_SOURCE],
    ['an IPv4 address of the switch from a link-local one', ZEROCONF_SOURCE],
  ])('hands to the switch itself what is for %s', (_, frame) => {
    const { fixture, element, local } = setUp();
    fixture.run(element, fixture.receive(frame));
    expect(fixture.send(local)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it('has no link-local address in a domain that it does not route', () => {
    const domains = SNAPSHOT.domains.map((domain) => ({ ...domain, gateways: [] }));
    const fixture = new RouterFixture({ ...SNAPSHOT, domains });
    const outputs = { ok: fixture.batch(), local: fixture.batch() };
    const element = new RouteInput(fixture.context, fixture.batch(), outputs);
    fixture.run(element, fixture.receive(LINK_LOCAL_ECHO));
    expect(fixture.drops('not-forwardable')).toBe(1);
  });

  it('cuts off link-layer padding', () => {
    const { fixture, element, ok } = setUp();
    const slot = fixture.receive(PADDED);
    expect(fixture.pool.kind[slot]).toBe(KIND.IPV4);
    fixture.run(element, slot);
    expect(fixture.send(ok)).toEqual([hex(PADDED.subarray(0, PADDED.length - 14))]);
  });
});
