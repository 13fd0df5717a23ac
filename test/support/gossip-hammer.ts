/**
 * One end of a ring, as a thread of its own: a producer that pushes as fast as it can, or a consumer that judges what
 * comes. Every word of a record follows from the record's number, so that a torn one is seen; a number that the ring
 * refused is left out, so that what was lost shows as a gap.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { GossipRing, RECORD_WORDS } from '../../src/dataplane/gossip-ring.js';

export interface HammerStart {
  readonly ring: SharedArrayBuffer;
  readonly role: 'producer' | 'consumer';
  /** Word 0: threads that are ready; begin when it reaches `threads`. Word 1: producers that have ended. */
  readonly gate: SharedArrayBuffer;
  readonly threads: number;
  readonly milliseconds: number;
}

export interface Produced {
  readonly accepted: number;
  readonly refused: number;
}

export interface Consumed {
  readonly received: number;
  /** Numbers left out, between 1 and the last. */
  readonly gaps: number;
  readonly last: number;
  readonly torn: number;
  readonly unordered: number;
}

const record = new Int32Array(RECORD_WORDS);

function wordOf(number: number, index: number): number {
  return index === 0 ? number : Math.imul(number ^ (index * 0x9e3779b1), 0x85ebca6b);
}

function produce(ring: GossipRing, end: number): Produced {
  let [accepted, refused] = [0, 0];
  for (let number = 1; (number & 0xff) !== 0 || performance.now() < end; number++) {
    for (let i = 0; i < RECORD_WORDS; i++) record[i] = wordOf(number, i);
    if (ring.push(record, 0)) accepted++;
    else refused++;
  }
  return { accepted, refused };
}

function consume(ring: GossipRing, ended: () => boolean): Consumed {
  let [received, gaps, last, torn, unordered] = [0, 0, 0, 0, 0];
  for (;;) {
    // In this order: what was pushed before the end is seen after it.
    const isLast = ended();
    for (let left = ring.waiting; left > 0; left--) {
      ring.peek(record);
      ring.release();
      received++;
      if (record.some((word, i) => word !== wordOf(record[0], i))) torn++;
      if (record[0] <= last) unordered++;
      gaps += record[0] - last - 1;
      last = record[0];
    }
    if (isLast) return { received, gaps, last, torn, unordered };
  }
}

const { ring, role, gate, threads, milliseconds } = workerData as HammerStart;
const words = new Int32Array(gate);
Atomics.add(words, 0, 1);
while (Atomics.load(words, 0) < threads);
const end = new GossipRing(ring);
if (role === 'producer') {
  const produced = produce(end, performance.now() + milliseconds);
  Atomics.add(words, 1, 1);
  parentPort!.postMessage(produced);
} else parentPort!.postMessage(consume(end, () => Atomics.load(words, 1) === threads - 1));
