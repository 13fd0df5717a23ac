// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { describe, expect, it } from 'vitest';
import { ON_LINK, RouteLookup } from '../../../../src/dataplane/elements/route-lookup.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import type { Snapshot } from '../../../../src/dataplane/snapshot.js';
import { NEXT_HOP } from '../../../../src/dataplane/tables/next-hops.js';
import { bytes, RouterFixture, SNAPSHOT } from '../router-fixture.js';

// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2')/ICMP()
const CONNECTED = bytes(
  `02000000000102000a00000208004500001c00010000400165dd0a0000020a0001020800f7ff00000000`,
);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.1')/ICMP()
const OWN = bytes(`02000000000102000a00000208004500001c00010000400165de0a0000020a0001010800f7ff00000000`);
// scapy: toGw/IP(src='10.0.0.2',dst='192.0.2.9')/ICMP()
const PORT = bytes(`02000000000102000a00000208004500001c000100004001aed50a000002c00002090800f7ff00000000`);
// scapy: toGw/IP(src='10.0.0.2',dst='203.0.113.9')/ICMP()
const UNREACHABLE = bytes(
  `02000000000102000a00000208004500001c00010000400134d50a000002cb0071090800f7ff00000000`,
);
// scapy: toGw/IP(src='10.0.0.2',dst='10.9.0.9')/ICMP()
const APART = bytes(`02000000000102000a00000208004500001c00010000400166cd0a0000020a0900090800f7ff00000000`);
// scapy: toGw/IP(src='10.0.0.2',dst='8.8.8.8')/ICMP()
const NOWHERE = bytes(`02000000000102000a00000208004500001c00010000400160cf0a000002080808080800f7ff00000000`);
// scapy: toGw/IP(src='10.0.0.1',dst='169.254.3.4')/ICMP(type=0)
const ZEROCONF = bytes(
  `02000000000102000a00000208004500001c000100004001c3dd0a000001a9fe03040000ffff00000000`,
);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:1::2')/UDP()
const CONNECTED_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/UDP()
const OWN_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000000000000000000
    0000000000010035003500080570
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='2001:db8:1::9')/UDP()
const VIA_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000220010db8000100000000
    000000000009003500350008d4ae
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='2001:db8:3::9')/UDP()
const UNREACHABLE_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000220010db8000300000000
    000000000009003500350008d4ac
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:9::9')/UDP()
const APART_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000009000000000000
    000000000009003500350008055f
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='2600::1')/UDP()
const NOWHERE_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000226000000000000000000
    000000000001003500350008dc70
  `);
// scapy: toGw/IPv6(src='fe80::ff:fe00:1',dst='fe80::aff:fe00:2')/ICMPv6EchoReply()
const LINK_LOCAL_6 = bytes(`
    02000000000102000a00000286dd6000000000083a40fe80000000000000000000fffe000001fe800000000000000000
    0afffe000002810079b800000000
  `);

function setUp(snapshot = SNAPSHOT) {
  const fixture = new RouterFixture(snapshot);
  const outputs = {
    services: fixture.batch(),
    forward: fixture.batch(),
    local: fixture.batch(),
    noRoute: fixture.batch(),
    unreachable: fixture.batch(),
    apart: fixture.batch(),
  };
  const element = new RouteLookup(fixture.context, fixture.batch(), outputs);
  return { fixture, element, outputs };
}

describe('RouteLookup', () => {
  it.each([
    [CONNECTED, 'forward'],
    [OWN, 'local'],
    [PORT, 'forward'],
    [UNREACHABLE, 'unreachable'],
    [APART, 'apart'],
    [NOWHERE, 'noRoute'],
    [CONNECTED_6, 'forward'],
    [OWN_6, 'local'],
    [VIA_6, 'forward'],
    [UNREACHABLE_6, 'unreachable'],
    [APART_6, 'apart'],
    [NOWHERE_6, 'noRoute'],
  ] as const)('finds where packet %# goes', (frame, output) => {
    const { fixture, element, outputs } = setUp();
    const slot = fixture.receive(frame);
    fixture.run(element, slot);
    const counts = Object.entries(outputs).map(([name, batch]) => [name, batch.count]);
    expect(Object.fromEntries(counts)).toEqual({
      services: 0,
      forward: 0,
      local: 0,
      noRoute: 0,
      unreachable: 0,
      apart: 0,
      [output]: 1,
    });
    fixture.send(outputs[output]);
    fixture.expectBalance();
  });

  it('says in `info` which next hop it is', () => {
    const { fixture, element } = setUp();
    const connected = fixture.receive(CONNECTED);
    const via = fixture.receive(VIA_6);
    fixture.run(element, connected, via);
    const { kind, target } = fixture.context.tables.nextHops;
    const { info } = fixture.pool;
    expect([kind[info[connected]], target[info[connected]]]).toEqual([NEXT_HOP.CONNECTED, 1]);
    expect([kind[info[via]], target[info[via]]]).toEqual([NEXT_HOP.VIA, 1]);
  });

  it('looks into the route table of the ingress port', () => {
    const ports = SNAPSHOT.ports.map((port) => ({ ...port, routeTable: port.id === 1 ? 1 : 0 }));
    const { fixture, element, outputs } = setUp({ ...SNAPSHOT, ports });
    fixture.run(element, fixture.receive(CONNECTED, 1), fixture.receive(CONNECTED, 2));
    expect([outputs.unreachable.count, outputs.forward.count]).toEqual([1, 1]);
  });

  it.each([
    ['IPv6', LINK_LOCAL_6],
    ['IPv4', ZEROCONF],
  ])('sends what the switch says to a link-local %s address back on the same link', (_, frame) => {
    const { fixture, element, outputs } = setUp();
    const slot = fixture.receive(frame);
    fixture.pool.flags[slot] = PACKET.ORIGINATED;
    const received = fixture.receive(frame);
    fixture.run(element, slot, received);
    expect(Array.from(outputs.forward.slots.subarray(0, outputs.forward.count))).toEqual([slot]);
    expect(fixture.pool.info[slot]).toBe(ON_LINK);
    expect(Array.from(outputs.noRoute.slots.subarray(0, outputs.noRoute.count))).toEqual([received]);
  });
});

describe('what answers something from the tunnel', () => {
  const SILENT: Snapshot = {
    ...SNAPSHOT,
    tunnel: { port: 5, domain: 2 },
    // Known, but not live: no route leads to it.
    peers: [
      {
        id: 9,
        name: 'k3',
        address: '192.168.77.3',
        port: 4789,
        mac: '02:00:00:00:09:00',
        prefixes: ['8.8.8.0/24', '2600::/64'],
        mtu: 1450,
      },
    ],
  };

  it.each([
    ['IPv4', NOWHERE],
    ['IPv6', NOWHERE_6],
  ])('goes back to the peer whose prefix that came from, live or not: %s', (_, frame) => {
    const { fixture, element, outputs } = setUp(SILENT);
    const { pool, context } = fixture;
    const slot = fixture.receive(frame, 5);
    pool.flags[slot] |= PACKET.ORIGINATED;
    fixture.run(element, slot);
    const { kind, target } = context.tables.nextHops;
    expect([kind[pool.info[slot]], target[pool.info[slot]]]).toEqual([NEXT_HOP.PEER, 9]);
    expect(outputs.forward.count).toBe(1);
  });

  it('alone: neither what is forwarded nor what answers a pod goes by it', () => {
    const { fixture, element, outputs } = setUp(SILENT);
    const forwarded = fixture.receive(NOWHERE, 5);
    const toPod = fixture.receive(NOWHERE, 1);
    fixture.pool.flags[toPod] |= PACKET.ORIGINATED;
    fixture.run(element, forwarded, toPod);
    expect(outputs.noRoute.count).toBe(2);
  });
});
