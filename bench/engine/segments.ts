/**
 * `engine.segment` and `engine.join`: large TCP packets cut into segments, and segments joined to large packets.
 *
 *     engine.segment   a packet of 64 KiB into frames of one MTU, and straight into VXLAN bundles, as `encapsulate` does it
 *     engine.join      such bundles, as a peer sends them, into a large packet
 *
 * A packet here is one segment on the wire, and throughput counts the octets of its frame. What is cut or joined is
 * read and not written, so it stays in its slot with a reference more; its facts are set again for each call.
 */
import { Batch } from '../../src/dataplane/batch.js';
import { parsePacket } from '../../src/dataplane/elements/parse.js';
import { PACKET, type PacketPool } from '../../src/dataplane/pool.js';
import { Bundler } from '../../src/dataplane/tunnel/bundler.js';
import { Joiner } from '../../src/dataplane/tunnel/joiner.js';
import { fold, pseudoIpv4 } from '../../src/wire/checksum.js';
import * as ethernet from '../../src/wire/ethernet.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import * as tcp from '../../src/wire/tcp.js';
import { GSO } from '../../src/wire/virtio-net.js';
import type { Figure } from '../figure.js';
import { frameOf } from '../traffic/traffic.js';
import { measureCases, type SizedCase } from './cases.js';
import { FIRST_POD, TUNNEL, VNI } from './cluster.js';
import { checkNoDrops, Stages } from './stages.js';
import type { Budget } from './timing.js';
import * as workloads from './workloads.js';

export const SEGMENT = 'engine.segment';
export const JOIN = 'engine.join';

type Say = (text: string) => void;

const HEADERS = ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH + tcp.HEADER_LENGTH;
/** Segments of a packet, and what each carries at most: of MTU 1,500 and of one of 9,000. */
const SIZES = {
  'MTU 1500': { segments: 44, payload: 1460 },
  'MTU 9000': { segments: 7, payload: 8960 },
} as const;
const SLOTS = 512;
const HASH = 7;

interface Size {
  readonly segments: number;
  readonly payload: number;
}

export function measureSegment(budget: Budget, say: Say): Figure[] {
  const stages = new Stages(SLOTS, workloads.nodeTables());
  const cases = Object.entries(SIZES).flatMap(([name, size]) => [
    segmentCase(stages, `into frames, ${name}`, size),
    bundleCase(stages, `into VXLAN bundles, ${name}`, size),
  ]);
  const figures = measureCases(SEGMENT, cases, budget, say);
  checkNoDrops(stages);
  return figures;
}

function segmentCase(stages: Stages, name: string, size: Size): SizedCase {
  const { pool } = stages.engine;
  const slot = largePacket(pool, size);
  const out = new Batch(SLOTS);
  return {
    name,
    packets: size.segments,
    octets: HEADERS + size.payload,
    run: () => {
      pool.share(slot, 1);
      stages.segmenter.segment(slot, out);
      releaseAll(pool, out, size.segments);
    },
  };
}

function bundleCase(stages: Stages, name: string, size: Size): SizedCase {
  const { pool } = stages.engine;
  const bundles = bundlesOf(stages, size);
  for (const { slot } of bundles) pool.release(slot);
  const bundler = bundlerOf(stages);
  const slot = largePacket(pool, size);
  const out = new Batch(SLOTS);
  return {
    name,
    packets: size.segments,
    octets: HEADERS + size.payload,
    run: () => {
      pool.share(slot, 1);
      bundler.add(slot, VNI, HASH, out);
      bundler.finish();
      releaseAll(pool, out, bundles.length);
    },
  };
}

export function measureJoin(budget: Budget, say: Say): Figure[] {
  const stages = new Stages(SLOTS, workloads.nodeTables());
  const cases = Object.entries(SIZES).map(([name, size]) =>
    joinCase(stages, `from VXLAN bundles, ${name}`, size),
  );
  const figures = measureCases(JOIN, cases, budget, say);
  checkNoDrops(stages);
  return figures;
}

function joinCase(stages: Stages, name: string, size: Size): SizedCase {
  const { pool, context, counters } = stages.engine;
  const joiner = new Joiner(pool, context.checksum, counters);
  const bundles = bundlesOf(stages, size);
  const out = new Batch(SLOTS);
  return {
    name,
    packets: size.segments,
    octets: HEADERS + size.payload,
    run: () => {
      for (const { slot, at, length, datagram } of bundles) {
        pool.at[slot] = at;
        pool.reset(slot, length, TUNNEL);
        pool.gsoSize[slot] = datagram;
        pool.share(slot, 1);
        joiner.split(slot, out);
      }
      releaseAll(pool, out, bundles.length);
    },
  };
}

/** A packet cut into bundles, of which each joins to one packet again. */
function bundlesOf(stages: Stages, size: Size) {
  const { pool } = stages.engine;
  const bundler = bundlerOf(stages);
  const out = new Batch(SLOTS);
  bundler.add(largePacket(pool, size), VNI, HASH, out);
  bundler.finish();
  if (out.count === 0) throw new Error('no bundle came out');
  return Array.from(out.slots.subarray(0, out.count), (slot) => ({
    slot,
    at: pool.at[slot],
    length: pool.length[slot],
    datagram: pool.gsoSize[slot],
  }));
}

function bundlerOf({ engine, segmenter }: Stages): Bundler {
  return new Bundler(engine.pool, engine.context.checksum, engine.counters, segmenter);
}

/** Another number than expected would have cost something else than what is reported. */
function releaseAll(pool: PacketPool, out: Batch, expected: number): void {
  if (out.count !== expected) throw new Error(`${out.count} packets came out, not ${expected}`);
  for (let i = 0; i < out.count; i++) pool.release(out.slots[i]);
  out.clear();
}

/** A TCP packet as a pod sends it: partial checksum and segment size. */
function largePacket(pool: PacketPool, { segments, payload }: Size): number {
  const slot = pool.take();
  const at = pool.at[slot];
  const length = HEADERS + segments * payload;
  const [frame] = [frameOf(workloads.mix(1, { protocol: 'tcp', kind: 'minimum' }), 0)];
  pool.bytes.set(frame.subarray(0, HEADERS), at);
  for (let i = HEADERS; i < length; i++) pool.bytes[at + i] = i;
  pool.reset(slot, length, FIRST_POD);
  finishHeaders(pool, at, length);
  pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
  pool.gsoType[slot] = GSO.TCPV4;
  pool.gsoSize[slot] = payload;
  pool.checksumStart[slot] = ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH;
  pool.checksumOffset[slot] = tcp.CHECKSUM_OFFSET;
  if (parsePacket(pool, slot) >= 0) throw new Error('the packet that is to be cut is malformed');
  return slot;
}

function finishHeaders({ view }: PacketPool, at: number, length: number): void {
  const l3 = at + ethernet.HEADER_LENGTH;
  const l4 = l3 + ipv4.HEADER_LENGTH;
  const transport = length - HEADERS + tcp.HEADER_LENGTH;
  ipv4.setTotalLength(view, l3, length - ethernet.HEADER_LENGTH);
  ipv4.writeChecksum(view, l3, ipv4.HEADER_LENGTH);
  tcp.setChecksum(view, l4, fold(pseudoIpv4(view, l3, ipv4.PROTOCOL.TCP, transport)));
}
