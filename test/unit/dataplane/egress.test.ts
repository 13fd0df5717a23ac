// In scapy's expressions: P0 = '02:70:00:00:00:10', P1 = '02:70:00:00:00:11', A0 = '10.0.0.10', A1 = '10.0.0.11'.
// A checksum of 0xffff^checksum(pseudo header) is the sum that the sender leaves to be completed.
import { beforeEach, describe, expect, it } from 'vitest';
import { TX_QUEUE } from '../../../src/dataplane/constants.js';
import { OFFLOAD } from '../../../src/dataplane/device.js';
import { InMemoryDevice } from '../../../src/dataplane/devices/memory.js';
import { Egress } from '../../../src/dataplane/egress.js';
import { PACKET } from '../../../src/dataplane/pool.js';
import { GSO } from '../../../src/wire/virtio-net.js';
import { networks } from '../../support/snapshots.js';
import { bytes, hex, RouterFixture } from './router-fixture.js';

// scapy:
//        Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP(sport=1,dport=2,chksum=0xffff^checksum(in4_pseudoheader(17,IP(src=A0,dst=A1),12)))/b'data'
const PARTIAL = bytes(`
  02700000001102700000001008004500002000010000401166b80a00000a0a00000b00010002000c143264617461
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP(sport=1,dport=2)/b'data'
const COMPLETE = bytes(`
  02700000001102700000001008004500002000010000401166b80a00000a0a00000b00010002000c12fc64617461
`);
// scapy:
//        Ether(src=P0,dst=P1)/IP(src=A0,dst=A1,id=5)/TCP(sport=1,dport=2,flags='A',chksum=0xffff^checksum(in4_pseudoheader(6,IP(src=A0,dst=A1),120)))/bytes(100)
const LARGE = bytes(`
  02700000001102700000001008004500008c00050000400666530a00000a0a00000b00010002000000000000000050102000
  1493000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  00000000
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1,id=5)/TCP(sport=1,dport=2,flags='A')/bytes(60)
const SEGMENT_1 = bytes(`
  027000000011027000000010080045000064000500004006667b0a00000a0a00000b00010002000000000000000050102000
  7b81000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1,id=6)/TCP(sport=1,dport=2,flags='A',seq=60)/bytes(40)
const SEGMENT_2 = bytes(`
  027000000011027000000010080045000050000600004006668e0a00000a0a00000b000100020000003c0000000050102000
  7b59000000000000000000000000000000000000000000000000000000000000000000000000000000000000
`);
// scapy:
//        Ether(src=P0,dst=P1)/IPv6(src=S0,dst=S1)/TCP(sport=1,dport=2,flags='A',chksum=0xffff^checksum(raw(in6_pseudoheader(6,IPv6(src=S0,dst=S1)/TCP(),120))))/bytes(100)
const LARGE_6 = bytes(`
  02700000001102700000001086dd6000000000780640fd000000000000000000000000000010fd0000000000000000000000
  0000001100010002000000000000000050102000faa000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  000000000000000000000000000000000000000000000000
`);
// scapy:
//        Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP(sport=1,dport=2,chksum=0xffff^checksum(in4_pseudoheader(17,IP(src=A0,dst=A1),108)))/bytes(100)
const DATAGRAMS = bytes(`
  02700000001102700000001008004500008000010000401166580a00000a0a00000b00010002006c14920000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  000000000000000000000000000000000000000000000000000000000000000000000000000000000000
`);

const { CHECKSUM, TSO4, TSO6, USO } = OFFLOAD;

let fixture: RouterFixture;
let egress: Egress;

beforeEach(() => {
  fixture = new RouterFixture(networks({ ports: [2] }), 8);
  egress = new Egress(fixture.pool, fixture.counters, fixture.segmenter);
});

function attach(offloads: number, port = 1): InMemoryDevice {
  const device = new InMemoryDevice({ context: fixture, port, offloads });
  egress.attach(device);
  return device;
}

/** What a device says of a packet with an unfinished checksum; `size` of a GSO packet's segments. */
function unfinished(start: number, offset: number, gsoType: number = GSO.NONE, size = 0) {
  return (slot: number) => {
    const { pool } = fixture;
    pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
    pool.checksumStart[slot] = start;
    pool.checksumOffset[slot] = offset;
    pool.gsoType[slot] = gsoType;
    pool.gsoSize[slot] = size;
  };
}

function sent(device: InMemoryDevice): [string, number][] {
  egress.flush();
  return device.take().map((packet) => [hex(packet.bytes), packet.flags]);
}

describe('Egress', () => {
  it('sends nothing before it is flushed, and then everything once', () => {
    const device = attach(0);
    egress.output(fixture.receive(COMPLETE, 0), 1);
    expect(device.take()).toEqual([]);
    expect(sent(device)).toEqual([[hex(COMPLETE), 0]]);
    expect(sent(device)).toEqual([]);
    fixture.expectBalance();
  });

  it('carries a partial checksum to a device that takes it', () => {
    const device = attach(CHECKSUM);
    egress.output(fixture.receive(PARTIAL, 0, unfinished(34, 6)), 1);
    expect(sent(device)).toEqual([[hex(PARTIAL), PACKET.PARTIAL_CHECKSUM]]);
  });

  it('completes a partial checksum for a device that does not', () => {
    const device = attach(0);
    egress.output(fixture.receive(PARTIAL, 0, unfinished(34, 6)), 1);
    expect(sent(device)).toEqual([[hex(COMPLETE), 0]]);
    fixture.expectBalance();
  });

  const tcp4 = () => fixture.receive(LARGE, 0, unfinished(34, 16, GSO.TCPV4, 60));
  const ecn4 = () => fixture.receive(LARGE, 0, unfinished(34, 16, GSO.TCPV4 | GSO.ECN, 60));
  const tcp6 = () => fixture.receive(LARGE_6, 0, unfinished(54, 16, GSO.TCPV6, 60));
  const datagrams = () => fixture.receive(DATAGRAMS, 0, unfinished(34, 6, GSO.UDP_L4, 60));

  it.each<[string, number, () => number]>([
    ['TCP over IPv4', TSO4, tcp4],
    ['TCP over IPv4 with ECN', TSO4, ecn4],
    ['TCP over IPv6', TSO6, tcp6],
    ['UDP', USO, datagrams],
  ])('cuts %s, but for a device with that offload and the checksum’s', (_, offload, receive) => {
    const others = CHECKSUM | ((TSO4 | TSO6 | USO) & ~offload);
    for (const [offloads, packets] of [
      [CHECKSUM | offload, 1],
      [offload, 2],
      [others, 2],
      [0, 2],
    ]) {
      const device = attach(offloads);
      egress.output(receive(), 1);
      expect(sent(device)).toHaveLength(packets);
    }
    fixture.expectBalance();
  });

  it('cuts into what scapy would have sent', () => {
    const device = attach(CHECKSUM);
    egress.output(tcp4(), 1);
    expect(sent(device)).toEqual([
      [hex(SEGMENT_1), 0],
      [hex(SEGMENT_2), 0],
    ]);
  });

  it('drops what is for a port without a device', () => {
    attach(0);
    egress.output(fixture.receive(COMPLETE, 0), 2);
    egress.output(fixture.receive(COMPLETE, 0), 0xffff);
    expect(fixture.drops('port-down', 0)).toBe(2);
    fixture.expectBalance();
  });

  it('drops what is for a port whose device was taken away', () => {
    const device = attach(0);
    egress.detach(1);
    expect(egress.device(1)).toBeUndefined();
    egress.output(fixture.receive(COMPLETE, 0), 1);
    expect(fixture.drops('port-down', 0)).toBe(1);
    expect(sent(device)).toEqual([]);
    fixture.expectBalance();
  });

  it('drops what a full queue has no room for, and counts it where it came in', () => {
    fixture = new RouterFixture(networks({ ports: [2] }), TX_QUEUE + 4);
    egress = new Egress(fixture.pool, fixture.counters, fixture.segmenter);
    const device = attach(0);
    for (let i = 0; i < TX_QUEUE - 1; i++) egress.output(fixture.receive(COMPLETE, 0), 1);
    // Two segments where there is room for one: a packet goes whole or not at all.
    egress.output(tcp4(), 1);
    expect(fixture.drops('tx-queue-full', 0)).toBe(1);
    egress.output(fixture.receive(COMPLETE, 0), 1);
    egress.output(fixture.receive(COMPLETE, 0), 1);
    expect(fixture.drops('tx-queue-full', 0)).toBe(2);
    expect(sent(device)).toHaveLength(TX_QUEUE);
    egress.output(fixture.receive(COMPLETE, 0), 1);
    expect(sent(device)).toHaveLength(1);
    fixture.expectBalance();
  });

  it('drops what there are no slots to cut into', () => {
    const device = attach(0);
    const slots = Array.from({ length: 6 }, () => fixture.pool.take());
    egress.output(tcp4(), 1);
    expect(fixture.drops('no-slot', 0)).toBe(1);
    for (const slot of slots) fixture.pool.release(slot);
    expect(sent(device)).toEqual([]);
    fixture.expectBalance();
  });

  it('serves each port from a queue of its own', () => {
    const devices = [attach(0, 0), attach(0, 1)];
    egress.output(fixture.receive(COMPLETE, 0), 1);
    egress.output(fixture.receive(SEGMENT_1, 0), 0);
    egress.output(fixture.receive(SEGMENT_2, 0), 1);
    egress.flush();
    expect(devices.map((device) => device.take().map((packet) => hex(packet.bytes)))).toEqual([
      [hex(SEGMENT_1)],
      [hex(COMPLETE), hex(SEGMENT_2)],
    ]);
  });

  it('sends what was pushed to a port’s queue, in one order with what was put out, and finishes none of it', () => {
    const device = attach(0);
    egress.output(fixture.receive(COMPLETE, 0), 1);
    const queue = egress.queueOf(1)!;
    queue.push(fixture.receive(PARTIAL, 0, unfinished(34, 6)));
    egress.output(fixture.receive(SEGMENT_1, 0), 1);
    expect(egress.queueOf(1)).toBe(queue);
    expect(sent(device)).toEqual([
      [hex(COMPLETE), 0],
      [hex(PARTIAL), PACKET.PARTIAL_CHECKSUM],
      [hex(SEGMENT_1), 0],
    ]);
    expect(queue.count).toBe(0);
    fixture.expectBalance();
  });

  it('gives a queue anew in each cycle, of an empty port too, and none of a port without a device', () => {
    const device = attach(0);
    expect([egress.queueOf(2), egress.queueOf(0xffff)]).toEqual([undefined, undefined]);
    for (let cycle = 0; cycle < 3; cycle++) {
      const queue = egress.queueOf(1)!;
      if (cycle !== 1) queue.push(fixture.receive(COMPLETE, 0));
      expect(sent(device)).toHaveLength(cycle === 1 ? 0 : 1);
    }
    egress.detach(1);
    expect(egress.queueOf(1)).toBeUndefined();
    fixture.expectBalance();
  });
});
