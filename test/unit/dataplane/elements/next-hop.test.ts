// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { describe, expect, it } from 'vitest';
import { NextHop } from '../../../../src/dataplane/elements/next-hop.js';
import { RouteLookup } from '../../../../src/dataplane/elements/route-lookup.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex, RouterFixture, SNAPSHOT } from '../router-fixture.js';

// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2')/ICMP()
const CONNECTED = bytes(
  `02000000000102000a00000208004500001c00010000400165dd0a0000020a0001020800f7ff00000000`,
);
// scapy: Ether(src='02:00:00:00:01:01',dst='02:00:0a:00:00:04')/IP(src='10.0.0.2',
//        dst='10.0.1.2')/ICMP()
const CONNECTED_OUT = bytes(
  `02000a00000402000000010108004500001c00010000400165dd0a0000020a0001020800f7ff00000000`,
);
// scapy: toGw/IP(src='10.0.0.2',dst='198.51.100.9')/ICMP()
const VIA = bytes(`02000000000102000a00000208004500001c00010000400146a20a000002c63364090800f7ff00000000`);
// scapy: Ether(src='02:00:00:00:01:01',dst='02:00:0a:00:00:05')/IP(src='10.0.0.2',
//        dst='198.51.100.9')/ICMP()
const VIA_OUT = bytes(`02000a00000502000000010108004500001c00010000400146a20a000002c63364090800f7ff00000000`);
// scapy: toGw/IP(src='10.0.0.2',dst='192.0.2.9')/ICMP()
const PORT = bytes(`02000000000102000a00000208004500001c000100004001aed50a000002c00002090800f7ff00000000`);
// scapy: Ether(src='02:00:00:00:01:01',dst='02:00:0a:00:00:05')/IP(src='10.0.0.2',
//        dst='192.0.2.9')/ICMP()
const PORT_OUT = bytes(
  `02000a00000502000000010108004500001c000100004001aed50a000002c00002090800f7ff00000000`,
);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:1::2')/UDP()
const CONNECTED_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `);
// scapy: Ether(src='02:00:00:00:01:01',dst='02:00:0a:00:00:04')/IPv6(src='fd00::2',
//        dst='fd00:1::2')/UDP()
const CONNECTED_6_OUT = bytes(`
    02000a00000402000000010186dd6000000000081140fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='2001:db8:1::9')/UDP()
const VIA_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000220010db8000100000000
    000000000009003500350008d4ae
  `);
// scapy: Ether(src='02:00:00:00:01:01',dst='02:00:0a:00:00:05')/IPv6(src='fd00::2',
//        dst='2001:db8:1::9')/UDP()
const VIA_6_OUT = bytes(`
    02000a00000502000000010186dd6000000000081140fd00000000000000000000000000000220010db8000100000000
    000000000009003500350008d4ae
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='2001:db8:2::9')/UDP()
const PORT_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd00000000000000000000000000000220010db8000200000000
    000000000009003500350008d4ad
  `);
// scapy: Ether(src='02:00:00:00:01:01',dst='02:00:0a:00:00:05')/IPv6(src='fd00::2',
//        dst='2001:db8:2::9')/UDP()
const PORT_6_OUT = bytes(`
    02000a00000502000000010186dd6000000000081140fd00000000000000000000000000000220010db8000200000000
    000000000009003500350008d4ad
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.2')/ICMP()
const HAIRPIN = bytes(`02000000000102000a00000208004500001c00010000400166dd0a0000020a0000020800f7ff00000000`);
// scapy: Ether(src='02:00:00:00:00:01',dst='02:00:0a:00:00:02')/IP(src='10.0.0.2',
//        dst='10.0.0.2')/ICMP()
const HAIRPIN_OUT = bytes(
  `02000a00000202000000000108004500001c00010000400166dd0a0000020a0000020800f7ff00000000`,
);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.77')/ICMP()
const NOBODY = bytes(`02000000000102000a00000208004500001c00010000400165920a0000020a00014d0800f7ff00000000`);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:1::77')/UDP()
const NOBODY_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000001000000000000
    00000000007700350035000804f9
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='198.51.101.9')/ICMP()
const LOOP = bytes(`02000000000102000a00000208004500001c00010000400145a20a000002c63365090800f7ff00000000`);
// scapy: Ether(src='02:00:00:00:00:01',dst='02:00:0a:00:00:02')/IPv6(src='fe80::ff:fe00:1',
//        dst='fe80::9')/ICMPv6EchoReply()
const LINK_LOCAL = bytes(`
    02000a00000202000000000186dd6000000000083a40fe80000000000000000000fffe000001fe800000000000000000
    000000000009810082b100000000
  `);

function setUp(snapshot = SNAPSHOT) {
  const fixture = new RouterFixture(snapshot);
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
  /** Through the route lookup, which sets `info`. */
  const route = (...slots: number[]): void => {
    fixture.run(lookup, ...slots);
    fixture.run(element);
  };
  return { fixture, element, route, ...outputs };
}

describe('NextHop', () => {
  it.each([
    ['a connected destination', CONNECTED, CONNECTED_OUT, 3, 1],
    ['a gateway', VIA, VIA_OUT, 4, 1],
    ['a port', PORT, PORT_OUT, 4, 1],
    ['a connected IPv6 destination', CONNECTED_6, CONNECTED_6_OUT, 3, 1],
    ['an IPv6 gateway', VIA_6, VIA_6_OUT, 4, 1],
    ['a port, over IPv6', PORT_6, PORT_6_OUT, 4, 1],
    ['the port that it came from', HAIRPIN, HAIRPIN_OUT, 1, 0],
  ])('gives the frame for %s its MAC addresses and egress', (_, frame, expected, egress, domain) => {
    const { fixture, route, ok } = setUp();
    const slot = fixture.receive(frame);
    route(slot);
    expect([fixture.pool.egress[slot], fixture.pool.domain[slot]]).toEqual([egress, domain]);
    expect(fixture.send(ok)).toEqual([hex(expected)]);
    fixture.expectBalance();
  });

  it('does not know who nobody is', () => {
    const { fixture, route, unknown } = setUp();
    route(fixture.receive(NOBODY), fixture.receive(NOBODY_6));
    expect(fixture.send(unknown)).toEqual([hex(NOBODY), hex(NOBODY_6)]);
    fixture.expectBalance();
  });

  it('uses what was learned of unguarded ports', () => {
    const { fixture, route, ok } = setUp();
    fixture.context.learned.learnIpv4(1, 0x0a00014d, 0x0200, 0x0a000077, 4, 0);
    const slot = fixture.receive(NOBODY);
    route(slot);
    expect(fixture.pool.egress[slot]).toBe(4);
    expect(fixture.send(ok)[0].slice(0, 24)).toBe('02000a000077020000000101');
  });

  it('drops what a route leads back to the switch', () => {
    const { fixture, route } = setUp();
    route(fixture.receive(LOOP));
    expect(fixture.drops('ignored')).toBe(1);
    fixture.expectBalance();
  });

  it('drops what is for a port that is gone', () => {
    const ports = SNAPSHOT.ports.filter(({ id }) => id !== 3);
    const { fixture, route } = setUp({ ...SNAPSHOT, ports });
    route(fixture.receive(CONNECTED));
    expect(fixture.drops('port-down')).toBe(1);
    fixture.expectBalance();
  });

  it('knows no next hop behind a port without a domain', () => {
    const ports = SNAPSHOT.ports.map((port) =>
      port.id === 4 ? { ...port, attachment: { kind: 'direct' as const, peer: 2 } } : port,
    );
    const { fixture, route, unknown } = setUp({ ...SNAPSHOT, ports });
    route(fixture.receive(PORT));
    expect(fixture.send(unknown)).toEqual([hex(PORT)]);
  });

  it('sends an answer to a link-local address to the MAC address that it already has', () => {
    const { fixture, route, ok } = setUp();
    const slot = fixture.receive(LINK_LOCAL);
    fixture.pool.flags[slot] |= PACKET.ORIGINATED;
    route(slot);
    expect([fixture.pool.egress[slot], fixture.pool.domain[slot]]).toEqual([1, 0]);
    expect(fixture.send(ok)).toEqual([hex(LINK_LOCAL)]);
  });
});
