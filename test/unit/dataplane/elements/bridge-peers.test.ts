// In scapy's expressions: B2 = '02:70:00:00:00:12' is port 2, R = '02:70:00:00:00:21' a pod behind peer 3; ALL is the
// broadcast address.
import { describe, expect, it } from 'vitest';
import { PEER_EGRESS } from '../../../../src/dataplane/constants.js';
import { InMemoryDevice } from '../../../../src/dataplane/devices/memory.js';
import { Egress } from '../../../../src/dataplane/egress.js';
import { Flood } from '../../../../src/dataplane/elements/flood.js';
import { Forward } from '../../../../src/dataplane/elements/forward.js';
import { Enforcer } from '../../../../src/dataplane/policy/enforcer.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import type { Snapshot } from '../../../../src/dataplane/snapshot.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { bytes, hex } from '../router-fixture.js';
import { TUNNEL, TUNNEL_SNAPSHOT, TunnelFixture } from '../tunnel-fixture.js';

// scapy: Ether(src=B2,dst=R)/IP(src='10.0.2.12',dst='10.0.2.33')/UDP(sport=1,dport=2)/b'hello'
const TO_REMOTE = bytes(`
  027000000021027000000012080045000021000100004011629f0a00020c0a00022100010002000da3d268656c6c6f
`);
// scapy: Ether(src=B2,dst=R)/Dot1Q(vlan=5)/IP(src='10.0.2.12',dst='10.0.2.33')/UDP(sport=1,dport=2)/b'hello'
const TAGGED = bytes(`
  02700000002102700000001281000005080045000021000100004011629f0a00020c0a00022100010002000da3d268656c6c
  6f
`);
// scapy: Ether(src=B2,dst=R)/IP(src='10.0.2.12',dst='10.0.2.33')/UDP(sport=1,dport=2)/b'hello'/Padding(b'1234')
const PADDED = bytes(`
  027000000021027000000012080045000021000100004011629f0a00020c0a00022100010002000da3d268656c6c6f313233
  34
`);
// scapy: Ether(src=R,dst='02:70:00:00:00:22')/IP(src='10.0.2.33',dst='10.0.2.34')/UDP(sport=1,dport=2)
const FROM_REMOTE = bytes(
  '02700000002202700000002108004500001c000100004011628e0a0002210a000222000100020008e798',
);
// scapy: Ether(src=B2,dst=ALL,type=0x88b5)/b'hello'
const TO_ALL = bytes('ffffffffffff02700000001288b568656c6c6f');
// scapy: Ether(src=R,dst=ALL,type=0x88b5)/b'hello'
const FROM_REMOTE_TO_ALL = bytes('ffffffffffff02700000002188b568656c6c6f');

/** Peers whose MTUs are these. */
function withMtus(...mtus: number[]): Snapshot {
  const peers = TUNNEL_SNAPSHOT.peers!.map((peer, i) => ({ ...peer, mtu: mtus[i] }));
  return { ...TUNNEL_SNAPSHOT, peers };
}

/** In domain 2, whatever port it came from. */
function receive(fixture: TunnelFixture, frame: Uint8Array, port: number): number {
  const slot = fixture.receive(frame, port);
  fixture.pool.domain[slot] = 2;
  return slot;
}

/** Octets behind the Ethernet header of TO_REMOTE. */
const LENGTH = TO_REMOTE.length - 14;

describe('Forward, to peers', () => {
  function setUp(snapshot = TUNNEL_SNAPSHOT) {
    const fixture = new TunnelFixture(snapshot);
    const outputs = { known: fixture.batch(), peer: fixture.batch(), flood: fixture.batch() };
    const element = new Forward(fixture.context, fixture.batch(), outputs);
    return { fixture, element, ...outputs };
  }

  it('knows who is behind a peer', () => {
    const { fixture, element, peer } = setUp();
    const slot = receive(fixture, TO_REMOTE, 2);
    fixture.run(element, slot);
    expect(fixture.pool.egress[slot]).toBe(PEER_EGRESS + 3);
    expect(fixture.pool.info[slot]).toBe(3);
    expect(fixture.send(peer)).toEqual([hex(TO_REMOTE)]);
  });

  it('does not send back into the tunnel what came out of it', () => {
    const { fixture, element, known } = setUp();
    fixture.run(element, receive(fixture, FROM_REMOTE, TUNNEL));
    expect([known.count, fixture.drops('same-port', TUNNEL)]).toEqual([0, 1]);
    fixture.expectBalance();
  });

  it.each([
    ['a frame', TO_REMOTE, 0],
    ['its VLAN tag', TAGGED, 4],
    ['its padding', PADDED, 4],
  ])('counts all of %s, since all of it is payload there', (_, frame, more) => {
    const fits = setUp(withMtus(LENGTH + more, 1400));
    fits.fixture.run(fits.element, receive(fits.fixture, frame, 2));
    expect(fits.peer.count).toBe(1);
    const small = setUp(withMtus(LENGTH + more - 1, 1400));
    small.fixture.run(small.element, receive(small.fixture, frame, 2));
    expect([small.peer.count, small.fixture.drops('too-big', 2)]).toEqual([0, 1]);
  });

  it('compares the segments of a large packet, with their tag', () => {
    const { fixture, element, peer } = setUp(withMtus(80, 1400));
    const frame = new Uint8Array(TAGGED.length + 200);
    frame.set(TAGGED);
    new DataView(frame.buffer).setUint16(20, LENGTH + 200);
    new DataView(frame.buffer).setUint16(42, 213);
    for (const size of [48, 49]) {
      const slot = receive(fixture, frame, 2);
      const { pool } = fixture;
      pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
      pool.gsoType[slot] = GSO.UDP_L4;
      pool.gsoSize[slot] = size;
      fixture.run(element, slot);
    }
    expect([peer.count, fixture.drops('too-big', 2)]).toEqual([1, 1]);
  });
});

describe('Flood, to peers', () => {
  function setUp(snapshot = TUNNEL_SNAPSHOT, slots = 64) {
    const fixture = new TunnelFixture(snapshot, slots);
    const { pool, counters } = fixture;
    const egress = new Egress(pool, counters, fixture.segmenter);
    const device = new InMemoryDevice({ context: { pool, counters }, port: 2 });
    egress.attach(device);
    const tunnel = fixture.batch();
    const enforcer = new Enforcer(fixture.context, 1);
    const element = new Flood(fixture.context, fixture.batch(), egress, tunnel, enforcer);
    const targets = (): number[] =>
      Array.from(tunnel.slots.subarray(0, tunnel.count), (slot) => pool.egress[slot] - PEER_EGRESS);
    return { fixture, egress, device, tunnel, element, targets };
  }

  it('gives each peer with members a copy of its own', () => {
    const { fixture, tunnel, element, targets } = setUp();
    fixture.run(element, receive(fixture, TO_ALL, 2));
    expect(targets()).toEqual([3, 4]);
    expect(Array.from(tunnel.slots.subarray(0, 2), (slot) => fixture.pool.isShared(slot))).toEqual([
      false,
      false,
    ]);
    expect(fixture.send(tunnel)).toEqual([hex(TO_ALL), hex(TO_ALL)]);
    fixture.expectBalance();
  });

  it('sends what came out of the tunnel to ports only', () => {
    const { fixture, egress, device, tunnel, element } = setUp();
    fixture.run(element, receive(fixture, FROM_REMOTE_TO_ALL, TUNNEL));
    egress.flush();
    expect(tunnel.count).toBe(0);
    expect(device.take().map((packet) => hex(packet.bytes))).toEqual([hex(FROM_REMOTE_TO_ALL)]);
    fixture.expectBalance();
  });

  it('leaves out peers that it is too large for', () => {
    const { fixture, tunnel, element, targets } = setUp(withMtus(4, 1400));
    fixture.run(element, receive(fixture, TO_ALL, 2));
    expect(targets()).toEqual([4]);
    fixture.send(tunnel);
    fixture.expectBalance();
  });

  it('drops what is too large for everybody', () => {
    const { fixture, tunnel, element } = setUp(withMtus(4, 4));
    fixture.run(element, receive(fixture, TO_ALL, 2));
    expect([tunnel.count, fixture.drops('too-big', 2)]).toEqual([0, 1]);
    fixture.expectBalance();
  });

  it('counts the copies that there was no slot for', () => {
    const { fixture, tunnel, element, targets } = setUp(TUNNEL_SNAPSHOT, 2);
    fixture.run(element, receive(fixture, TO_ALL, 2));
    expect([targets(), fixture.drops('no-slot', 2)]).toEqual([[3], 1]);
    fixture.send(tunnel);
    fixture.expectBalance();
  });
});
