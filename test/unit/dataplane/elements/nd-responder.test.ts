import { describe, expect, it } from 'vitest';
import { NdResponder } from '../../../../src/dataplane/elements/nd-responder.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { networks } from '../../../support/snapshots.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  ADVERTISE,
  ADVERTISE_TO_SWITCH,
  DAD_1,
  DAD_OWN,
  DAD_SWITCH,
  DAD_TO_HOST,
  DAD_WITH_OPTION,
  EMPTY_OPTION,
  FOR_1,
  FOR_1_EXTENDED,
  FOR_LOCAL,
  FOR_NOBODY,
  FOR_OTHER_DOMAIN,
  FOR_SWITCH,
  FOR_SWITCH_LOCAL,
  FROM_1,
  FROM_LOCAL,
  FROM_STRANGER,
  FROM_SWITCH,
  FROM_SWITCH_LOCAL,
  GROUP_TARGET,
  ROUTED,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  STRANGER,
  STRANGER_AS_1,
  STRANGER_AS_GROUP,
  STRANGER_ASKS,
  STRANGER_DAD,
  STRANGER_WITHOUT_OPTION,
  TAKEN_1,
  TAKEN_SWITCH,
  WRONG_CODE,
  WRONG_SUM,
} from './packets/nd-responder.js';

const GUARDED = networks({ ports: [3, 1] });
const LEARNING = networks({ ports: [3], guard: false, learning: true });

function setUp(snapshot = GUARDED) {
  const fixture = new RouterFixture(snapshot);
  const outputs = { answer: fixture.batch(), forward: fixture.batch() };
  return { fixture, outputs, element: new NdResponder(fixture.context, fixture.batch(), outputs) };
}

describe('NdResponder', () => {
  it.each([
    ['a port', FOR_1, FROM_1],
    ['a port’s link-local address', FOR_LOCAL, FROM_LOCAL],
    ['the switch, as a router', FOR_SWITCH, FROM_SWITCH],
    ['the switch’s link-local address', FOR_SWITCH_LOCAL, FROM_SWITCH_LOCAL],
    ['a port, without the extension headers of the question', FOR_1_EXTENDED, FROM_1],
    ['a port whose address another one tries out', DAD_1, TAKEN_1],
    ['the switch when its address is tried out', DAD_SWITCH, TAKEN_SWITCH],
  ])('answers for %s', (_, request, reply) => {
    const { fixture, outputs, element } = setUp();
    const slot = fixture.receive(request, 0);
    const { egress, flags, l3, l3Length, l4, at } = fixture.pool;
    egress[slot] = 2;
    fixture.run(element, slot);
    expect([egress[slot], flags[slot]]).toEqual([0, PACKET.ORIGINATED]);
    expect([l3[slot] - at[slot], l3Length[slot], l4[slot] - at[slot]]).toEqual([14, reply.length - 14, 54]);
    expect(fixture.send(outputs.answer)).toEqual([hex(reply)]);
    expect(fixture.counters.total('originated')).toBe(1);
    fixture.expectBalance();
  });

  it.each([
    ['an address that nobody has', FOR_NOBODY],
    ['an address of another domain', FOR_OTHER_DOMAIN],
    ['duplicate address detection for the asker’s own address', DAD_OWN],
    ['an advertisement', ADVERTISE],
    ['a router advertisement, which an unguarded port may send', ROUTER_ADVERTISEMENT],
  ])('sends on %s', (_, frame) => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(frame, 0));
    expect(fixture.send(outputs.forward)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['ignored', 'a router solicitation', ROUTER_SOLICITATION],
    ['ignored', 'what is told to the switch', ADVERTISE_TO_SWITCH],
    ['malformed-nd', 'a hop limit that came through a router', ROUTED],
    ['malformed-nd', 'a code other than 0', WRONG_CODE],
    ['malformed-nd', 'a group as the target', GROUP_TARGET],
    ['malformed-nd', 'an option of length 0', EMPTY_OPTION],
    ['malformed-nd', 'duplicate address detection that names a MAC address', DAD_WITH_OPTION],
    ['malformed-nd', 'duplicate address detection that is not for a solicited-node group', DAD_TO_HOST],
    ['l4-checksum', 'a wrong checksum', WRONG_SUM],
  ] as const)('drops %s: %s', (reason, _, frame) => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(frame, 0));
    expect([outputs.answer.count, outputs.forward.count]).toEqual([0, 0]);
    expect(fixture.drops(reason, 0)).toBe(1);
    fixture.expectBalance();
  });

  it('does not verify what the device has verified', () => {
    const { fixture, outputs, element } = setUp();
    const verified = (slot: number) => {
      fixture.pool.flags[slot] = PACKET.CHECKSUM_VALID;
    };
    fixture.run(element, fixture.receive(WRONG_SUM, 0, verified));
    expect(fixture.send(outputs.answer)).toEqual([hex(FROM_1)]);
  });

  describe('learning', () => {
    it.each([
      ['an advertisement', STRANGER],
      ['a solicitation', STRANGER_ASKS],
    ])('answers for whom %s of an unguarded port names, for 300 s', (_, frame) => {
      const { fixture, outputs, element } = setUp(LEARNING);
      fixture.context.now = 1000;
      fixture.run(element, fixture.receive(frame, 2));
      fixture.send(outputs.forward);
      fixture.context.now = 300_999;
      fixture.run(element, fixture.receive(FOR_NOBODY, 0));
      expect(fixture.send(outputs.answer)).toEqual([hex(FROM_STRANGER)]);
      fixture.context.now = 301_000;
      fixture.run(element, fixture.receive(FOR_NOBODY, 0));
      expect(fixture.send(outputs.forward)).toEqual([hex(FOR_NOBODY)]);
      fixture.expectBalance();
    });

    it.each([
      ['an advertisement that names no MAC address', STRANGER_WITHOUT_OPTION],
      ['duplicate address detection', STRANGER_DAD],
      ['a claim to a configured address', STRANGER_AS_1],
      ['a group address as a MAC address', STRANGER_AS_GROUP],
    ])('learns nothing from %s', (_, frame) => {
      const { fixture, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(frame, 2));
      expect(fixture.context.learned.neighbours.size).toBe(0);
    });

    it('learns nothing from a guarded port', () => {
      const { fixture, element } = setUp({ ...LEARNING, ports: GUARDED.ports.slice(0, 3) });
      fixture.run(element, fixture.receive(STRANGER, 2));
      expect(fixture.context.learned.neighbours.size).toBe(0);
    });
  });
});
