// In scapy's expressions: port n is P0 = '02:70:00:00:00:10' and so on, A0 = '10.0.0.10'; ALL is the broadcast address.
import { describe, expect, it } from 'vitest';
import { OFFLOAD } from '../../../../src/dataplane/device.js';
import { InMemoryDevice } from '../../../../src/dataplane/devices/memory.js';
import { Egress } from '../../../../src/dataplane/egress.js';
import { Flood } from '../../../../src/dataplane/elements/flood.js';
import { Enforcer } from '../../../../src/dataplane/policy/enforcer.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import type { Snapshot } from '../../../../src/dataplane/snapshot.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { networks } from '../../../support/snapshots.js';
import { bytes, hex, RouterFixture } from '../router-fixture.js';

// scapy: Ether(src=P0,dst=ALL)/IP(src=A0,dst='255.255.255.255')/UDP(sport=1,dport=2)/b'hello'
const HELLO = bytes(`
  ffffffffffff02700000001008004500002100010000401170c20a00000affffffff00010002000db1f568656c6c6f
`);
// scapy: Ether(src=P0,dst=ALL)/IP(src=A0,dst='255.255.255.255')/UDP(sport=1,dport=2)/bytes(572)
const FULL = bytes(`
  ffffffffffff0270000000100800450002580001000040116e8b0a00000affffffff000100020244f1590000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=ALL)/IP(src=A0,dst='255.255.255.255')/UDP(sport=1,dport=2)/bytes(573)
const LONG = bytes(`
  ffffffffffff0270000000100800450002590001000040116e8a0a00000affffffff000100020245f1570000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  000000000000000000000000000000
`);
// scapy:
//        Ether(src=P0,dst=ALL)/IP(src=A0,dst='255.255.255.255')/UDP(sport=1,dport=2,chksum=0xffff^checksum(in4_pseudoheader(17,IP(src=A0,dst="255.255.255.255"),13)))/b'hello'
const PARTIAL = bytes(`
  ffffffffffff02700000001008004500002100010000401170c20a00000affffffff00010002000d0a2868656c6c6f
`);
// scapy:
//        Ether(src=P0,dst=ALL)/IP(src=A0,dst=A1,id=5,flags='DF')/TCP(sport=1,dport=2,flags='A',chksum=0xffff^checksum(in4_pseudoheader(6,IP(src=A0,dst=A1),120)))/bytes(100)
const LARGE = bytes(`
  ffffffffffff02700000001008004500008c00054000400626530a00000a0a00000b00010002000000000000000050102000
  1493000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  00000000
`);
// scapy: Ether(src=P0,dst=ALL)/IP(src=A0,dst=A1,id=5,flags='DF')/TCP(sport=1,dport=2,flags='A')/bytes(60)
const SEGMENT_1 = bytes(`
  ffffffffffff027000000010080045000064000540004006267b0a00000a0a00000b00010002000000000000000050102000
  7b81000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000
`);
// scapy:
//        Ether(src=P0,dst=ALL)/IP(src=A0,dst=A1,id=6,flags='DF')/TCP(sport=1,dport=2,flags='A',seq=60)/bytes(40)
const SEGMENT_2 = bytes(`
  ffffffffffff027000000010080045000050000640004006268e0a00000a0a00000b000100020000003c0000000050102000
  7b59000000000000000000000000000000000000000000000000000000000000000000000000000000000000
`);

const ALL_OFFLOADS = OFFLOAD.CHECKSUM | OFFLOAD.TSO4 | OFFLOAD.TSO6 | OFFLOAD.USO;

interface World {
  readonly snapshot?: Snapshot;
  readonly slots?: number;
  /** Offloads by port; only these ports have a device. */
  readonly offloads: readonly number[];
}

function setUp({ snapshot = networks({ ports: [3, 1] }), slots = 16, offloads }: World) {
  const fixture = new RouterFixture(snapshot, slots);
  const { pool, counters } = fixture;
  const egress = new Egress(pool, counters, fixture.segmenter);
  const devices = offloads.map((bits, port) => {
    const device = new InMemoryDevice({ context: { pool, counters }, port, offloads: bits });
    egress.attach(device);
    return device;
  });
  const enforcer = new Enforcer(fixture.context, 1);
  const element = new Flood(fixture.context, fixture.batch(), egress, fixture.batch(), enforcer);
  const sent = () => devices.map((device) => device.take());
  const frames = () => sent().map((packets) => packets.map((packet) => hex(packet.bytes)));
  return { fixture, egress, element, sent, frames };
}

describe('Flood', () => {
  it('sends to all other ports of the domain, from one slot', () => {
    const { fixture, egress, element, frames } = setUp({ offloads: [0, 0, 0, 0] });
    fixture.run(element, fixture.receive(HELLO, 0));
    expect(fixture.pool.free).toBe(15);
    egress.flush();
    expect(frames()).toEqual([[], [hex(HELLO)], [hex(HELLO)], []]);
    expect(fixture.counters.total('replicated')).toBe(1);
    fixture.expectBalance();
  });

  it('leaves out ports whose MTU is too small', () => {
    const world = networks({ ports: [3] });
    const ports = world.ports.map((port) => (port.id === 1 ? { ...port, mtu: 600 } : port));
    const { fixture, egress, element, frames } = setUp({
      snapshot: { ...world, ports },
      offloads: [0, 0, 0],
    });
    fixture.run(element, fixture.receive(LONG, 0), fixture.receive(FULL, 0));
    egress.flush();
    expect(frames()).toEqual([[], [hex(FULL)], [hex(LONG), hex(FULL)]]);
    fixture.expectBalance();
  });

  it('drops what nobody has room for', () => {
    const { fixture, element } = setUp({ snapshot: networks({ ports: [3], mtu: 600 }), offloads: [0, 0, 0] });
    fixture.run(element, fixture.receive(LONG, 0));
    expect(fixture.drops('too-big', 0)).toBe(1);
    fixture.expectBalance();
  });

  it('drops what nobody is there for', () => {
    const { fixture, element } = setUp({ offloads: [0, 0, 0, 0] });
    fixture.run(element, fixture.receive(HELLO, 3));
    expect(fixture.drops('no-other-port', 3)).toBe(1);
    fixture.expectBalance();
  });

  it('counts a drop for each port that has no device', () => {
    const { fixture, egress, element, frames } = setUp({ offloads: [0, 0] });
    fixture.run(element, fixture.receive(HELLO, 0));
    egress.flush();
    expect(frames()).toEqual([[], [hex(HELLO)]]);
    expect(fixture.drops('port-down', 0)).toBe(1);
    fixture.expectBalance();
  });

  it('gives each port the form that it can take', () => {
    const { fixture, egress, element, sent } = setUp({ offloads: [0, ALL_OFFLOADS, 0] });
    fixture.run(
      element,
      fixture.receive(LARGE, 0, (slot) => {
        fixture.pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
        fixture.pool.gsoType[slot] = GSO.TCPV4;
        fixture.pool.gsoSize[slot] = 60;
        fixture.pool.checksumStart[slot] = 34;
        fixture.pool.checksumOffset[slot] = 16;
      }),
    );
    egress.flush();
    const [, whole, cut] = sent();
    expect(whole.map((packet) => [hex(packet.bytes), packet.gsoSize])).toEqual([[hex(LARGE), 60]]);
    expect(cut.map((packet) => hex(packet.bytes))).toEqual([hex(SEGMENT_1), hex(SEGMENT_2)]);
    expect(fixture.counters.total('replicated')).toBe(2);
    fixture.expectBalance();
  });

  it('finishes a shared checksum once, right for all', () => {
    const { fixture, egress, element, sent } = setUp({ offloads: [0, ALL_OFFLOADS, 0] });
    fixture.run(
      element,
      fixture.receive(PARTIAL, 0, (slot) => {
        fixture.pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
        fixture.pool.checksumStart[slot] = 34;
        fixture.pool.checksumOffset[slot] = 6;
      }),
    );
    egress.flush();
    for (const packets of sent().slice(1)) {
      expect(packets.map((packet) => [hex(packet.bytes), packet.flags])).toEqual([[hex(HELLO), 0]]);
    }
    fixture.expectBalance();
  });

  it('loses the copy that there are no slots to cut for, and no other', () => {
    const { fixture, egress, element, frames } = setUp({ offloads: [0, ALL_OFFLOADS, 0], slots: 2 });
    fixture.run(
      element,
      fixture.receive(LARGE, 0, (slot) => {
        fixture.pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
        fixture.pool.gsoType[slot] = GSO.TCPV4;
        fixture.pool.gsoSize[slot] = 60;
        fixture.pool.checksumStart[slot] = 34;
        fixture.pool.checksumOffset[slot] = 16;
      }),
    );
    egress.flush();
    expect(frames()).toEqual([[], [hex(LARGE)], []]);
    expect(fixture.drops('no-slot', 0)).toBe(1);
    fixture.expectBalance();
  });
});
