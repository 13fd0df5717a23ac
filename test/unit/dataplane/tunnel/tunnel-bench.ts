/** A pool with bundler, joiner and segmenter, and the laws that hold when everything is taken out again. */
import { expect } from 'vitest';
import { Batch } from '../../../../src/dataplane/batch.js';
import { Counters } from '../../../../src/dataplane/counters.js';
import type { OffloadFacts } from '../../../../src/dataplane/devices/memory.js';
import { DROP, type DropReasonName } from '../../../../src/dataplane/drop-reasons.js';
import { parsePacket } from '../../../../src/dataplane/elements/parse.js';
import { PacketPool } from '../../../../src/dataplane/pool.js';
import { Segmenter } from '../../../../src/dataplane/segmenter.js';
import { Bundler } from '../../../../src/dataplane/tunnel/bundler.js';
import { Joiner } from '../../../../src/dataplane/tunnel/joiner.js';
import { wasmChecksum } from '../../../../src/wire/checksum-kernel.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import * as vxlan from '../../../../src/wire/vxlan.js';

export const PORT = 3;
export const VNI = 42;
export const PEER = { egress: 0x8001, remote: [0, 0, 0xffff, 0x0a00_0002], remotePort: 4789 } as const;

export interface Destination {
  readonly egress: number;
  readonly remote: readonly number[];
  readonly remotePort: number;
}

/** A packet as it came out: its octets as hexadecimal digits, and what the pool says of it. */
export interface Taken {
  readonly hex: string;
  readonly slot: number;
  readonly at: number;
  readonly info: number;
  readonly flags: number;
  readonly port: number;
  readonly egress: number;
  readonly remote: readonly number[];
  readonly remotePort: number;
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const fromHex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, 'hex'));

export function datagram(frame: Uint8Array, vni = VNI): Uint8Array {
  const bytes = new Uint8Array(vxlan.HEADER_LENGTH + frame.length);
  bytes[0] = 8;
  bytes.set([vni >>> 16, (vni >>> 8) & 0xff, vni & 0xff], 4);
  bytes.set(frame, vxlan.HEADER_LENGTH);
  return bytes;
}

export class TunnelBench {
  readonly pool: PacketPool;
  readonly counters = new Counters();
  readonly segmenter: Segmenter;
  readonly bundler: Bundler;
  readonly joiner: Joiner;
  readonly out: Batch;
  private arrived = 0;
  private gone = 0;

  constructor(
    readonly slots = 256,
    implementation = wasmChecksum,
  ) {
    this.pool = new PacketPool(slots);
    const checksum = implementation(this.pool.memory);
    this.segmenter = new Segmenter(this.pool, checksum, this.counters);
    this.bundler = new Bundler(this.pool, checksum, this.counters, this.segmenter);
    this.joiner = new Joiner(this.pool, checksum, this.counters);
    this.out = new Batch(slots);
  }

  /** A slot with these octets, on its way to `to`, not parsed. */
  slot(bytes: Uint8Array, facts: Partial<OffloadFacts> = {}, to: Destination = PEER): number {
    const { pool } = this;
    const slot = pool.take();
    if (slot < 0) throw new Error('the pool is empty');
    this.arrived++;
    pool.reset(slot, bytes.length, PORT);
    pool.bytes.set(bytes, pool.at[slot]);
    pool.flags[slot] = facts.flags ?? 0;
    pool.gsoType[slot] = facts.gsoType ?? GSO.NONE;
    pool.gsoSize[slot] = facts.gsoSize ?? 0;
    pool.checksumStart[slot] = facts.checksumStart ?? 0;
    pool.checksumOffset[slot] = facts.checksumOffset ?? 0;
    pool.egress[slot] = to.egress;
    pool.remote.set(to.remote, slot * 4);
    pool.remotePort[slot] = to.remotePort;
    return slot;
  }

  /** The same for a packet that the parser has found sound. */
  packet(bytes: Uint8Array, facts: Partial<OffloadFacts> = {}, to: Destination = PEER): number {
    const slot = this.slot(bytes, facts, to);
    expect(parsePacket(this.pool, slot)).toBe(-1);
    return slot;
  }

  /** A slot with datagrams around frames, all of which but the last have one length. */
  bundle(frames: readonly Uint8Array[], vni = VNI): number {
    const datagrams = frames.map((frame) => datagram(frame, vni));
    const gsoSize = frames.length > 1 ? datagrams[0].length : 0;
    return this.slot(Uint8Array.from(Buffer.concat(datagrams)), { gsoSize });
  }

  /** One more owner of a packet, as where it is flooded. */
  share(slot: number): void {
    this.pool.share(slot, 1);
    this.counters.replicated(1);
  }

  look(slot: number): Taken {
    const { pool } = this;
    const at = pool.at[slot];
    return {
      hex: toHex(pool.bytes.slice(at, at + pool.length[slot])),
      slot,
      at,
      info: pool.info[slot],
      flags: pool.flags[slot],
      port: pool.port[slot],
      egress: pool.egress[slot],
      remote: [...pool.remote.subarray(slot * 4, slot * 4 + 4)],
      remotePort: pool.remotePort[slot],
      gsoType: pool.gsoType[slot],
      gsoSize: pool.gsoSize[slot],
      checksumStart: pool.checksumStart[slot],
      checksumOffset: pool.checksumOffset[slot],
    };
  }

  /** Everything in `batch`, whose slots go back to the pool. */
  take(batch = this.out): Taken[] {
    const taken = [...batch.slots.subarray(0, batch.count)].map((slot) => {
      const packet = this.look(slot);
      this.release(slot);
      return packet;
    });
    batch.clear();
    return taken;
  }

  release(slot: number): void {
    this.pool.release(slot);
    this.gone++;
  }

  /** What a device without offloads would send of what waits in `out`: parsed, then cut or completed. */
  finished(): string[] {
    const { pool, out, segmenter } = this;
    const wire = new Batch(4096);
    for (const slot of out.slots.subarray(0, out.count)) {
      // A hostile frame stays as it is: the parser would drop it.
      if (parsePacket(pool, slot) === -1 && pool.gsoType[slot] !== GSO.NONE) segmenter.segment(slot, wire);
      else wire.push(slot);
    }
    out.clear();
    return this.take(wire).map(({ hex }) => hex);
  }

  drops(reason: DropReasonName): number {
    return this.counters.portDrops(PORT, DROP[reason]);
  }

  /** Every slot is back, and each is accounted for: invariants 1 and 2 of docs/architecture.md. */
  expectAtRest(): void {
    const { counters, pool } = this;
    expect(pool.free).toBe(this.slots);
    expect(this.arrived + counters.total('replicated')).toBe(
      this.gone + counters.total('joined') + counters.total('dropped'),
    );
  }
}

/** The datagrams of one length in what came out of a bundler. */
export function datagramsOf({ hex, gsoSize }: Taken): string[] {
  if (gsoSize === 0) return [hex];
  const count = Math.ceil(hex.length / (gsoSize * 2));
  return Array.from({ length: count }, (_, i) => hex.slice(i * gsoSize * 2, (i + 1) * gsoSize * 2));
}
