/**
 * `engine.encapsulate` and `engine.decapsulate`: into the tunnel and out of it. A packet is copied into a slot of its
 * own first, as the kernel does it (bench-device.ts), since bundles are made in slots; `of that: bench loop` is the
 * copy, the facts and the release.
 *
 *     engine.encapsulate   from a parsed packet for one of a thousand peers to datagrams that the tunnel's device has
 *     engine.decapsulate   from a datagram of one of a thousand peers to a parsed packet that its sender may send
 */
import { Batch } from '../../src/dataplane/batch.js';
import { PEER_EGRESS } from '../../src/dataplane/constants.js';
import type { Figure } from '../figure.js';
import { BenchDevice } from './bench-device.js';
import { measureCases, type SizedCase } from './cases.js';
import { FIRST_POD, MTU } from './cluster.js';
import { FrameStore } from './frame-store.js';
import { markParsed } from './in-place.js';
import { BATCH } from './node.js';
import { mixes, spaceFor } from './parse.js';
import { checkNoDrops, Stages } from './stages.js';
import type { Budget } from './timing.js';
import * as workloads from './workloads.js';

export const ENCAPSULATE = 'engine.encapsulate';
export const DECAPSULATE = 'engine.decapsulate';

type Say = (text: string) => void;

const LOOP = { name: 'of that: bench loop', packets: BATCH, isCostOnly: true };
/** Slots for packets: those of a cycle, and as many again that come out of them. */
const WORKING_SLOTS = 2 * BATCH;

export function measureEncapsulate(budget: Budget, say: Say, scale = workloads.FULL): Figure[] {
  const named = mixes(scale);
  const stages = new Stages(WORKING_SLOTS + spaceFor(named), workloads.nodeTables());
  const { pool } = stages.engine;
  const stores = named.map(({ traffic }) => ({ frames: new FrameStore(pool, traffic) }));
  const source = new BenchDevice(stages.engine, FIRST_POD, MTU, 'frames', BATCH);
  const encapsulate = stages.named('encapsulate');
  const arrive = (batch: Batch): void => {
    source.receive(batch);
    for (let i = 0; i < batch.count; i++) markForPeer(stages, batch.slots[i]);
  };
  const cases = named.map(
    ({ name }, index): SizedCase => ({
      name,
      packets: BATCH,
      prepare: () => source.receiveFrom(stores[index]),
      run: () => {
        arrive(encapsulate.input);
        stages.run([encapsulate]);
        stages.egress.flush();
      },
    }),
  );
  const batch = new Batch(BATCH);
  const run = (): void => {
    arrive(batch);
    stages.tunnel.send(batch);
  };
  const loop = { ...LOOP, prepare: () => source.receiveFrom(stores[0]), run };
  const figures = measureCases(ENCAPSULATE, [...cases, loop], budget, say);
  checkNoDrops(stages);
  return figures;
}

/** To the peer that its destination is behind: what the FIB would have said, without asking it. */
function markForPeer(stages: Stages, slot: number): void {
  const { pool } = stages.engine;
  markParsed(pool, slot);
  pool.egress[slot] = PEER_EGRESS + workloads.peerOf(pool.view.getUint32(pool.l3[slot] + 16));
  pool.domain[slot] = stages.engine.context.tables.tunnel.domain;
}

export function measureDecapsulate(budget: Budget, say: Say, scale = workloads.FULL): Figure[] {
  const tables = workloads.nodeTables();
  const shortest = Object.entries(scale.flows).map(([name, flows]) =>
    workloads.fromPeers(name, tables, flows),
  );
  const imix = workloads.fromPeers('IMIX, 64 k flows', tables, scale.usualFlows, { kind: 'imix' });
  const loads = [...shortest, imix];
  const stages = new Stages(WORKING_SLOTS + spaceFor(loads), tables);
  const { pool } = stages.engine;
  const arrivals = loads.map(({ traffic, senders }) => ({ frames: new FrameStore(pool, traffic), senders }));
  const decapsulate = stages.named('decapsulate');
  const cases = loads.map(
    ({ name }, index): SizedCase => ({
      name,
      packets: BATCH,
      prepare: () => stages.tunnel.receiveFrom(arrivals[index]),
      run: () => {
        stages.tunnel.receive(decapsulate.input);
        stages.run([decapsulate]);
        stages.release();
      },
    }),
  );
  const batch = new Batch(BATCH);
  const run = (): void => {
    stages.tunnel.receive(batch);
    for (let i = 0; i < batch.count; i++) pool.release(batch.slots[i]);
    batch.clear();
  };
  const loop = { ...LOOP, prepare: () => stages.tunnel.receiveFrom(arrivals[0]), run };
  const figures = measureCases(DECAPSULATE, [...cases, loop], budget, say);
  checkNoDrops(stages);
  return figures;
}
