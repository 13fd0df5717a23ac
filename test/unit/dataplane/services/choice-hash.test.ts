import { describe, expect, it } from 'vitest';
import type { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import { choiceHash, clientHash } from '../../../../src/dataplane/services/choice-hash.js';
import { backends, keyOf, service } from './service-fixture.js';

const V4 = ['10.0.0.1', '10.96.0.1'] as const;
const V6 = ['fd00:1:2:3::1', 'fd00:96::1'] as const;

describe.each([
  ['IPv4', V4],
  ['IPv6', V6],
])('hashes of %s', (_, [from, to]) => {
  const other = from.replace('1', '2');

  it('are the same in every process, zone and engine', () => {
    const here = keyOf(from, to, 40_000, 80, 1);
    const there = keyOf(from, to, 40_000, 80, 2);
    there.seal(there.subject + (7 << 16));
    expect(choiceHash(here)).toBe(choiceHash(there));
    expect(clientHash(here)).toBe(clientHash(there));
  });

  it('are of all that a flow is told by, and of the client alone', () => {
    const base = keyOf(from, to);
    const udp = keyOf(from, to);
    udp.seal(udp.subject - 6 + 17);
    const rest = [keyOf(from, to, 40_001), keyOf(from, to, 40_000, 81), keyOf(from, from), udp];
    const hashes = [base, keyOf(other, to), ...rest].map(choiceHash);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(new Set(rest.map(clientHash))).toEqual(new Set([clientHash(base)]));
    expect(clientHash(keyOf(other, to))).not.toBe(clientHash(base));
  });
});

it('does not mind what a key held before', () => {
  const key = keyOf(...V6);
  const fresh = keyOf(...V4);
  key.setIpv4(1, 6, fresh.source[3], fresh.destination[3], fresh.ports);
  expect([choiceHash(key), clientHash(key)]).toEqual([choiceHash(fresh), clientHash(fresh)]);
});

/** Backends have equal shares of the table to 1.6 %; 400 flows a backend vary by 5 % (one sigma). */
it.each([
  ['source ports', choiceHash, (i: number) => keyOf('10.0.0.1', '10.96.0.1', 1024 + i)],
  ['clients', clientHash, (i: number) => keyOf(`10.0.${i >> 8}.${i & 255}`, '10.96.0.1')],
])('spread neighbouring %s evenly', (_, hash: (key: FlowKey) => number, make) => {
  const one = service({ backends: backends(5) });
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < 2000; i++) counts[one.choose(hash(make(i)), false)]++;
  for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(100);
});
