import { describe, expect, it } from 'vitest';
import { ArpResponder } from '../../../../src/dataplane/elements/arp-responder.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { networks } from '../../../support/snapshots.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  ANNOUNCE,
  DENIAL_1,
  FOR_1,
  FOR_1_PADDED,
  FOR_1_UNICAST,
  FOR_NOBODY,
  FOR_OTHER_DOMAIN,
  FOR_SWITCH,
  FROM_1,
  FROM_1_PADDED,
  FROM_STRANGER,
  FROM_SWITCH,
  NOBODY_ASKED_SWITCH,
  PROBE_1,
  PROBE_OWN,
  REPLY_TO_1,
  REPLY_TO_SWITCH,
  REVERSE,
  STRANGER,
  STRANGER_AS_0,
  STRANGER_AS_1,
  STRANGER_AS_GROUP,
  STRANGER_AS_SWITCH,
  STRANGER_PROBE,
} from './packets/arp-responder.js';

const GUARDED = networks({ ports: [3, 1] });
const LEARNING = networks({ ports: [3], guard: false, learning: true });

/** 10.0.0.99 as a number. */
const STRANGER_IP = 0x0a00_0063;

function setUp(snapshot = GUARDED) {
  const fixture = new RouterFixture(snapshot);
  const outputs = { answer: fixture.batch(), forward: fixture.batch() };
  return { fixture, outputs, element: new ArpResponder(fixture.context, fixture.batch(), outputs) };
}

describe('ArpResponder', () => {
  it.each([
    ['a port', FOR_1, FROM_1],
    ['a port, padding and all', FOR_1_PADDED, FROM_1_PADDED],
    ['a port that is asked by unicast', FOR_1_UNICAST, FROM_1],
    ['the switch', FOR_SWITCH, FROM_SWITCH],
    ['a port whose address another one probes', PROBE_1, DENIAL_1],
  ])('answers for %s', (_, request, reply) => {
    const { fixture, outputs, element } = setUp();
    const slot = fixture.receive(request, 0);
    fixture.pool.egress[slot] = 2;
    fixture.run(element, slot);
    expect(fixture.pool.egress[slot]).toBe(0);
    expect(fixture.pool.flags[slot]).toBe(PACKET.ORIGINATED);
    expect(fixture.send(outputs.answer)).toEqual([hex(reply)]);
    expect(fixture.counters.total('originated')).toBe(1);
    fixture.expectBalance();
  });

  it.each([
    ['an address that nobody has', FOR_NOBODY],
    ['an address of another domain', FOR_OTHER_DOMAIN],
    ['a probe for the asker’s own address', PROBE_OWN],
    ['an announcement', ANNOUNCE],
    ['a reply', REPLY_TO_1],
    ['another operation', REVERSE],
  ])('sends on %s', (_, frame) => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(frame, 0));
    expect(fixture.send(outputs.forward)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['a reply', REPLY_TO_SWITCH],
    ['a request for somebody else', NOBODY_ASKED_SWITCH],
  ])('keeps what is told to the switch: %s', (_, frame) => {
    const { fixture, outputs, element } = setUp();
    fixture.run(element, fixture.receive(frame, 0));
    expect([outputs.answer.count, outputs.forward.count]).toEqual([0, 0]);
    expect(fixture.drops('ignored', 0)).toBe(1);
    fixture.expectBalance();
  });

  describe('learning', () => {
    const neighbours = ({ context }: RouterFixture) => context.learned.neighbours;

    it('answers for whom it heard behind an unguarded port, for 300 s', () => {
      const { fixture, outputs, element } = setUp(LEARNING);
      const asks = FOR_NOBODY;
      fixture.context.now = 1000;
      fixture.run(element, fixture.receive(STRANGER, 2));
      expect(fixture.send(outputs.forward)).toEqual([hex(STRANGER)]);
      fixture.context.now = 300_999;
      fixture.run(element, fixture.receive(asks, 0));
      expect(fixture.send(outputs.answer)).toEqual([hex(FROM_STRANGER)]);
      fixture.context.now = 301_000;
      fixture.run(element, fixture.receive(asks, 0));
      expect(fixture.send(outputs.forward)).toEqual([hex(asks)]);
      fixture.expectBalance();
    });

    it('answers nobody who asks for a neighbour behind its own port', () => {
      const { fixture, outputs, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(STRANGER, 0), fixture.receive(FOR_NOBODY, 0));
      expect([outputs.answer.count, outputs.forward.count]).toEqual([0, 2]);
    });

    it.each([
      ['a probe', STRANGER_PROBE],
      ['a claim to a configured address', STRANGER_AS_0],
      ['a claim to another one', STRANGER_AS_1],
      ['a claim to the switch’s address', STRANGER_AS_SWITCH],
      ['a group address as a MAC address (RFC 1812 section 3.3.2)', STRANGER_AS_GROUP],
    ])('learns nothing from %s', (_, frame) => {
      const { fixture, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(frame, 2));
      expect(neighbours(fixture).size).toBe(0);
    });

    it('learns nothing from a guarded port', () => {
      const { fixture, element } = setUp({ ...LEARNING, ports: GUARDED.ports.slice(0, 3) });
      fixture.run(element, fixture.receive(STRANGER, 2));
      expect(neighbours(fixture).size).toBe(0);
    });

    it('learns nothing in a domain that does not ask for it', () => {
      const { fixture, element } = setUp({ ...LEARNING, domains: GUARDED.domains.slice(0, 1) });
      fixture.run(element, fixture.receive(STRANGER, 2));
      expect(neighbours(fixture).size).toBe(0);
    });

    it('learns from replies too', () => {
      const { fixture, element } = setUp(LEARNING);
      fixture.run(element, fixture.receive(FROM_STRANGER, 2));
      expect(neighbours(fixture).lookup4(0, STRANGER_IP, 0)).toBeGreaterThanOrEqual(0);
    });
  });
});
