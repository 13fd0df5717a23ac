/**
 * A node in memory: the engine as the worker has it, a BenchDevice at each port, and workloads, of which one at a time
 * is in force. All of them share one engine, as in operation: what V8 has learned from one is there for all.
 */
import { Batch } from '../../src/dataplane/batch.js';
import type { ConnectionsShare } from '../../src/dataplane/connections.js';
import type { Device } from '../../src/dataplane/device.js';
import { Engine } from '../../src/dataplane/engine.js';
import type { TablesData } from '../../src/dataplane/tables.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';
import type { Traffic } from '../traffic/traffic.js';
import { type Arrivals, BenchDevice } from './bench-device.js';
import { FIRST_POD, MTU, PODS, TUNNEL } from './cluster.js';
import { FrameStore, slotsFor } from './frame-store.js';
import type { Case } from './timing.js';

/** Packets of one cycle. A device in operation hands over 64 at most (DEVICE_BATCH); this is four devices' worth. */
export const BATCH = 256;

/** For packets: as many as a worker has for a few busy ports. */
const WORKING_SLOTS = 4096;

const TUNNEL_MTU = 65_507;

export interface Workload {
  readonly name: string;
  readonly tables: TablesData;
  /** A pod's port, or TUNNEL. */
  readonly port: number;
  readonly traffic: Traffic;
  /** Of datagrams: whom each is from. */
  readonly senders?: Int32Array;
}

export class BenchNode {
  readonly engine: Engine;
  private readonly devices = new Map<number, BenchDevice>();
  private readonly arrivals = new Map<Workload, Arrivals>();
  private readonly free: number;
  private inForce: TablesData | undefined;

  constructor(
    readonly workloads: readonly Workload[],
    connections?: ConnectionsShare,
  ) {
    const stored = workloads.reduce((sum, { traffic }) => sum + slotsFor(traffic), 0);
    this.engine = new Engine({ slots: stored + WORKING_SLOTS, seed: 1, checksum: wasmChecksum, connections });
    for (const each of workloads) {
      this.arrivals.set(each, {
        frames: new FrameStore(this.engine.pool, each.traffic),
        senders: each.senders,
      });
    }
    for (let port = FIRST_POD; port < FIRST_POD + PODS; port++) {
      this.attach(new BenchDevice(this.engine, port, MTU, 'frames', BATCH));
    }
    this.attach(new BenchDevice(this.engine, TUNNEL, TUNNEL_MTU, 'datagrams', BATCH));
    this.free = this.engine.pool.free;
  }

  cases(): Case[] {
    return this.workloads.map((workload) => this.caseOf(workload));
  }

  /** What the devices of a workload cost by themselves: from where a packet arrives straight to the tunnel. */
  loopCase(name: string, workload: Workload): Case {
    const { counters, pool } = this.engine;
    const source = this.devices.get(workload.port)!;
    const sink = this.devices.get(TUNNEL)!;
    const batch = new Batch(BATCH);
    return {
      name,
      packets: BATCH,
      prepare: () => source.receiveFrom(this.arrivals.get(workload)),
      run: () => {
        source.receive(batch);
        for (let i = 0; i < batch.count; i++) counters.received(workload.port, pool.length[batch.slots[i]]);
        sink.send(batch);
      },
    };
  }

  /** @throws Error where a packet was dropped or a slot is missing: then it was something else that was measured. */
  check(): void {
    const { counters, pool } = this.engine;
    const dropped = counters.total('dropped');
    if (dropped > 0) throw new Error(`${dropped} packets were dropped`);
    if (pool.free !== this.free) throw new Error(`${this.free - pool.free} slots are missing`);
  }

  private caseOf(workload: Workload): Case {
    const { engine } = this;
    const source = this.devices.get(workload.port)!;
    const ready: readonly Device[] = [source];
    return {
      name: workload.name,
      packets: BATCH,
      prepare: () => {
        if (this.inForce !== workload.tables) engine.swap(workload.tables);
        this.inForce = workload.tables;
        source.receiveFrom(this.arrivals.get(workload));
      },
      // As in Worker.run.
      run: () => {
        engine.sweep(performance.now());
        engine.cycle(ready, 1, performance.now());
      },
    };
  }

  private attach(device: BenchDevice): void {
    this.devices.set(device.port, device);
    this.engine.attach(device);
  }
}
