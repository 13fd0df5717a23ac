import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Batch } from '../../../src/dataplane/batch.js';
import { Counters } from '../../../src/dataplane/counters.js';
import type { OffloadFacts } from '../../../src/dataplane/devices/memory.js';
import { DROP } from '../../../src/dataplane/drop-reasons.js';
import { parsePacket } from '../../../src/dataplane/elements/parse.js';
import { PACKET, PacketPool } from '../../../src/dataplane/pool.js';
import { Segmenter } from '../../../src/dataplane/segmenter.js';
import { plainChecksum, wasmChecksum } from '../../../src/wire/checksum-kernel.js';
import { GSO } from '../../../src/wire/virtio-net.js';
import { pythonWithScapy } from '../../support/scapy.js';
import { ScapyProcess } from '../../support/scapy-process.js';
import {
  factsOf,
  PLAIN,
  type SegmentAnswer,
  type SegmentRequest,
  segmentRequests,
} from '../../support/segment-requests.js';

const PORT = 3;
const SLOTS = 1500;

let pool: PacketPool;
let counters: Counters;
let segmenter: Segmenter;

beforeEach(() => {
  pool = new PacketPool(SLOTS);
  counters = new Counters();
  segmenter = new Segmenter(pool, wasmChecksum(pool.memory), counters);
});

/** A slot with a packet that the parser has found sound. */
function arrive(bytes: Uint8Array, facts: Partial<OffloadFacts>): number {
  const slot = pool.take();
  pool.reset(slot, bytes.length, PORT);
  pool.bytes.set(bytes, pool.at[slot]);
  pool.flags[slot] = facts.flags ?? 0;
  pool.gsoType[slot] = facts.gsoType ?? GSO.NONE;
  pool.gsoSize[slot] = facts.gsoSize ?? 0;
  pool.checksumStart[slot] = facts.checksumStart ?? 0;
  pool.checksumOffset[slot] = facts.checksumOffset ?? 0;
  expect(parsePacket(pool, slot)).toBe(-1);
  return slot;
}

function frame(slot: number): string {
  return Buffer.from(pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot])).toString('hex');
}

/** The frames in a queue, whose slots go back to the pool. */
function drain(queue: Batch): string[] {
  const frames = [...queue.slots.subarray(0, queue.count)].map((slot) => {
    const hex = frame(slot);
    pool.release(slot);
    return hex;
  });
  queue.clear();
  return frames;
}

// scapy: Ether(dst='02:00:00:00:00:02', src='02:00:00:00:00:01')/IP(src='10.1.2.3', dst='10.4.5.6', id=0xffff, tos=2,
// flags='DF', ttl=63)/TCP(sport=4000, dport=5000, seq=0xfffffffa, ack=0x89abcdef, flags='FPAC', window=501)/Raw(100
// octets), whose checksum is the pseudo header's sum; and its three segments, each built the same way.
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

function tso(): number {
  return arrive(Buffer.from(TSO, 'hex'), TSO_FACTS);
}

describe('Segmenter.segment', () => {
  it.each([
    ['the WebAssembly kernel', wasmChecksum],
    ['the plain twin', plainChecksum],
  ])('cuts a TSO packet over IPv4, with %s', (_, checksum) => {
    const queue = new Batch(8);
    new Segmenter(pool, checksum(pool.memory), counters).segment(tso(), queue);
    expect(drain(queue)).toEqual(TSO_SEGMENTS);
    expect(pool.free).toBe(SLOTS);
    expect(counters.total('replicated')).toBe(2);
    expect(counters.total('dropped')).toBe(0);
  });

  it('gives each segment the facts of a finished packet of the same origin', () => {
    const slot = tso();
    pool.flags[slot] |= PACKET.CHECKSUM_VALID | PACKET.OPTIONS;
    pool.egress[slot] = 9;
    pool.domain[slot] = 5;
    const queue = new Batch(8);
    segmenter.segment(slot, queue);
    const last = queue.slots[2];
    expect(pool.length[last]).toBe(58);
    expect(pool.l3[last] - pool.at[last]).toBe(14);
    expect(pool.l3Length[last]).toBe(44);
    expect(pool.l4[last] - pool.at[last]).toBe(34);
    expect(pool.flags[last]).toBe(PACKET.OPTIONS);
    expect([pool.gsoType[last], pool.gsoSize[last]]).toEqual([0, 0]);
    expect([pool.port[last], pool.egress[last], pool.domain[last]]).toEqual([PORT, 9, 5]);
    expect(parsePacket(pool, last)).toBe(-1);
  });

  it('appends behind what waits already', () => {
    const queue = new Batch(4);
    const first = arrive(Buffer.from(TSO_SEGMENTS[2], 'hex'), {});
    queue.push(first);
    segmenter.segment(tso(), queue);
    expect(queue.count).toBe(4);
    expect(queue.slots[0]).toBe(first);
    expect(drain(queue)).toEqual([TSO_SEGMENTS[2], ...TSO_SEGMENTS]);
  });

  it('leaves a shared packet to its other owner unchanged', () => {
    const slot = tso();
    pool.share(slot, 1);
    const queue = new Batch(8);
    segmenter.segment(slot, queue);
    expect(drain(queue)).toEqual(TSO_SEGMENTS);
    expect(frame(slot)).toBe(TSO);
    expect(pool.gsoSize[slot]).toBe(48);
    expect(pool.flags[slot]).toBe(PACKET.PARTIAL_CHECKSUM);
    expect(pool.isShared(slot)).toBe(false);
    expect(pool.free).toBe(SLOTS - 1);
  });

  it('drops the packet whole where the queue has not room for all', () => {
    const queue = new Batch(2);
    segmenter.segment(tso(), queue);
    expect(queue.count).toBe(0);
    expect(counters.portDrops(PORT, DROP['tx-queue-full'])).toBe(1);
    expect(counters.total('replicated')).toBe(0);
    expect(pool.free).toBe(SLOTS);
  });

  it('drops the packet whole where the pool has not slots for all', () => {
    const slot = tso();
    const others = Array.from({ length: SLOTS - 3 }, () => pool.take());
    const queue = new Batch(8);
    segmenter.segment(slot, queue);
    expect(queue.count).toBe(0);
    expect(counters.portDrops(PORT, DROP['no-slot'])).toBe(1);
    expect(pool.free).toBe(3);
    pool.release(others[0]);
    pool.take();
    segmenter.segment(tso(), queue);
    expect(counters.portDrops(PORT, DROP['no-slot'])).toBe(2);
  });

  it('makes use of exactly as many slots as are free', () => {
    const slot = tso();
    for (let i = 0; i < SLOTS - 4; i++) pool.take();
    const queue = new Batch(3);
    segmenter.segment(slot, queue);
    expect(drain(queue)).toEqual(TSO_SEGMENTS);
  });
});

const python = pythonWithScapy();
const reason = python === undefined ? ' [skipped: needs python3 with scapy]' : '';

describe.skipIf(python === undefined)(`Segmenter.segment, judged by scapy${reason}`, () => {
  const script = new URL('../../support/segments.py', import.meta.url).pathname;
  const scapy = python === undefined ? undefined : new ScapyProcess(python, script);
  afterAll(() => scapy?.close());

  async function judge(request: SegmentRequest): Promise<SegmentAnswer> {
    const answer = await scapy!.ask<SegmentAnswer>(request);
    const slot = arrive(Buffer.from(answer.packet, 'hex'), factsOf(request, answer));
    const queue = new Batch(SLOTS);
    segmenter.segment(slot, queue);
    expect(drain(queue)).toEqual(answer.expected);
    expect(pool.free).toBe(SLOTS);
    return answer;
  }

  it.each<[string, Partial<SegmentRequest>, number]>([
    ['the largest packet over IPv4', { payload: 65_535 - 40, size: 1460 }, 45],
    ['the largest packet over IPv6', { family: 6, payload: 65_535 - 60, size: 1440 }, 46],
    ['the smallest segments', { payload: 65_000, size: 48 }, 1355],
    ['a payload that ends with a segment', { payload: 2000, size: 1000 }, 2],
    ['one segment', { payload: 1000, size: 1000, flags: 0x99 }, 1],
    ['no payload', { payload: 0, size: 1000 }, 1],
    ['odd segments', { payload: 999, size: 333 }, 3],
    ['USO over IPv4', { protocol: 'udp', payload: 5001, size: 1000 }, 6],
    ['USO over IPv6', { protocol: 'udp', family: 6, payload: 5001, size: 1000 }, 6],
    ['a UDP checksum of 0, which is sent as 0xffff', { protocol: 'udp', zeroChecksum: true }, 3],
    ['a TCP checksum of 0, which is 0', { zeroChecksum: true }, 3],
    ['options everywhere', { ipOptions: 40, tcpOptions: 40, vlans: [100, 200] }, 3],
    ['extension headers', { family: 6, extensions: ['hop-by-hop', 'routing', 'destination'] }, 3],
  ])('%s', async (_, change, segments) => {
    const { expected } = await judge({ ...PLAIN, ...change });
    expect(expected.length).toBe(segments);
  });

  it('any packet', async () => {
    const property = fc.asyncProperty(segmentRequests, async (request) => void (await judge(request)));
    await fc.assert(property, { numRuns: 100 });
  });
});

// scapy: Ether(dst='02:00:00:00:00:02', src='02:00:00:00:00:01')/IP(src='10.1.2.3', dst='10.4.5.6')/
// UDP(sport=4000, dport=5000)/Raw(b'hello'): checksum 7dcc, and the sum of its pseudo header 1b2c.
const UDP_HEADERS = `${ETHERNET}450000210001000040115fbe${FROM_TO}${PORTS}000d`;
const UDP_FACTS = { flags: PACKET.PARTIAL_CHECKSUM, checksumStart: 34, checksumOffset: 6 };
const HELLO = '68656c6c6f';

// scapy: …/UDP(sport=4000, dport=4789, chksum=0)/VXLAN(vni=7)/Ether()/IP(src='192.168.0.1', dst='192.168.0.2')/
// TCP(sport=1, dport=2)/Raw(b'odd'): checksum of the inner TCP 3b24, and the sum of its pseudo header 8171.
const TUNNELLED =
  `${ETHERNET}4500005d0001000040115f82${FROM_TO}0fa012b5004900000c00000300000700` +
  '02000000000b02000000000a08004500002b000100004006f978c0a80001c0a8000200010002000000000000000050022000';
const INNER_FACTS = { flags: PACKET.PARTIAL_CHECKSUM, checksumStart: 84, checksumOffset: 16 };

// scapy: …/TCP(sport=1, dport=2)/Raw(b'\x74\xd0'): checksum 0, and the sum of its pseudo header 1b2a.
const ZERO = `${ETHERNET}4500002a0001000040065fc0${FROM_TO}00010002000000000000000050022000`;
const ZERO_FACTS = { flags: PACKET.PARTIAL_CHECKSUM, checksumStart: 34, checksumOffset: 16 };

describe('Segmenter.completeChecksum', () => {
  it.each([
    ['a payload of odd length', UDP_FACTS, `${UDP_HEADERS}1b2c${HELLO}`, `${UDP_HEADERS}7dcc${HELLO}`],
    [
      'no padding of the link',
      UDP_FACTS,
      `${UDP_HEADERS}1b2c${HELLO}${'ab'.repeat(13)}`,
      `${UDP_HEADERS}7dcc${HELLO}${'ab'.repeat(13)}`,
    ],
    ['an inner packet', INNER_FACTS, `${TUNNELLED}817100006f6464`, `${TUNNELLED}3b2400006f6464`],
    ['a sum of 0, which TCP keeps', ZERO_FACTS, `${ZERO}1b2a000074d0`, `${ZERO}0000000074d0`],
  ])('sums %s', (_, facts, partial, complete) => {
    const slot = arrive(Buffer.from(partial, 'hex'), facts);
    segmenter.completeChecksum(slot);
    expect(frame(slot)).toBe(complete);
    expect(pool.flags[slot]).toBe(0);
  });

  it('leaves other flags, and a complete checksum, as they are', () => {
    const slot = arrive(Buffer.from(`${UDP_HEADERS}1b2c${HELLO}`, 'hex'), UDP_FACTS);
    pool.flags[slot] |= PACKET.CHECKSUM_VALID;
    segmenter.completeChecksum(slot);
    segmenter.completeChecksum(slot);
    expect(frame(slot)).toBe(`${UDP_HEADERS}7dcc${HELLO}`);
    expect(pool.flags[slot]).toBe(PACKET.CHECKSUM_VALID);
  });
});
