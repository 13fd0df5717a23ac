/**
 * Single stages of the pipeline: elements as graph.ts wires them, run by name. What they put out waits in the inputs
 * of elements that are not run, from where `release` or `forget` takes it.
 */
import { Batch } from '../../src/dataplane/batch.js';
import { Egress } from '../../src/dataplane/egress.js';
import type { Element } from '../../src/dataplane/element.js';
import { Engine } from '../../src/dataplane/engine.js';
import { buildGraph } from '../../src/dataplane/graph.js';
import { Segmenter } from '../../src/dataplane/segmenter.js';
import type { TablesData } from '../../src/dataplane/tables.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';
import { BenchDevice } from './bench-device.js';
import { TUNNEL } from './cluster.js';
import { BATCH } from './node.js';

const SEED = 1;

export class Stages {
  readonly engine: Engine;
  readonly segmenter: Segmenter;
  readonly egress: Egress;
  readonly tunnel: BenchDevice;
  readonly graph;
  private readonly all: readonly Element[];

  constructor(slots: number, tables: TablesData) {
    this.engine = new Engine({ slots, seed: SEED, checksum: wasmChecksum });
    this.engine.swap(tables);
    const { context, pool, counters } = this.engine;
    this.segmenter = new Segmenter(pool, context.checksum, counters);
    this.egress = new Egress(pool, counters, this.segmenter);
    this.graph = buildGraph(context, this.egress, this.segmenter, SEED);
    this.tunnel = new BenchDevice(this.engine, TUNNEL, 65_507, 'datagrams', BATCH);
    this.egress.attach(this.tunnel);
    this.all = this.graph.elements;
  }

  /** The element of that name; of several, the first. */
  named(name: string): Element {
    const found = this.all.find((element) => element.name === name);
    if (found === undefined) throw new Error(`the graph has no element ${name}`);
    return found;
  }

  /** Runs these elements, each over what the one before has put out. */
  run(elements: readonly Element[]): void {
    for (let i = 0; i < elements.length; i++) {
      const { input } = elements[i];
      elements[i].process(input);
      input.clear();
    }
  }

  /** Releases what was put out. */
  release(): void {
    const { pool } = this.engine;
    for (let i = 0; i < this.all.length; i++) {
      const { input } = this.all[i];
      for (let j = 0; j < input.count; j++) pool.release(input.slots[j]);
      input.clear();
    }
  }

  /** Leaves what was put out to who owns it. Answers how many there were. */
  forget(): number {
    let count = 0;
    for (let i = 0; i < this.all.length; i++) {
      count += this.all[i].input.count;
      this.all[i].input.clear();
    }
    return count;
  }
}

/** @throws Error where a packet was dropped: then it was something else that was measured. */
export function checkNoDrops({ engine }: Stages): void {
  const dropped = engine.counters.total('dropped');
  if (dropped > 0) throw new Error(`${dropped} packets were dropped`);
}

/** A batch of slots that stay whose they are. */
export function ownBatch({ engine }: Stages): Batch {
  const batch = new Batch(BATCH);
  for (let i = 0; i < BATCH; i++) batch.push(engine.pool.take());
  return batch;
}
