/**
 * Engines side by side in one process, as workers are: every port is read by one of them and written by all, and what
 * they learn they share. Nothing runs by itself: a test says which engine runs when.
 */
import { InMemoryDevice } from '../../src/dataplane/devices/memory.js';
import { Engine } from '../../src/dataplane/engine.js';
import { makeGossipRings } from '../../src/dataplane/gossip.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables, type TablesData } from '../../src/dataplane/tables.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';

const SLOTS = 128;

export interface SharedEnginesOptions {
  readonly workers: number;
  readonly snapshot: Snapshot;
  /** Which engine reads the port. */
  readonly ownerOf: (port: number) => number;
  /** The engine that probes; without it none. */
  readonly prober?: number;
}

export class SharedEngines {
  readonly engines: readonly Engine[];
  now = 1000;
  /** By engine and port. */
  private readonly devices: readonly Map<number, InMemoryDevice>[];

  constructor(private readonly options: SharedEnginesOptions) {
    const { workers, snapshot, prober } = options;
    const rings = makeGossipRings(workers);
    this.engines = rings.map(
      (_, own) =>
        new Engine({
          slots: SLOTS,
          seed: own + 1,
          checksum: wasmChecksum,
          gossip: { own, rings },
          probes: own === prober,
        }),
    );
    this.devices = this.engines.map(() => new Map());
    for (const { id } of snapshot.ports) this.attach(id);
    this.swap(snapshot);
  }

  attach(port: number): void {
    this.engines.forEach((engine, index) => {
      const device = new InMemoryDevice({ context: engine, port });
      this.devices[index].set(port, device);
      engine.attach(device);
    });
  }

  /** The engine that reads the port goes first. */
  detach(port: number): void {
    const owner = this.options.ownerOf(port);
    const others = this.engines.map((_, index) => index).filter((index) => index !== owner);
    for (const index of [owner, ...others]) {
      this.engines[index].detach(port);
      this.devices[index].delete(port);
    }
  }

  swap(snapshot: Snapshot): void {
    const tables = compileTables(snapshot);
    for (const index of this.engines.keys()) this.swapOne(index, tables);
  }

  swapOne(index: number, tables: TablesData): void {
    this.engines[index].swap(tables);
  }

  /** Makes a frame arrive; the engine that reads the port has to run. */
  inject(port: number, frame: Uint8Array): void {
    this.device(this.options.ownerOf(port), port).inject(frame);
  }

  device(index: number, port: number): InMemoryDevice {
    const device = this.devices[index].get(port);
    if (device === undefined) throw new Error(`no port ${port}`);
    return device;
  }

  /** Runs the engine until it has received all that arrived for it. */
  cycle(index: number): void {
    const devices = [...this.devices[index].values()];
    do this.engines[index].cycle(devices, devices.length, this.now);
    while (devices.some((device) => device.waiting > 0));
  }

  /** A frame arrives and its engine runs: what went out of which port, by whichever engine. */
  send(port: number, frame: Uint8Array): Record<number, number> {
    this.takeAll();
    this.inject(port, frame);
    this.cycle(this.options.ownerOf(port));
    return this.takeAll();
  }

  sweep(index: number): number {
    return this.engines[index].sweep(this.now);
  }

  /** Lets seconds pass, each engine being swept once in each. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.now += 1000;
      for (const index of this.engines.keys()) this.sweep(index);
    }
  }

  /** How many frames went out of each port since the last call; ports without any are left out. */
  takeAll(): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const devices of this.devices) {
      for (const [port, device] of devices) {
        const count = device.take().length;
        if (count > 0) counts[port] = (counts[port] ?? 0) + count;
      }
    }
    return counts;
  }
}

/** MAC address 02:aa:00:00:nn:nn as octets. */
export function strangerMac(n: number): number[] {
  return [0x02, 0xaa, 0, 0, n >>> 8, n & 0xff];
}

const BROADCAST = [255, 255, 255, 255, 255, 255];
/** IEEE 802 local experimental EtherType. */
const ETHERTYPE = [0x88, 0xb5];

/** A frame from one stranger to another, or to everyone. */
export function strangerFrame(from: number, to?: number): Uint8Array {
  const destination = to === undefined ? BROADCAST : strangerMac(to);
  return Uint8Array.from([...destination, ...strangerMac(from), ...ETHERTYPE, 1, 2, 3, 4]);
}
