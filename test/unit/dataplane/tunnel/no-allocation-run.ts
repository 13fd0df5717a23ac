/**
 * Bundles packets and joins what comes of them, round and round, and tells what the garbage collector had to do
 * meanwhile. A program of its own, with --expose-gc: reads a workload from standard input and prints a result.
 */
import { text } from 'node:stream/consumers';
import { GCProfiler } from 'node:v8';
import { Batch } from '../../../../src/dataplane/batch.js';
import { Counters } from '../../../../src/dataplane/counters.js';
import type { OffloadFacts } from '../../../../src/dataplane/devices/memory.js';
import { parsePacket } from '../../../../src/dataplane/elements/parse.js';
import { PacketPool } from '../../../../src/dataplane/pool.js';
import { Segmenter } from '../../../../src/dataplane/segmenter.js';
import { Bundler } from '../../../../src/dataplane/tunnel/bundler.js';
import { Joiner } from '../../../../src/dataplane/tunnel/joiner.js';
import { wasmChecksum } from '../../../../src/wire/checksum-kernel.js';

export interface TunnelWorkload {
  readonly rounds: number;
  readonly warmUp: number;
  /** Packets of one round, in hexadecimal digits, with the hash of their flow. */
  readonly packets: readonly {
    readonly bytes: string;
    readonly hash: number;
    readonly facts: OffloadFacts;
  }[];
  /** Datagrams of one length, in hexadecimal digits, joined in each round beside what was bundled. */
  readonly datagrams: readonly { readonly bytes: string; readonly size: number }[];
  /** Leaves an array behind for each round on purpose, so that the measurement itself can be judged. */
  readonly leak: boolean;
}

export interface TunnelResult {
  readonly milliseconds: number;
  readonly collections: Readonly<Record<string, number>>;
  /** Growth of what lives on the heap (bytes). */
  readonly heapGrowth: number;
  readonly joined: number;
  readonly replicated: number;
  readonly dropped: number;
  readonly lost: number;
}

class Loop {
  private readonly pool = new PacketPool(512);
  private readonly counters = new Counters();
  private readonly checksum = wasmChecksum(this.pool.memory);
  private readonly segmenter = new Segmenter(this.pool, this.checksum, this.counters);
  private readonly bundler = new Bundler(this.pool, this.checksum, this.counters, this.segmenter);
  private readonly joiner = new Joiner(this.pool, this.checksum, this.counters);
  private readonly bundles = new Batch(512);
  private readonly joined = new Batch(512);
  /** Slots of what arrives in each round; copied from there. */
  private readonly packets: Uint32Array;
  private readonly datagrams: Uint32Array;
  private readonly hashes: Int32Array;
  private readonly litter: unknown[] = [];

  constructor(private readonly workload: TunnelWorkload) {
    const { packets, datagrams } = workload;
    this.packets = Uint32Array.from(packets, ({ bytes, facts }) => this.keep(bytes, facts));
    this.hashes = Int32Array.from(packets, ({ hash }) => hash);
    this.datagrams = Uint32Array.from(datagrams, ({ bytes, size }) => {
      const slot = this.keep(bytes);
      this.pool.gsoSize[slot] = size;
      return slot;
    });
  }

  measure(): TunnelResult {
    const { workload, counters } = this;
    this.run(workload.warmUp);
    const heapBefore = settledHeap();
    const before = ['joined', 'replicated', 'dropped'] as const;
    const [joined, replicated, dropped] = before.map((total) => counters.total(total));
    const free = this.pool.free;
    const profiler = new GCProfiler();
    profiler.start();
    const start = process.hrtime.bigint();
    this.run(workload.rounds);
    const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
    const collections: Record<string, number> = {};
    for (const { gcType } of profiler.stop().statistics) collections[gcType] = (collections[gcType] ?? 0) + 1;
    return {
      milliseconds,
      collections,
      heapGrowth: settledHeap() - heapBefore,
      joined: counters.total('joined') - joined,
      replicated: counters.total('replicated') - replicated,
      dropped: counters.total('dropped') - dropped,
      lost: free - this.pool.free,
    };
  }

  private run(rounds: number): void {
    for (let i = 0; i < rounds; i++) {
      this.round();
      if (this.workload.leak) this.litter.push(new Array(256).fill(i));
    }
  }

  private round(): void {
    const { bundler, bundles, joiner, joined, packets, datagrams } = this;
    for (let i = 0; i < packets.length; i++) {
      const slot = this.arrive(packets[i]);
      parsePacket(this.pool, slot);
      bundler.add(slot, 42, this.hashes[i], bundles);
    }
    bundler.finish();
    for (let i = 0; i < datagrams.length; i++) bundles.push(this.arrive(datagrams[i]));
    for (let i = 0; i < bundles.count; i++) joiner.split(bundles.slots[i], joined);
    for (let i = 0; i < joined.count; i++) this.pool.release(joined.slots[i]);
    bundles.clear();
    joined.clear();
  }

  private keep(hex: string, facts?: OffloadFacts): number {
    const { pool } = this;
    const bytes = Buffer.from(hex, 'hex');
    const slot = pool.take();
    pool.bytes.set(bytes, pool.at[slot]);
    pool.reset(slot, bytes.length, 1);
    pool.flags[slot] = facts?.flags ?? 0;
    pool.gsoType[slot] = facts?.gsoType ?? 0;
    pool.gsoSize[slot] = facts?.gsoSize ?? 0;
    pool.checksumStart[slot] = facts?.checksumStart ?? 0;
    pool.checksumOffset[slot] = facts?.checksumOffset ?? 0;
    return slot;
  }

  private arrive(template: number): number {
    const { pool } = this;
    const slot = pool.take();
    this.checksum.copy(pool.at[slot], pool.at[template], pool.length[template]);
    pool.copyFacts(template, slot);
    return slot;
  }
}

function settledHeap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const workload = JSON.parse(await text(process.stdin)) as TunnelWorkload;
console.log(JSON.stringify(new Loop(workload).measure()));
