/** The table against what the changes mean (naive-policies.ts), whatever they are, and in whichever order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ASK, PolicyTable } from '../../../../src/dataplane/policy/policy-table.js';
import {
  POLICY_ACTIONS,
  type PolicyChanges,
  type PolicyRuleSpec,
  type PolicyTierSpec,
} from '../../../../src/dataplane/policy-spec.js';
import { type Asked, NaivePolicies } from './naive-policies.js';
import { addressWords, ask, changes } from './policy-fixture.js';

// Few of each, so that they meet.
const SET = fc.constantFrom(0, 1, 31, 32, 512, 544, 1024, 5000);
const IDENTITY = fc.integer({ min: 2, max: 7 });
const RULESET = fc.integer({ min: 1, max: 4 });
const NOTE = fc.integer({ min: 1, max: 1000 });
const CIDRS4 = [
  '0.0.0.0/0',
  '128.0.0.0/1',
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '10.1.2.3/32',
  '10.1.2.128/25',
];
const CIDRS6 = [
  '::/0',
  'fd00::/8',
  'fd00:1::/32',
  'fd00:1:0:8000::/49',
  'fd00:1::8000:0/97',
  'fd00:1::5/128',
  '8000::/1',
];
const ADDRESSES = [
  ...[
    '0.0.0.0',
    '9.255.255.255',
    '10.0.0.0',
    '10.1.2.3',
    '10.1.2.2',
    '10.1.2.127',
    '10.1.2.128',
    '127.255.255.255',
  ],
  ...['128.0.0.0', '255.255.255.255', '::', 'fd00:1::5', 'fd00:1::4', 'fd00:1::8000:0', 'fd00:1::7fff:ffff'],
  ...['fd00:1:0:8000::', 'fd00:1:0:7fff:ffff:ffff:ffff:ffff', 'fd00:2::', '7fff::', 'ffff:ffff::ffff'],
];
const PORT = fc.constantFrom(0, 1, 2, 79, 80, 81, 65_534, 65_535);
const PORTS = fc
  .record({ protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const), a: PORT, b: PORT })
  .map(({ protocol, a, b }) => ({ protocol, from: Math.min(a, b), to: Math.max(a, b) }));
const BLOCK = fc.constantFrom(CIDRS4, CIDRS6).chain((cidrs) =>
  fc.record({
    cidr: fc.constantFrom(...cidrs),
    except: fc.array(fc.constantFrom(...cidrs), { maxLength: 3 }),
  }),
);
const PEERS = fc.record({ sets: fc.array(SET, { maxLength: 3 }), blocks: fc.array(BLOCK, { maxLength: 3 }) });
const RULE: fc.Arbitrary<PolicyRuleSpec> = fc.record(
  {
    action: fc.constantFrom(...POLICY_ACTIONS),
    note: NOTE,
    peers: PEERS,
    ports: fc.array(PORTS, { maxLength: 3 }),
  },
  { requiredKeys: ['action', 'note'] },
);
const TIER: fc.Arbitrary<PolicyTierSpec> = fc.record({
  rules: fc.array(RULE, { maxLength: 5 }),
  otherwise: fc.constantFrom('next' as const, 'allow' as const, 'deny' as const),
  note: NOTE,
});
const DOMAIN = fc.constantFrom(undefined, 0, 7);
const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 3 });
const CHANGE: fc.Arbitrary<Omit<PolicyChanges, 'generation' | 'ports'>> = fc.record({
  clusterCidrs: fc.constantFrom(undefined, [], ['10.1.0.0/16', 'fd00:1::/32']),
  removedRulesets: few(RULESET),
  removedSets: few(SET),
  removedIdentities: few(IDENTITY),
  sets: few(fc.record({ id: SET, identities: fc.array(IDENTITY, { maxLength: 4 }) })),
  identities: few(fc.record({ id: IDENTITY, sets: fc.array(SET, { maxLength: 4 }) })),
  rulesets: few(fc.record({ id: RULESET, tiers: fc.array(TIER, { maxLength: 3 }) })),
  addresses: few(
    fc.record({
      address: fc.constantFrom(...ADDRESSES),
      domain: DOMAIN,
      identity: fc.oneof(fc.constantFrom(0, 1), IDENTITY),
    }),
  ),
});
const ASKED: fc.Arbitrary<Asked> = fc.record({
  ruleset: RULESET,
  identity: fc.integer({ min: 0, max: 7 }),
  address: fc.constantFrom(...ADDRESSES),
  protocol: fc.constantFrom(-1, 1, 6, 17, 132),
  to: fc.oneof(PORT, fc.constant(-1)),
});

const PLACES = ADDRESSES.flatMap((address) => [undefined, 0, 7].map((domain) => [address, domain] as const));

/** Port N has ruleset N, where there is one. */
function portsOf(naive: NaivePolicies): PolicyChanges['ports'] {
  return [1, 2, 3, 4].map((port) => {
    const id = naive.has(port) ? port : 0;
    return { port, identity: 2, ingress: id, egress: id };
  });
}

function found(table: PolicyTable, address: string, domain: number | undefined): number {
  const [w0, w1, w2, w3] = addressWords(address);
  const zone = domain === undefined ? 0 : domain + 1;
  return address.includes(':') ? table.find6(zone, w0, w1, w2, w3) : table.find4(zone, w3);
}

describe('PolicyTable', () => {
  it('answers as going through everything that was told does', () => {
    const run = fc.property(
      fc.array(fc.tuple(CHANGE, fc.array(ASKED, { minLength: 10, maxLength: 40 })), { maxLength: 6 }),
      (steps) => {
        const table = new PolicyTable(5);
        const naive = new NaivePolicies();
        for (const [change, questions] of steps) {
          naive.change(changes(change));
          table.change(changes({ ...change, ports: portsOf(naive) }));
          const own = questions.filter(({ ruleset }) => naive.has(ruleset));
          const answers = (way: number) => own.map((one) => ask(table, { ...one, way, port: one.ruleset }));
          const expected = own.map((question) => naive.ask(question));
          expect([answers(ASK.INGRESS), answers(ASK.EGRESS)]).toEqual([expected, expected]);
          expect(PLACES.map(([address, domain]) => found(table, address, domain))).toEqual(
            PLACES.map(([address, domain]) => naive.addresses.get(`${domain ?? 'routed'} ${address}`) ?? 0),
          );
        }
      },
    );
    fc.assert(run, { numRuns: 200 });
  });
});
