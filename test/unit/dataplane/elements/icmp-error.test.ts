import { beforeEach, describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { ICMP_ERRORS, IcmpError, type IcmpErrorSpec } from '../../../../src/dataplane/elements/icmp-error.js';
import { IcmpLimiter } from '../../../../src/dataplane/icmp-limiter.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  ADDRESS_6_ERROR,
  BIG,
  BIG_6,
  BIG_6_ERROR,
  BIG_ERROR,
  EXPIRED,
  EXPIRED_6,
  EXPIRED_6_ERROR,
  EXPIRED_ERROR,
  HOST_ERROR,
  NO_ROUTE_6_ERROR,
  NO_ROUTE_ERROR,
  PARTIAL,
  PORT_6_ERROR,
  PORT_ERROR,
  PROTOCOL_6_ERROR,
  PROTOCOL_ERROR,
  SCTP_6_IN,
  SCTP_IN,
  TO_NOWHERE,
  TO_NOWHERE_6,
  TO_SWITCH,
  TO_SWITCH_6,
  USO,
  USO_ERROR,
} from './packets/icmp-error.js';
import {
  ABOUT_A_REDIRECT,
  ABOUT_A_REDIRECT_6,
  ABOUT_AN_ERROR,
  ABOUT_AN_ERROR_6,
  BROADCAST_FRAME,
  BROADCAST_FRAME_6,
  FROM_GROUP,
  FROM_GROUP_6,
  FROM_LOOPBACK,
  FROM_NET_0,
  FROM_NOBODY_6,
  LATER_FRAGMENT,
  LATER_ICMP_6,
  LATER_UDP_6,
  TO_BROADCAST,
  TO_GROUP,
  TO_GROUP_6,
} from './packets/icmp-no-error.js';

let fixture: RouterFixture;
let limiter: IcmpLimiter;
let out: Batch;

beforeEach(() => {
  fixture = new RouterFixture(undefined, 128);
  limiter = new IcmpLimiter(1);
  out = fixture.batch();
});

function element(spec: IcmpErrorSpec): IcmpError {
  return new IcmpError(fixture.context, fixture.batch(), out, limiter, spec);
}

/** The errors that the element makes of one packet. */
function errorsAbout(
  frame: Uint8Array,
  spec: IcmpErrorSpec,
  prepare = (_slot: number): void => {},
): string[] {
  const slot = fixture.receive(frame);
  prepare(slot);
  fixture.run(element(spec), slot);
  return fixture.send(out);
}

describe('IcmpError', () => {
  it.each([
    ['time exceeded', EXPIRED, ICMP_ERRORS.expired, 0, EXPIRED_ERROR],
    ['ICMPv6 time exceeded', EXPIRED_6, ICMP_ERRORS.expired, 0, EXPIRED_6_ERROR],
    ['network unreachable', TO_NOWHERE, ICMP_ERRORS.noRoute, -1, NO_ROUTE_ERROR],
    ['no route', TO_NOWHERE_6, ICMP_ERRORS.noRoute, -1, NO_ROUTE_6_ERROR],
    ['host unreachable, by a route', TO_NOWHERE, ICMP_ERRORS.unreachable, 3, HOST_ERROR],
    ['address unreachable, by a route', TO_NOWHERE_6, ICMP_ERRORS.unreachable, 3, ADDRESS_6_ERROR],
    ['host unreachable', TO_NOWHERE, ICMP_ERRORS.neighbourUnknown, 3, HOST_ERROR],
    ['address unreachable', TO_NOWHERE_6, ICMP_ERRORS.neighbourUnknown, 3, ADDRESS_6_ERROR],
    ['fragmentation needed', BIG, ICMP_ERRORS.tooBig, 1400, BIG_ERROR],
    ['packet too big', BIG_6, ICMP_ERRORS.tooBig, 1400, BIG_6_ERROR],
    ['port unreachable', TO_SWITCH, ICMP_ERRORS.portUnreachable, 2, PORT_ERROR],
    ['ICMPv6 port unreachable', TO_SWITCH_6, ICMP_ERRORS.portUnreachable, 2, PORT_6_ERROR],
    ['protocol unreachable', SCTP_IN, ICMP_ERRORS.protocolUnreachable, 0, PROTOCOL_ERROR],
    ['parameter problem', SCTP_6_IN, ICMP_ERRORS.protocolUnreachable, 40, PROTOCOL_6_ERROR],
  ])('says %s', (_, frame, spec, info, expected) => {
    const prepare = (slot: number) => {
      fixture.pool.info[slot] = info;
    };
    expect(errorsAbout(frame, spec, prepare)).toEqual([hex(expected)]);
    expect(fixture.drops(spec.reason)).toBe(1);
    expect(fixture.counters.total('originated')).toBe(1);
    fixture.expectBalance();
  });

  it('computes the same with the WebAssembly kernel', () => {
    fixture = new RouterFixture(undefined, 8, 'wasm');
    out = fixture.batch();
    const errors = [
      ...errorsAbout(EXPIRED, ICMP_ERRORS.expired),
      ...errorsAbout(EXPIRED_6, ICMP_ERRORS.expired),
    ];
    expect(errors).toEqual([hex(EXPIRED_ERROR), hex(EXPIRED_6_ERROR)]);
  });

  it('makes a packet with facts of its own', () => {
    const slot = fixture.receive(BIG_6);
    const { pool } = fixture;
    pool.info[slot] = 1400;
    fixture.run(element(ICMP_ERRORS.tooBig), slot);
    expect(pool.length[slot]).toBe(14 + 1280);
    expect(pool.l3Length[slot]).toBe(1280);
    expect([pool.l3[slot] - pool.at[slot], pool.l4[slot] - pool.at[slot]]).toEqual([14, 54]);
    expect([pool.protocol[slot], pool.flags[slot], pool.port[slot]]).toEqual([58, PACKET.ORIGINATED, 1]);
  });

  describe('offloads', () => {
    it('completes a partial checksum where the whole packet is quoted', () => {
      const errors = errorsAbout(PARTIAL, ICMP_ERRORS.expired, (slot) => {
        fixture.pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
        fixture.pool.checksumStart[slot] = 34;
        fixture.pool.checksumOffset[slot] = 6;
      });
      expect(errors).toEqual([hex(EXPIRED_ERROR)]);
    });

    it('leaves a partial checksum alone where the packet is cut, or is to be segmented', () => {
      const { pool } = fixture;
      const partial = (offset: number, gsoType: number) => (slot: number) => {
        pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
        pool.checksumStart[slot] = 34;
        pool.checksumOffset[slot] = offset;
        pool.gsoType[slot] = gsoType;
        pool.gsoSize[slot] = 48;
        pool.info[slot] = 1400;
      };
      expect(errorsAbout(BIG, ICMP_ERRORS.tooBig, partial(16, GSO.NONE))).toEqual([hex(BIG_ERROR)]);
      expect(errorsAbout(USO, ICMP_ERRORS.expired, partial(6, GSO.UDP_L4))).toEqual([hex(USO_ERROR)]);
    });

    it('quotes the first octets of a GSO packet, as they are', () => {
      const slot = fixture.receive(BIG);
      const { pool } = fixture;
      pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
      pool.gsoType[slot] = GSO.TCPV4;
      pool.gsoSize[slot] = 1360;
      pool.checksumStart[slot] = 34;
      pool.checksumOffset[slot] = 16;
      pool.info[slot] = 1400;
      fixture.run(element(ICMP_ERRORS.tooBig), slot);
      expect([pool.flags[slot], pool.gsoType[slot], pool.gsoSize[slot]]).toEqual([PACKET.ORIGINATED, 0, 0]);
      expect(fixture.send(out)).toEqual([hex(BIG_ERROR)]);
    });
  });

  describe('sends nothing', () => {
    it.each([
      ['about an ICMP error (RFC 1122 3.2.2)', ABOUT_AN_ERROR],
      ['about a redirect', ABOUT_A_REDIRECT],
      ['about a later fragment', LATER_FRAGMENT],
      ['to a group', FROM_GROUP],
      ['to 0.0.0.0', FROM_NET_0],
      ['to loopback', FROM_LOOPBACK],
      ['about a packet to a group', TO_GROUP],
      ['about a packet to the broadcast address', TO_BROADCAST],
      ['about a broadcast frame', BROADCAST_FRAME],
      ['about an ICMPv6 error (RFC 4443 2.4 e.1)', ABOUT_AN_ERROR_6],
      ['about an ICMPv6 redirect (e.2)', ABOUT_A_REDIRECT_6],
      ['to :: (e.6)', FROM_NOBODY_6],
      ['to an IPv6 group (e.6)', FROM_GROUP_6],
      ['about a packet to an IPv6 group (e.3)', TO_GROUP_6],
      ['about a frame to a group (e.4)', BROADCAST_FRAME_6],
      ['about what may be a fragment of an ICMPv6 error', LATER_ICMP_6],
    ])('%s', (_, frame) => {
      expect(errorsAbout(frame, ICMP_ERRORS.neighbourUnknown)).toEqual([]);
      expect(fixture.drops('neighbour-unknown')).toBe(1);
      expect(fixture.counters.cycleCounter('suppressedErrors')).toBe(0);
      fixture.expectBalance();
    });

    it('about what the switch said itself', () => {
      const originated = (slot: number) => {
        fixture.pool.flags[slot] |= PACKET.ORIGINATED;
      };
      expect(errorsAbout(EXPIRED, ICMP_ERRORS.noRoute, originated)).toEqual([]);
      expect(errorsAbout(EXPIRED_6, ICMP_ERRORS.noRoute, originated)).toEqual([]);
      fixture.expectBalance();
    });

    it('in a domain where the switch has no address', () => {
      for (const frame of [EXPIRED, EXPIRED_6]) {
        fixture.run(element(ICMP_ERRORS.expired), fixture.receive(frame, 5));
      }
      expect(out.count).toBe(0);
      expect(fixture.drops('ttl-expired', 5)).toBe(2);
      fixture.expectBalance();
    });
  });

  it('says packet too big about what was sent to a group (RFC 4443 2.4 e.3, e.4), but no other error', () => {
    expect(errorsAbout(TO_GROUP_6, ICMP_ERRORS.tooBig)).toHaveLength(1);
    expect(errorsAbout(BROADCAST_FRAME_6, ICMP_ERRORS.tooBig)).toHaveLength(1);
    expect(errorsAbout(LATER_UDP_6, ICMP_ERRORS.tooBig)).toHaveLength(1);
    expect(errorsAbout(LATER_ICMP_6, ICMP_ERRORS.tooBig)).toHaveLength(0);
    fixture.expectBalance();
  });

  describe('rate', () => {
    /** How many of `count` packets cause an error. */
    function errors(count: number, frame: Uint8Array, spec: IcmpErrorSpec, port = 1): number {
      let sent = 0;
      const instance = element(spec);
      for (let i = 0; i < count; i++) {
        fixture.run(instance, fixture.receive(frame, port));
        sent += fixture.send(out).length;
      }
      return sent;
    }

    it('is a burst of six, then one a second, for each destination', () => {
      expect(errors(10, EXPIRED, ICMP_ERRORS.expired)).toBe(6);
      expect(fixture.counters.cycleCounter('suppressedErrors')).toBe(4);
      expect(errors(10, EXPIRED_6, ICMP_ERRORS.expired)).toBe(6);
      fixture.context.now = 1000;
      expect(errors(10, EXPIRED, ICMP_ERRORS.expired)).toBe(1);
      expect(fixture.drops('ttl-expired')).toBe(30);
      fixture.expectBalance();
    });

    it('is shared by all errors', () => {
      expect(errors(5, EXPIRED, ICMP_ERRORS.expired)).toBe(5);
      expect(errors(5, EXPIRED, ICMP_ERRORS.noRoute)).toBe(1);
    });

    it('does not hold up path MTU discovery of one host, but all errors together', () => {
      expect(errors(60, BIG, ICMP_ERRORS.tooBig)).toBe(50);
      fixture.context.now = 1;
      expect(errors(60, BIG_6, ICMP_ERRORS.tooBig)).toBe(1);
      fixture.expectBalance();
    });
  });
});
