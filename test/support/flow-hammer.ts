/**
 * One of several engines that share a flow table, as a thread of its own. All open, find, decide about and end flows of the same few
 * tuples as fast as they can, in a table that is too small for them. What a decision says follows from its flow's tuple: so a
 * torn one, or one of another flow, is seen.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SeededRandom } from '../../src/dataplane/devices/seeded-random.js';
import { FlowKey } from '../../src/dataplane/flows/flow-key.js';
import type { FlowMemory } from '../../src/dataplane/flows/flow-memory.js';
import { FlowTable } from '../../src/dataplane/flows/flow-table.js';

export interface FlowHammerStart {
  readonly memory: FlowMemory;
  readonly own: number;
  /** Word 0: threads that are ready. Word 1: that have ended. */
  readonly gate: SharedArrayBuffer;
  readonly milliseconds: number;
  readonly tuples: number;
  /** Decisions of this engine say something else: to see that the test would. */
  readonly isLying: boolean;
}

export interface FlowHammered {
  readonly opened: number;
  readonly clashes: number;
  /** Found, with a decision in force. */
  readonly decided: number;
  /** Found where another engine had opened it. */
  readonly foreign: number;
  /** Decisions that do not belong to their tuple. */
  readonly wrong: number;
  readonly ended: number;
  /** Flows that the engine owns at the end. */
  readonly size: number;
}

const UDP = 17;
const { memory, own, gate, milliseconds, tuples, isLying } = workerData as FlowHammerStart;
const table = new FlowTable({ memory, own, ports: 4 });
const original = new FlowKey(table.hash);
const reply = new FlowKey(table.hash);
const random = new SeededRandom(own + 1);
const share = memory.capacity / memory.engines;
const result = { opened: 0, clashes: 0, decided: 0, foreign: 0, wrong: 0, ended: 0 };

function argumentOf(n: number, generation: number): number {
  return Math.imul(n ^ (generation * 0x9e3779b1), 0x85ebca6b);
}

function packet(n: number, way: number, now: number): void {
  const handle =
    way === 0
      ? table.lookup4(1, UDP, n, 0x0a090909, 0x00350035, now)
      : table.lookup4(1, UDP, 0x0a090909, n, 0x00350035, now);
  if (handle < 0) {
    if (way === 0) open(n, now);
    return;
  }
  const { found } = table;
  const { state, kind, target, argument } = found;
  if (Math.floor(((handle >>> 1) - 1) / share) !== own) result.foreign++;
  if (!found.isStale) {
    result.decided++;
    if (target !== n || argument !== argumentOf(n, kind)) result.wrong++;
  }
  table.track(handle, state, 0, 0, 0, 1, 64, now);
  const choice = random.next() & 15;
  if (choice < 4) decide(handle, state, n, random.next() & 0xff);
  else if (choice === 4) {
    table.end(handle, state);
    result.ended++;
  }
}

function open(n: number, now: number): void {
  original.setIpv4(1, UDP, n, 0x0a090909, 0x00350035);
  reply.mirror(original, 1);
  const handle = table.open(original, reply, own, 0, now);
  if (handle < 0) result.clashes++;
  else {
    result.opened++;
    decide(handle, table.found.state, n, 1);
  }
}

function decide(handle: number, state: number, n: number, kind: number): void {
  table.decide(handle, state, kind, isLying ? n + 1 : n, argumentOf(n, kind), 0);
}

const words = new Int32Array(gate);
Atomics.add(words, 0, 1);
while (Atomics.load(words, 0) < memory.engines);
const end = Date.now() + milliseconds;
const latest = end + 30_000;
/** Whether something of everything has happened; on a busy machine that takes longer. */
const isEnough = () => Math.min(result.opened, result.decided, result.foreign, result.ended) > 100;
for (let i = 0; (i & 0xff) !== 0 || Date.now() < end || (!isEnough() && Date.now() < latest); i++) {
  packet(1 + ((random.next() >>> 0) % tuples), i & 1, i >> 10);
  if ((i & 15) === 0) table.sweep(i >> 10, 4);
}
Atomics.add(words, 1, 1);
// The others have ended too: what they have ended of this engine's is freed now.
while (Atomics.load(words, 1) < memory.engines);
table.sweep(0, share);
parentPort!.postMessage({ ...result, size: table.size });
