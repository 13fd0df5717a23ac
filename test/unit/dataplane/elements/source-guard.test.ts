import { beforeEach, describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import type { DropReasonName } from '../../../../src/dataplane/drop-reasons.js';
import { SourceGuard } from '../../../../src/dataplane/elements/source-guard.js';
import { networks } from '../../../support/snapshots.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  ADVERTISE,
  ADVERTISE_BEHIND,
  ADVERTISE_BOTH,
  ADVERTISE_FOREIGN,
  ADVERTISE_FRAGMENTED,
  ADVERTISE_FROM_FOREIGN,
  ADVERTISE_LIE,
  ADVERTISE_ROUTED,
  ARP_FOREIGN_IP,
  ARP_FOREIGN_MAC,
  ARP_GATEWAY,
  ARP_NOBODY_REPLY,
  ARP_PROBE,
  ARP_REQUEST,
  BEHIND_4,
  BEHIND_6,
  BESIDE_4,
  BESIDE_6,
  DAD_FOREIGN,
  DAD_LOCAL,
  DAD_OWN,
  DHCP_DISCOVER,
  DHCP_FROM_SERVER,
  FOREIGN_4,
  FOREIGN_6,
  FOREIGN_LATER_6,
  FOREIGN_MAC,
  FOREIGN_TAGGED,
  MLD_FOREIGN,
  MLD_REPORT,
  NEAR_MAC,
  NOBODY_4,
  NOBODY_6,
  NOBODY_ECHO,
  NOBODY_LATER,
  NOBODY_TCP,
  NOT_IP,
  OWN_4,
  OWN_6,
  OWN_LOCAL,
  REDIRECT,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  SOLICIT,
  SOLICIT_LIE,
  SWITCH_MAC,
} from './packets/source-guard.js';

const world = networks({ ports: [2] });
const SNAPSHOT = {
  ...world,
  ports: [
    { ...world.ports[0], allowed: ['192.0.2.0/24', '2001:db8:1::/48'] },
    world.ports[1],
    { ...world.ports[0], id: 2, guard: false },
  ],
};

let fixture: RouterFixture;
let ok: Batch;
let element: SourceGuard;

beforeEach(() => {
  fixture = new RouterFixture({ ...SNAPSHOT, ports: SNAPSHOT.ports.map(unique), neighbours: [] });
  ok = fixture.batch();
  element = new SourceGuard(fixture.context, fixture.batch(), ok);
});

/** Port 2 sends under port 0's name; its own MAC address is another. */
function unique(port: (typeof SNAPSHOT.ports)[number]) {
  return port.id === 2 ? { ...port, mac: '02:70:00:00:00:12' } : port;
}

function expectAllowed(frame: Uint8Array, port = 0): void {
  fixture.run(element, fixture.receive(frame, port));
  expect(fixture.send(ok)).toEqual([hex(frame)]);
  fixture.expectBalance();
}

function expectDropped(reason: DropReasonName, frame: Uint8Array): void {
  fixture.run(element, fixture.receive(frame, 0));
  expect(fixture.drops(reason, 0)).toBe(1);
  expect(ok.count).toBe(0);
  fixture.expectBalance();
}

describe('SourceGuard', () => {
  it.each([
    ['its IPv4 address', OWN_4],
    ['its IPv6 address', OWN_6],
    ['its link-local address', OWN_LOCAL],
    ['an IPv4 prefix behind it', BEHIND_4],
    ['an IPv6 prefix behind it', BEHIND_6],
    ['its MAC address alone', NOT_IP],
  ])('lets a port send from %s', (_, frame) => {
    expectAllowed(frame);
  });

  it.each<[DropReasonName, string, Uint8Array]>([
    ['spoofed-mac', 'another port’s MAC address', FOREIGN_MAC],
    ['spoofed-mac', 'a MAC address that differs in its first half', NEAR_MAC],
    ['spoofed-mac', 'the switch’s MAC address', SWITCH_MAC],
    ['spoofed-ipv4', 'another port’s IPv4 address', FOREIGN_4],
    ['spoofed-ipv4', 'the address after the prefix behind it', BESIDE_4],
    ['spoofed-ipv4', 'another’s address behind two tags', FOREIGN_TAGGED],
    ['spoofed-ipv6', 'another port’s IPv6 address', FOREIGN_6],
    ['spoofed-ipv6', 'the prefix after the one behind it', BESIDE_6],
  ])('drops %s: %s', (reason, _, frame) => {
    expectDropped(reason, frame);
  });

  describe('from nobody', () => {
    it.each([
      ['DHCP from a client (RFC 2131)', DHCP_DISCOVER],
      ['a probe for an own address (RFC 5227)', ARP_PROBE],
      ['duplicate address detection for an own address', DAD_OWN],
      ['duplicate address detection for the link-local address', DAD_LOCAL],
      ['a router solicitation', ROUTER_SOLICITATION],
      ['a group membership report (RFC 3590)', MLD_REPORT],
    ])('allows %s', (_, frame) => {
      expectAllowed(frame);
    });

    it.each<[DropReasonName, string, Uint8Array]>([
      ['spoofed-ipv4', 'DHCP from a server', DHCP_FROM_SERVER],
      ['spoofed-ipv4', 'UDP to another port', NOBODY_4],
      ['spoofed-ipv4', 'a later fragment that looks like DHCP', NOBODY_LATER],
      ['spoofed-ipv4', 'TCP with DHCP’s ports', NOBODY_TCP],
      ['spoofed-ipv6', 'UDP over IPv6', NOBODY_6],
      ['spoofed-ipv6', 'an echo request', NOBODY_ECHO],
      ['spoofed-ipv6', 'a later fragment of ICMPv6', FOREIGN_LATER_6],
      ['spoofed-nd', 'duplicate address detection for another’s address', DAD_FOREIGN],
      ['spoofed-arp', 'an ARP reply', ARP_NOBODY_REPLY],
    ])('drops %s: %s', (reason, _, frame) => {
      expectDropped(reason, frame);
    });
  });

  describe('ARP', () => {
    it('may ask for anybody', () => {
      expectAllowed(ARP_REQUEST);
    });

    it.each([
      ['another’s IPv4 address', ARP_FOREIGN_IP],
      ['another’s MAC address', ARP_FOREIGN_MAC],
      ['the gateway’s address', ARP_GATEWAY],
    ])('may not claim %s', (_, frame) => {
      expectDropped('spoofed-arp', frame);
    });
  });

  describe('neighbour discovery', () => {
    it.each([
      ['ask for anybody', SOLICIT],
      ['advertise an own address', ADVERTISE],
    ])('may %s', (_, frame) => {
      expectAllowed(frame);
    });

    it.each<[DropReasonName, string, Uint8Array]>([
      ['spoofed-nd', 'name another’s MAC address as its own when it asks', SOLICIT_LIE],
      ['spoofed-nd', 'advertise another’s address', ADVERTISE_FOREIGN],
      ['spoofed-nd', 'advertise another’s MAC address', ADVERTISE_LIE],
      ['spoofed-nd', 'advertise another’s MAC address in a second option', ADVERTISE_BOTH],
      ['spoofed-nd', 'advertise another’s address behind an extension header', ADVERTISE_BEHIND],
      ['spoofed-ipv6', 'advertise from another’s address', ADVERTISE_FROM_FOREIGN],
      ['malformed-nd', 'come through a router', ADVERTISE_ROUTED],
      ['malformed-nd', 'come in fragments, not even in one (RFC 6980)', ADVERTISE_FRAGMENTED],
      ['spoofed-nd', 'advertise a router (RFC 6105)', ROUTER_ADVERTISEMENT],
      ['spoofed-nd', 'redirect', REDIRECT],
      ['spoofed-ipv6', 'report membership from another’s address', MLD_FOREIGN],
    ])('%s: may not %s', (reason, _, frame) => {
      expectDropped(reason, frame);
    });
  });

  it.each([
    ['MAC', SWITCH_MAC],
    ['IPv4', FOREIGN_4],
    ['ARP', ARP_GATEWAY],
    ['router advertisement', ROUTER_ADVERTISEMENT],
  ])('lets an unguarded port send anything: %s', (_, frame) => {
    expectAllowed(frame, 2);
  });
});
