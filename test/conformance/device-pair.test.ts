/** The devices in memory, alone and under the decorators. */
import { describe, expect, it } from 'vitest';
import { Batch } from '../../src/dataplane/batch.js';
import { Counters } from '../../src/dataplane/counters.js';
import { type Device, type DeviceContext, OFFLOAD } from '../../src/dataplane/device.js';
import { FaultDevice } from '../../src/dataplane/devices/fault.js';
import { InMemoryDevice } from '../../src/dataplane/devices/memory.js';
import { createPair, type PairDevice } from '../../src/dataplane/devices/pair.js';
import { type PacketObserver, TraceDevice } from '../../src/dataplane/devices/trace.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import { deviceConformance } from './device.js';
import { type DeviceHarness, DeviceSession, type HarnessFrame } from './device-harness.js';
import { bytesPerPacket } from './device-heap.js';

const SLOTS = 600;
const MTU = 65_535;
const ALL_OFFLOADS = OFFLOAD.CHECKSUM | OFFLOAD.TSO4 | OFFLOAD.TSO6 | OFFLOAD.USO;
const STARVE = 'who sends into a pair takes the slots';

function newContext(): DeviceContext {
  return { pool: new PacketPool(SLOTS), counters: new Counters() };
}

/** One end of a pair, under a decorator or not, with the other end as the world outside. */
class PairHarness implements DeviceHarness {
  readonly device: Device;
  private readonly end: PairDevice;
  private readonly peer: PairDevice;
  private readonly outside: DeviceSession;
  private readonly batch = new Batch(SLOTS);

  constructor(
    readonly context: DeviceContext,
    private readonly peerContext: DeviceContext,
    decorate: (device: PairDevice, context: DeviceContext) => Device = (device) => device,
  ) {
    const { a, b } = createPair({
      a: { context, port: 1, mtu: MTU, offloads: ALL_OFFLOADS },
      b: { context: peerContext, port: 2, mtu: MTU, offloads: ALL_OFFLOADS },
      depth: 256,
    });
    this.end = a;
    this.peer = b;
    this.device = decorate(a, context);
    this.outside = new DeviceSession({
      device: b,
      context: peerContext,
      inject: (frames) => this.inject(frames),
      sent: () => this.sent(),
      settle: () => undefined,
      close: () => undefined,
    });
  }

  inject(frames: readonly HarnessFrame[]): void {
    for (const frame of frames) {
      this.batch.push(this.outside.slotWith(frame));
      this.peer.send(this.batch);
    }
  }

  sent(): HarnessFrame[] {
    const { batch } = this;
    const { pool } = this.peerContext;
    const frames: HarnessFrame[] = [];
    while (this.peer.receive(batch) > 0) {
      for (const slot of batch.slots.subarray(0, batch.count)) {
        const facts = {
          flags: pool.flags[slot],
          gsoType: pool.gsoType[slot],
          gsoSize: pool.gsoSize[slot],
          checksumStart: pool.checksumStart[slot],
          checksumOffset: pool.checksumOffset[slot],
        };
        frames.push({ ...this.outside.frameOf(slot), facts });
        pool.release(slot);
      }
      batch.clear();
    }
    return frames;
  }

  settle(): void {}

  fail(): void {
    this.peer.close();
  }

  turn(): void {
    this.peer.receive(this.batch);
    this.peer.send(this.batch);
  }

  close(): void {
    this.end.close();
    this.peer.close();
  }
}

deviceConformance(
  'pair in one pool',
  () => {
    const context = newContext();
    return new PairHarness(context, context);
  },
  { starve: STARVE },
);

deviceConformance('pair between two pools', () => new PairHarness(newContext(), newContext()), {
  starve: STARVE,
});

/** Adds up what it sees, so that the compiler cannot leave it out. */
class Adder implements PacketObserver {
  sum = 0;

  constructor(private readonly pool: PacketPool) {}

  packet(direction: number, slot: number): void {
    this.sum = (this.sum + direction + this.pool.length[slot]) | 0;
  }
}

deviceConformance(
  'trace over a pair',
  () => {
    const context = newContext();
    return new PairHarness(context, context, (device) => new TraceDevice(device, new Adder(context.pool)));
  },
  { starve: STARVE },
);

deviceConformance(
  'fault without faults over a pair',
  () => {
    const clock = { now: 0 };
    const decorate = (device: PairDevice, context: DeviceContext) =>
      new FaultDevice(device, { context, clock, seed: 1 });
    return new PairHarness(newContext(), newContext(), decorate);
  },
  { starve: STARVE },
);

deviceConformance(
  'in memory',
  () => {
    const context = newContext();
    const device = new InMemoryDevice({ context, port: 3, mtu: MTU, offloads: ALL_OFFLOADS });
    return {
      device,
      context,
      inject(frames) {
        for (const { bytes, facts } of frames) device.inject(bytes, facts);
      },
      sent: () => device.take().map(({ bytes, ...facts }) => ({ bytes, facts })),
      settle: () => undefined,
      close: () => device.close(),
    };
  },
  { fail: 'the program takes everything', turn: 'it keeps a copy of each packet for the program' },
);

describe('bytesPerPacket', () => {
  it('sees an object for each packet', () => {
    let kept: { packet: number } | undefined;
    const round = (): number => {
      for (let i = 0; i < 64; i++) kept = { packet: i };
      return 64;
    };
    expect(bytesPerPacket(round)).toBeGreaterThan(8);
    expect(kept).toEqual({ packet: 63 });
  });
});
