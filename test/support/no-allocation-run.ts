/**
 * Sends packets round and round through an engine and tells what the garbage collector had to do meanwhile.
 * Runs as a program of its own, with --expose-gc, so that nothing else is in the heap: it reads a workload from
 * standard input and prints a result, both JSON.
 */
import { text } from 'node:stream/consumers';
import { GCProfiler } from 'node:v8';
import { Engine } from '../../src/dataplane/engine.js';
import { makeGossipRings } from '../../src/dataplane/gossip.js';
import type { PolicyChanges } from '../../src/dataplane/policy-spec.js';
import type { ServiceSpec } from '../../src/dataplane/service-spec.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables } from '../../src/dataplane/tables.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';
import type { GoldenPacket } from './golden-case.js';
import { LoopDevice } from './loop-device.js';

export interface Workload {
  readonly packets: number;
  readonly warmUp: number;
  readonly snapshot: Snapshot;
  readonly offloads: Readonly<Record<number, number>>;
  /** `bytes` in hexadecimal digits. */
  readonly inputs: readonly {
    readonly port: number;
    readonly bytes: string;
    readonly facts: GoldenPacket['facts'];
    readonly remote?: string;
  }[];
  /** Leaves an array behind for each cycle on purpose, so that the measurement itself can be judged. */
  readonly leak: boolean;
  readonly services?: readonly ServiceSpec[];
  /** Without its generation. */
  readonly policies?: Omit<PolicyChanges, 'generation'>;
  /** A second engine, which reads nothing, is told what the first one learns. */
  readonly shares?: boolean;
}

export interface Result {
  readonly packets: number;
  readonly milliseconds: number;
  /** Collections by type, as V8 names them. */
  readonly collections: Readonly<Record<string, number>>;
  /** Growth of what lives on the heap, before and after a full collection of its own (bytes). */
  readonly heapGrowth: number;
  readonly sent: number;
  readonly dropped: number;
  /** Addresses that moved, and messages to a second engine that met a full ring. */
  readonly moved: number;
  readonly unshared: number;
}

class Loop {
  private readonly engine: Engine;
  private readonly second: Engine | undefined;
  private readonly devices: readonly LoopDevice[];
  private now = 1000;
  /** What `leak` leaves behind. */
  private readonly litter: unknown[] = [];

  constructor(private readonly workload: Workload) {
    const { snapshot, offloads, inputs, shares = false } = workload;
    const rings = makeGossipRings(2);
    const common = { slots: 2048, seed: 1, checksum: wasmChecksum };
    this.engine = new Engine(shares ? { ...common, gossip: { own: 0, rings } } : common);
    if (shares) this.second = new Engine({ ...common, gossip: { own: 1, rings } });
    this.devices = snapshot.ports.map(({ id, mtu }) => {
      const own = inputs.filter(({ port }) => port === id);
      const packets = own.map(({ bytes, facts, remote }) => ({
        bytes: Uint8Array.from(Buffer.from(bytes, 'hex')),
        facts,
        remote,
      }));
      return new LoopDevice(this.engine, id, mtu, offloads[id] ?? 0, packets);
    });
    for (const device of this.devices) this.engine.attach(device);
    for (const engine of [this.engine, this.second]) engine?.swap(compileTables(snapshot));
    const { services: changed = [], policies } = workload;
    this.engine.changeServices({ generation: snapshot.generation + 1, changed, removed: [] });
    if (policies) this.engine.changePolicies({ ...policies, generation: snapshot.generation + 2 });
  }

  run(packets: number): number {
    const { engine, devices } = this;
    const end = engine.counters.total('received') + packets;
    const start = process.hrtime.bigint();
    while (engine.counters.total('received') < end) {
      engine.cycle(devices, devices.length, this.now);
      engine.sweep(this.now);
      // Now and then it is late, and the ring full.
      if ((this.now & 63) === 0) this.second?.sweep(this.now);
      this.now++;
      if (this.workload.leak) this.litter.push(new Array(256).fill(this.now));
    }
    return Number(process.hrtime.bigint() - start) / 1e6;
  }

  measure(): Result {
    this.run(this.workload.warmUp);
    const { counters } = this.engine;
    const before = counters.total('received');
    const heapBefore = settledHeap();
    const profiler = new GCProfiler();
    profiler.start();
    const milliseconds = this.run(this.workload.packets);
    const { statistics } = profiler.stop();
    const heapGrowth = settledHeap() - heapBefore;
    const collections: Record<string, number> = {};
    for (const { gcType } of statistics) collections[gcType] = (collections[gcType] ?? 0) + 1;
    const packets = counters.total('received') - before;
    return {
      packets,
      milliseconds,
      collections,
      heapGrowth,
      sent: counters.total('sent'),
      dropped: counters.total('dropped'),
      moved: counters.cycleCounter('movedAddresses'),
      unshared: counters.cycleCounter('unsharedAddresses'),
    };
  }
}

function settledHeap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const workload = JSON.parse(await text(process.stdin)) as Workload;
console.log(JSON.stringify(new Loop(workload).measure()));
