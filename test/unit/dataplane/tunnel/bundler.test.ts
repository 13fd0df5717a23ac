import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Batch } from '../../../../src/dataplane/batch.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { plainChecksum, wasmChecksum } from '../../../../src/wire/checksum-kernel.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { pythonWithScapy } from '../../../support/scapy.js';
import { ScapyProcess } from '../../../support/scapy-process.js';
import {
  factsOf,
  PLAIN,
  type SegmentAnswer,
  type SegmentRequest,
  segmentRequests,
} from '../../../support/segment-requests.js';
import { octets, tcpFrame } from './tcp-frame.js';
import {
  type Destination,
  datagram,
  datagramsOf,
  fromHex,
  PEER,
  PORT,
  type Taken,
  TunnelBench,
  toHex,
  VNI,
} from './tunnel-bench.js';

const HASH = 0x9234_5678;
const HEADER = '0800000000002a00';

let bench: TunnelBench;

beforeEach(() => {
  bench = new TunnelBench();
});
afterEach(() => bench.expectAtRest());

function bundle(slot: number, hash = HASH): Taken[] {
  bench.bundler.add(slot, VNI, hash, bench.out);
  bench.bundler.finish();
  return bench.take();
}

// The packet of segmenter.test.ts and its segments, built by scapy.
const ETHERNET = '0200000000020200000000010800';
const FROM_TO = '0a0102030a040506';
const PORTS = '0fa01388';
const PAYLOAD = [
  '01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dae1e8eff6fd040b121920272e353c434a',
  '51585f666d747b828990979ea5acb3bac1c8cfd6dde4ebf2f900070e151c232a31383f464d545b626970777e858c939a',
  'a1a8afb6',
];
const TSO = `${ETHERNET}4502008cffff40003f06205d${FROM_TO}${PORTS}fffffffa89abcdef509901f51b8c0000${PAYLOAD.join('')}`;
const TSO_FACTS = {
  flags: PACKET.PARTIAL_CHECKSUM,
  gsoType: GSO.TCPV4 | GSO.ECN,
  gsoSize: 48,
  checksumStart: 34,
  checksumOffset: 16,
};
const TSO_SEGMENTS = [
  `${ETHERNET}45020058ffff40003f062091${FROM_TO}${PORTS}fffffffa89abcdef509001f5dd810000${PAYLOAD[0]}`,
  `${ETHERNET}45020058000040003f062091${FROM_TO}${PORTS}0000002a89abcdef501001f55c510000${PAYLOAD[1]}`,
  `${ETHERNET}4502002c000140003f0620bc${FROM_TO}${PORTS}0000005a89abcdef501901f5c6480000${PAYLOAD[2]}`,
];

/** What every bundle says of its way. */
const WAY = {
  info: HASH | 0,
  port: PORT,
  flags: 0,
  egress: PEER.egress,
  remote: [...new Int32Array(PEER.remote)],
  remotePort: PEER.remotePort,
  gsoType: GSO.NONE,
};

const frame = (n: number, length = 60): Uint8Array => tcpFrame({ id: n, payload: octets(length, n) });

describe('Bundler: a packet to cut', () => {
  it.each([
    ['the WebAssembly kernel', wasmChecksum],
    ['the plain twin', plainChecksum],
  ])('becomes datagrams of one length in one slot, with %s', (_, checksum) => {
    bench = new TunnelBench(256, checksum);
    const [taken, ...others] = bundle(bench.packet(fromHex(TSO), TSO_FACTS));
    expect(others).toEqual([]);
    expect(taken.hex).toBe(TSO_SEGMENTS.map((segment) => HEADER + segment).join(''));
    expect(taken).toMatchObject({ ...WAY, gsoSize: 110 });
  });

  it('is only read where others have it too', () => {
    const slot = bench.packet(fromHex(TSO), TSO_FACTS);
    bench.share(slot);
    expect(bundle(slot)).toHaveLength(1);
    expect(bench.look(slot)).toMatchObject({ hex: TSO, gsoSize: 48, flags: PACKET.PARTIAL_CHECKSUM });
    bench.release(slot);
  });

  it('of one segment is one datagram', () => {
    const [taken] = bundle(bench.packet(fromHex(TSO), { ...TSO_FACTS, gsoSize: 100 }));
    expect(taken.gsoSize).toBe(0);
    expect(taken.hex.length / 2).toBe(8 + 54 + 100);
  });

  /** A TSO packet of `payload` octets. */
  function large(payload: number, gsoSize: number): number {
    const facts = {
      flags: PACKET.PARTIAL_CHECKSUM,
      gsoType: GSO.TCPV4,
      checksumStart: 34,
      checksumOffset: 16,
    };
    return bench.packet(tcpFrame({ payload: octets(payload), isPartial: true }), { ...facts, gsoSize });
  }

  it.each([
    ['64 datagrams fit', 64 * 100, 100, [64]],
    ['a 65th does not', 64 * 100 + 1, 100, [64, 1]],
    ['two times 64', 128 * 100, 100, [64, 64]],
    ['65,000 octets fit', 50 * 1238, 1238, [50]],
    ['no more than 65,000', 50 * 1239, 1239, [49, 1]],
    ['the largest packet', 65_495, 1398, [44, 3]],
    ['one datagram that is larger than half', 65_495, 40_000, [1, 1]],
    ['one segment larger than any bundle', 65_495, 65_535, [1]],
  ])('%s in a slot', (_, payload, size, datagrams) => {
    const taken = bundle(large(payload, size));
    expect(taken.map((slot) => datagramsOf(slot).length)).toEqual(datagrams);
    for (const { hex, gsoSize } of taken.slice(0, -1)) {
      expect(gsoSize).toBe(datagrams[0] > 1 ? 62 + size : 0);
      expect(hex.length / 2).toBeLessThanOrEqual(65_000);
    }
    expect(bench.counters.total('replicated')).toBe(datagrams.length - 1);
  });

  it.each([
    ['takes the pool to its last slot', 2, 2, 0],
    ['is dropped whole where the pool has not slots for all', 1, 0, 1],
  ])('%s', (_, free, bundles, drops) => {
    const slot = large(65_495, 1398);
    const rest = Array.from({ length: bench.pool.free - free }, () => bench.pool.take());
    expect(bundle(slot)).toHaveLength(bundles);
    expect(bench.drops('no-slot')).toBe(drops);
    for (const slot of rest) bench.pool.release(slot);
  });

  it('is dropped whole where the queue has no room for all', () => {
    const queue = new Batch(2);
    bench.bundler.add(bench.packet(frame(1)), VNI, 7, queue);
    bench.bundler.add(large(65_495, 1398), VNI, HASH, queue);
    expect(bench.drops('tx-queue-full')).toBe(1);
    bench.bundler.add(large(6000, 1398), VNI, HASH, queue);
    bench.bundler.add(bench.packet(frame(1)), VNI, HASH, queue);
    expect(bench.drops('tx-queue-full')).toBe(2);
    bench.bundler.finish();
    expect(bench.take(queue)).toHaveLength(2);
  });

  it('does not overtake what came before it, nor is it overtaken', () => {
    const add = (slot: number) => bench.bundler.add(slot, VNI, HASH, bench.out);
    add(bench.packet(frame(1)));
    add(bench.packet(fromHex(TSO), TSO_FACTS));
    add(bench.packet(frame(2)));
    bench.bundler.finish();
    const taken = bench.take().flatMap(datagramsOf);
    expect(taken).toEqual([toHex(frame(1)), ...TSO_SEGMENTS, toHex(frame(2))].map((hex) => HEADER + hex));
  });
});

describe('Bundler: a packet that goes as it is', () => {
  it('gets its header in place', () => {
    const slot = bench.packet(frame(1));
    const at = bench.pool.at[slot];
    const [taken] = bundle(slot);
    expect(taken).toMatchObject({ ...WAY, slot, at: at - 8, hex: HEADER + toHex(frame(1)), gsoSize: 0 });
  });

  it('takes any VNI', () => {
    bench.bundler.add(bench.packet(frame(1)), 0xabcdef, HASH, bench.out);
    bench.bundler.finish();
    expect(bench.take()[0].hex.slice(0, 16)).toBe('08000000abcdef00');
  });

  // scapy: …/UDP(sport=4000, dport=5000)/Raw(b'hello'): checksum 7dcc, and the sum of its pseudo header 1b2c.
  const UDP = `${ETHERNET}450000210001000040115fbe${FROM_TO}${PORTS}000d`;
  const UDP_FACTS = { flags: PACKET.PARTIAL_CHECKSUM, checksumStart: 34, checksumOffset: 6 };

  it('has its checksum completed', () => {
    const [taken] = bundle(bench.packet(fromHex(`${UDP}1b2c68656c6c6f`), UDP_FACTS));
    expect(taken.hex).toBe(`${HEADER}${UDP}7dcc68656c6c6f`);
    expect(taken.flags).toBe(0);
  });

  it('is copied where others have it too, to one destination after another', () => {
    const slot = bench.packet(frame(1));
    bench.share(slot);
    bench.share(slot);
    const other = { egress: 0x8002, remote: [1, 2, 3, 4], remotePort: 8472 };
    bench.bundler.add(slot, VNI, HASH, bench.out);
    bench.pool.egress[slot] = other.egress;
    bench.pool.remote.set(other.remote, slot * 4);
    bench.pool.remotePort[slot] = other.remotePort;
    bench.bundler.add(slot, VNI, HASH, bench.out);
    bench.bundler.finish();
    expect(bench.look(slot).hex).toBe(toHex(frame(1)));
    bench.release(slot);
    const [one, two] = bench.take();
    expect(one).toMatchObject({ ...WAY, hex: HEADER + toHex(frame(1)) });
    expect(two).toMatchObject({ ...WAY, ...other, hex: HEADER + toHex(frame(1)) });
  });

  it('is dropped where it needs a copy and the pool is empty', () => {
    const slot = bench.packet(frame(1));
    bench.share(slot);
    const rest = Array.from({ length: bench.pool.free }, () => bench.pool.take());
    bench.bundler.add(slot, VNI, HASH, bench.out);
    expect(bench.drops('no-slot')).toBe(1);
    for (const slot of rest) bench.pool.release(slot);
    bench.release(slot);
  });
});

describe('Bundler: packets that follow one another', () => {
  /** Adds packets of these lengths of payload; answers the lengths of datagrams by slot. */
  function lengths(payloads: readonly number[]): number[][] {
    const frames = payloads.map((payload, i) => frame(i, payload));
    for (const bytes of frames) bench.bundler.add(bench.packet(bytes), VNI, HASH, bench.out);
    bench.bundler.finish();
    const taken = bench.take();
    expect(taken.flatMap(datagramsOf)).toEqual(frames.map((bytes) => HEADER + toHex(bytes)));
    for (const slot of taken) expect(slot).toMatchObject(WAY);
    return taken.map((slot) => datagramsOf(slot).map((hex) => hex.length / 2 - 62));
  }

  it('of one length share a slot', () => {
    expect(lengths([10, 10, 10])).toEqual([[10, 10, 10]]);
    expect(bench.counters.total('joined')).toBe(2);
  });

  it('end the bundle with a shorter one', () => {
    expect(lengths([10, 10, 9, 9, 10])).toEqual([[10, 10, 9], [9], [10]]);
  });

  it('begin another with a longer one', () => {
    expect(lengths([10, 11, 11])).toEqual([[10], [11, 11]]);
  });

  it('are at most 64', () => {
    expect(lengths(new Array<number>(130).fill(1)).map((slot) => slot.length)).toEqual([64, 64, 2]);
  });

  it('are at most 65,000 octets', () => {
    expect(lengths(new Array<number>(51).fill(1238)).map((slot) => slot.length)).toEqual([50, 1]);
    expect(lengths(new Array<number>(50).fill(1239)).map((slot) => slot.length)).toEqual([49, 1]);
  });

  it('stay inside the slot of the first, wherever that begins', () => {
    const { pool } = bench;
    const frames = [frame(1, 1238), frame(2, 1238)];
    const first = bench.packet(frames[0]);
    const end = pool.end(first) - frames[0].length - 1000;
    pool.bytes.copyWithin(end, pool.at[first], pool.at[first] + frames[0].length);
    pool.at[first] = end;
    bench.bundler.add(first, VNI, HASH, bench.out);
    bench.bundler.add(bench.packet(frames[1]), VNI, HASH, bench.out);
    bench.bundler.finish();
    expect(bench.take().map(({ hex }) => hex)).toEqual(frames.map((bytes) => HEADER + toHex(bytes)));
  });

  it.each<[string, { readonly hash?: number; readonly vni?: number; readonly to?: Destination }]>([
    ['another hash', { hash: HASH + 1 }],
    ['a hash of the same place', { hash: HASH ^ 8 }],
    ['another VNI', { vni: 43 }],
    ['another node', { to: { ...PEER, remote: [0, 0, 0xffff, 1] } }],
    ['another word of the address', { to: { ...PEER, remote: [1, 0, 0xffff, 0x0a00_0002] } }],
    ['another port', { to: { ...PEER, remotePort: 8472 } }],
    ['another peer', { to: { ...PEER, egress: 0x8002 } }],
  ])('do not share a slot with %s', (_, { hash = HASH, vni = VNI, to = PEER }) => {
    bench.bundler.add(bench.packet(frame(1)), VNI, HASH, bench.out);
    bench.bundler.add(bench.packet(frame(2), {}, to), vni, hash, bench.out);
    bench.bundler.finish();
    const isFirst = ({ hex }: Taken) => Number(hex.includes(toHex(frame(1))));
    const taken = bench.take().sort((a, b) => isFirst(b) - isFirst(a));
    expect(taken.map(({ info }) => info)).toEqual([HASH | 0, hash | 0]);
    const headers = [VNI, vni].map((vni) => toHex(datagram(new Uint8Array(0), vni)));
    expect(taken.map(({ hex }) => hex)).toEqual([headers[0] + toHex(frame(1)), headers[1] + toHex(frame(2))]);
    expect(taken[1].egress).toBe(to.egress);
  });

  it('share a slot where others of another flow are between', () => {
    for (let i = 0; i < 6; i++) bench.bundler.add(bench.packet(frame(i)), VNI, i % 2, bench.out);
    bench.bundler.finish();
    expect(bench.take().map((slot) => datagramsOf(slot).length)).toEqual([3, 3]);
  });

  it('are joined from slots that others have too', () => {
    const slots = [frame(1), frame(2)].map((bytes) => bench.packet(bytes));
    for (const slot of slots) {
      bench.share(slot);
      bench.bundler.add(slot, VNI, HASH, bench.out);
    }
    bench.bundler.finish();
    expect(slots.map((slot) => bench.look(slot).hex)).toEqual([toHex(frame(1)), toHex(frame(2))]);
    for (const slot of slots) bench.release(slot);
    expect(datagramsOf(bench.take()[0])).toEqual([HEADER + toHex(frame(1)), HEADER + toHex(frame(2))]);
  });

  it('keep their order within a flow, whatever comes', () => {
    const packet = fc.record({
      flow: fc.nat(40),
      payload: fc.oneof(fc.constant(100), fc.nat(200)),
      isLarge: fc.boolean(),
    });
    const property = fc.property(fc.array(packet, { maxLength: 100 }), (packets) => {
      bench = new TunnelBench();
      const expected = new Map<number, string[]>();
      packets.forEach(({ flow, payload, isLarge }, i) => {
        const bytes = frame(i, payload);
        const slot = isLarge ? bench.packet(fromHex(TSO), TSO_FACTS) : bench.packet(bytes);
        const frames = isLarge ? TSO_SEGMENTS : [toHex(bytes)];
        expected.set(flow, [...(expected.get(flow) ?? []), ...frames.map((hex) => HEADER + hex)]);
        bench.bundler.add(slot, VNI, flow * 77, bench.out);
      });
      bench.bundler.finish();
      const got = new Map<number, string[]>();
      for (const slot of bench.take()) {
        const flow = slot.info / 77;
        got.set(flow, [...(got.get(flow) ?? []), ...datagramsOf(slot)]);
      }
      expect(got).toEqual(expected);
      bench.expectAtRest();
    });
    fc.assert(property, { numRuns: 200 });
  });
});

const python = pythonWithScapy();
const reason = python === undefined ? ' [skipped: needs python3 with scapy]' : '';

describe.skipIf(python === undefined)(`Bundler, judged by scapy${reason}`, () => {
  const script = new URL('../../../support/segments.py', import.meta.url).pathname;
  const scapy = python === undefined ? undefined : new ScapyProcess(python, script);
  afterAll(() => scapy?.close());

  /** Cut into bundles the packet is what scapy makes of it; and joined again it can be cut to the same. */
  async function judge(request: SegmentRequest): Promise<number> {
    bench = new TunnelBench(1500);
    const answer = await scapy!.ask<SegmentAnswer>(request);
    const slot = bench.packet(fromHex(answer.packet), factsOf(request, answer));
    bench.bundler.add(slot, VNI, HASH, bench.out);
    bench.bundler.finish();
    const bundles = [...bench.out.slots.subarray(0, bench.out.count)];
    const datagrams = bundles.map((slot) => bench.look(slot)).flatMap(datagramsOf);
    expect(datagrams).toEqual(answer.expected.map((hex) => HEADER + hex));
    bench.out.clear();
    for (const slot of bundles) bench.joiner.split(slot, bench.out);
    const packets = bench.out.count;
    expect(bench.finished()).toEqual(answer.expected);
    bench.expectAtRest();
    return packets;
  }

  it.each<[string, Partial<SegmentRequest>, number]>([
    ['the largest packet over IPv4', { payload: 65_535 - 40, size: 1398 }, 2],
    ['the largest packet over IPv6', { family: 6, payload: 65_535 - 60, size: 1378 }, 2],
    ['the smallest segments', { payload: 65_000, size: 48 }, 22],
    ['tags and TCP options', { tcpOptions: 40, vlans: [100, 200] }, 1],
    ['CWR, PSH and FIN', { flags: 0x99 }, 1],
    ['no payload', { payload: 0, size: 1000 }, 1],
    ['a TCP checksum of 0, which is 0', { zeroChecksum: true }, 1],
    ['USO over IPv6', { protocol: 'udp', family: 6, payload: 5001, size: 1000 }, 6],
    ['IPv4 options', { ipOptions: 40 }, 3],
    ['extension headers', { family: 6, extensions: ['hop-by-hop', 'routing', 'destination'] }, 3],
  ])('%s', async (_, change, packets) => {
    expect(await judge({ ...PLAIN, ...change })).toBe(packets);
  });

  it('any packet', async () => {
    const property = fc.asyncProperty(segmentRequests, async (request) => void (await judge(request)));
    await fc.assert(property, { numRuns: 100 });
  });
});
