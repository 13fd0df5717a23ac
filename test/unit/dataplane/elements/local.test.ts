import { beforeEach, describe, expect, it } from 'vitest';
import { Local } from '../../../../src/dataplane/elements/local.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  AUTHENTICATED,
  BAD_PING,
  BAD_PING_6,
  BAD_TCP,
  BAD_UDP,
  BAD_UDP_6,
  BIG_PING,
  BIG_PONG,
  EMPTY_PING,
  EMPTY_PONG,
  ERROR,
  ERROR_6,
  FRAGMENT,
  FRAGMENT_6,
  GOOD_PONG,
  GOOD_PONG_6,
  ICMP4_OVER_6,
  ICMP6_OVER_4,
  LATER,
  NOTHING_6,
  PING,
  PING_6,
  PING_EXTENDED,
  PING_LINK,
  PING_OPTIONS,
  PONG,
  PONG_6,
  PONG_EXTENDED,
  PONG_LINK,
  PONG_OPTIONS,
  REPLY,
  REPLY_6,
  ROUTED,
  SCTP_6_BEHIND,
  SCTP_6_IN,
  SCTP_IN,
  TCP_6_IN,
  TCP_IN,
  TIMESTAMP,
  UDP_6_IN,
  UDP_6_NO_CHECKSUM,
  UDP_IN,
  UDP_NO_CHECKSUM,
  UDP_SHORT,
} from './packets/local.js';

let fixture: RouterFixture;
let element: Local;
let outputs: Record<
  'answer' | 'reassemble' | 'portUnreachable' | 'protocolUnreachable',
  ReturnType<RouterFixture['batch']>
>;

function setUp(kernel: 'plain' | 'wasm'): void {
  fixture = new RouterFixture(undefined, 64, kernel);
  outputs = {
    answer: fixture.batch(),
    reassemble: fixture.batch(),
    portUnreachable: fixture.batch(),
    protocolUnreachable: fixture.batch(),
  };
  element = new Local(fixture.context, fixture.batch(), outputs);
}

beforeEach(() => setUp('plain'));

describe('Local', () => {
  const echoes = [
    ['an IPv4 address, from that address', PING, PONG],
    ['an IPv4 address, with options', PING_OPTIONS, PONG_OPTIONS],
    ['an IPv6 address', PING_6, PONG_6],
    ['a link-local address, from that address', PING_LINK, PONG_LINK],
    ['an IPv6 address, behind extension headers', PING_EXTENDED, PONG_EXTENDED],
    ['an IPv4 address, with no data', EMPTY_PING, EMPTY_PONG],
    ['an IPv4 address, with much data', BIG_PING, BIG_PONG],
  ] as const;

  describe.each(['plain', 'wasm'] as const)('with the %s checksum', (kernel) => {
    it.each(echoes)('answers an echo request to %s', (_, request, reply) => {
      setUp(kernel);
      fixture.run(element, fixture.receive(request));
      expect(fixture.send(outputs.answer)).toEqual([hex(reply)]);
      expect(fixture.counters.total('consumed')).toBe(1);
      expect(fixture.counters.total('originated')).toBe(1);
      fixture.expectBalance();
    });
  });

  it('marks an answer as its own, with facts that fit', () => {
    const { pool } = fixture;
    const slot = fixture.receive(PING_EXTENDED);
    fixture.run(element, slot);
    expect(pool.flags[slot]).toBe(PACKET.ORIGINATED);
    expect([pool.l3[slot] - pool.at[slot], pool.l4[slot] - pool.at[slot]]).toEqual([14, 54]);
    expect([pool.l3Length[slot], pool.length[slot]]).toEqual([56, 70]);
  });

  it('gives each IPv4 reply an identification of its own', () => {
    fixture.run(element, fixture.receive(PING), fixture.receive(PING));
    const ids = fixture.send(outputs.answer).map((frame) => frame.slice(36, 40));
    expect(ids).toEqual(['0001', '0002']);
  });

  it.each([
    ['verified', PACKET.CHECKSUM_VALID],
    ['partial', PACKET.PARTIAL_CHECKSUM],
  ])('believes a checksum that is %s, and answers with a right one', (_, flag) => {
    const trusted = (start: number) => (slot: number) => {
      fixture.pool.flags[slot] |= flag;
      fixture.pool.checksumStart[slot] = start;
      fixture.pool.checksumOffset[slot] = 2;
    };
    fixture.run(
      element,
      fixture.receive(BAD_PING, 1, trusted(34)),
      fixture.receive(BAD_PING_6, 1, trusted(54)),
    );
    expect(fixture.send(outputs.answer)).toEqual([hex(GOOD_PONG), hex(GOOD_PONG_6)]);
    expect(fixture.pool.flags[0] & PACKET.PARTIAL_CHECKSUM).toBe(0);
    fixture.expectBalance();
  });

  it.each([
    ['ICMP', BAD_PING],
    ['ICMPv6', BAD_PING_6],
    ['UDP', BAD_UDP],
    ['UDP over IPv6', BAD_UDP_6],
    ['UDP over IPv6 without one', UDP_6_NO_CHECKSUM],
    ['TCP', BAD_TCP],
  ])('drops a wrong checksum: %s', (_, frame) => {
    fixture.run(element, fixture.receive(frame));
    expect(fixture.drops('l4-checksum')).toBe(1);
    fixture.expectBalance();
  });

  it.each([
    ['UDP', UDP_IN],
    ['UDP without a checksum', UDP_NO_CHECKSUM],
    ['UDP that ends before its packet', UDP_SHORT],
    ['UDP over IPv6', UDP_6_IN],
    ['TCP', TCP_IN],
    ['TCP over IPv6', TCP_6_IN],
  ])('has no service: %s', (_, frame) => {
    fixture.run(element, fixture.receive(frame));
    expect(fixture.send(outputs.portUnreachable)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['SCTP', SCTP_IN, 0],
    ['ICMPv6 over IPv4', ICMP6_OVER_4, 0],
    ['SCTP over IPv6', SCTP_6_IN, 6],
    ['SCTP behind two extension headers', SCTP_6_BEHIND, 48],
    ['SCTP behind an authentication header', AUTHENTICATED, 40],
    ['ICMP over IPv6', ICMP4_OVER_6, 6],
  ])('does not speak %s, and points at the field that says so', (_, frame, pointer) => {
    const slot = fixture.receive(frame);
    fixture.pool.info[slot] = 99;
    fixture.run(element, slot);
    expect(fixture.pool.info[slot]).toBe(pointer);
    expect(fixture.send(outputs.protocolUnreachable)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['an echo reply', REPLY],
    ['an ICMP error', ERROR],
    ['an ICMP timestamp request', TIMESTAMP],
    ['an ICMPv6 echo reply', REPLY_6],
    ['an ICMPv6 error', ERROR_6],
    ['a packet with no next header', NOTHING_6],
    ['a routing header that asks for more hops', ROUTED],
  ])('has nothing to say to %s', (_, frame) => {
    fixture.run(element, fixture.receive(frame));
    expect(fixture.drops('ignored')).toBe(1);
    fixture.expectBalance();
  });

  it('has fragments put together, first and later ones', () => {
    const frames = [FRAGMENT, LATER, FRAGMENT_6];
    fixture.run(element, ...frames.map((frame) => fixture.receive(frame)));
    expect(fixture.send(outputs.reassemble)).toEqual(frames.map(hex));
    fixture.expectBalance();
  });
});
