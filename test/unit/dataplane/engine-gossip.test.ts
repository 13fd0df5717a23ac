// Two engines over six ports: ports 0 to 2 are in domain 0, ports 3 to 5 in domain 1. Engine 0 reads the even ports,
// engine 1 the odd ones; each writes to all.
import { describe, expect, it } from 'vitest';
import { LEARNED_AGE } from '../../../src/dataplane/constants.js';
import type { Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables } from '../../../src/dataplane/tables.js';
import { SharedEngines, strangerFrame } from '../../support/shared-engines.js';
import { networks } from '../../support/snapshots.js';
import { STRANGER as ARP_STRANGER, FOR_NOBODY } from './elements/packets/arp-responder.js';
import { FOR_NOBODY as ND_FOR_NOBODY, STRANGER as ND_STRANGER } from './elements/packets/nd-responder.js';
import { peer, snapshot as tunnelSnapshot } from './prober-fixture.js';

const SNAPSHOT = networks({ ports: [3, 3], guard: false, learning: true });
const [A, B] = [1, 2];

function setUp(): SharedEngines {
  return new SharedEngines({ workers: 2, snapshot: SNAPSHOT, ownerOf: (port) => port % 2 });
}

/** The snapshot with port `id` in another domain. */
function moved(id: number, domain: number, generation: number): Snapshot {
  const ports = SNAPSHOT.ports.map((port) =>
    port.id === id ? { ...port, attachment: { kind: 'domain' as const, domain } } : port,
  );
  return { ...SNAPSHOT, generation, ports, neighbours: [] };
}

function closed(id: number, generation: number): Snapshot {
  const ports = SNAPSHOT.ports.filter((port) => port.id !== id);
  return { ...SNAPSHOT, generation, ports, neighbours: [] };
}

describe('engines side by side', () => {
  it('flood the first packet of a flow, and not its answer', () => {
    const engines = setUp();
    expect(engines.send(0, strangerFrame(A, B))).toEqual({ 1: 1, 2: 1 });
    expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1 });
    expect(engines.send(0, strangerFrame(A, B))).toEqual({ 1: 1 });
  });

  it('know an address by the time that an answer to it is read, whenever that is', () => {
    const engines = setUp();
    engines.inject(0, strangerFrame(A, B));
    // Engine 1 is in the midst of its cycle when the question comes, is forwarded, and is answered.
    const device = engines.device(1, 1);
    const { receive } = device;
    device.receive = (batch) => {
      engines.cycle(0);
      device.inject(strangerFrame(B, A));
      device.receive = receive;
      return device.receive(batch);
    };
    engines.engines[1].cycle([device], 1, engines.now);
    engines.device(0, 1).take();
    engines.device(0, 2).take();
    expect(engines.takeAll()).toEqual({ 0: 1 });
  });

  it.each([
    ['ARP', ARP_STRANGER, FOR_NOBODY],
    ['neighbour discovery', ND_STRANGER, ND_FOR_NOBODY],
  ])('answer %s for whom the other has heard', (_, stranger, question) => {
    const engines = setUp();
    expect(engines.send(1, question)).toEqual({ 0: 1, 2: 1 });
    engines.send(2, stranger);
    expect(engines.send(1, question)).toEqual({ 1: 1 });
  });

  it('follow an address that moves to a port of the other', () => {
    const engines = setUp();
    engines.send(0, strangerFrame(A));
    engines.send(1, strangerFrame(A));
    expect(engines.send(2, strangerFrame(B, A))).toEqual({ 1: 1 });
    engines.send(0, strangerFrame(A));
    expect(engines.send(2, strangerFrame(B, A))).toEqual({ 0: 1 });
    expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1 });
  });

  it('keep what is in use at one of them, and forget what is not', () => {
    const engines = setUp();
    engines.send(0, strangerFrame(A));
    const end = engines.now + 2 * LEARNED_AGE;
    while (engines.now < end) {
      engines.pass(1);
      engines.send(0, strangerFrame(A));
    }
    expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1 });
    engines.pass(LEARNED_AGE / 1000);
    expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1, 2: 1 });
    expect(engines.engines.map(({ context }) => context.learned.fdb.size)).toEqual([1, 1]);
  });

  it('listen every second while they have nothing to do', () => {
    const engines = setUp();
    expect(engines.sweep(1)).toBe(1000);
    engines.send(0, strangerFrame(A));
    engines.pass(1);
    expect(engines.engines[1].context.learned.fdb.size).toBe(1);
  });

  describe('a port that moves to another domain', () => {
    it.each([
      ['the reader of the port first', [0, 1]],
      ['the reader of the port last', [1, 0]],
    ])('takes nothing along: %s', (_, order) => {
      const engines = setUp();
      engines.send(0, strangerFrame(A));
      for (const index of order) {
        engines.swapOne(index, compileTables(moved(0, 1, 2)));
        // Between the two swaps it speaks again, in whichever domain its reader has it.
        engines.send(0, strangerFrame(A));
      }
      expect(engines.send(1, strangerFrame(B, A))).toEqual({ 2: 1 });
      expect(engines.send(3, strangerFrame(B, A))).toEqual({ 0: 1 });
      // Back, in two swaps: nothing is left of its first time there.
      engines.swap(moved(0, 0, 3));
      expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1, 2: 1 });
    });

    it('is not mixed up with itself by a message that waits', () => {
      const engines = setUp();
      engines.inject(0, strangerFrame(A));
      engines.cycle(0);
      // Engine 1 has not listened yet when the port leaves and comes back.
      engines.swap(moved(0, 1, 2));
      engines.swap(moved(0, 0, 3));
      expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1, 2: 1 });
    });
  });

  describe('a port that is taken away', () => {
    it('is forgotten by all, with what was still to be told of it', () => {
      const engines = setUp();
      engines.inject(0, strangerFrame(A));
      engines.cycle(0);
      engines.detach(0);
      engines.sweep(1);
      const sizes = engines.engines.map(({ context }) => context.learned.fdb.size);
      expect(sizes).toEqual([0, 0]);
    });

    it('leaves nothing to whom its number is given next', () => {
      const engines = setUp();
      engines.send(0, strangerFrame(A));
      engines.swap(closed(0, 2));
      engines.detach(0);
      engines.attach(0);
      engines.swap({ ...SNAPSHOT, generation: 3 });
      expect(engines.send(1, strangerFrame(B, A))).toEqual({ 0: 1, 2: 1 });
    });

    it('would not be, were its reader the last to let go of it', () => {
      const engines = setUp();
      const [first, second] = engines.engines;
      second.detach(0);
      engines.inject(0, strangerFrame(A));
      engines.cycle(0);
      first.detach(0);
      second.sweep(engines.now);
      expect([first, second].map(({ context }) => context.learned.fdb.size)).toEqual([0, 1]);
    });
  });

  it('count as one', () => {
    const engines = setUp();
    engines.send(0, strangerFrame(A, B));
    engines.send(1, strangerFrame(B, A));
    for (const { counters, pool } of engines.engines) {
      expect(counters.total('received')).toBe(1);
      expect(pool.free).toBe(pool.capacity);
    }
  });

  it('probe peers only where they are told to', () => {
    const snapshot = tunnelSnapshot([peer(1)]);
    const engines = new SharedEngines({ workers: 2, snapshot, ownerOf: () => 0, prober: 0 });
    const waits = engines.engines.map((engine) => engine.sweep(5000));
    expect(waits[0]).toBeGreaterThan(0);
    expect(waits[1]).toBe(-1);
    expect(engines.engines.map(({ counters }) => counters.total('originated'))).toEqual([1, 0]);
  });
});
