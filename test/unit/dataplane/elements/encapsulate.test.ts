// In scapy's expressions: V(n) = VXLAN(flags='Instance',vni=n); VTEP = '02:70:00:00:ff:01' is this node, PEER =
// '02:70:00:00:fe:03' peer 3; A0 = '10.0.0.10'.
import { describe, expect, it } from 'vitest';
import { PEER_EGRESS } from '../../../../src/dataplane/constants.js';
import { Egress } from '../../../../src/dataplane/egress.js';
import { Encapsulate } from '../../../../src/dataplane/elements/encapsulate.js';
import { FlowHash } from '../../../../src/dataplane/elements/flow-hash.js';
import { Bundler } from '../../../../src/dataplane/tunnel/bundler.js';
import { DatagramDevice } from '../../../support/datagram-device.js';
import { bytes, hex } from '../router-fixture.js';
import { TUNNEL, TUNNEL_SNAPSHOT, TunnelFixture } from '../tunnel-fixture.js';

// scapy: Ether(src=VTEP,dst=PEER)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)/b'hello'
const FRAME = bytes(`
  02700000fe0302700000ff0108004500002100010000401166a80a00000a0a15000500010002000da7db68656c6c6f
`);
// scapy: V(1)/Ether(src=VTEP,dst=PEER)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)/b'hello'
const DATAGRAM = bytes(`
  080000000000010002700000fe0302700000ff0108004500002100010000401166a80a00000a0a15000500010002000da7db
  68656c6c6f
`);
// scapy: Ether(src=VTEP,dst=PEER)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)/b'bye'
const SHORTER = bytes(
  '02700000fe0302700000ff0108004500001f00010000401166aa0a00000a0a15000500010002000b2438627965',
);
// scapy: V(1)/Ether(src=VTEP,dst=PEER)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)/b'bye'
const SHORTER_DATAGRAM = bytes(`
  080000000000010002700000fe0302700000ff0108004500001f00010000401166aa0a00000a0a15000500010002000b2438
  627965
`);
// scapy: V(77)/Ether(src=VTEP,dst=PEER)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)/b'hello'
const IN_OVERLAY = bytes(`
  0800000000004d0002700000fe0302700000ff0108004500002100010000401166a80a00000a0a15000500010002000da7db
  68656c6c6f
`);

const SEED = 5;

function setUp(snapshot = TUNNEL_SNAPSHOT) {
  const fixture = new TunnelFixture(snapshot);
  const { pool, counters, context, segmenter } = fixture;
  const egress = new Egress(pool, counters, segmenter);
  const device = new DatagramDevice({ pool, counters }, TUNNEL, 'tunnel', 1500, ':: 0');
  egress.attach(device);
  const bundler = new Bundler(pool, context.checksum, counters, segmenter);
  const element = new Encapsulate(context, fixture.batch(), egress, bundler, SEED);
  /** A packet that has been routed to a peer. */
  const packet = (frame: Uint8Array, peer = 3, domain = 1): number => {
    const slot = fixture.receive(frame, 0);
    pool.egress[slot] = PEER_EGRESS + peer;
    pool.domain[slot] = domain;
    return slot;
  };
  const run = (...slots: number[]) => {
    fixture.run(element, ...slots);
    egress.flush();
    return device.take();
  };
  return { fixture, pool, packet, run };
}

describe('Encapsulate', () => {
  it.each([
    ['IPv4', 3, '192.168.77.2 4789'],
    ['IPv6', 4, 'fd77::3 8472'],
  ])('sends to a peer over %s, at its port', (_, peer, remote) => {
    const { fixture, packet, run } = setUp();
    const [sent] = run(packet(FRAME, peer));
    expect([hex(sent.bytes), sent.remote, sent.gsoSize]).toEqual([hex(DATAGRAM), remote, 0]);
    fixture.expectBalance();
  });

  it('takes the VNI of the domain that the packet leaves in', () => {
    const { packet, run } = setUp();
    expect(run(packet(FRAME, 3, 2)).map((sent) => hex(sent.bytes))).toEqual([hex(IN_OVERLAY)]);
  });

  it('says to the device which flow a datagram is of', () => {
    const { pool, packet, run } = setUp();
    const slot = packet(FRAME);
    const hash = new FlowHash(pool, SEED).of(slot);
    expect(run(slot)[0].hash).toBe(hash);
  });

  it('lets packets of a flow share a slot, in order, but not those to different peers', () => {
    const { fixture, packet, run } = setUp();
    const sent = run(packet(FRAME), packet(SHORTER), packet(FRAME, 4), packet(FRAME));
    const all = sent.map(({ bytes, remote, gsoSize }) => [hex(bytes), remote.split(' ')[0], gsoSize]);
    expect(all).toEqual([
      [hex(DATAGRAM) + hex(SHORTER_DATAGRAM), '192.168.77.2', DATAGRAM.length],
      [hex(DATAGRAM), 'fd77::3', 0],
      [hex(DATAGRAM), '192.168.77.2', 0],
    ]);
    fixture.expectBalance();
  });

  it('does not write to a slot that somebody else has too', () => {
    const { fixture, pool, packet, run } = setUp();
    const slot = packet(FRAME);
    const before = pool.bytes.slice(pool.at[slot] - 16, pool.at[slot] + FRAME.length);
    pool.share(slot, 1);
    fixture.counters.replicated(1);
    expect(run(slot).map((sent) => hex(sent.bytes))).toEqual([hex(DATAGRAM)]);
    expect(hex(pool.bytes.slice(pool.at[slot] - 16, pool.at[slot] + FRAME.length))).toBe(hex(before));
    fixture.context.drop(slot, 0);
    fixture.expectBalance();
  });

  it.each([
    ['there is no tunnel', { ...TUNNEL_SNAPSHOT, tunnel: undefined }, 3, 1, 'port-down'],
    ['there is no such peer', TUNNEL_SNAPSHOT, 2, 1, 'port-down'],
    ['there are fewer peers', TUNNEL_SNAPSHOT, 99, 1, 'port-down'],
    ['the domain stays on this node', TUNNEL_SNAPSHOT, 3, 0, 'wrong-vni'],
    ['there is no such domain', TUNNEL_SNAPSHOT, 3, 50, 'wrong-vni'],
  ] as const)('drops packets where %s', (_, snapshot, peer, domain, reason) => {
    const { fixture, packet, run } = setUp(snapshot);
    expect(run(packet(FRAME, peer, domain))).toEqual([]);
    expect(fixture.drops(reason, 0)).toBe(1);
    fixture.expectBalance();
  });
});
