/**
 * Nothing is allocated by what the flow table does for a packet, or for a flow: as in tables/no-allocation.test.ts, but fewer, since
 * each takes longer. A number boxed for each would be 3 MB.
 */
import { describe, expect, it } from 'vitest';
import { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import { makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import { FlowTable } from '../../../../src/dataplane/flows/flow-table.js';
import { measure, SLACK } from '../../../support/allocation.js';
import { random } from '../tables/random.js';
import { ACK, FIN, RST, SYN, TCP, UDP } from './flow-fixture.js';

/** int32, as callers must give them. */
const WORDS = (() => {
  const next = random(11);
  return Int32Array.from({ length: 4096 }, () => next(2 ** 32));
})();
const COUNT = 200_000;
const SEGMENTS = [SYN, SYN | ACK, ACK, ACK, FIN | ACK, ACK, FIN | ACK, ACK, RST];
const view = new DataView(new ArrayBuffer(32));

function operations(engines: number): [string, (i: number) => number][] {
  const table = () =>
    new FlowTable({ memory: makeFlowMemory(1024 * engines, engines, 5), ports: 16, quota: 500 });
  const known = table();
  const churned = table();
  const [original, reply] = [new FlowKey(known.hash), new FlowKey(known.hash)];
  const key = new FlowKey(churned.hash);
  const answer = new FlowKey(churned.hash);
  const put = (i: number) => {
    original.setIpv4(1, TCP, WORDS[i & 255], 0x8a000001 | 0, WORDS[i & 255]);
    reply.mirror(original, 65535);
  };
  for (let i = 0; i < 256; i++) {
    put(i);
    known.open(original, reply, i & 15, SYN, 0);
  }
  return [
    [
      'lookup4, track, decide',
      (i) => {
        const word = WORDS[i & 255];
        const handle = known.lookup4(1, TCP, word, 0x8a000001 | 0, word, i >> 4);
        const { state, kind, target } = known.found;
        known.decide(handle, state, i, WORDS[i & 4095], -i, i);
        const flags = i < 2000 ? SEGMENTS[i % SEGMENTS.length] : ACK;
        return known.track(handle, state, flags, word, word, 1, 1500, i >> 4) + (kind ^ target) + 1;
      },
    ],
    [
      'open, end, sweep and evictions',
      (i) => {
        key.setIpv4(1, i & 1 ? UDP : TCP, WORDS[i & 4095], WORDS[(i >> 3) & 4095], WORDS[i & 4095]);
        answer.mirror(key, i & 0xffff);
        const handle = churned.open(key, answer, i & 15, SYN, i);
        const { state } = churned.found;
        if (handle > 0) churned.track(handle + 1, state, SYN | ACK, 1, 1, 1, 60, i);
        if (handle > 0 && (i & 7) === 0) churned.end(handle, state);
        return (handle & 0xff) + churned.sweep(i, 2) + churned.forgetPort(i & 0xffff, 1);
      },
    ],
    [
      'IPv6: keys, lookup, open',
      (i) => {
        view.setInt32(4 * (i & 7), WORDS[i & 4095]);
        key.setIpv6(1, UDP, view, 0, WORDS[i & 15]);
        answer.mirror(key, 1);
        const handle = churned.lookup(key, i);
        return (handle > 0 ? handle : churned.open(key, answer, 3, 0, i)) & 0xff;
      },
    ],
  ];
}

describe.each([1, 2])('no allocation, engines: %d', (engines) => {
  it.each(operations(engines))('%s', async (_, operation) => {
    const { bytes, collections, sum } = await measure(operation, COUNT);
    expect({ bytes: bytes < SLACK ? 'none' : bytes, collections }).toEqual({ bytes: 'none', collections: 0 });
    expect(sum).not.toBe(0);
  });
});
