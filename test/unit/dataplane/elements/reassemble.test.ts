// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { beforeEach, describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { Reassemble } from '../../../../src/dataplane/elements/reassemble.js';
import { KIND, PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex, RouterFixture } from '../router-fixture.js';

// data = bytes(range(100))
// cut = lambda packet,size: [toGw/part for part in fragment(packet[IP],size)]
// ip = lambda **more: toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=77,proto=1,**more)
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=77)/ICMP(id=1,seq=1)/data
const PING = bytes(`
    02000000000102000a000002080045000080004d00004001662e0a0000020a00000108005c3000010001000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `);
// scapy: cut(PING,32)
const PARTS = [
  bytes(`
    02000000000102000a000002080045000034004d20004001467a0a0000020a00000108005c3000010001000102030405
    060708090a0b0c0d0e0f1011121314151617
  `),
  bytes(`
    02000000000102000a000002080045000034004d2004400146760a0000020a00000118191a1b1c1d1e1f202122232425
    262728292a2b2c2d2e2f3031323334353637
  `),
  bytes(`
    02000000000102000a000002080045000034004d2008400146720a0000020a00000138393a3b3c3d3e3f404142434445
    464748494a4b4c4d4e4f5051525354555657
  `),
  bytes(`
    02000000000102000a000002080045000020004d000c400166820a0000020a00000158595a5b5c5d5e5f60616263
  `),
];
// message = bytes(PING[ICMP])
// scapy: [ip(frag=6)/message[48:],toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=77,proto=1,flags='MF',
//        options=[IPOption_RR(routers=['0.0.0.0']),IPOption_NOP()])/message[:48]]
const WITH_OPTIONS_PARTS = [
  bytes(`
    02000000000102000a000002080045000050004d0006400166580a0000020a00000128292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `),
  bytes(`
    02000000000102000a00000208004700004c004d20004001395a0a0000020a000001070704000000000108005c300001
    0001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627
  `),
];
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=77,options=[IPOption_RR(routers=['0.0.0.0']),
//        IPOption_NOP()])/ICMP(id=1,seq=1)/data
const WITH_OPTIONS_WHOLE = bytes(`
    02000000000102000a000002080047000088004d00004001591e0a0000020a000001070704000000000108005c300001
    0001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d
    2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d
    5e5f60616263
  `);

// ip6 = lambda: toGw/IPv6(src='fd00::2',dst='fd00::1',tc=4)
// part6 = lambda more,offset,payload,nh=58: ip6()/IPv6ExtHdrFragment(nh=nh,m=more,
//        offset=offset//8,id=9)/payload
// scapy: ip6()/ICMPv6EchoRequest(id=1,seq=1,data=data)
const PING_6 = bytes(`
    02000000000102000a00000286dd60400000006c3a40fd000000000000000000000000000002fd000000000000000000
    0000000000018000e98400010001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021
    22232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051
    52535455565758595a5b5c5d5e5f60616263
  `);
// message6 = bytes(PING_6[ICMPv6EchoRequest])
// scapy: [part6(1,0,message6[:40]),part6(1,40,message6[40:80]),part6(0,80,message6[80:])]
const PARTS_6 = [
  bytes(`
    02000000000102000a00000286dd6040000000302c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a000001000000098000e98400010001000102030405060708090a0b0c0d0e0f10111213141516171819
    1a1b1c1d1e1f
  `),
  bytes(`
    02000000000102000a00000286dd6040000000302c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a00002900000009202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4041
    424344454647
  `),
  bytes(`
    02000000000102000a00000286dd6040000000242c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a0000500000000948494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `),
];
// Hop-by-hop options before the fragment header are not repeated; destination options behind it are payload.
// inner = bytes(IPv6ExtHdrDestOpt(nh=58))+message6
// hop = lambda more,offset,payload: ip6()/IPv6ExtHdrHopByHop()/IPv6ExtHdrFragment(nh=60,
//        m=more,offset=offset//8,id=9)/payload
// scapy: [hop(1,0,inner[:48]),hop(0,48,inner[48:])]
const EXTENDED_PARTS = [
  bytes(`
    02000000000102000a00000286dd6040000000400040fd000000000000000000000000000002fd000000000000000000
    0000000000012c000104000000003c000001000000093a000104000000008000e9840001000100010203040506070809
    0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
  `),
  bytes(`
    02000000000102000a00000286dd6040000000540040fd000000000000000000000000000002fd000000000000000000
    0000000000012c000104000000003c00003000000009202122232425262728292a2b2c2d2e2f30313233343536373839
    3a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `),
];
// scapy: ip6()/IPv6ExtHdrDestOpt(nh=58)/message6
const EXTENDED_WHOLE = bytes(`
    02000000000102000a00000286dd6040000000743c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a000104000000008000e98400010001000102030405060708090a0b0c0d0e0f10111213141516171819
    1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444546474849
    4a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `);
// scapy: part6(0,0,message6)
const ATOMIC_6 = bytes(`
    02000000000102000a00000286dd6040000000742c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a000000000000098000e98400010001000102030405060708090a0b0c0d0e0f10111213141516171819
    1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444546474849
    4a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263
  `);

// Fragments that do not go with PARTS: into the second, over all of the first but other octets, past the end,
// another end, an end before what is there.
// scapy: ip(flags='MF',frag=5)/data[:32]
const INTO_SECOND = bytes(`
    02000000000102000a000002080045000034004d2005400146750a0000020a000001000102030405060708090a0b0c0d
    0e0f101112131415161718191a1b1c1d1e1f
  `);
// scapy: ip(flags='MF')/(message[:31]+b'!')
const OTHER_FIRST = bytes(`
    02000000000102000a000002080045000034004d20004001467a0a0000020a00000108005c3000010001000102030405
    060708090a0b0c0d0e0f1011121314151621
  `);
// scapy: ip(flags='MF',frag=20)/data[:8]
const PAST_END = bytes(
  `02000000000102000a00000208004500001c004d20144001467e0a0000020a0000010001020304050607`,
);
// scapy: ip(frag=20)/data[:8]
const LATER_END = bytes(
  `02000000000102000a00000208004500001c004d00144001667e0a0000020a0000010001020304050607`,
);
// scapy: ip(frag=6)/data[:8]
const EARLY_END = bytes(
  `02000000000102000a00000208004500001c004d00064001668c0a0000020a0000010001020304050607`,
);
// scapy: part6(1,48,data[:16])
const INTO_SECOND_6 = bytes(`
    02000000000102000a00000286dd6040000000182c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a00003100000009000102030405060708090a0b0c0d0e0f
  `);
// No datagram at all: a middle that is no multiple of eight octets, an empty middle, past 65,535 octets.
// scapy: ip(flags='MF',frag=4)/data[:31]
const ODD = bytes(`
    02000000000102000a000002080045000033004d2004400146770a0000020a000001000102030405060708090a0b0c0d
    0e0f101112131415161718191a1b1c1d1e
  `);
// scapy: ip(flags='MF',frag=4)
const EMPTY = bytes(`02000000000102000a000002080045000014004d2004400146960a0000020a000001`);
// scapy: ip(frag=8189)/data[:16]
const TOO_FAR = bytes(`
    02000000000102000a000002080045000024004d1ffd4001468d0a0000020a000001000102030405060708090a0b0c0d
    0e0f
  `);
// scapy: part6(0,65488,data[:16])
const TOO_FAR_6 = bytes(`
    02000000000102000a00000286dd6040000000182c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a00ffd000000009000102030405060708090a0b0c0d0e0f
  `);
// Allowed at that place: it ends at 65,535 octets.
// scapy: ip(frag=8188)/data[:11]
const JUST_IN = bytes(`
    02000000000102000a00000208004500001f004d1ffc400146930a0000020a000001000102030405060708090a
  `);
// Together an IPv4 packet of 65,536 octets, since the first one's header is longer.
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=77,proto=1,flags='MF',
//        options=[IPOption_NOP()]*4)/data[:8]
const LONG_HEADER = bytes(`
    02000000000102000a000002080046000020004d20004001438c0a0000020a000001010101010001020304050607
  `);
// scapy: [toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=5,proto=17,flags='MF')/bytes(UDP(len=400)),
//        toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=5,proto=17,frag=1)/data[:8]]
const SHORT_UDP = [
  bytes(`02000000000102000a00000208004500001c00052000401146ca0a0000020a0000010035003501900000`),
  bytes(`02000000000102000a00000208004500001c00050001401166c90a0000020a0000010001020304050607`),
];
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=0,proto=1,flags='MF')/data[:16]
const FIRST_OF = bytes(`
    02000000000102000a00000208004500002400002000400146d70a0000020a000001000102030405060708090a0b0c0d
    0e0f
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',id=0,proto=1,frag=2)/data[:8]
const LAST_OF = bytes(`02000000000102000a00000208004500001c00000002400166dd0a0000020a0000010001020304050607`);

let fixture: RouterFixture;
let element: Reassemble;
let local: Batch;

function setUp(slots: number): void {
  fixture = new RouterFixture(undefined, slots);
  local = fixture.batch();
  element = new Reassemble(fixture.context, fixture.batch(), local);
}

beforeEach(() => setUp(128));

function take(frames: Uint8Array[], port = 1): void {
  for (const frame of frames) fixture.run(element, fixture.receive(frame, port));
}

/** The first of two fragments, of another datagram each time. */
function firstOf(id: number): Uint8Array {
  return withId(FIRST_OF, id);
}

function lastOf(id: number): Uint8Array {
  return withId(LAST_OF, id);
}

function withId(fragment: Uint8Array, id: number): Uint8Array {
  const frame = fragment.slice();
  new DataView(frame.buffer).setUint16(18, id);
  return frame;
}

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

describe('Reassemble', () => {
  it('puts fragments together, in whatever order they come', () => {
    const orders = permutations(PARTS);
    expect(orders).toHaveLength(24);
    for (const order of orders) {
      take(order);
      expect(fixture.send(local)).toEqual([hex(PING)]);
      fixture.expectBalance();
    }
    expect(fixture.counters.total('joined')).toBe(24 * 3);
  });

  it('puts IPv6 fragments together, in whatever order they come', () => {
    for (const order of permutations(PARTS_6)) {
      take(order);
      expect(fixture.send(local)).toEqual([hex(PING_6)]);
      fixture.expectBalance();
    }
  });

  it('uses the header of the first part, options included', () => {
    take(WITH_OPTIONS_PARTS);
    expect(fixture.send(local)).toEqual([hex(WITH_OPTIONS_WHOLE)]);
    fixture.expectBalance();
  });

  it('leaves IPv6 extension headers before the fragment header out, and keeps those behind it', () => {
    for (const order of permutations(EXTENDED_PARTS)) {
      take(order);
      expect(fixture.send(local)).toEqual([hex(EXTENDED_WHOLE)]);
    }
    fixture.expectBalance();
  });

  it('parses the whole like a received packet, its checksum still to be verified', () => {
    const { pool } = fixture;
    const trusting = (slot: number) => {
      pool.flags[slot] |= PACKET.CHECKSUM_VALID;
    };
    for (const frame of PARTS) fixture.run(element, fixture.receive(frame, 1, trusting));
    const slot = local.slots[0];
    expect([pool.flags[slot], pool.kind[slot], pool.protocol[slot]]).toEqual([0, KIND.IPV4, 1]);
    expect([pool.l3[slot] - pool.at[slot], pool.l4[slot] - pool.at[slot]]).toEqual([14, 34]);
    expect([pool.l3Length[slot], pool.length[slot]]).toEqual([128, 142]);
    expect([pool.port[slot], pool.domain[slot]]).toEqual([1, 0]);
  });

  it('drops a whole whose transport header is wrong', () => {
    take(SHORT_UDP);
    expect(fixture.drops('malformed-l4')).toBe(1);
    expect(fixture.counters.total('joined')).toBe(1);
    fixture.expectBalance();
  });

  describe('overlaps (RFC 5722)', () => {
    it.each([
      ['partly', [PARTS[0], PARTS[1]], INTO_SECOND],
      ['wholly, with other octets', [PARTS[0], PARTS[1]], OTHER_FIRST],
      ['partly, over IPv6', [PARTS_6[0], PARTS_6[1]], INTO_SECOND_6],
      ['by more than the end', [PARTS[3]], PAST_END],
      ['by another end', [PARTS[3]], LATER_END],
      ['by an end before what is there', [PARTS[2]], EARLY_END],
    ])('end their datagram: %s', (_, there, frame) => {
      take(there);
      expect(element.held).toBe(1);
      take([frame]);
      expect(element.held).toBe(0);
      expect(fixture.drops('reassembly')).toBe(2);
      fixture.expectBalance();
      // What is sent anew is put together again.
      take(PARTS);
      expect(fixture.send(local)).toEqual([hex(PING)]);
    });

    it('are none where the same fragment comes twice (RFC 8200 section 4.5)', () => {
      take([PARTS[0], PARTS[0], PARTS[3], PARTS[3], PARTS[1], PARTS[2]]);
      expect(fixture.send(local)).toEqual([hex(PING)]);
      expect(fixture.drops('reassembly')).toBe(2);
      expect(fixture.counters.total('joined')).toBe(3);
      fixture.expectBalance();
    });
  });

  it.each([
    ['a middle that is no multiple of eight octets', ODD],
    ['an empty middle', EMPTY],
    ['what ends behind 65,535 octets', TOO_FAR],
    ['what ends behind 65,535 octets of IPv6', TOO_FAR_6],
  ])('drops %s, and nothing else', (_, frame) => {
    take([PARTS[0], frame]);
    expect(fixture.drops('reassembly')).toBe(1);
    take(PARTS.slice(1));
    expect(fixture.send(local)).toEqual([hex(PING)]);
    fixture.expectBalance();
  });

  it('puts the longest packet together, and none that is longer', () => {
    const size = 65_515;
    const payload = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    // An echo request, so that the parser finds a message.
    payload[0] = 8;
    for (let at = 0; at < size; at += 1480) {
      const part = payload.subarray(at, at + 1480);
      const frame = new Uint8Array(34 + part.length);
      frame.set(FIRST_OF.subarray(0, 34));
      frame.set(part, 34);
      const view = new DataView(frame.buffer);
      view.setUint16(16, frame.length - 14);
      view.setUint16(20, (at + part.length < size ? 0x2000 : 0) | (at / 8));
      take([frame]);
    }
    expect(local.count).toBe(1);
    const frame = fixture.frame(local.slots[0]);
    expect(frame.length).toBe(14 + 65_535);
    expect(Buffer.compare(frame.subarray(34), payload)).toBe(0);
    fixture.send(local);
    fixture.expectBalance();

    take([JUST_IN]);
    expect(element.held).toBe(1);
    fixture.expectBalance(1);
  });

  it('finds that the packet is too long when the first header comes last', () => {
    const rest = new Uint8Array(34 + 1480);
    rest.set(FIRST_OF.subarray(0, 34));
    const view = new DataView(rest.buffer);
    view.setUint16(18, 77);
    for (let at = 8; at < 65_504; at += 1480) {
      const length = Math.min(1480, 65_504 - at);
      view.setUint16(16, 20 + length);
      view.setUint16(20, 0x2000 | (at / 8));
      take([rest.subarray(0, 34 + length)]);
    }
    take([JUST_IN, LONG_HEADER]);
    expect([local.count, element.held]).toEqual([0, 0]);
    expect(fixture.drops('reassembly')).toBe(1);
    fixture.expectBalance();
  });

  it('has nothing to do with others where a packet is all of its one fragment (RFC 6946)', () => {
    take([PARTS_6[0], ATOMIC_6]);
    expect(fixture.send(local)).toEqual([hex(PING_6)]);
    take(PARTS_6.slice(1));
    expect(fixture.send(local)).toEqual([hex(PING_6)]);
    fixture.expectBalance();
  });

  it('keeps fragments of different ports apart', () => {
    take(PARTS.slice(0, 2), 1);
    take(PARTS.slice(2), 2);
    expect(element.held).toBe(2);
    fixture.expectBalance(2);
  });

  it('drops a first fragment where there is no slot', () => {
    setUp(1);
    take([PARTS[0]]);
    expect(fixture.drops('no-slot')).toBe(1);
    fixture.expectBalance();
  });

  describe('time', () => {
    it('is 30 s from the first fragment for IPv4, 60 s for IPv6', () => {
      expect(element.sweep(0)).toBe(-1);
      fixture.context.now = 1000;
      take([PARTS_6[0], PARTS[0]]);
      fixture.context.now = 20_000;
      take([PARTS_6[1], PARTS[1]]);
      expect(element.sweep(20_000)).toBe(11_000);
      expect(element.sweep(30_999)).toBe(1);
      expect([element.held, fixture.drops('reassembly')]).toEqual([2, 0]);
      expect(element.sweep(31_000)).toBe(30_000);
      expect([element.held, fixture.drops('reassembly')]).toEqual([1, 1]);
      expect(element.sweep(61_000)).toBe(-1);
      expect(fixture.drops('reassembly')).toBe(2);
      fixture.expectBalance();
    });
  });

  describe('floods', () => {
    it('of first fragments hold 16 slots, the newest', () => {
      for (let id = 0; id < 500; id++) take([firstOf(id)]);
      expect(element.held).toBe(16);
      expect(fixture.drops('reassembly')).toBe(484);
      fixture.expectBalance(16);
    });

    it('displace nothing of another port', () => {
      take(PARTS.slice(0, 3), 2);
      for (let id = 100; id < 200; id++) take([firstOf(id)], 1);
      take(PARTS.slice(3), 2);
      expect(fixture.send(local)).toEqual([hex(PING)]);
      fixture.expectBalance(16);
    });

    it('displace the oldest of the same port', () => {
      take([firstOf(1), firstOf(2)]);
      for (let id = 100; id < 115; id++) take([firstOf(id)]);
      expect([element.held, fixture.drops('reassembly')]).toEqual([16, 1]);
      take([lastOf(1)]);
      expect([local.count, fixture.drops('reassembly')]).toEqual([0, 2]);
      take([lastOf(100), lastOf(2)]);
      expect([local.count, fixture.drops('reassembly')]).toEqual([1, 2]);
      fixture.send(local);
      fixture.expectBalance(16);
    });

    it('from many ports hold 64 slots, and a port that had none gets one', () => {
      for (const port of [1, 2, 3, 4]) for (let id = 0; id < 16; id++) take([firstOf(id)], port);
      expect(element.held).toBe(64);
      take([firstOf(1)], 5);
      expect(element.held).toBe(64);
      const drops = [1, 2, 3, 4, 5].map((port) => fixture.drops('reassembly', port));
      expect(drops).toEqual([1, 0, 0, 0, 0]);
      take([firstOf(2)], 5);
      expect(fixture.drops('reassembly', 5)).toBe(1);
      fixture.expectBalance(64);
    });
  });
});
