import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePacket } from '../../../../src/dataplane/elements/parse.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { plainChecksum, wasmChecksum } from '../../../../src/wire/checksum-kernel.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { octets, stream, type TcpFrame, tcpFrame } from './tcp-frame.js';
import { datagram, fromHex, PEER, PORT, type Taken, TunnelBench, toHex, VNI } from './tunnel-bench.js';

let bench: TunnelBench;

beforeEach(() => {
  bench = new TunnelBench();
});
afterEach(() => bench.expectAtRest());

function split(frames: readonly Uint8Array[], vni?: number): Taken[] {
  bench.joiner.split(bench.bundle(frames, vni), bench.out);
  return bench.take();
}

/** Splits, and expects that a device without offloads sends the very frames that were in the datagrams. */
function splitAndCut(frames: readonly Uint8Array[]): number {
  bench.joiner.split(bench.bundle(frames), bench.out);
  const packets = bench.out.count;
  expect(bench.finished()).toEqual(frames.map(toHex));
  return packets;
}

// The packet of segmenter.test.ts and its segments, all built by scapy, but with FIN and PSH only.
const ETHERNET = '0200000000020200000000010800';
const FROM_TO = '0a0102030a040506';
const PORTS = '0fa01388';
const PAYLOAD = [
  '01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dae1e8eff6fd040b121920272e353c434a',
  '51585f666d747b828990979ea5acb3bac1c8cfd6dde4ebf2f900070e151c232a31383f464d545b626970777e858c939a',
  'a1a8afb6',
];
const JOINED = `${ETHERNET}4502008cffff40003f06205d${FROM_TO}${PORTS}fffffffa89abcdef509901f51b8c0000${PAYLOAD.join('')}`;
const SEGMENTS = [
  `${ETHERNET}45020058ffff40003f062091${FROM_TO}${PORTS}fffffffa89abcdef509001f5dd810000${PAYLOAD[0]}`,
  `${ETHERNET}45020058000040003f062091${FROM_TO}${PORTS}0000002a89abcdef501001f55c510000${PAYLOAD[1]}`,
  `${ETHERNET}4502002c000140003f0620bc${FROM_TO}${PORTS}0000005a89abcdef501901f5c6480000${PAYLOAD[2]}`,
];

describe('Joiner.split', () => {
  it.each([
    ['the WebAssembly kernel', wasmChecksum],
    ['the plain twin', plainChecksum],
  ])('joins segments to the packet that they were cut from, with %s', (_, checksum) => {
    bench = new TunnelBench(256, checksum);
    const [packet, ...others] = split(SEGMENTS.map(fromHex), 0xabcdef);
    expect(others).toEqual([]);
    expect(packet).toMatchObject({
      hex: JOINED,
      info: 0xabcdef,
      flags: PACKET.PARTIAL_CHECKSUM,
      port: PORT,
      remote: [...new Int32Array(PEER.remote)],
      remotePort: PEER.remotePort,
      gsoType: GSO.TCPV4 | GSO.ECN,
      gsoSize: 48,
      checksumStart: 34,
      checksumOffset: 16,
    });
    expect(bench.counters.total('joined')).toBe(2);
  });

  it('leaves a single datagram where it is', () => {
    const slot = bench.bundle([fromHex(SEGMENTS[0])]);
    const at = bench.pool.at[slot];
    bench.joiner.split(slot, bench.out);
    const [packet] = bench.take();
    expect(packet).toMatchObject({ slot, at: at + 8, hex: SEGMENTS[0], info: VNI, flags: 0, gsoSize: 0 });
    expect(packet).toMatchObject({ gsoType: GSO.NONE, port: PORT, remotePort: PEER.remotePort });
  });

  it('forgets what was known of the slot before', () => {
    const slot = bench.bundle([fromHex(SEGMENTS[0])]);
    bench.pool.flags[slot] = PACKET.CHECKSUM_VALID | PACKET.FRAGMENT;
    bench.pool.vlan[slot] = 0x1005;
    bench.joiner.split(slot, bench.out);
    expect(bench.pool.vlan[slot]).toBe(0);
    expect(bench.take()[0].flags).toBe(0);
  });

  it('splits what it does not join, the last one in the slot that it came in', () => {
    const frames = [1, 2, 3].map((n) => tcpFrame({ srcPort: n, payload: octets(100) }));
    const slot = bench.bundle(frames);
    bench.joiner.split(slot, bench.out);
    const packets = bench.take();
    expect(packets.map(({ hex }) => hex)).toEqual(frames.map(toHex));
    expect(packets.map((packet) => packet.slot === slot)).toEqual([false, false, true]);
    for (const packet of packets)
      expect(packet).toMatchObject({ info: VNI, flags: 0, gsoType: 0, port: PORT });
    expect(packets.map(({ remote }) => remote[3])).toEqual([0x0a000002, 0x0a000002, 0x0a000002]);
    expect(bench.counters.total('replicated')).toBe(2);
  });

  it.each<[string, Partial<TcpFrame>, number[]]>([
    ['IPv4', {}, [1398, 1398, 1398, 7]],
    ['IPv6', { family: 6, flowLabel: 0x12345, tos: 3 }, [1378, 1378, 1378]],
    ['tags and options', { vlans: [7, 8], options: '0101080a0011223344556677' }, [101, 101, 3]],
    ['sequence numbers around zero', { sequence: 0xffff_ff00 }, [200, 200, 200]],
    ['identifications around zero', { id: 0xffff }, [200, 200]],
    ['the sign bit of sequence numbers', { sequence: 0x7fff_ffff }, [200, 200, 200]],
    ['ECE and TOS', { flags: 0x50, tos: 0xff }, [200, 200]],
    ['the smallest segments', {}, [48, 48, 1]],
    ['64 segments', {}, new Array<number>(64).fill(700)],
  ])('joins %s', (_, fields, sizes) => {
    expect(splitAndCut(stream(sizes, fields))).toBe(1);
    expect(bench.counters.total('joined')).toBe(sizes.length - 1);
  });

  // The segment of index 1 is changed: [packets that come out of three].
  it.each<[string, Partial<TcpFrame>, number]>([
    ['another MAC address', { macs: '020000000002020000000009' }, 3],
    ['another source address', { src: 9 }, 3],
    ['another destination address', { dst: 9 }, 3],
    ['another TOS', { tos: 4 }, 3],
    ['another TTL', { ttl: 9 }, 3],
    ['DF where the others have none', { fragment: 0x4000 }, 3],
    ['a fragment', { fragment: 0x2000 }, 3],
    ['a later fragment', { fragment: 1 }, 3],
    ['an identification out of order', { id: 99 }, 3],
    ['another source port', { srcPort: 9 }, 3],
    ['another destination port', { dstPort: 9 }, 3],
    ['another acknowledgment', { acknowledgment: 9 }, 3],
    ['another window', { window: 9 }, 3],
    ['an urgent pointer', { urgent: 9 }, 3],
    ['a gap in the sequence', { sequence: 1101 }, 3],
    ['a repeated sequence', { sequence: 1000 }, 3],
    ['SYN', { flags: 0x12 }, 3],
    ['RST', { flags: 0x14 }, 3],
    ['URG', { flags: 0x30 }, 3],
    ['ECE', { flags: 0x50 }, 3],
    ['no ACK', { flags: 0 }, 3],
    ['CWR, which begins a new packet', { flags: 0x90 }, 2],
    ['PSH, which ends the packet', { flags: 0x18 }, 2],
    ['FIN, which ends the packet', { flags: 0x11 }, 2],
    ['a wrong TCP checksum', { tcpError: 1 }, 3],
    ['a wrong IPv4 checksum', { ipError: 1 }, 3],
  ])('joins nothing over %s', (_, change, packets) => {
    expect(splitAndCut(stream([100, 100, 100], {}, { 1: change }))).toBe(packets);
  });

  it.each<[string, Partial<TcpFrame>, number]>([
    ['another flow label', { flowLabel: 9 }, 3],
    ['another traffic class', { tos: 4 }, 3],
    ['another hop limit', { ttl: 9 }, 3],
    ['another source address', { src: 9 }, 3],
    ['another destination address', { dst: 9 }, 3],
    ['a wrong checksum', { tcpError: 0x100 }, 3],
  ])('joins nothing of IPv6 over %s', (_, change, packets) => {
    expect(splitAndCut(stream([100, 100, 100], { family: 6 }, { 1: change }))).toBe(packets);
  });

  const OPTIONS = '0101080a0011223344556677';
  it.each<[string, Partial<TcpFrame>, Partial<TcpFrame>]>([
    ['another tag', { vlans: [7] }, { vlans: [8] }],
    ['another tag inside', { vlans: [7, 8] }, { vlans: [7, 9] }],
    ['a tag in place of payload', {}, { vlans: [7], payload: octets(96) }],
    ['other options', { options: OPTIONS }, { options: '0101080a0011223344556678' }],
    ['other options at first', { options: OPTIONS }, { options: '0103080a0011223344556677' }],
    ['options in place of payload', {}, { options: OPTIONS, payload: octets(88) }],
    ['payload in place of options', { options: OPTIONS }, { options: '', payload: octets(112) }],
    ['IPv4 options in place of payload', {}, { ipOptions: 4, payload: octets(96) }],
    ['IPv6 in place of payload', {}, { family: 6, payload: octets(80) }],
    ['padding in place of payload', {}, { payload: octets(90), padding: 10 }],
    ['padding of IPv6 in place of payload', { family: 6 }, { payload: octets(90), padding: 10 }],
  ])('joins nothing over %s', (_, fields, change) => {
    expect(splitAndCut(stream([100, 100, 100], fields, { 1: change }))).toBe(3);
  });

  it.each<[string, Partial<TcpFrame>]>([
    ['SYN', { flags: 0x12 }],
    ['RST', { flags: 0x14 }],
    ['URG', { flags: 0x30 }],
    ['PSH', { flags: 0x18 }],
    ['FIN', { flags: 0x11 }],
    ['IPv4 options', { ipOptions: 4 }],
    ['a fragment', { fragment: 0x2000 }],
    ['padding behind the packet', { padding: 2 }],
  ])('joins nothing where every segment has %s', (_, fields) => {
    expect(splitAndCut(stream([100, 100, 100], fields))).toBe(3);
  });

  it('joins no segments that segmentation would not cut so small', () => {
    expect(splitAndCut(stream([47, 47]))).toBe(2);
  });

  it('joins nothing of other VNIs', () => {
    const [a, b] = stream([100, 100]);
    const bytes = Uint8Array.from([...datagram(a, 1), ...datagram(b, 2)]);
    bench.joiner.split(bench.slot(bytes, { gsoSize: bytes.length / 2 }), bench.out);
    expect(bench.take().map(({ hex, info }) => [hex, info])).toEqual([
      [toHex(a), 1],
      [toHex(b), 2],
    ]);
  });

  it('does not look at what is reserved in the VXLAN header', () => {
    const frames = stream([100, 100]);
    const bytes = Uint8Array.from(frames.flatMap((frame) => [...datagram(frame)]));
    bytes.set([0xff, 1, 2, 3], 0);
    bytes[7] = 4;
    bench.joiner.split(bench.slot(bytes, { gsoSize: bytes.length / 2 }), bench.out);
    expect(bench.out.count).toBe(1);
    expect(bench.finished()).toEqual(frames.map(toHex));
  });

  it('joins with DF whatever the identifications are', () => {
    for (const ids of [
      [5, 5, 5],
      [9, 1, 4],
    ]) {
      const change = Object.fromEntries(ids.map((id, i) => [i, { id }]));
      const [packet, ...others] = split(stream([100, 100, 100], { fragment: 0x4000 }, change));
      expect(others).toEqual([]);
      expect(packet.gsoSize).toBe(100);
    }
  });

  it.each([
    [0x90, GSO.TCPV4 | GSO.ECN],
    [0x10, GSO.TCPV4],
  ])('marks a packet with flags %i as of type %i', (flags, gsoType) => {
    const frames = stream([100, 100], {}, { 0: { flags } });
    expect(splitAndCut(frames)).toBe(1);
    const [packet] = split(frames);
    expect(packet.gsoType).toBe(gsoType);
  });

  // More than UDP can bring: what a slot could hold whose datagrams begin in the headroom.
  it.each([
    [4, 65_535, 1],
    [4, 65_536, 2],
    [6, 65_535, 1],
    [6, 65_536, 2],
  ] as const)('of IPv%i joins %i octets of network packet to %i', (family, total, packets) => {
    const network = family === 4 ? 40 : 60;
    const size = 33_000;
    const frames = stream([size, total - network - size], { family });
    const bytes = Buffer.concat(frames.map((frame) => datagram(frame)));
    const slot = bench.slot(new Uint8Array(0), { gsoSize: datagram(frames[0]).length });
    bench.pool.at[slot] = bench.pool.end(slot) - bytes.length;
    bench.pool.bytes.set(bytes, bench.pool.at[slot]);
    bench.pool.length[slot] = bytes.length;
    bench.joiner.split(slot, bench.out);
    expect(bench.out.count).toBe(packets);
    expect(bench.finished()).toEqual(frames.map(toHex));
  });

  it('begins anew behind a segment with a wrong checksum', () => {
    const frames = stream([100, 100, 100, 100, 100], {}, { 2: { tcpError: 1 } });
    expect(splitAndCut(frames)).toBe(3);
    expect(bench.counters.total('joined')).toBe(2);
  });

  it('leaves the first alone where its own checksum is wrong', () => {
    expect(splitAndCut(stream([100, 100, 100], {}, { 0: { tcpError: 1 } }))).toBe(2);
    expect(splitAndCut(stream([100, 100, 100], {}, { 0: { ipError: 1 } }))).toBe(2);
  });

  it('drops datagrams that are no VXLAN packet, one by one', () => {
    const frames = stream([100, 100, 100]);
    const datagrams = frames.map((frame) => datagram(frame));
    datagrams[1][0] = 0;
    const bytes = Uint8Array.from(Buffer.concat(datagrams));
    bench.joiner.split(bench.slot(bytes, { gsoSize: datagrams[0].length }), bench.out);
    expect(bench.take().map(({ hex }) => hex)).toEqual([toHex(frames[0]), toHex(frames[2])]);
    expect(bench.drops('malformed-tunnel')).toBe(1);
  });

  it.each([
    ['nothing', 0, 0],
    ['less than a VXLAN header', 7, 0],
    ['a VXLAN header alone', 8, 0],
    ['less than an Ethernet header', 21, 0],
    ['datagrams of no use', 1000, 21],
    ['datagrams of one octet', 65_000, 1],
  ])('drops %s', (_, length, gsoSize) => {
    const bytes = new Uint8Array(length).fill(8);
    bench.joiner.split(bench.slot(bytes, { gsoSize }), bench.out);
    expect(bench.take()).toEqual([]);
    expect(bench.drops('malformed-tunnel')).toBe(1);
  });

  it('drops a last datagram that is cut off and keeps the others', () => {
    const frames = stream([100, 100]);
    const bytes = Uint8Array.from([...frames.flatMap((frame) => [...datagram(frame)]), 8, 0, 0, 0]);
    bench.joiner.split(bench.slot(bytes, { gsoSize: datagram(frames[0]).length }), bench.out);
    expect(bench.out.count).toBe(1);
    expect(bench.finished()).toEqual(frames.map(toHex));
    expect(bench.drops('malformed-tunnel')).toBe(1);
  });

  it('takes an Ethernet header for a frame', () => {
    const frame = fromHex(ETHERNET);
    expect(split([frame])[0].hex).toBe(ETHERNET);
    expect(split([frame, frame]).map(({ hex }) => hex)).toEqual([ETHERNET, ETHERNET]);
  });

  it('believes no length beyond its slot', () => {
    const slot = bench.bundle([fromHex(SEGMENTS[0])]);
    const room = bench.pool.end(slot) - bench.pool.at[slot];
    bench.pool.length[slot] = 1 << 20;
    bench.joiner.split(slot, bench.out);
    expect(bench.pool.length[slot]).toBe(room - 8);
    expect(bench.take()).toHaveLength(1);
  });

  describe('with a pool that is empty', () => {
    function rest(free: number): number[] {
      return Array.from({ length: bench.pool.free - free }, () => bench.pool.take());
    }

    it('drops what would need a slot of its own', () => {
      const frames = [1, 2, 3].map((n) => tcpFrame({ srcPort: n, payload: octets(100) }));
      const slot = bench.bundle(frames);
      const taken = rest(1);
      bench.joiner.split(slot, bench.out);
      expect(bench.take().map(({ hex }) => hex)).toEqual([toHex(frames[0]), toHex(frames[2])]);
      expect(bench.drops('no-slot')).toBe(1);
      for (const slot of taken) bench.pool.release(slot);
    });

    it('keeps the last segment of a flow', () => {
      const frames = stream([100, 100, 100]);
      const slot = bench.bundle(frames);
      const taken = rest(0);
      bench.joiner.split(slot, bench.out);
      expect(bench.take().map(({ hex }) => hex)).toEqual([toHex(frames[2])]);
      expect(bench.drops('no-slot')).toBe(2);
      for (const slot of taken) bench.pool.release(slot);
    });
  });
});

const sizes = fc.record({
  size: fc.oneof(fc.integer({ min: 48, max: 120 }), fc.integer({ min: 20, max: 1400 })),
  count: fc.integer({ min: 1, max: 12 }),
  last: fc.double({ min: 0, max: 1, noNaN: true }),
});

const fields: fc.Arbitrary<Partial<TcpFrame>> = fc.record({
  family: fc.constantFrom(4, 6),
  vlans: fc.array(fc.integer({ min: 0, max: 4095 }), { maxLength: 2 }),
  tos: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: 0xffff }),
  fragment: fc.constantFrom(0, 0x4000),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  flags: fc.constantFrom(0x10, 0x10, 0x10, 0x50, 0x90, 0x18, 0x02, 0xff),
  options: fc.constantFrom('', '01010101', '0101080a0011223344556677'),
});

/** A change to one segment, most of which keep it from being joined. */
const changes: fc.Arbitrary<Partial<TcpFrame>> = fc.oneof(
  fc.constant({}),
  fc.record({ tcpError: fc.integer({ min: 1, max: 0xfffe }) }),
  fc.record({ ipError: fc.integer({ min: 1, max: 0xfffe }) }),
  fc.record({ flags: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ window: fc.integer({ min: 500, max: 502 }) }),
  fc.record({ src: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ padding: fc.integer({ min: 0, max: 3 }) }),
);

describe('what the joiner joins', () => {
  it('a device cuts to the same frames, in their order', () => {
    const property = fc.property(
      sizes,
      fields,
      fc.dictionary(fc.constantFrom('0', '1', '2', '3', '5', '7'), changes),
      fc.array(fc.nat(11), { maxLength: 4 }),
      fc.nat(3),
      ({ size, count, last }, plain, change, swaps, flows) => {
        bench = new TunnelBench();
        const lengths = new Array<number>(count).fill(size);
        if (Object.keys(change).length === 0) lengths[count - 1] = Math.max(1, Math.round(last * size));
        const perFlow = Array.from({ length: flows + 1 }, (_, n) =>
          stream(lengths, { ...plain, srcPort: 4000 + n }, change),
        );
        const frames = lengths.flatMap((_, i) => perFlow.map((flow) => flow[i]));
        for (const swap of swaps) {
          const i = swap % frames.length;
          const j = (swap * 7 + 3) % frames.length;
          [frames[i], frames[j]] = [frames[j], frames[i]];
        }
        // One length in a slot: the next begins where it changes, and behind a shorter one.
        const slots: Uint8Array[][] = [];
        for (const frame of frames) {
          const bundle = slots.at(-1);
          const first = bundle?.[0].length ?? 0;
          if (bundle?.at(-1)?.length === first && frame.length <= first && bundle.length < 40)
            bundle.push(frame);
          else slots.push([frame]);
        }
        for (const bundle of slots) splitAndCut(bundle);
        bench.expectAtRest();
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('is joined wherever nothing stands against it', () => {
    const property = fc.property(sizes, fields, ({ size, count }, plain) => {
      fc.pre(size >= 48 && (plain.flags === 0x10 || plain.flags === 0x50));
      bench = new TunnelBench();
      const frames = stream(new Array<number>(count).fill(size), plain);
      expect(splitAndCut(frames)).toBe(1);
      bench.expectAtRest();
    });
    fc.assert(property, { numRuns: 100 });
  });

  it('another tunnel cuts to the same datagrams', () => {
    for (const family of [4, 6] as const) {
      const frames = stream([900, 900, 900, 5], { family, vlans: [5] });
      const expected = bench.look(bench.bundle(frames));
      bench.joiner.split(expected.slot, bench.out);
      const [joined] = bench.out.slots;
      expect(parsePacket(bench.pool, joined)).toBe(-1);
      bench.out.clear();
      bench.bundler.add(joined, VNI, 1, bench.out);
      expect(bench.take()).toMatchObject([{ hex: expected.hex, gsoSize: expected.gsoSize }]);
    }
  });

  it('passes the parser', () => {
    for (const family of [4, 6] as const) {
      const slot = bench.bundle(stream([300, 300, 300], { family, vlans: [5] }));
      bench.joiner.split(slot, bench.out);
      const [joined] = bench.out.slots;
      expect(parsePacket(bench.pool, joined)).toBe(-1);
      expect(bench.pool.l3Length[joined]).toBe((family === 4 ? 40 : 60) + 900);
      bench.take();
    }
  });
});

describe('hostile datagrams', () => {
  /** What comes out, with `garbage` in all memory around the datagrams. */
  function around(garbage: number, bytes: Uint8Array, gsoSize: number): unknown {
    bench = new TunnelBench(32);
    const others = Array.from({ length: 32 }, () => bench.pool.take());
    for (const slot of others) {
      bench.pool.bytes.fill(garbage, bench.pool.end(slot) - 1029 * 64, bench.pool.end(slot));
    }
    for (const slot of others) bench.pool.release(slot);
    bench.joiner.split(bench.slot(bytes, { gsoSize }), bench.out);
    const taken = bench.take().map(({ hex, info, gsoType, gsoSize }) => ({ hex, info, gsoType, gsoSize }));
    bench.expectAtRest();
    return taken;
  }

  const template = stream([60, 60, 60], { family: 4 }).concat(stream([60, 60, 60], { family: 6 }));
  const hostile = fc
    .record({
      frames: fc.array(fc.nat(template.length - 1), { minLength: 1, maxLength: 6 }),
      changes: fc.array(fc.tuple(fc.nat(900), fc.nat(255)), { maxLength: 12 }),
      cut: fc.nat(900),
      gsoSize: fc.oneof(fc.nat(200), fc.constantFrom(122, 142, 0, 22, 36, 62)),
    })
    .map(({ frames, changes, cut, gsoSize }) => {
      const bytes = Uint8Array.from(frames.flatMap((i) => [...datagram(template[i])]));
      for (const [place, value] of changes) bytes[place % bytes.length] = value;
      return { bytes: bytes.slice(0, Math.max(0, bytes.length - (cut % bytes.length))), gsoSize };
    });

  it('are read to their end and no further', () => {
    const property = fc.property(hostile, ({ bytes, gsoSize }) => {
      expect(around(0, bytes, gsoSize)).toEqual(around(0xff, bytes, gsoSize));
    });
    fc.assert(property, { numRuns: 400 });
  });

  it('of one VXLAN header after another', () => {
    const bytes = Uint8Array.from(Buffer.from('0800000000002a00'.repeat(100), 'hex'));
    expect(around(0, bytes, 24)).toEqual(around(0xff, bytes, 24));
  });
});
