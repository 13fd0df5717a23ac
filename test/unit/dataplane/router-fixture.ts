/**
 * What the router's tests share: two networks, packets put into a pool as a device would, and the law that
 * nothing is lost.
 *
 *     port 1  10.0.0.2 fd00::2  ─┐ domain 0                 domain 1 ┌─ port 3  10.0.1.2 fd00:1::2, MTU 1400
 *     port 2  10.0.0.3 fd00::3  ─┴─ 10.0.0.1 fd00::1 … 10.0.1.1 fd00:1::1 ─┴─ port 4  the node, unguarded
 *     port 5  10.0.2.2          ─── domain 2, where the switch has no address
 */
import { expect } from 'vitest';
import { Batch } from '../../../src/dataplane/batch.js';
import { Counters, TOTALS } from '../../../src/dataplane/counters.js';
import { DROP_REASONS, type DropReasonName } from '../../../src/dataplane/drop-reasons.js';
import { Context, type Element } from '../../../src/dataplane/element.js';
import { parsePacket } from '../../../src/dataplane/elements/parse.js';
import { Learned } from '../../../src/dataplane/learned.js';
import { PacketPool } from '../../../src/dataplane/pool.js';
import { Segmenter } from '../../../src/dataplane/segmenter.js';
import type { PortSpec, Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables, Tables } from '../../../src/dataplane/tables.js';
import { plainChecksum, wasmChecksum } from '../../../src/wire/checksum-kernel.js';

function port(id: number, domain: number, addresses: string[], more: Partial<PortSpec> = {}): PortSpec {
  return {
    id,
    name: `port${id}`,
    mac: `02:00:0a:00:00:0${id + 1}`,
    addresses,
    attachment: { kind: 'domain', domain },
    routeTable: 0,
    mtu: 1500,
    guard: true,
    ...more,
  };
}

export const SNAPSHOT: Snapshot = {
  generation: 1,
  ports: [
    port(1, 0, ['10.0.0.2', 'fd00::2']),
    port(2, 0, ['10.0.0.3', 'fd00::3']),
    port(3, 1, ['10.0.1.2', 'fd00:1::2'], { mtu: 1400 }),
    port(4, 1, ['10.0.1.3', 'fd00:1::3'], { guard: false }),
    port(5, 2, ['10.0.2.2', 'fd00:2::2']),
  ],
  domains: [
    {
      id: 0,
      name: 'pods',
      gatewayMac: '02:00:00:00:00:01',
      gateways: ['10.0.0.1', 'fd00::1'],
      learning: false,
    },
    {
      id: 1,
      name: 'other',
      gatewayMac: '02:00:00:00:01:01',
      gateways: ['10.0.1.1', 'fd00:1::1', '10.0.1.254', 'fd00:1::254'],
      learning: true,
    },
    { id: 2, name: 'bridge', gatewayMac: '02:00:00:00:02:01', gateways: [], learning: false },
  ],
  routes: [
    { table: 0, prefix: '10.0.0.0/24', kind: 'connected', domain: 0 },
    { table: 0, prefix: '10.0.1.0/24', kind: 'connected', domain: 1 },
    { table: 0, prefix: '10.0.0.1/32', kind: 'local' },
    { table: 0, prefix: '10.0.1.1/32', kind: 'local' },
    { table: 0, prefix: '192.0.2.0/24', kind: 'port', port: 4 },
    { table: 0, prefix: '198.51.100.0/24', kind: 'via', domain: 1, gateway: '10.0.1.3' },
    { table: 0, prefix: '198.51.101.0/24', kind: 'via', domain: 1, gateway: '10.0.1.1' },
    { table: 0, prefix: '203.0.113.0/24', kind: 'unreachable' },
    { table: 0, prefix: 'fd00::/64', kind: 'connected', domain: 0 },
    { table: 0, prefix: 'fd00:1::/64', kind: 'connected', domain: 1 },
    { table: 0, prefix: 'fd00::1/128', kind: 'local' },
    { table: 0, prefix: '2001:db8:1::/48', kind: 'via', domain: 1, gateway: 'fd00:1::3' },
    { table: 0, prefix: '2001:db8:2::/48', kind: 'port', port: 4 },
    { table: 0, prefix: '2001:db8:3::/48', kind: 'unreachable' },
    { table: 0, prefix: '10.9.0.0/24', kind: 'apart', note: 70_000 },
    { table: 0, prefix: 'fd00:9::/64', kind: 'apart', note: 70_001 },
    { table: 1, prefix: '10.0.1.0/24', kind: 'unreachable' },
  ],
  neighbours: [
    ...[1, 2].flatMap((id) => neighbours(id, 0, `10.0.0.${id + 1}`, `fd00::${id + 1}`)),
    ...[3, 4].flatMap((id) => neighbours(id, 1, `10.0.1.${id - 1}`, `fd00:1::${id - 1}`)),
  ],
};

function neighbours(port: number, domain: number, ...addresses: string[]) {
  return addresses.map((address) => ({ domain, address, mac: `02:00:0a:00:00:0${port + 1}`, port }));
}

/** The octets of hexadecimal text; white space is for people. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

export class RouterFixture {
  readonly pool: PacketPool;
  readonly counters = new Counters();
  readonly context: Context;
  readonly segmenter: Segmenter;

  constructor(snapshot: Snapshot = SNAPSHOT, slots = 64, kernel: 'plain' | 'wasm' = 'plain') {
    this.pool = new PacketPool(slots);
    const make = kernel === 'plain' ? plainChecksum : wasmChecksum;
    const checksum = make(this.pool.memory);
    const tables = Tables.from(compileTables(snapshot));
    this.context = new Context(this.pool, checksum, this.counters, new Learned(this.counters, 1), tables);
    this.segmenter = new Segmenter(this.pool, checksum, this.counters);
  }

  batch(): Batch {
    return new Batch(this.pool.capacity);
  }

  /** A frame as a device and the parser leave it; `facts` are what a device says of an offload. */
  receive(frame: Uint8Array, port = 1, facts: (slot: number) => void = () => {}): number {
    const { pool } = this;
    const slot = pool.take();
    expect(slot).toBeGreaterThanOrEqual(0);
    // What an earlier packet left behind must not matter.
    pool.bytes.fill(0xa5, pool.at[slot] - 128, pool.at[slot] + frame.length + 128);
    pool.bytes.set(frame, pool.at[slot]);
    pool.reset(slot, frame.length, port);
    pool.domain[slot] = this.context.tables.ports.domain[port];
    facts(slot);
    this.counters.received(port, frame.length);
    expect(parsePacket(pool, slot)).toBe(-1);
    return slot;
  }

  run(element: Element, ...slots: number[]): void {
    for (const slot of slots) element.input.push(slot);
    element.process(element.input);
    element.input.clear();
  }

  frame(slot: number): Uint8Array {
    const { pool } = this;
    return pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot]);
  }

  /** Takes the packets out of a batch as a device that sends them does, and answers their frames in order. */
  send(batch: Batch): string[] {
    const slots = Array.from(batch.slots.subarray(0, batch.count));
    batch.clear();
    return slots.map((slot) => {
      const frame = hex(this.frame(slot));
      this.counters.sent(this.pool.egress[slot], this.pool.length[slot]);
      this.pool.release(slot);
      return frame;
    });
  }

  drops(reason: DropReasonName, port = 1): number {
    return this.counters.portDrops(port, DROP_REASONS.indexOf(reason));
  }

  /** The conservation law, and every slot back in the pool but those that an element holds. */
  expectBalance(held = 0): void {
    const [received, originated, replicated, joined, consumed, sent, dropped] = TOTALS.map((total) =>
      this.counters.total(total),
    );
    expect(received + originated + replicated - held).toBe(sent + consumed + joined + dropped);
    expect(this.pool.free).toBe(this.pool.capacity - held);
  }
}
