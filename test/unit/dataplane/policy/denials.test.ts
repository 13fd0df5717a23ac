import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { makeDenialMemory, RING_RECORDS } from '../../../../src/dataplane/policy/denial-memory.js';
import { type Denial, DenialReader } from '../../../../src/dataplane/policy/denial-reader.js';
import { Denials } from '../../../../src/dataplane/policy/denials.js';
import { ASK } from '../../../../src/dataplane/policy/policy-table.js';
import { NO_PORT, NOT_IP } from '../../../../src/dataplane/policy/verdict.js';
import { addressWords, TCP, UDP } from './policy-fixture.js';

const NOTES = 64;

function world(engines = 1) {
  const memory = makeDenialMemory(engines, NOTES);
  const all = Array.from({ length: engines }, (_, own) => new Denials(memory, own));
  return { reader: new DenialReader(memory), all, one: all[0] };
}

/** From 10.0.0.1 to 200.0.0.2, at TCP port 80, by what comes to port 3, unless told otherwise. */
function tell(denials: Denials, time: number, note: number, packets = 1): void {
  const [from, to] = [addressWords('10.0.0.1'), addressWords('200.0.0.2')];
  denials.tell(time, ASK.INGRESS, 3, note, false, from, to, TCP, 40_000, 80, packets);
}

describe('counts', () => {
  it('are sums of packets on the wire over engines, by note', () => {
    const { reader, all } = world(3);
    tell(all[0], 1, 5, 44);
    tell(all[2], 1, 5);
    tell(all[1], 1, 63);
    tell(all[1], 1, 0);
    expect([reader.count(5), reader.count(6)]).toEqual([45, 0]);
    expect([...reader.allCounts()]).toEqual([
      [0, 1],
      [5, 45],
      [63, 1],
    ]);
  });

  it('begin again when a note is another rule’s', () => {
    const { reader, all } = world(2);
    for (const one of all) tell(one, 1, 5, 10);
    reader.restart(5);
    expect([...reader.allCounts()]).toEqual([]);
    tell(all[1], 1, 5);
    expect([...reader.allCounts()]).toEqual([[5, 1]]);
  });

  it('of notes beyond the last one are together', () => {
    const { reader, one } = world();
    tell(one, 1, NOTES);
    tell(one, 1, 2 ** 30);
    expect([...reader.allCounts()]).toEqual([[0, 2]]);
    expect(reader.recent(1).map(({ note }) => note)).toEqual([2 ** 30, NOTES]);
  });
});

describe('the last ones', () => {
  it('are told as they were', () => {
    const { reader, one } = world();
    expect(reader.recent(0)).toEqual([]);
    tell(one, 1000, 7);
    const [from, to] = [addressWords('fd00::1'), addressWords('ffff:8000::f000:2')];
    one.tell(1500, ASK.EGRESS, 4095, 8, true, from, to, UDP, 53, 65_535, 2);
    const nowhere = new Int32Array(4);
    one.tell(1600, ASK.EGRESS, 1, 9, false, nowhere, nowhere, NOT_IP, NO_PORT, NO_PORT, 1);
    const expected: Denial[] = [
      {
        ...{ age: 400, direction: 'egress', port: 1, note: 9, protocol: NOT_IP },
        ...{ source: [0], destination: [0], sourcePort: NO_PORT, destinationPort: NO_PORT },
      },
      {
        ...{ age: 500, direction: 'egress', port: 4095, note: 8, protocol: UDP },
        ...{ source: [0xfd000000, 0, 0, 1], destination: [0xffff8000, 0, 0, 0xf0000002] },
        ...{ sourcePort: 53, destinationPort: 65_535 },
      },
      {
        ...{ age: 1000, direction: 'ingress', port: 3, note: 7, protocol: TCP },
        ...{ source: [0x0a000001], destination: [0xc8000002], sourcePort: 40_000, destinationPort: 80 },
      },
    ];
    expect(reader.recent(2000)).toEqual(expected);
    expect(reader.recent(2000, 1)).toEqual(expected.slice(0, 1));
  });

  it('are so many of each engine, the latest first, across the turn of the clock', () => {
    const { reader, all } = world(2);
    const start = 2 ** 31 - 500;
    for (let i = 0; i < RING_RECORDS + 100; i++) tell(all[0], (start + i) | 0, 1 + i);
    tell(all[1], (start + 200) | 0, 5000);
    const now = (start + RING_RECORDS + 100) | 0;
    const ages = reader.recent(now, 3000).map(({ age }) => age);
    expect(ages).toHaveLength(RING_RECORDS + 1);
    expect(ages).toEqual([...ages].sort((a, b) => a - b));
    expect([ages[0], ages.at(-1)]).toEqual([1, RING_RECORDS]);
    expect(reader.recent(now)[0].note).toBe(RING_RECORDS + 100);
    expect(reader.recent(now)).toHaveLength(RING_RECORDS);
  });

  it('that come after the clock was read are of this moment', () => {
    const { reader, one } = world();
    tell(one, 1001, 1);
    expect(reader.recent(1000)[0].age).toBe(0);
  });
});

it('a record is read whole while another thread writes', async () => {
  const memory = makeDenialMemory(1, NOTES);
  const reader = new DenialReader(memory);
  // The layout is the other thread's too: words of a record are all its number, as far as they are read.
  const program = `
    const { workerData, parentPort } = require('node:worker_threads');
    const ring = new Int32Array(workerData.rings);
    const end = Date.now() + 300;
    for (let n = 1; Date.now() < end; n++) {
      const at = (1 + (n & ${RING_RECORDS - 1})) << 4;
      Atomics.store(ring, at, 0);
      for (let i = 1; i < 16; i++) ring[at + i] = n;
      Atomics.store(ring, at, n);
    }
    parentPort.postMessage('done');`;
  const worker = new Worker(program, { eval: true, workerData: memory });
  let isDone = false;
  worker.once('message', () => {
    isDone = true;
  });
  let read = 0;
  while (!isDone) {
    for (const { note, port, sourcePort, source } of reader.recent(0)) {
      expect(new Set([note, port, sourcePort, source.at(-1)]).size).toBe(1);
      read++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await worker.terminate();
  expect(read).toBeGreaterThan(RING_RECORDS);
});
