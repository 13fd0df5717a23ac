// In scapy's expressions: P0 = '02:70:00:00:00:10' is port 0, GW = '02:70:00:00:ff:00' the switch there; VTEP =
// '02:70:00:00:ff:01' is this node in the tunnel, PEER = '02:70:00:00:fe:03' peer 3; OGW = '02:70:00:00:ff:02' is the
// switch in the overlay, R = '02:70:00:00:00:21' a pod there behind peer 3; A0 = '10.0.0.10'.
import { describe, expect, it } from 'vitest';
import { PEER_EGRESS } from '../../../../src/dataplane/constants.js';
import { NextHop } from '../../../../src/dataplane/elements/next-hop.js';
import { RouteLookup } from '../../../../src/dataplane/elements/route-lookup.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex } from '../router-fixture.js';
import { PEER_3, PEER_4, TUNNEL, TUNNEL_SNAPSHOT, TunnelFixture } from '../tunnel-fixture.js';

// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)
const TO_PEER = bytes('02700000ff0002700000001008004500001c00010000401166ad0a00000a0a150005000100020008ebb7');
// scapy: Ether(src=VTEP,dst=PEER)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)
const TO_PEER_OUT = bytes(
  '02700000fe0302700000ff0108004500001c00010000401166ad0a00000a0a150005000100020008ebb7',
);
// scapy: Ether(src=P0,dst=GW)/IPv6(src='fd00::10',dst='fd00:21::5')/UDP(sport=1,dport=2)
const TO_PEER_6 = bytes(`
  02700000ff0002700000001086dd6000000000081140fd000000000000000000000000000010fd0000210000000000000000
  0000000500010002000805a4
`);
// scapy: Ether(src=VTEP,dst=PEER)/IPv6(src='fd00::10',dst='fd00:21::5')/UDP(sport=1,dport=2)
const TO_PEER_6_OUT = bytes(`
  02700000fe0302700000ff0186dd6000000000081140fd000000000000000000000000000010fd0000210000000000000000
  0000000500010002000805a4
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.0.2.33')/UDP(sport=1,dport=2)
const TO_OVERLAY = bytes(
  '02700000ff0002700000001008004500001c00010000401164a60a00000a0a000221000100020008e9b0',
);
// scapy: Ether(src=OGW,dst=R)/IP(src=A0,dst='10.0.2.33')/UDP(sport=1,dport=2)
const TO_OVERLAY_OUT = bytes(
  '02700000002102700000ff0208004500001c00010000401164a60a00000a0a000221000100020008e9b0',
);
// scapy: Ether(src=PEER,dst=VTEP)/IP(src='10.21.0.6',dst='10.21.0.5')/UDP(sport=1,dport=2)
const FROM_PEER = bytes(
  '02700000ff0102700000fe0308004500001c000100004011669c0a1500060a150005000100020008eba6',
);
// scapy: Ether(src=VTEP,dst=PEER)/IP(src='10.0.1.1',dst='169.254.0.1')/ICMP()
const LINK_LOCAL = bytes(
  '02700000fe0302700000ff0108004500001c000100004001c5e00a000101a9fe00010800f7ff00000000',
);

function setUp(snapshot = TUNNEL_SNAPSHOT) {
  const fixture = new TunnelFixture(snapshot);
  const outputs = { ok: fixture.batch(), peer: fixture.batch(), unknown: fixture.batch() };
  const element = new NextHop(fixture.context, fixture.batch(), outputs);
  const nowhere = fixture.batch();
  const lookup = new RouteLookup(fixture.context, fixture.batch(), {
    services: nowhere,
    forward: element.input,
    local: nowhere,
    noRoute: nowhere,
    unreachable: nowhere,
    apart: nowhere,
  });
  const route = (...slots: number[]): void => {
    fixture.run(lookup, ...slots);
    fixture.run(element);
  };
  /** A packet that came out of the tunnel. */
  const fromPeer = (frame: Uint8Array, address: string): number =>
    fixture.from(fixture.receive(frame, TUNNEL), address);
  return { fixture, pool: fixture.pool, route, fromPeer, ...outputs };
}

describe('NextHop, to peers', () => {
  it.each([
    ['an IPv4 prefix of a peer', TO_PEER, TO_PEER_OUT, 1],
    ['an IPv6 prefix of a peer', TO_PEER_6, TO_PEER_6_OUT, 1],
    ['a pod of an overlay behind a peer', TO_OVERLAY, TO_OVERLAY_OUT, 2],
  ])('gives the frame for %s its MAC addresses, egress and domain', (_, frame, expected, domain) => {
    const { fixture, pool, route, peer } = setUp();
    const slot = fixture.receive(frame, 0);
    route(slot);
    expect([pool.egress[slot], pool.domain[slot], pool.info[slot]]).toEqual([PEER_EGRESS + 3, domain, 3]);
    expect(fixture.send(peer)).toEqual([hex(expected)]);
    fixture.expectBalance();
  });

  it('does not send back to a peer what came from it', () => {
    const { fixture, route, fromPeer, peer } = setUp();
    route(fromPeer(FROM_PEER, PEER_3));
    expect(peer.count).toBe(0);
    expect(fixture.drops('same-port', TUNNEL)).toBe(1);
    fixture.expectBalance();
  });

  it('sends to a peer what came from another', () => {
    const { route, fromPeer, peer } = setUp();
    route(fromPeer(FROM_PEER, PEER_4));
    expect(peer.count).toBe(1);
  });

  it('sends back what the switch itself says', () => {
    const { pool, route, fromPeer, peer } = setUp();
    const slot = fromPeer(FROM_PEER, PEER_3);
    pool.flags[slot] |= PACKET.ORIGINATED;
    route(slot);
    expect(peer.count).toBe(1);
  });

  it('has nobody on the link behind the tunnel', () => {
    const { pool, route, fromPeer, unknown } = setUp();
    const slot = fromPeer(LINK_LOCAL, PEER_3);
    pool.flags[slot] |= PACKET.ORIGINATED;
    route(slot);
    expect(unknown.count).toBe(1);
  });

  it.each([
    ['there is no tunnel', { ...TUNNEL_SNAPSHOT, tunnel: undefined }],
    ['the peer is gone', { ...TUNNEL_SNAPSHOT, peers: TUNNEL_SNAPSHOT.peers?.slice(1) }],
  ])('drops what is for a peer when %s', (_, snapshot) => {
    const { fixture, route } = setUp(snapshot);
    route(fixture.receive(TO_PEER, 0));
    expect(fixture.drops('port-down', 0)).toBe(1);
    fixture.expectBalance();
  });
});
