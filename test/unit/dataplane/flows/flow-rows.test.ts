import { describe, expect, it } from 'vitest';
import { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import { makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import type { FlowRow } from '../../../../src/dataplane/flows/flow-reader.js';
import { FlowRestorer } from '../../../../src/dataplane/flows/flow-restore.js';
import { FlowRows, ROW, ROW_WORDS, ROW_WORDS_IPV6 } from '../../../../src/dataplane/flows/flow-rows.js';
import { FLOW, MARK } from '../../../../src/dataplane/flows/flow-states.js';
import { ACK, FIN, find, GRE, open, pass, type Rig, RST, rig, rows, SYN, TCP, UDP } from './flow-fixture.js';

const SCTP = 132;
const ICMP = 1;

/** All rows of a table, read a few entries at a time. */
function saved({ memory }: Rig, now: number, isWhole = true): Int32Array {
  const reader = new FlowRows(memory);
  const [into, all] = [new Int32Array(3 * ROW_WORDS_IPV6), [] as number[]];
  for (let place = 0; place >= 0; ) {
    place = reader.copy(place, 3, now, isWhole, into);
    all.push(...into.subarray(0, reader.length));
  }
  return Int32Array.from(all);
}

function restored(words: Int32Array, now: number, options: Parameters<typeof rig>[1] = {}, capacity = 64) {
  const next = rig(capacity, { memory: makeFlowMemory(capacity, 1, 99), ...options });
  return { next, count: new FlowRestorer(next.table).restore(words, now) };
}

/** In any order, without the decision. */
function known(one: Rig, now: number): Omit<FlowRow, 'decision'>[] {
  const key = ({ original: { source, sourcePort }, protocol }: FlowRow) =>
    `${protocol} ${source.join()} ${sourcePort}`;
  return rows(one, now)
    .sort((a, b) => (key(a) < key(b) ? -1 : 1))
    .map(({ decision: _, ...rest }) => rest);
}

/** Opens a TCP connection and sends what brings it into each state. */
const TCP_STATES: readonly [name: keyof typeof FLOW, segments: readonly (readonly [number, number])[]][] = [
  ['SYN_SENT', [[0, SYN]]],
  [
    'SYN_SENT_BOTH',
    [
      [0, SYN],
      [1, SYN],
    ],
  ],
  [
    'SYN_RECEIVED',
    [
      [0, SYN],
      [1, SYN | ACK],
    ],
  ],
  [
    'ESTABLISHED',
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
    ],
  ],
  [
    'FIN_WAIT',
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [0, FIN | ACK],
    ],
  ],
  [
    'CLOSE_WAIT',
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [0, FIN | ACK],
      [1, ACK],
    ],
  ],
  [
    'LAST_ACK',
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [0, FIN | ACK],
      [1, FIN | ACK],
    ],
  ],
  [
    'TIME_WAIT',
    [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
      [0, FIN | ACK],
      [1, FIN | ACK],
      [0, ACK],
    ],
  ],
  [
    'CLOSED',
    [
      [0, SYN],
      [1, RST | ACK],
    ],
  ],
  ['PICKED_UP', [[0, ACK]]],
]; // prettier-ignore

/** One flow in each state of each protocol. */
function everything(): Rig {
  const one = rig(64);
  TCP_STATES.forEach(([, segments], n) => {
    open(one, TCP, n, 1 + (n % 3), 100, segments[0][1]);
    for (const [way, flags] of segments) pass(one, TCP, n, way, 200 + n, flags, 1000 + n, 2000 + n);
  });
  for (const [protocol, end] of [
    [UDP, 0],
    [SCTP, 1],
    [ICMP, 0],
    [GRE, 0],
  ] as const) {
    // prettier-ignore
    for (let n = 20; n < 24; n++) {
      open(one, protocol, n, 1, 100);
      pass(one, protocol, n, 0, 150);
      if (n > 20) pass(one, protocol, n, 1, 160);
      if (n > 21) pass(one, protocol, n, 1, 5000);
      if (n > 22) pass(one, protocol, n, 0, 5100, end);
    }
  }
  return one;
}

describe('rows of flows', () => {
  it('bring back every flow of every protocol in the state, with the marks, times and sums that it had', () => {
    const one = everything();
    const before = known(one, 6000);
    for (const [n, [name]] of TCP_STATES.entries())
      expect(
        before.some(({ state, original }) => state === FLOW[name] && (original.source[0] & 255) === n),
      ).toBe(true);
    const states = new Set(before.map(({ state }) => state));
    expect(states.size, 'all but ENDED').toBe(Object.keys(FLOW).length - 1);
    const { next, count } = restored(saved(one, 6000), 6000);
    expect(count).toBe(before.length);
    expect(known(next, 6000)).toEqual(before);
    for (const { decision } of rows(next, 6000)) expect(decision.generation).toBe(-1);
  });

  it('find a flow by either way, and go on with its TCP as if nothing had been', () => {
    const one = rig(64);
    open(one, TCP, 1, 2, 0, SYN);
    pass(one, TCP, 1, 0, 0, SYN, 100, 0);
    pass(one, TCP, 1, 1, 0, SYN | ACK, 500, 101);
    pass(one, TCP, 1, 0, 0, ACK, 101, 501);
    const { next } = restored(saved(one, 10), 10);
    const [original, reply] = [find(next, TCP, 1, 20, 0), find(next, TCP, 1, 20, 1)];
    expect([original & 1, reply]).toEqual([0, original + 1]);
    expect(next.table.found.isStale).toBe(true);
    expect(next.table.opener(reply)).toBe(2);
    // A reset that is older than what the other end has acknowledged is no part of the connection.
    expect(pass(next, TCP, 1, 1, 20, RST, 400)).toBe(2);
    expect(pass(next, TCP, 1, 1, 20, RST, 501)).toBe(0);
    expect(rows(next, 20)[0].state).toBe(FLOW.CLOSED);
  });

  it('keep a translation, in both families, whatever the secret of the hash', () => {
    const one = rig(64);
    const [client, service, backend] = ['fd000000', 'fd960000', 'fd110000'].map(
      (word) => Number.parseInt(word, 16) | 0,
    );
    const fill = (key: FlowKey, source: number, destination: number, ports: number) => {
      key.source.set([source, 1, 2, 3]);
      key.destination.set([destination, 4, 5, 6]);
      key.seal(0x100 | TCP, ports);
    };
    fill(one.original, client, service, 0x9c400050);
    fill(one.reply, backend, client, 0x1f909c40);
    expect(one.table.open(one.original, one.reply, 1, SYN, 0)).toBeGreaterThan(0);
    one.original.setIpv4(0, UDP, 0x0a000001, 0x0a600001, 0x9c400035);
    one.reply.setIpv4(0, UDP, 0x0a000002, 0x0a000001, 0x14e99c40);
    expect(one.table.open(one.original, one.reply, 1, 0, 0)).toBeGreaterThan(0);
    const words = saved(one, 10);
    expect(words.length).toBe(ROW_WORDS + ROW_WORDS_IPV6);
    const { next, count } = restored(words, 10);
    expect(count).toBe(2);
    expect(known(next, 10)).toEqual(known(one, 10));
    const key = new FlowKey(next.table.hash);
    fill(key, backend, client, 0x1f909c40);
    const reply = next.table.lookup(key, 10);
    expect(reply & 1).toBe(1);
    expect([0, 4].map((word) => next.table.addressWord(reply ^ 1, word))).toEqual([client, service]);
  });

  it('age while nobody runs', () => {
    const one = rig(64);
    open(one, UDP, 1, 1, 0);
    open(one, TCP, 2, 1, 0, SYN);
    const words = saved(one, 10);
    expect(restored(words, 29_999).count).toBe(2);
    expect(restored(words, 30_001).count).toBe(1);
    expect(restored(words, 120_001).count).toBe(0);
    expect(saved(one, 30_001).length).toBe(ROW_WORDS);
  });

  it('leave out what is opening, closing or unanswered where they are not to be whole', () => {
    const one = everything();
    const { next } = restored(saved(one, 6000, false), 6000);
    const after = rows(next, 6000);
    expect(after.length).toBeGreaterThan(5);
    expect(after.length).toBeLessThan(rows(one, 6000).length);
    for (const { isAssured } of after) expect(isAssured).toBe(true);
    const left = new Set(after.map(({ state }) => state));
    for (const name of ['SYN_SENT', 'SYN_RECEIVED', 'LAST_ACK', 'TIME_WAIT', 'CLOSED', 'ICMP'] as const)
      expect(left.has(FLOW[name]), name).toBe(false);
  });

  it('cost no other flow its place: of a full table, of a port with its quota, of a tuple that is taken', () => {
    const one = rig(64);
    for (let n = 0; n < 20; n++) open(one, UDP, n, 1, 0);
    const words = saved(one, 1);
    expect(restored(words, 1, {}, 8).count).toBe(4);
    expect(restored(words, 1, { quota: 7 }).count).toBe(7);
    const full = restored(words.subarray(0, 5 * ROW_WORDS), 1).next;
    expect(new FlowRestorer(full.table).restore(words, 1)).toBe(15);
    const other = words.slice(0, ROW_WORDS);
    other[ROW.PORT] = 8;
    expect(restored(other, 1).count, 'a port that cannot be').toBe(0);
    other.set([FLOW.ENDED, 1], ROW.STATE);
    expect(restored(other, 1).count, 'no flow').toBe(0);
    other[ROW.STATE] = FLOW.UDP | (MARK.DOUBTED << 4);
    expect(restored(other, 1).count, 'a mark that there is not').toBe(0);
  });
});
