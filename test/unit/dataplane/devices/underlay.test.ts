/** The underlay in memory: what arrives when, at whom, and from whom. */
import { describe, expect, it } from 'vitest';
import { Batch } from '../../../../src/dataplane/batch.js';
import { Counters } from '../../../../src/dataplane/counters.js';
import { addressText, addressWords } from '../../../../src/dataplane/devices/remote.js';
import { RANDOM_RANGE } from '../../../../src/dataplane/devices/seeded-random.js';
import { type Fate, Underlay, type UnderlayOptions } from '../../../../src/dataplane/devices/underlay.js';
import type { UnderlayDevice } from '../../../../src/dataplane/devices/underlay-device.js';
import { DROP } from '../../../../src/dataplane/drop-reasons.js';
import { PacketPool } from '../../../../src/dataplane/pool.js';

const PORT = 9;

/** A node: a device with a pool of its own. */
class Node {
  readonly context = { pool: new PacketPool(64), counters: new Counters() };
  readonly device: UnderlayDevice;
  readonly refused: string[] = [];

  constructor(
    underlay: Underlay,
    readonly address: string,
    udpPort?: number,
  ) {
    const onTooBig = (to: string): number => this.refused.push(to);
    this.device = underlay.attach({ context: this.context, port: PORT, address, udpPort, onTooBig });
  }

  send(to: string, bytes: Uint8Array, { gsoSize = 0, hash = 0, udpPort = 4789 } = {}): void {
    const { pool } = this.context;
    const slot = pool.take();
    pool.reset(slot, bytes.length, PORT);
    pool.bytes.set(bytes, pool.at[slot]);
    pool.gsoSize[slot] = gsoSize;
    pool.info[slot] = hash;
    pool.remote.set(addressWords(to), slot * 4);
    pool.remotePort[slot] = udpPort;
    const batch = new Batch(1);
    batch.push(slot);
    this.device.send(batch);
  }

  /** Everything that has arrived, as text: from whom, how it is cut, and the first octets. */
  received(): string[] {
    const { pool } = this.context;
    const batch = new Batch(64);
    this.device.receive(batch);
    return [...batch.slots.subarray(0, batch.count)].map((slot) => {
      const bytes = Buffer.from(pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot]));
      const from = `${addressText(pool.remote, slot * 4)} ${pool.remotePort[slot]}`;
      pool.release(slot);
      return `${from}: ${bytes.length}/${pool.gsoSize[slot]} ${bytes.subarray(0, 8).toString('latin1')}`;
    });
  }

  drops(reason: keyof typeof DROP): number {
    return this.context.counters.portDrops(PORT, DROP[reason]);
  }
}

function twoNodes(options: UnderlayOptions = {}) {
  const underlay = new Underlay(options);
  return { underlay, a: new Node(underlay, '10.0.0.1'), b: new Node(underlay, 'FD00:0::2') };
}

const text = (letters: string): Uint8Array => Buffer.from(letters, 'latin1');

describe('the underlay', () => {
  it('brings a datagram to the device at its address, from the sender', () => {
    const { underlay, a, b } = twoNodes();
    a.send('fd00::2', text('hello'), { hash: -1 });
    expect(b.received()).toEqual([]);
    expect(underlay.deliver(7)).toBe(1);
    // -1 is 2^32 - 1 of a hash, and that is 15 of sixteen.
    expect(b.received()).toEqual(['10.0.0.1 49167: 5/0 hello']);
    b.send('10.0.0.1', text('back'));
    underlay.deliver(7);
    expect(a.received()).toEqual(['fd00::2 49152: 4/0 back']);
    expect(a.context.counters.port(PORT, 'txBytes')).toBe(5);
    for (const { pool } of [a.context, b.context]) expect(pool.free).toBe(pool.capacity);
  });

  it('loses what is for nobody, and for another port', () => {
    const { underlay, a, b } = twoNodes();
    a.send('10.9.9.9', text('x'));
    a.send('fd00::2', text('y'), { udpPort: 8472 });
    expect(underlay.deliver(1)).toBe(0);
    expect(b.received()).toEqual([]);
    expect(a.context.counters.port(PORT, 'txPackets')).toBe(2);
  });

  it('brings what is late later, and twice what is doubled, in the order of time', () => {
    const delays: Record<string, number[]> = { slow: [30], lost: [], both: [10, 40], fast: [0] };
    const { underlay, a, b } = twoNodes({
      fate: ({ bytes }) => delays[Buffer.from(bytes).toString('latin1')],
    });
    underlay.deliver(100);
    for (const name of Object.keys(delays)) a.send('fd00::2', text(name));
    const arrivals: string[] = [];
    while (underlay.count > 0) {
      const { nextDue } = underlay;
      underlay.deliver(nextDue);
      arrivals.push(...b.received().map((line) => `${nextDue} ${line.split(' ').pop()}`));
    }
    expect(arrivals).toEqual(['100 fast', '110 both', '130 slow', '140 both']);
  });

  it('keeps the order of what arrives at one time', () => {
    const { underlay, a, b } = twoNodes();
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
    for (const name of names) a.send('fd00::2', text(name));
    underlay.deliver(0);
    expect(b.received().map((line) => line.split(' ').pop())).toEqual(names);
  });

  it('is the same with the same seed, and another with another', () => {
    const fate: Fate = (_message, random) => (random.next() < 0.3 * RANDOM_RANGE ? [] : [random.next() % 20]);
    const run = (seed: number): string => {
      const { underlay, a, b } = twoNodes({ seed, fate });
      const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
      for (const name of names) a.send('fd00::2', text(name));
      underlay.deliver(1000);
      return b.received().join('\n');
    };
    expect(run(1)).toBe(run(1));
    expect(run(1)).not.toBe(run(2));
  });

  it('obeys a partition made on the way, and its end', () => {
    const { underlay, a, b } = twoNodes();
    underlay.setFate(({ to }) => (to === 'fd00::2' ? [] : [0]));
    a.send('fd00::2', text('cut'));
    b.send('10.0.0.1', text('open'));
    underlay.setFate(() => [0]);
    a.send('fd00::2', text('whole'));
    underlay.deliver(1);
    expect(a.received()).toEqual(['fd00::2 49152: 4/0 open']);
    expect(b.received()).toEqual(['10.0.0.1 49152: 5/0 whole']);
  });

  it('keeps several datagrams in one slot, or takes them apart', () => {
    for (const coalesces of [true, false]) {
      const { underlay, a, b } = twoNodes({ coalesces });
      a.send('fd00::2', text('aaaabbbbcc'), { gsoSize: 4 });
      a.send('fd00::2', text('aa'), { gsoSize: 4 });
      underlay.deliver(1);
      const from = '10.0.0.1 49152:';
      expect(b.received()).toEqual(
        coalesces
          ? [`${from} 10/4 aaaabbbb`, `${from} 2/0 aa`]
          : [`${from} 4/0 aaaa`, `${from} 4/0 bbbb`, `${from} 2/0 cc`, `${from} 2/0 aa`],
      );
    }
  });

  it('refuses what is larger than the path, by the datagram and not by the bundle', () => {
    const { underlay, a, b } = twoNodes({ mtu: () => 1400 });
    a.send('fd00::2', new Uint8Array(1372));
    a.send('fd00::2', new Uint8Array(1373));
    a.send('fd00::2', new Uint8Array(5000), { gsoSize: 1372 });
    a.send('fd00::2', new Uint8Array(5000), { gsoSize: 1373 });
    b.send('10.0.0.1', new Uint8Array(1352));
    b.send('10.0.0.1', new Uint8Array(1353));
    expect(underlay.deliver(1)).toBe(3);
    expect([a.drops('too-big'), a.refused, b.drops('too-big'), b.refused]).toEqual([
      2,
      ['fd00::2', 'fd00::2'],
      1,
      ['10.0.0.1'],
    ]);
    expect(underlay.pathMtu('10.0.0.1', 'fd00::2')).toBe(1400);
  });

  it('brings nothing to a device that was closed, and gives its address to the next', () => {
    const { underlay, a, b } = twoNodes();
    expect(() => new Node(underlay, 'fd00::0:2')).toThrow(RangeError);
    a.send('fd00::2', text('late'));
    b.device.close();
    const next = new Node(underlay, 'fd00::2');
    underlay.deliver(1);
    expect([b.received(), next.received()]).toEqual([[], ['10.0.0.1 49152: 4/0 late']]);
    b.send('10.0.0.1', text('dead'));
    expect(b.drops('port-down')).toBe(1);
  });
});
