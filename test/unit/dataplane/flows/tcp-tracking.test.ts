/**
 * Exchanges packet by packet, and the states that follow by the comments on Linux's own table (nf_conntrack_proto_tcp.c). They
 * were not played to a kernel. o is the client's packet, r the server's.
 */
import { describe, expect, it } from 'vitest';
import { FLOW, TIMEOUTS } from '../../../../src/dataplane/flows/flow-states.js';
import { OPEN, TRACK } from '../../../../src/dataplane/flows/flow-table.js';
import { ACK, FIN, find, open, PSH, pass, RST, rig, rows, SYN, TCP } from './flow-fixture.js';

const LETTERS: Readonly<Record<string, number>> = { S: SYN, A: ACK, F: FIN, R: RST, P: PSH };
const HANDSHAKE = 'oS rSA oA';

/** Plays packets like `oSA`; answers the state after each, or what else `track` said. */
function play(script: string): string[] {
  const one = rig(4);
  const packets = script.split(' ').map(([way, ...letters]) => ({
    way: way === 'o' ? 0 : 1,
    flags: letters.reduce((all, letter) => all | LETTERS[letter], 0),
  }));
  if (open(one, TCP, 1, 1, 0, packets[0].flags) === OPEN.invalid) return ['no flow'];
  return packets.map(({ way, flags }) => {
    const answer = pass(one, TCP, 1, way, 0, flags, 7, 7);
    return answer === TRACK.fine ? stateName(rows(one)[0].state) : nameOf(TRACK, answer);
  });
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value)!;
}

const stateName = (state: number) => nameOf(FLOW, state);

describe('TCP states', () => {
  it.each([
    [HANDSHAKE, 'SYN_SENT SYN_RECEIVED ESTABLISHED'],
    [`${HANDSHAKE} oPA rA rPA oA`, '… ESTABLISHED ESTABLISHED ESTABLISHED ESTABLISHED'],
    [`${HANDSHAKE} oFA rA rFA oA`, '… FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT'],
    [`${HANDSHAKE} oFA rFA oA`, '… FIN_WAIT LAST_ACK TIME_WAIT'],
    [`${HANDSHAKE} rFA oA rPA oFA rA`, '… FIN_WAIT CLOSE_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT'],
    [`${HANDSHAKE} oFA oFA`, '… FIN_WAIT LAST_ACK'],
    [`${HANDSHAKE} oR rA rFA`, '… CLOSED CLOSED CLOSED'],
    [`${HANDSHAKE} oFA rFA oA oS`, '… FIN_WAIT LAST_ACK TIME_WAIT reopened'],
    [`${HANDSHAKE} oFA rFA oA rS`, '… FIN_WAIT LAST_ACK TIME_WAIT reopened'],
    [`${HANDSHAKE} oR oS`, '… CLOSED reopened'],
    [`${HANDSHAKE} oS rSA rS oSA`, '… ignored ignored invalid invalid'],
    ['oS oS rRA', 'SYN_SENT SYN_SENT CLOSED'],
    ['oS rSA rSA oA', 'SYN_SENT SYN_RECEIVED ignored ESTABLISHED'],
    ['oS rS oSA rA oA', 'SYN_SENT SYN_SENT_BOTH SYN_RECEIVED SYN_RECEIVED ESTABLISHED'],
    ['oS oA rA rFA oFA', 'SYN_SENT invalid ignored invalid invalid'],
    ['oA oPA rA', 'PICKED_UP PICKED_UP ESTABLISHED'],
    ['oA oFA rA', 'PICKED_UP FIN_WAIT CLOSE_WAIT'],
    ['oFA', 'no flow'],
    ['oSA', 'no flow'],
    ['oR', 'no flow'],
    // Noise: no flags, SYN with FIN, FIN alone.
    [`${HANDSHAKE} o oSF oF`, '… invalid invalid invalid'],
  ])('%s', (script, states) => {
    const played = play(script).join(' ');
    expect(played).toBe(states.replace('…', 'SYN_SENT SYN_RECEIVED ESTABLISHED'));
  });

  it.each([
    ['SYN_SENT', 'oS'],
    ['SYN_RECEIVED', 'oS rSA'],
    ['ESTABLISHED', HANDSHAKE],
    ['FIN_WAIT', `${HANDSHAKE} oFA`],
    ['CLOSE_WAIT', `${HANDSHAKE} oFA rA`],
    ['LAST_ACK', `${HANDSHAKE} oFA rFA`],
    ['TIME_WAIT', `${HANDSHAKE} oFA rFA oA`],
    ['CLOSED', `${HANDSHAKE} oR`],
    ['PICKED_UP', 'oA'],
  ] as [keyof typeof TIMEOUTS, string][])('lives as long as it should: %s', (state, script) => {
    const one = rig(4);
    for (const [i, [way, ...letters]] of script.split(' ').entries()) {
      const flags = letters.reduce((all, letter) => all | LETTERS[letter], 0);
      if (i === 0) open(one, TCP, 1, 1, 0, flags);
      pass(one, TCP, 1, way === 'o' ? 0 : 1, 0, flags, 7, 7);
    }
    const due = TIMEOUTS[state] * 1000;
    expect([find(one, TCP, 1, due - 1) > 0, find(one, TCP, 1, due) > 0]).toEqual([true, false]);
  });
});

describe('a reset', () => {
  /** The client has acknowledged up to `expected`, and the server sends a reset. */
  const reset = (expected: number, sequence: number) => {
    const one = rig(4);
    open(one, TCP, 1, 1, 0, SYN);
    pass(one, TCP, 1, 0, 0, SYN, 99, 0);
    pass(one, TCP, 1, 1, 0, SYN | ACK, expected - 500, 100);
    pass(one, TCP, 1, 0, 0, ACK, 100, expected - 499);
    pass(one, TCP, 1, 0, 0, ACK, 100, expected | 0);
    // Acknowledged before, and late.
    pass(one, TCP, 1, 0, 0, ACK, 100, (expected - 200) | 0);
    return { one, answer: pass(one, TCP, 1, 1, 0, RST, sequence | 0, 0) };
  };

  it.each([1000, 0x80000000, 0xffffffff, 100])(
    'closes where its sequence number is exactly right: %d',
    (number) => {
      const { one, answer } = reset(number, number);
      expect([answer, rows(one)[0].state]).toEqual([TRACK.fine, FLOW.CLOSED]);
    },
  );

  it('is invalid where it is too old', () => {
    const { one, answer } = reset(1000, 999);
    expect([answer, rows(one)[0].state, find(one, TCP, 1, 400_000_000) > 0]).toEqual([
      TRACK.invalid,
      FLOW.ESTABLISHED,
      true,
    ]);
  });

  it('is doubted where it is ahead: ten seconds, unless a packet follows', () => {
    const { one, answer } = reset(1000, 1001);
    expect([answer, rows(one)[0].state]).toEqual([TRACK.fine, FLOW.ESTABLISHED]);
    expect([find(one, TCP, 1, 9_999) > 0, find(one, TCP, 1, 10_000) > 0]).toEqual([true, false]);
    expect(pass(one, TCP, 1, 0, 9_999, ACK, 100, 1100)).toBe(TRACK.fine);
    expect(find(one, TCP, 1, 400_000_000)).toBeGreaterThan(0);
  });
});
