// In scapy's expressions: V(n) = VXLAN(flags='Instance',vni=n); VTEP = '02:70:00:00:ff:01' is this node, PEER =
// '02:70:00:00:fe:03' peer 3, R = '02:70:00:00:00:21' a pod behind it; OGW = '02:70:00:00:ff:02' is the gateway of the
// overlay, B2 = '02:70:00:00:00:12' port 2; A0 = '10.0.0.10'.
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { Decapsulate } from '../../../../src/dataplane/elements/decapsulate.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { Joiner } from '../../../../src/dataplane/tunnel/joiner.js';
import { bytes, hex } from '../router-fixture.js';
import { PEER_3, PEER_4, TUNNEL, TUNNEL_SNAPSHOT, TunnelFixture } from '../tunnel-fixture.js';

// scapy: V(1)/Ether(src=PEER,dst=VTEP)/IP(src='10.21.0.5',dst=A0)/UDP(sport=1,dport=2)/b'hello'
const ROUTED = bytes(`
  080000000000010002700000ff0102700000fe0308004500002100010000401166a80a1500050a00000a00010002000da7db
  68656c6c6f
`);
// scapy: V(1)/Ether(src=PEER,dst=VTEP)/IPv6(src='fd00:21::5',dst='fd00::10')/UDP(sport=1,dport=2)/b'hello'
const ROUTED_6 = bytes(`
  080000000000010002700000ff0102700000fe0386dd60000000000d1140fd000021000000000000000000000005fd000000
  00000000000000000000001000010002000dc1c768656c6c6f
`);
// scapy: V(77)/Ether(src=R,dst=B2)/IP(src='10.0.2.33',dst='10.0.2.12')/UDP(sport=1,dport=2)/b'hello'
const BRIDGED = bytes(`
  0800000000004d00027000000012027000000021080045000021000100004011629f0a0002210a00020c00010002000da3d2
  68656c6c6f
`);
// scapy: V(1)/Ether(src=PEER,dst=VTEP)/IP(src='10.21.1.5',dst=A0)/UDP(sport=1,dport=2)/b'hello'
const FOREIGN = bytes(`
  080000000000010002700000ff0102700000fe0308004500002100010000401165a80a1501050a00000a00010002000da6db
  68656c6c6f
`);
// scapy: V(2)/Ether(src=PEER,dst=VTEP)/IP(src='10.21.0.5',dst=A0)/UDP(sport=1,dport=2)/b'hello'
const WRONG = bytes(`
  080000000000020002700000ff0102700000fe0308004500002100010000401166a80a1500050a00000a00010002000da7db
  68656c6c6f
`);
// scapy: V(77)/Ether(src=OGW,dst=B2)/IP(src='10.21.0.5',dst='10.0.2.12')/UDP(sport=1,dport=2)/b'hello'
const INTO = bytes(`
  0800000000004d0002700000001202700000ff0208004500002100010000401164a60a1500050a00020c00010002000da5d9
  68656c6c6f
`);

function setUp(snapshot = TUNNEL_SNAPSHOT) {
  const fixture = new TunnelFixture(snapshot);
  const { pool, counters, context } = fixture;
  const outputs = { routed: fixture.batch(), bridged: fixture.batch() };
  const joiner = new Joiner(pool, context.checksum, counters);
  const element = new Decapsulate(context, fixture.batch(), outputs, joiner);
  return { fixture, pool, element, ...outputs };
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function infos(fixture: TunnelFixture, batch: Batch): number[] {
  return Array.from(batch.slots.subarray(0, batch.count), (slot) => fixture.pool.info[slot]);
}

describe('Decapsulate', () => {
  it.each([
    ['a routed packet', ROUTED, 'routed', 1],
    ['a routed IPv6 packet', ROUTED_6, 'routed', 1],
    ['a frame of an overlay', BRIDGED, 'bridged', 2],
  ] as const)('strips %s where it is, and says whose and where it is', (_, datagram, output, domain) => {
    const { fixture, pool, element, ...outputs } = setUp();
    const slot = fixture.arrive(datagram);
    const at = pool.at[slot];
    fixture.run(element, slot);
    expect([pool.at[slot], pool.domain[slot], pool.info[slot]]).toEqual([at + 8, domain, 3]);
    expect(pool.l4[slot]).toBeGreaterThan(0);
    expect(fixture.send(outputs[output])).toEqual([hex(datagram.subarray(8))]);
    fixture.expectBalance();
  });

  it('does not take what was verified of the outer packet for the inner one', () => {
    const { fixture, pool, element, routed } = setUp();
    const facts = (slot: number): void => {
      pool.flags[slot] = PACKET.CHECKSUM_VALID | PACKET.PARTIAL_CHECKSUM;
      pool.vlan[slot] = 5;
      pool.gsoSize[slot] = ROUTED.length;
    };
    const slot = fixture.arrive(ROUTED, PEER_3, facts);
    fixture.run(element, slot);
    expect([pool.flags[slot], pool.vlan[slot], pool.gsoSize[slot]]).toEqual([0, 0, 0]);
    expect(routed.count).toBe(1);
  });

  it('drops what comes through a tunnel that is not open', () => {
    const ports = TUNNEL_SNAPSHOT.ports.filter(({ id }) => id !== TUNNEL);
    const { fixture, element } = setUp({ ...TUNNEL_SNAPSHOT, ports });
    fixture.run(element, fixture.arrive(ROUTED));
    expect(fixture.drops('port-closed', TUNNEL)).toBe(1);
    fixture.expectBalance();
  });

  it.each(['192.168.77.3', '0.0.0.0', '::', '::192.168.77.2', 'fd77::4'])('does not know %s', (address) => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.arrive(ROUTED, address));
    expect(fixture.drops('unknown-peer', TUNNEL)).toBe(1);
    fixture.expectBalance();
  });

  it.each(Array.from({ length: 8 }, (_, length) => length))('drops a header of %i octets', (length) => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.arrive(ROUTED.subarray(0, length)));
    expect(fixture.drops('malformed-tunnel', TUNNEL)).toBe(1);
    fixture.expectBalance();
  });

  it.each([0x00, 0xf7])('drops flags %i, which say that there is no VNI', (flags) => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.arrive(join(Uint8Array.of(flags), ROUTED.subarray(1))));
    expect(fixture.drops('malformed-tunnel', TUNNEL)).toBe(1);
  });

  it.each([
    ['another VNI', WRONG, PEER_3, 'wrong-vni'],
    ['a source of no peer', FOREIGN, PEER_3, 'tunnel-source'],
    ['a source of another peer', ROUTED, PEER_4, 'tunnel-source'],
    ['a frame of another peer', BRIDGED, PEER_4, 'tunnel-source'],
    ['a cut frame', ROUTED.subarray(0, 21), PEER_3, 'malformed-ethernet'],
    ['a cut packet', ROUTED.subarray(0, 40), PEER_3, 'malformed-ipv4'],
  ] as const)('drops %s', (_, datagram, address, reason) => {
    const { fixture, element } = setUp();
    fixture.run(element, fixture.arrive(datagram, address));
    expect(fixture.drops(reason, TUNNEL)).toBe(1);
    fixture.expectBalance();
  });

  it('takes what a peer has routed into an overlay, where there is a gateway', () => {
    const routed = setUp();
    routed.fixture.run(routed.element, routed.fixture.arrive(INTO));
    expect(routed.fixture.send(routed.bridged)).toEqual([hex(INTO.subarray(8))]);
    const domains = TUNNEL_SNAPSHOT.domains.map((domain) => ({ ...domain, gateways: [] }));
    const closed = setUp({ ...TUNNEL_SNAPSHOT, domains });
    closed.fixture.run(closed.element, closed.fixture.arrive(INTO));
    expect(closed.fixture.drops('tunnel-source', TUNNEL)).toBe(1);
  });

  it('takes a bundle apart and judges each frame by itself', () => {
    const { fixture, pool, element, routed, bridged } = setUp();
    const bundle = join(ROUTED, BRIDGED, FOREIGN, WRONG, ROUTED);
    const facts = (slot: number): void => {
      pool.gsoSize[slot] = ROUTED.length;
    };
    fixture.run(element, fixture.arrive(bundle, PEER_3, facts));
    expect([fixture.drops('tunnel-source', TUNNEL), fixture.drops('wrong-vni', TUNNEL)]).toEqual([1, 1]);
    expect(infos(fixture, routed)).toEqual([3, 3]);
    expect(fixture.send(routed)).toEqual([hex(ROUTED.subarray(8)), hex(ROUTED.subarray(8))]);
    expect(fixture.send(bridged)).toEqual([hex(BRIDGED.subarray(8))]);
    fixture.expectBalance();
  });

  it.each([0, 1])('takes one datagram for one, whatever its size is said to be: %i more', (more) => {
    const { fixture, pool, element, routed } = setUp();
    const facts = (slot: number): void => {
      pool.gsoSize[slot] = ROUTED.length + more;
    };
    fixture.run(element, fixture.arrive(ROUTED, PEER_3, facts));
    expect(fixture.send(routed)).toEqual([hex(ROUTED.subarray(8))]);
    expect(fixture.counters.total('replicated')).toBe(0);
  });
});
