/**
 * An engine with a device in memory for every port of a snapshot, a clock that the test sets, and the laws that
 * must hold whenever it rests.
 */
import { expect } from 'vitest';
import { TOTALS, type Total } from '../../src/dataplane/counters.js';
import { OFFLOAD } from '../../src/dataplane/device.js';
import { InMemoryDevice, type OffloadFacts, type TakenPacket } from '../../src/dataplane/devices/memory.js';
import { DROP, DROP_REASONS, type DropReasonName } from '../../src/dataplane/drop-reasons.js';
import { Engine, type EngineOptions } from '../../src/dataplane/engine.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables } from '../../src/dataplane/tables.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';
import { DatagramDevice } from './datagram-device.js';

export const ALL_OFFLOADS = OFFLOAD.CHECKSUM | OFFLOAD.TSO4 | OFFLOAD.TSO6 | OFFLOAD.USO;

export interface HarnessOptions {
  readonly slots?: number;
  /** Offloads by port number; a port that is not named has none. */
  readonly offloads?: Readonly<Record<number, number>>;
  /** Without it the WebAssembly kernel. */
  readonly checksum?: EngineOptions['checksum'];
  readonly express?: boolean;
  readonly limits?: EngineOptions['limits'];
  readonly connections?: EngineOptions['connections'];
}

/** What a port was given to send; of a datagram, where to. */
export interface HarnessPacket extends TakenPacket {
  readonly remote?: string;
}

function firstPeer({ peers = [] }: Snapshot): string {
  return `${peers[0]?.address ?? '::'} ${peers[0]?.port ?? 0}`;
}

export class EngineHarness {
  readonly engine: Engine;
  readonly devices = new Map<number, InMemoryDevice | DatagramDevice>();
  now = 1000;

  constructor(
    readonly snapshot: Snapshot,
    options: HarnessOptions = {},
  ) {
    const { slots = 512, checksum = wasmChecksum, express, limits, connections } = options;
    this.engine = new Engine({ slots, seed: 7, checksum, express, limits, connections });
    for (const { id, name, mtu } of snapshot.ports) {
      const offloads = options.offloads?.[id] ?? 0;
      const device =
        id === snapshot.tunnel?.port
          ? new DatagramDevice(this.engine, id, name, mtu, firstPeer(snapshot))
          : new InMemoryDevice({ context: this.engine, port: id, name, mtu, offloads });
      this.devices.set(id, device);
      this.engine.attach(device);
    }
    this.engine.swap(compileTables(snapshot));
  }

  /** `remote`: where a datagram comes from; without it, from the first peer. */
  inject(port: number, bytes: Uint8Array, facts?: Partial<OffloadFacts>, remote?: string): void {
    const device = this.device(port);
    if (device instanceof DatagramDevice) device.inject(bytes, facts, remote);
    else device.inject(bytes, facts);
  }

  /** Runs cycles until every injected packet has been received. */
  run(): void {
    const devices = [...this.devices.values()];
    do {
      this.engine.sweep(this.now);
      this.engine.cycle(devices, devices.length, this.now);
    } while (devices.some((device) => device.waiting > 0));
  }

  take(port: number): HarnessPacket[] {
    return this.device(port).take();
  }

  drops(port: number, reason: DropReasonName): number {
    return this.engine.counters.portDrops(port, DROP[reason]);
  }

  /** Drops of all ports by reason; reasons without drops are left out. */
  allDrops(): Partial<Record<DropReasonName, number>> {
    const entries = DROP_REASONS.map((reason): [DropReasonName, number] => {
      const counts = [...this.devices.keys()].map((port) => this.drops(port, reason));
      return [reason, counts.reduce((sum, count) => sum + count, 0)];
    });
    return Object.fromEntries(entries.filter(([, count]) => count > 0));
  }

  /** The same by port; ports without drops are left out. */
  dropsByPort(): Record<string, Partial<Record<DropReasonName, number>>> {
    const ports = [...this.devices.keys()].map((port): [string, Partial<Record<DropReasonName, number>>] => {
      const counts = DROP_REASONS.map((reason) => [reason, this.drops(port, reason)] as const);
      return [String(port), Object.fromEntries(counts.filter(([, count]) => count > 0))];
    });
    return Object.fromEntries(ports.filter(([, drops]) => Object.keys(drops).length > 0));
  }

  totals(): Record<Total, number> {
    const { counters } = this.engine;
    return Object.fromEntries(TOTALS.map((total) => [total, counters.total(total)])) as Record<Total, number>;
  }

  /** Invariant 1 of docs/architecture.md, and that every slot is free or held where the engine says. */
  expectAtRest(): void {
    const t = this.totals();
    const held = this.engine.held;
    expect(t.received + t.originated + t.replicated).toBe(t.sent + t.consumed + t.joined + t.dropped + held);
    expect(this.engine.pool.free + held).toBe(this.engine.pool.capacity);
  }

  private device(port: number): InMemoryDevice | DatagramDevice {
    const device = this.devices.get(port);
    if (device === undefined) throw new Error(`no port ${port} in the snapshot`);
    return device;
  }
}
