/** Nothing is allocated by what a first packet asks of policies, nor where it is refused: as in tables/no-allocation.test.ts. */
import { expect, it } from 'vitest';
import { makeDenialMemory } from '../../../../src/dataplane/policy/denial-memory.js';
import { Denials } from '../../../../src/dataplane/policy/denials.js';
import { ASK, PolicyTable } from '../../../../src/dataplane/policy/policy-table.js';
import { measure, SLACK } from '../../../support/allocation.js';
import { random } from '../tables/random.js';
import { allow, changes, deny, inBlock, inSets, pass, TCP, tier } from './policy-fixture.js';

const COUNT = 200_000;
const WORDS = (() => {
  const next = random(11);
  return Int32Array.from({ length: 4096 }, () => next(2 ** 32));
})();

function operations(): [string, (i: number) => number][] {
  const table = new PolicyTable(3);
  const ports = [{ protocol: 'TCP', from: 1, to: 40_000 }] as const;
  const rules = [
    ...Array.from({ length: 8 }, (_, i) => deny(1 + i, { ...inSets(i), ports })),
    allow(20, inBlock('192.0.0.0/3', '200.0.0.0/8')),
    allow(21, inBlock('fd00::/16', 'fd00:8000::/18')),
    pass(22, inSets(9)),
  ];
  table.change(
    changes({
      clusterCidrs: ['128.0.0.0/2', '8000::/3'],
      sets: Array.from({ length: 10 }, (_, id) => ({ id, identities: [2 + id] })),
      rulesets: [{ id: 1, tiers: [tier(rules, 'next'), tier([allow(30, inSets(9))])] }],
      addresses: Array.from({ length: 500 }, (_, i) => ({
        address: `10.0.${i >> 8}.${i & 255}`,
        identity: 1 + (i % 12),
      })),
      ports: [{ port: 1, identity: 2, ingress: 1, egress: 1 }],
    }),
  );
  const denials = new Denials(makeDenialMemory(1, 64), 0);
  const address = new Int32Array(4);
  const ask = (i: number, isIpv6: boolean) => {
    for (let word = 0; word < 4; word++) address[word] = WORDS[(i + word) & 4095];
    const identity = isIpv6
      ? table.find6(0, address[0], address[1], address[2], address[3])
      : table.find4(0, (i & 1) === 0 ? 0x0a000000 + (i % 600) : address[3]);
    const way = (i & 2) === 0 ? ASK.INGRESS : ASK.EGRESS;
    const isAllowed = table.allows(way, 1, identity, address, isIpv6, TCP, i & 0xffff);
    if (!isAllowed) denials.tell(i, way, 1, table.note, isIpv6, address, address, TCP, 1, i & 0xffff, 1);
    return table.note + table.identityOf(i & 0x7fff) + (isAllowed ? 1 : 0);
  };
  return [
    ['IPv4', (i) => ask(i, false)],
    ['IPv6', (i) => ask(i, true)],
  ];
}

it.each(operations())('no allocation: find, allows, tell of %s', async (_, operation) => {
  const { bytes, collections, sum } = await measure(operation, COUNT);
  expect({ bytes: bytes < SLACK ? 'none' : bytes, collections }).toEqual({ bytes: 'none', collections: 0 });
  expect(sum).not.toBe(0);
});
