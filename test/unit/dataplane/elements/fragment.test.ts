// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { Fragment } from '../../../../src/dataplane/elements/fragment.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { bytes, hex, RouterFixture, SNAPSHOT } from '../router-fixture.js';

// data = bytes(range(100))
// ip = lambda **more: toGw/IP(src='10.0.0.2',dst='10.0.1.2',id=77,**more)
// cut = lambda packet,size: [toGw/part for part in fragment(packet[IP],size)]

// 108 octets behind the IP header; an MTU of 68 to 75 leaves 48 in each.
// scapy: ip()/UDP(sport=1,dport=2)/data
const DATAGRAM = bytes(`
    02000000000102000a000002080045000080004d00004011651d0a0000020a00010200010002006c4e42000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `);
// scapy: cut(DATAGRAM,48)
const FRAGMENTS = [
  bytes(`
    02000000000102000a000002080045000044004d2000401145590a0000020a00010200010002006c4e42000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627
  `),
  bytes(`
    02000000000102000a000002080045000044004d2006401145530a0000020a00010228292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
  `),
  bytes(`
    02000000000102000a000002080045000020004d000c401165710a0000020a00010258595a5b5c5d5e5f60616263
  `),
];
// A fragment from the middle, and the last one: both are cut again.
// scapy: ip(flags='MF',frag=100,proto=17)/data[:96]
const MIDDLE = bytes(`
    02000000000102000a000002080045000074004d2064401144c50a0000020a000102000102030405060708090a0b0c0d
    0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d
    3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f
  `);
// scapy: [ip(flags='MF',frag=100,proto=17)/data[:48],ip(flags='MF',frag=106,proto=17)/
//        data[48:96]]
const MIDDLE_FRAGMENTS = [
  bytes(`
    02000000000102000a000002080045000044004d2064401144f50a0000020a000102000102030405060708090a0b0c0d
    0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
  `),
  bytes(`
    02000000000102000a000002080045000044004d206a401144ef0a0000020a000102303132333435363738393a3b3c3d
    3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f
  `),
];
// scapy: ip(frag=100,proto=17)/data[:60]
const LAST = bytes(`
    02000000000102000a000002080045000050004d0064401164e90a0000020a000102000102030405060708090a0b0c0d
    0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b
  `);
// scapy: [ip(flags='MF',frag=100,proto=17)/data[:48],ip(frag=106,proto=17)/data[48:60]]
const LAST_FRAGMENTS = [
  bytes(`
    02000000000102000a000002080045000044004d2064401144f50a0000020a000102000102030405060708090a0b0c0d
    0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
  `),
  bytes(`
    02000000000102000a000002080045000020004d006a401165130a0000020a000102303132333435363738393a3b
  `),
];

// record,alert,security = IPOption_RR(routers=['0.0.0.0']),IPOption_Router_Alert(),
//        IPOption_Security(security=1)
// datagram = bytes(DATAGRAM[UDP])
// Record route (not copied), router alert (copied), NOP, stream id (copied): 16 octets, then 8.
// options,copied = [record,alert,IPOption_NOP(),IPOption(b'\x88\x04\x12\x34')],[alert,
//        IPOption(b'\x88\x04\x12\x34')]
// scapy: ip(options=options,proto=17)/datagram
const WITH_OPTIONS = bytes(`
    02000000000102000a000002080049000090004d00004011b7380a0000020a0001020707040000000094040000018804
    123400010002006c4e42000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425
    262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455
    565758595a5b5c5d5e5f60616263
  `);
// scapy: [ip(options=options,proto=17,flags='MF')/datagram[:48],ip(options=copied,proto=17,
//        flags='MF',frag=6)/datagram[48:104],ip(options=copied,proto=17,frag=13)/datagram[104:]]
const WITH_OPTIONS_FRAGMENTS = [
  bytes(`
    02000000000102000a000002080049000054004d2000401197740a0000020a0001020707040000000094040000018804
    123400010002006c4e42000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425
    2627
  `),
  bytes(`
    02000000000102000a000002080047000054004d2006401115060a0000020a000102940400008804123428292a2b2c2d
    2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d
    5e5f
  `),
  bytes(`
    02000000000102000a000002080047000020004d000d401135330a0000020a000102940400008804123460616263
  `),
];
// Record route (7 octets, not copied), security (11 octets, copied) and padding: 20 octets, then 12.
// scapy: ip(options=[record,security],proto=17)/datagram
const PADDED_OPTIONS = bytes(`
    02000000000102000a00000208004a000094004d00004011cf8f0a0000020a00010207070400000000820b0001000000
    00787878000000010002006c4e42000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021
    22232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051
    52535455565758595a5b5c5d5e5f60616263
  `);
// scapy: [ip(options=[record,security],proto=17,flags='MF')/datagram[:40],ip(options=[security],
//        proto=17,flags='MF',frag=5)/datagram[40:88],ip(options=[security],proto=17,frag=11)/
//        datagram[88:]]
const PADDED_OPTIONS_FRAGMENTS = [
  bytes(`
    02000000000102000a00000208004a000050004d20004011afd30a0000020a00010207070400000000820b0001000000
    00787878000000010002006c4e42000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
  `),
  bytes(`
    02000000000102000a000002080048000050004d20054011cfc20a0000020a000102820b000100000000787878002021
    22232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f
  `),
  bytes(`
    02000000000102000a000002080048000034004d000b4011efd80a0000020a000102820b000100000000787878005051
    52535455565758595a5b5c5d5e5f60616263
  `),
];
// Only record route: later fragments have no options.
// scapy: ip(options=[record,IPOption_NOP()],proto=17)/datagram
const FIRST_ONLY = bytes(`
    02000000000102000a000002080047000088004d00004011580d0a0000020a000102070704000000000100010002006c
    4e42000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d
    2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d
    5e5f60616263
  `);
// scapy: [ip(options=[record,IPOption_NOP()],proto=17,flags='MF')/datagram[:48],ip(proto=17,
//        flags='MF',frag=6)/datagram[48:104],ip(proto=17,frag=13)/datagram[104:]]
const FIRST_ONLY_FRAGMENTS = [
  bytes(`
    02000000000102000a00000208004700004c004d2000401138490a0000020a000102070704000000000100010002006c
    4e42000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627
  `),
  bytes(`
    02000000000102000a00000208004500004c004d20064011454b0a0000020a00010228292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f
  `),
  bytes(`02000000000102000a000002080045000018004d000d401165780a0000020a00010260616263`),
];

// The pseudo header's sum in place of the checksum, as virtio leaves it.
// scapy: ip()/UDP(sport=1,dport=2,chksum=0xffff ^ checksum(in4_pseudoheader(17,DATAGRAM[IP],
//        108)))/data
const PARTIAL = bytes(`
    02000000000102000a000002080045000080004d00004011651d0a0000020a00010200010002006c1581000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `);
// Two datagrams of 60 octets of data in one packet, and what they become: identifications 77 and 78.
// scapy: ip()/UDP(sport=1,dport=2,len=128,chksum=0xffff ^ checksum(in4_pseudoheader(17,
//        DATAGRAM[IP],128)))/(data[:60]+data[40:100])
const USO = bytes(`
    02000000000102000a000002080045000094004d0000401165090a0000020a0001020001000200801595000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051
    52535455565758595a5b5c5d5e5f60616263
  `);
// second = toGw/IP(src='10.0.0.2',dst='10.0.1.2',id=78)/UDP(sport=1,dport=2)/data[40:100]
// scapy: cut(ip()/UDP(sport=1,dport=2)/data[:60],48)+cut(second,48)
const USO_FRAGMENTS = [
  bytes(`
    02000000000102000a000002080045000044004d2000401145590a0000020a00010200010002004480d8000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627
  `),
  bytes(`
    02000000000102000a000002080045000028004d00064011656f0a0000020a00010228292a2b2c2d2e2f303132333435
    363738393a3b
  `),
  bytes(`
    02000000000102000a000002080045000044004e2000401145580a0000020a000102000100020044cc2328292a2b2c2d
    2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f
  `),
  bytes(`
    02000000000102000a000002080045000028004e00064011656e0a0000020a000102505152535455565758595a5b5c5d
    5e5f60616263
  `),
];

// reply = lambda length: toGw/IPv6(src='fd00::1',dst='fd00::2',tc=8,plen=length,nh=44)
// scapy: toGw/IPv6(src='fd00::1',dst='fd00::2',tc=8)/ICMPv6EchoReply(id=1,seq=1,data=data)
const REPLY_6 = bytes(`
    02000000000102000a00000286dd60800000006c3a40fd000000000000000000000000000001fd000000000000000000
    0000000000028100e88400010001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021
    22232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051
    52535455565758595a5b5c5d5e5f60616263
  `);
// message = bytes(REPLY_6[ICMPv6EchoReply])
// scapy: [reply(64)/IPv6ExtHdrFragment(nh=58,m=1,offset=0,id=1)/message[:56],reply(60)/
//        IPv6ExtHdrFragment(nh=58,m=0,offset=7,id=1)/message[56:]]
const REPLY_6_FRAGMENTS = [
  bytes(`
    02000000000102000a00000286dd6080000000402c40fd000000000000000000000000000001fd000000000000000000
    0000000000023a000001000000018100e88400010001000102030405060708090a0b0c0d0e0f10111213141516171819
    1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
  `),
  bytes(`
    02000000000102000a00000286dd60800000003c2c40fd000000000000000000000000000001fd000000000000000000
    0000000000023a00003800000001303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051
    52535455565758595a5b5c5d5e5f60616263
  `),
];
// scapy: [reply(64)/IPv6ExtHdrFragment(nh=58,m=1,offset=0,id=2)/message[:56],reply(60)/
//        IPv6ExtHdrFragment(nh=58,m=0,offset=7,id=2)/message[56:]]
const REPLY_6_AGAIN = [
  bytes(`
    02000000000102000a00000286dd6080000000402c40fd000000000000000000000000000001fd000000000000000000
    0000000000023a000001000000028100e88400010001000102030405060708090a0b0c0d0e0f10111213141516171819
    1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
  `),
  bytes(`
    02000000000102000a00000286dd60800000003c2c40fd000000000000000000000000000001fd000000000000000000
    0000000000023a00003800000002303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051
    52535455565758595a5b5c5d5e5f60616263
  `),
];

function setUp(mtu: number, slots = 64) {
  const ports = SNAPSHOT.ports.map((port) => (port.id === 3 ? { ...port, mtu } : port));
  const fixture = new RouterFixture({ ...SNAPSHOT, ports }, slots);
  const ok = fixture.batch();
  const element = new Fragment(fixture.context, fixture.batch(), ok, fixture.segmenter);
  const receive = (frame: Uint8Array, facts?: (slot: number) => void): number => {
    const slot = fixture.receive(frame, 1, facts);
    fixture.pool.egress[slot] = 3;
    return slot;
  };
  return { fixture, element, ok, receive };
}

function slotsOf(batch: Batch): number[] {
  return Array.from(batch.slots.subarray(0, batch.count));
}

describe('Fragment', () => {
  it.each([
    ['a datagram', DATAGRAM, 68, FRAGMENTS],
    ['a datagram, where the MTU is no multiple of 8 octets', DATAGRAM, 75, FRAGMENTS],
    ['a fragment from the middle', MIDDLE, 68, MIDDLE_FRAGMENTS],
    ['the last fragment', LAST, 68, LAST_FRAGMENTS],
    ['a datagram with options of both kinds', WITH_OPTIONS, 84, WITH_OPTIONS_FRAGMENTS],
    ['a datagram with a padded option', PADDED_OPTIONS, 84, PADDED_OPTIONS_FRAGMENTS],
    ['a datagram with options in the first fragment only', FIRST_ONLY, 76, FIRST_ONLY_FRAGMENTS],
  ])('cuts %s', (_, frame, mtu, expected) => {
    const { fixture, element, ok, receive } = setUp(mtu);
    fixture.run(element, receive(frame));
    expect(fixture.send(ok)).toEqual(expected.map(hex));
    expect(fixture.counters.total('replicated')).toBe(expected.length - 1);
    fixture.expectBalance();
  });

  it('leaves each fragment with facts of its own', () => {
    const { fixture, element, ok, receive } = setUp(76);
    const { pool } = fixture;
    const slot = receive(FIRST_ONLY);
    pool.flags[slot] |= PACKET.CHECKSUM_VALID;
    fixture.run(element, slot);
    const [first, second, third] = slotsOf(ok);
    expect(first).toBe(slot);
    expect([pool.l3Length[first], pool.l3Length[second], pool.l3Length[third]]).toEqual([76, 76, 24]);
    expect(slotsOf(ok).map((fragment) => pool.flags[fragment])).toEqual([
      PACKET.FRAGMENT | PACKET.OPTIONS,
      PACKET.FRAGMENT,
      PACKET.FRAGMENT,
    ]);
    expect([pool.l4[first] - pool.l3[first], pool.l4[second], pool.l4[third]]).toEqual([28, 0, 0]);
    expect([pool.egress[third], pool.port[third]]).toEqual([3, 1]);
  });

  it('completes a partial checksum before it cuts', () => {
    const { fixture, element, ok, receive } = setUp(68);
    const slot = receive(PARTIAL, (partial) => {
      fixture.pool.flags[partial] |= PACKET.PARTIAL_CHECKSUM;
      fixture.pool.checksumStart[partial] = 34;
      fixture.pool.checksumOffset[partial] = 6;
    });
    fixture.run(element, slot);
    expect(slotsOf(ok).map((part) => fixture.pool.flags[part] & PACKET.PARTIAL_CHECKSUM)).toEqual([0, 0, 0]);
    expect(fixture.send(ok)).toEqual(FRAGMENTS.map(hex));
    fixture.expectBalance();
  });

  it('cuts a GSO packet into segments, then those that need it into fragments', () => {
    const { fixture, element, ok, receive } = setUp(68);
    const gso = (slot: number) => {
      const { pool } = fixture;
      pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
      pool.gsoType[slot] = GSO.UDP_L4;
      pool.gsoSize[slot] = 60;
      pool.checksumStart[slot] = 34;
      pool.checksumOffset[slot] = 6;
    };
    fixture.run(element, receive(USO, gso), receive(USO, gso));
    expect(fixture.send(ok)).toEqual([...USO_FRAGMENTS, ...USO_FRAGMENTS].map(hex));
    expect(fixture.counters.total('replicated')).toBe(6);
    fixture.expectBalance();
  });

  it('cuts what the switch says over IPv6, each packet with an identification of its own', () => {
    const { fixture, element, ok, receive } = setUp(104);
    const slots = [receive(REPLY_6), receive(REPLY_6)];
    for (const slot of slots) fixture.pool.flags[slot] |= PACKET.ORIGINATED;
    fixture.run(element, ...slots);
    expect(fixture.send(ok)).toEqual([...REPLY_6_FRAGMENTS, ...REPLY_6_AGAIN].map(hex));
    fixture.expectBalance();
  });

  it.each([
    ['IPv4', DATAGRAM, 68],
    ['IPv6', REPLY_6, 68],
  ])('drops an %s packet whole where there are not slots for all of its fragments', (_, frame, mtu) => {
    const { fixture, element, ok, receive } = setUp(mtu, 3);
    const slot = receive(frame);
    const other = fixture.pool.take();
    fixture.run(element, slot);
    expect(ok.count).toBe(0);
    expect(fixture.drops('no-slot')).toBe(1);
    fixture.pool.release(other);
    fixture.expectBalance();
  });

  it('uses the last slot', () => {
    const { fixture, element, ok, receive } = setUp(68, 3);
    fixture.run(element, receive(DATAGRAM));
    expect(fixture.send(ok)).toHaveLength(3);
    fixture.expectBalance();
  });

  it.each([
    ['IPv4', DATAGRAM, 27],
    ['IPv4 options', WITH_OPTIONS, 43],
    ['IPv6', REPLY_6, 55],
  ])('drops what has no room for its header and eight octets: %s', (_, frame, mtu) => {
    const { fixture, element, receive } = setUp(mtu);
    fixture.run(element, receive(frame));
    expect(fixture.drops('too-big')).toBe(1);
    fixture.expectBalance();
  });
});
