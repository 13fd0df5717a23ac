import { describe, expect, it } from 'vitest';
import { Classify } from '../../../../src/dataplane/elements/classify.js';
import { networks } from '../../../support/snapshots.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  ARP_REQUEST,
  ARP_TAGGED,
  ARP_TO_SWITCH,
  AS_PORT_0,
  AS_PORT_1,
  BROADCAST,
  ECHO_6,
  FIRST_ORDINARY,
  LAST_RESERVED,
  LATER_6,
  LLDP,
  OTHER_TO_SWITCH,
  PRIORITY_TO_SWITCH,
  RESERVED_TAGGED,
  ROUTED_4,
  ROUTED_6,
  ROUTER_SOLICITATION,
  SOLICIT,
  SOLICIT_TAGGED,
  SPANNING_TREE,
  STRANGER,
  STRANGER_TAGGED,
  TAGGED,
  TAGGED_TO_SWITCH,
  UNICAST,
} from './packets/classify.js';

const OUTPUTS = ['arp', 'discovery', 'route', 'forward'] as const;
type Output = (typeof OUTPUTS)[number];

const GUARDED = networks({ ports: [3, 1] });
const LEARNING = networks({ ports: [3], guard: false, learning: true });

function setUp(snapshot = GUARDED) {
  const fixture = new RouterFixture(snapshot);
  const outputs = {
    arp: fixture.batch(),
    discovery: fixture.batch(),
    route: fixture.batch(),
    forward: fixture.batch(),
  };
  const element = new Classify(fixture.context, fixture.batch(), outputs, { isKnown: () => false });
  return { fixture, outputs, element };
}

/** Ports behind which the two halves of a MAC address were learned, by VLAN 0 and 5. */
function learned({ context }: RouterFixture, hi: number, lo: number, now = context.now): number[] {
  return [0, 5].map((vlan) => context.learned.lookupMac(0, vlan, hi, lo, now));
}

describe('Classify', () => {
  it.each<[Output, string, Uint8Array]>([
    ['arp', 'ARP', ARP_REQUEST],
    ['arp', 'ARP for the switch', ARP_TO_SWITCH],
    ['discovery', 'a neighbour solicitation', SOLICIT],
    ['discovery', 'a router solicitation', ROUTER_SOLICITATION],
    ['route', 'IPv4 for the switch’s MAC address', ROUTED_4],
    ['route', 'IPv6 for the switch’s MAC address', ROUTED_6],
    ['forward', 'unicast', UNICAST],
    ['forward', 'broadcast', BROADCAST],
    ['forward', 'tagged unicast', TAGGED],
    ['forward', 'other ICMPv6', ECHO_6],
    ['forward', 'a later fragment of ICMPv6', LATER_6],
    ['forward', 'tagged ARP', ARP_TAGGED],
    ['forward', 'tagged neighbour discovery', SOLICIT_TAGGED],
    ['forward', 'the first address after the reserved ones', FIRST_ORDINARY],
  ])('sends to %s: %s', (output, _, frame) => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(frame, 0));
    expect(OUTPUTS.filter((name) => outputs[name].count === 1)).toEqual([output]);
    expect(fixture.send(outputs[output])).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['link-protocol', 'spanning tree', SPANNING_TREE],
    ['link-protocol', 'LLDP', LLDP],
    ['link-protocol', 'the last reserved address', LAST_RESERVED],
    ['link-protocol', 'a reserved address in a VLAN', RESERVED_TAGGED],
    ['vlan-not-routed', 'a tagged packet for the switch', TAGGED_TO_SWITCH],
    ['vlan-not-routed', 'a priority-tagged packet for the switch', PRIORITY_TO_SWITCH],
    ['not-ip', 'another protocol for the switch', OTHER_TO_SWITCH],
  ] as const)('drops %s: %s', (reason, _, frame) => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(frame, 0));
    expect(OUTPUTS.filter((name) => outputs[name].count > 0)).toEqual([]);
    expect(fixture.drops(reason, 0)).toBe(1);
    fixture.expectBalance();
  });

  it('has no switch to send to where it has no address', () => {
    const { fixture, element } = setUp({
      ...GUARDED,
      domains: GUARDED.domains.map((domain) => ({ ...domain, gateways: [] })),
    });
    fixture.run(element, fixture.receive(ROUTED_4, 0));
    expect(fixture.drops('ignored', 0)).toBe(1);
    fixture.expectBalance();
  });

  it('knows the switch of one domain only in that domain', () => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(ROUTED_4, 3));
    expect([outputs.route.count, outputs.forward.count]).toEqual([0, 1]);
  });

  describe('learning', () => {
    const [HI, LO] = [0x02aa, 1];

    it('learns the source of an unguarded port, for each VLAN apart', () => {
      const { fixture, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(STRANGER, 1));
      expect(learned(fixture, HI, LO)).toEqual([1, -1]);
      fixture.run(element, fixture.receive(STRANGER_TAGGED, 2));
      expect(learned(fixture, HI, LO)).toEqual([1, 2]);
      expect(fixture.counters.cycleCounter('movedAddresses')).toBe(0);
    });

    it('follows an address that moves, and counts that', () => {
      const { fixture, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(STRANGER, 1), fixture.receive(STRANGER, 2));
      expect(learned(fixture, HI, LO)).toEqual([2, -1]);
      expect(fixture.counters.cycleCounter('movedAddresses')).toBe(1);
    });

    it('forgets after 300 s', () => {
      const { fixture, element } = setUp(LEARNING);
      fixture.context.now = 5000;
      fixture.run(element, fixture.receive(STRANGER, 1));
      expect(learned(fixture, HI, LO, 304_999)).toEqual([1, -1]);
      expect(learned(fixture, HI, LO, 305_000)).toEqual([-1, -1]);
    });

    it('learns nothing from a guarded port', () => {
      const { fixture, element } = setUp({ ...LEARNING, ports: GUARDED.ports.slice(0, 3) });
      fixture.run(element, fixture.receive(STRANGER, 1));
      expect(learned(fixture, HI, LO)).toEqual([-1, -1]);
    });

    it('learns nothing in a domain that does not ask for it', () => {
      const { fixture, element } = setUp({ ...LEARNING, domains: GUARDED.domains.slice(0, 1) });
      fixture.run(element, fixture.receive(STRANGER, 1));
      expect(learned(fixture, HI, LO)).toEqual([-1, -1]);
    });

    it('does not believe that a configured address has moved', () => {
      const { fixture, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(AS_PORT_0, 2), fixture.receive(AS_PORT_1, 2));
      expect(learned(fixture, 0x0270, 0x10)).toEqual([-1, -1]);
      expect(learned(fixture, 0x0270, 0x11)).toEqual([-1, -1]);
    });
  });
});
