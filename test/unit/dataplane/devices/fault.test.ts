import { describe, expect, it } from 'vitest';
import type { DeviceContext } from '../../../../src/dataplane/device.js';
import { FaultDevice, type FaultOptions } from '../../../../src/dataplane/devices/fault.js';
import type { FaultRates } from '../../../../src/dataplane/devices/impairment.js';
import { InMemoryDevice } from '../../../../src/dataplane/devices/memory.js';
import { DROP } from '../../../../src/dataplane/drop-reasons.js';
import { frameOf, newContext, receiveFrames, sendFrames, sendSlots, slotWith } from './support.js';

const PORT = 5;
const SLOTS = 200;

/** A device behind a bad link, and the program on its other side. */
class Link {
  readonly context: DeviceContext = newContext(SLOTS);
  readonly clock = { now: 0 };
  readonly inner: InMemoryDevice;
  readonly device: FaultDevice;

  constructor(options: Partial<FaultOptions>) {
    const { context, clock } = this;
    this.inner = new InMemoryDevice({ context, port: PORT, batchSize: 8 });
    this.device = new FaultDevice(this.inner, { context, clock, seed: 1, ...options });
  }

  get pool() {
    return this.context.pool;
  }

  send(...frames: string[]): void {
    sendFrames(this.device, this.pool, frames);
  }

  /** What has left so far. */
  left(): string[] {
    return this.inner.take().map(({ bytes }) => Buffer.from(bytes).toString('hex'));
  }

  inject(...frames: string[]): void {
    for (const frame of frames) this.inner.inject(Buffer.from(frame, 'hex'));
  }

  receive(): string[] {
    return receiveFrames(this.device, this.pool);
  }
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => i.toString(16).padStart(8, '0'));
}

/** 1,000 packets out, one batch of ten a millisecond, and one more second. */
function run(seed: number, rates: Partial<FaultRates>): { left: string[]; link: Link } {
  const link = new Link({ seed, send: rates });
  const left: string[] = [];
  const frames = numbered(1000);
  for (let i = 0; i < 1000; i += 10) {
    link.clock.now++;
    link.send(...frames.slice(i, i + 10));
    left.push(...link.left());
  }
  link.clock.now += 1000;
  link.receive();
  left.push(...link.left());
  expect(link.pool.free).toBe(SLOTS);
  return { left, link };
}

const EVERYTHING = {
  loss: 0.1,
  duplication: 0.1,
  reordering: 0.1,
  reorderDelay: 3,
  corruption: 0.1,
  delay: 1,
  jitter: 2,
};

describe('FaultDevice', () => {
  it('does the same again with the same seed, and something else with another', () => {
    const once = run(7, EVERYTHING).left;
    expect(run(7, EVERYTHING).left).toEqual(once);
    expect(run(8, EVERYTHING).left).not.toEqual(once);
  });

  it('loses the share of packets that it is asked to, and counts them as sent', () => {
    const { left, link } = run(1, { loss: 0.2 });
    expect(Math.abs(left.length - 800)).toBeLessThan(50);
    expect(left).toEqual([...left].sort());
    expect(link.context.counters.port(PORT, 'txPackets')).toBe(1000);
    expect(link.context.counters.total('dropped')).toBe(0);
  });

  it('repeats the share of packets that it is asked to, and counts the second as replicated', () => {
    const { left, link } = run(1, { duplication: 0.2 });
    const { counters } = link.context;
    expect(Math.abs(left.length - 1200)).toBeLessThan(50);
    expect([...new Set(left)]).toEqual(numbered(1000));
    expect(counters.total('replicated')).toBe(left.length - 1000);
    expect(counters.total('sent')).toBe(left.length);
  });

  it('changes one bit in the share of packets that it is asked to', () => {
    const { left } = run(1, { corruption: 0.2 });
    const frames = numbered(1000);
    const differences = left.map((frame, i) => Number.parseInt(frame, 16) ^ Number.parseInt(frames[i], 16));
    const changed = differences.filter((difference) => difference !== 0);
    expect(Math.abs(changed.length - 200)).toBeLessThan(50);
    for (const difference of changed) expect(Math.log2(difference >>> 0) % 1).toBe(0);
    expect(new Set(changed).size).toBeGreaterThan(20);
  });

  it('lets others overtake the share of packets that it is asked to', () => {
    const { left } = run(1, { reordering: 0.2, reorderDelay: 2 });
    expect([...left].sort()).toEqual(numbered(1000));
    const late = left.filter((frame, i) => i > 0 && frame < left[i - 1]);
    expect(late.length).toBeGreaterThan(50);
    expect(late.length).toBeLessThan(250);
  });

  it('loses, repeats and damages nothing, and keeps the order, at rates of 0', () => {
    expect(run(1, {}).left).toEqual(numbered(1000));
  });

  it('leaves the losses as they were when another rate changes', () => {
    const { left } = run(3, { loss: 0.2 });
    expect([...new Set(run(3, { loss: 0.2, duplication: 0.3 }).left)]).toEqual(left);
  });

  it('delays by the clock that it is given', () => {
    const link = new Link({ send: { delay: 10 } });
    expect(link.device.nextDue).toBe(Number.POSITIVE_INFINITY);
    link.send('01');
    link.clock.now = 4;
    link.send('02');
    expect(link.device.nextDue).toBe(10);
    link.clock.now = 9.9;
    link.receive();
    expect(link.left()).toEqual([]);
    expect(link.context.counters.total('sent')).toBe(0);
    link.clock.now = 10;
    link.receive();
    expect(link.left()).toEqual(['01']);
    expect(link.device.nextDue).toBe(14);
    link.clock.now = 20;
    link.send('03');
    expect(link.left()).toEqual(['02']);
    expect(link.device.nextDue).toBe(30);
  });

  it('adds jitter up to what it is asked to', () => {
    const link = new Link({ send: { delay: 10, jitter: 5 } });
    const dues = numbered(50).map((frame) => {
      link.clock.now += 100;
      link.send(frame);
      return link.device.nextDue - link.clock.now;
    });
    for (const due of dues) {
      expect(due).toBeGreaterThanOrEqual(10);
      expect(due).toBeLessThan(15);
    }
    expect(Math.max(...dues) - Math.min(...dues)).toBeGreaterThan(3);
  });

  it('treats packets on their way in by rates of their own', () => {
    const link = new Link({ receive: { loss: 0.5, delay: 3 } });
    link.inject(...numbered(8));
    expect(link.receive()).toEqual([]);
    link.clock.now = 3;
    const received = link.receive();
    expect(received.length).toBeGreaterThan(0);
    expect(received.length).toBeLessThan(8);
    link.send(...numbered(8));
    expect(link.left()).toEqual(numbered(8));
    expect(link.pool.free).toBe(SLOTS);
  });

  it('decides about one direction without regard to the other', () => {
    const link = new Link({ receive: { loss: 0.5 }, send: { loss: 0.5 } });
    const received: string[] = [];
    for (let i = 0; i < 100; i += 4) {
      link.inject(...numbered(100).slice(i, i + 4));
      received.push(...link.receive());
      link.send(...numbered(100).slice(i, i + 4));
    }
    const left = link.left();
    expect(left).not.toEqual(received);
    const alone = new Link({ send: { loss: 0.5 } });
    alone.send(...numbered(100));
    expect(alone.left()).toEqual(left);
  });

  it('receives at most a batch, however many packets are repeated', () => {
    const link = new Link({ receive: { duplication: 1 } });
    link.inject(...numbered(8));
    expect(link.receive()).toEqual(
      numbered(8)
        .flatMap((frame) => [frame, frame])
        .slice(0, 8),
    );
    expect(link.receive()).toEqual(
      numbered(8)
        .flatMap((frame) => [frame, frame])
        .slice(8),
    );
  });

  it('leaves packets in the device while it has no room for them', () => {
    const link = new Link({ receive: { delay: 10 }, depth: 16 });
    link.inject(...numbered(24));
    for (let i = 0; i < 4; i++) link.receive();
    expect(link.inner.waiting).toBe(16);
    link.clock.now = 10;
    expect(link.receive()).toEqual(numbered(24).slice(0, 8));
  });

  it('drops what does not fit on the way out', () => {
    const link = new Link({ send: { delay: 10 }, depth: 16 });
    link.send(...numbered(20));
    expect(link.context.counters.portDrops(PORT, DROP['tx-queue-full'])).toBe(4);
    link.clock.now = 10;
    link.receive();
    expect(link.left()).toEqual(numbered(16));
  });

  it('damages a copy where others hold the packet, too', () => {
    const link = new Link({ send: { corruption: 1 } });
    const { pool } = link;
    const slot = slotWith(pool, '00000000');
    pool.share(slot, 1);
    sendSlots(link.device, [slot]);
    expect(link.left()).not.toEqual(['00000000']);
    expect(frameOf(pool, slot)).toBe('00000000');
    expect(pool.isShared(slot)).toBe(false);
    expect(pool.free).toBe(SLOTS - 1);
  });

  it('sends a packet once, and whole, where there is no slot for a copy', () => {
    const link = new Link({ send: { corruption: 1, duplication: 1 } });
    const { pool } = link;
    const slot = slotWith(pool, '00000000');
    pool.share(slot, 1);
    while (pool.take() >= 0);
    sendSlots(link.device, [slot]);
    expect(link.left()).toEqual(['00000000']);
  });

  it('passes empty frames', () => {
    const link = new Link({ send: { corruption: 1 } });
    link.send('');
    expect(link.left()).toEqual(['']);
  });

  it('counts what is under way outward as dropped when it is closed', () => {
    const link = new Link({ send: { delay: 10 }, receive: { delay: 10 } });
    link.send('01', '02');
    link.inject('03');
    link.receive();
    link.device.close();
    expect(link.context.counters.portDrops(PORT, DROP['port-down'])).toBe(2);
    expect(link.pool.free).toBe(SLOTS);
    link.clock.now = 10;
    expect(link.receive()).toEqual([]);
    expect(link.left()).toEqual([]);
  });
});
