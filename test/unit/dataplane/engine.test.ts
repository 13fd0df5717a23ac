// In scapy's expressions: port n is P0 = '02:70:00:00:00:10' and so on, A0 = '10.0.0.10'; GW = '02:70:00:00:ff:00' is
// the switch in domain 0.
import { describe, expect, it } from 'vitest';
import { DEVICE_BATCH } from '../../../src/dataplane/constants.js';
import type { Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables } from '../../../src/dataplane/tables.js';
import { EngineHarness } from '../../support/engine-harness.js';
import { networks } from '../../support/snapshots.js';
import { bytes, hex } from './router-fixture.js';

// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP(sport=1,dport=2)/b'data'
const TO_1 = bytes(`
  02700000001102700000001008004500002000010000401166b80a00000a0a00000b00010002000c12fc64617461
`);
// scapy: Ether(src=P0,dst=P2)/IP(src=A0,dst=A2)/UDP(sport=1,dport=2)/b'data'
const TO_2 = bytes(`
  02700000001202700000001008004500002000010000401166b70a00000a0a00000c00010002000c12fb64617461
`);
// scapy: Ether(src=P1,dst=P2)/IP(src=A1,dst=A2)/UDP(sport=1,dport=2)/b'data'
const SPOOFED = bytes(`
  02700000001202700000001108004500002000010000401166b60a00000b0a00000c00010002000c12fa64617461
`);
// scapy: Ether(src='02:aa:00:00:00:01',dst=ALL,type=0x88b5)/b'hello'
const HELLO = bytes('ffffffffffff02aa0000000188b568656c6c6f');
// scapy: Ether(src=P0,dst='02:aa:00:00:00:01',type=0x88b5)/b'data'
const TO_STRANGER = bytes('02aa0000000102700000001088b564617461');
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.0.0.1',id=7,flags='MF')/ICMP(type=8,id=1,seq=1)/bytes(8)
const PIECE = bytes(`
  02700000ff0002700000001008004500002400072000400146c80a00000a0a0000010800f7fd000100010000000000000000
`);

const SNAPSHOT = networks({ ports: [3] });
const LEARNING = networks({ ports: [3], guard: false, learning: true });

function frames(harness: EngineHarness, port: number): string[] {
  return harness.take(port).map((packet) => hex(packet.bytes));
}

/** The snapshot with port `id` in a second domain. */
function moved(snapshot: Snapshot, id: number): Snapshot {
  const ports = snapshot.ports.map((port) =>
    port.id === id ? { ...port, attachment: { kind: 'domain' as const, domain: 1 } } : port,
  );
  const domains = [...snapshot.domains, { ...snapshot.domains[0], id: 1, gateways: [] }];
  return { ...snapshot, generation: 2, ports, domains, neighbours: [] };
}

describe('Engine', () => {
  it('receives nothing and sends nothing in an idle cycle', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.run();
    expect(harness.totals().received).toBe(0);
    expect(harness.engine.counters.cycleCounter('cycles')).toBe(1);
    harness.expectAtRest();
  });

  it('takes a batch of each device in a cycle, and all of them in the end, in order', () => {
    const harness = new EngineHarness(SNAPSHOT);
    for (let i = 0; i < DEVICE_BATCH + 1; i++) harness.inject(0, i % 2 === 0 ? TO_1 : TO_2);
    const device = harness.devices.get(0)!;
    harness.engine.cycle([device], 1, 1000);
    expect(device.waiting).toBe(1);
    harness.run();
    expect(frames(harness, 1)).toEqual(Array(DEVICE_BATCH / 2 + 1).fill(hex(TO_1)));
    expect(frames(harness, 2)).toEqual(Array(DEVICE_BATCH / 2).fill(hex(TO_2)));
    expect(harness.engine.counters.cycleCounter('cyclePackets')).toBe(DEVICE_BATCH + 1);
    harness.expectAtRest();
  });

  it('asks no device but those that are ready', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.inject(0, TO_1);
    harness.inject(1, TO_1);
    harness.engine.cycle([harness.devices.get(0)!, harness.devices.get(1)!], 1, 1000);
    expect(harness.devices.get(1)!.waiting).toBe(1);
  });

  it('leaves packets where they are while there are no slots', () => {
    const harness = new EngineHarness(SNAPSHOT, { slots: 4 });
    for (let i = 0; i < 10; i++) harness.inject(0, TO_1);
    harness.run();
    expect(frames(harness, 1)).toHaveLength(10);
    harness.expectAtRest();
  });

  it('closes a port until a snapshot opens it', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.engine.swap(compileTables({ ...SNAPSHOT, ports: SNAPSHOT.ports.slice(1), neighbours: [] }));
    harness.inject(0, TO_1);
    harness.run();
    expect(harness.drops(0, 'port-closed')).toBe(1);
    harness.engine.swap(compileTables(SNAPSHOT));
    harness.inject(0, TO_1);
    harness.run();
    expect(frames(harness, 1)).toEqual([hex(TO_1)]);
    harness.expectAtRest();
  });

  it('puts a snapshot in force from the next packet on', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.engine.swap(compileTables({ ...SNAPSHOT, generation: 9 }));
    expect(harness.engine.generation).toBe(9);
    harness.engine.swap(compileTables(moved(SNAPSHOT, 1)));
    harness.inject(0, TO_1);
    harness.run();
    expect([frames(harness, 1), frames(harness, 2)]).toEqual([[], [hex(TO_1)]]);
  });

  it('forgets what was learned behind a port that moves to another domain', () => {
    const harness = new EngineHarness(LEARNING);
    harness.inject(1, HELLO);
    harness.run();
    harness.take(2);
    harness.engine.swap(compileTables({ ...LEARNING, generation: 2 }));
    harness.inject(0, TO_STRANGER);
    harness.run();
    expect([frames(harness, 1), frames(harness, 2)]).toEqual([[hex(TO_STRANGER)], []]);
    harness.engine.swap(compileTables(moved(LEARNING, 1)));
    harness.inject(0, TO_STRANGER);
    harness.run();
    expect([frames(harness, 1), frames(harness, 2)]).toEqual([[], [hex(TO_STRANGER)]]);
  });

  it('forgets what was learned behind a port that is closed', () => {
    const harness = new EngineHarness(LEARNING);
    harness.inject(2, HELLO);
    harness.run();
    harness.engine.swap(compileTables({ ...LEARNING, ports: LEARNING.ports.slice(0, 2), neighbours: [] }));
    harness.take(1);
    harness.inject(0, TO_STRANGER);
    harness.run();
    expect([frames(harness, 1), frames(harness, 2)]).toEqual([[hex(TO_STRANGER)], []]);
    harness.expectAtRest();
  });

  it('sends nothing to a port whose device is gone, and forgets whom it had behind it', () => {
    const harness = new EngineHarness(LEARNING);
    harness.inject(1, HELLO);
    harness.run();
    harness.engine.detach(1);
    expect(harness.engine.context.learned.fdb.size).toBe(0);
    harness.inject(0, TO_1);
    harness.run();
    expect(harness.drops(0, 'port-down')).toBe(1);
    harness.expectAtRest();
  });

  it('begins a port’s counters anew with its device', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.inject(0, SPOOFED);
    harness.run();
    expect(harness.drops(0, 'spoofed-mac')).toBe(1);
    const device = harness.devices.get(0)!;
    harness.engine.detach(0);
    harness.engine.attach(device);
    expect(harness.drops(0, 'spoofed-mac')).toBe(0);
    expect(harness.totals().dropped).toBe(1);
  });

  it('says when it must be swept, and what it holds', () => {
    const harness = new EngineHarness(SNAPSHOT);
    expect(harness.engine.sweep(1000)).toBe(-1);
    harness.inject(0, PIECE);
    harness.run();
    expect(harness.engine.held).toBe(1);
    harness.expectAtRest();
    expect(harness.engine.sweep(1001)).toBe(29_999);
    expect(harness.engine.sweep(31_000)).toBe(-1);
    expect(harness.engine.held).toBe(0);
    expect(harness.drops(0, 'reassembly')).toBe(1);
    harness.expectAtRest();
  });

  it('answers the earlier of two times to be swept at', () => {
    const harness = new EngineHarness(LEARNING);
    harness.inject(0, PIECE);
    harness.run();
    expect(harness.engine.sweep(harness.now)).toBe(30_000);
    harness.inject(1, HELLO);
    harness.run();
    expect(harness.engine.sweep(harness.now)).toBe(1000);
  });
});
