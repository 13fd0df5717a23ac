import { beforeEach, describe, expect, it } from 'vitest';
import { ASK, PolicyTable } from '../../../../src/dataplane/policy/policy-table.js';
import { NO_PORT, NOT_IP } from '../../../../src/dataplane/policy/verdict.js';
import type { PolicyChanges, PolicyTierSpec } from '../../../../src/dataplane/policy-spec.js';
import {
  allow,
  ask,
  changes,
  deny,
  ICMP,
  inBlock,
  inSets,
  pass,
  SCTP,
  TCP,
  tier,
  UDP,
} from './policy-fixture.js';

let table: PolicyTable;

beforeEach(() => {
  table = new PolicyTable(1);
});

/** Port 1 of identity 2 has these tiers for what comes to it, and identities 3 and 4 are in sets 0 and 40. */
function rule(...tiers: PolicyTierSpec[]): void {
  table.change(
    changes({
      clusterCidrs: ['10.244.0.0/16', 'fd00:10::/32'],
      sets: [
        { id: 0, identities: [3] },
        { id: 40, identities: [4] },
      ],
      identities: [{ id: 2, sets: [] }],
      rulesets: [{ id: 1, tiers }],
      ports: [{ port: 1, identity: 2, ingress: 1, egress: 0 }],
    }),
  );
}

describe('a rule', () => {
  it('without peers and ports matches everything, what is not IP too', () => {
    rule(tier([allow(1)]));
    expect(ask(table)).toEqual({ allowed: true, note: 1 });
    expect(ask(table, { protocol: ICMP })).toEqual({ allowed: true, note: 1 });
    expect(ask(table, { protocol: NOT_IP })).toEqual({ allowed: true, note: 1 });
    expect(ask(table, { address: '2001:db8::1' })).toEqual({ allowed: true, note: 1 });
  });

  it('with lists of nobody, or of no ports, matches nothing', () => {
    rule(tier([allow(1, { peers: { sets: [], blocks: [] } }), allow(2, { ports: [] })]));
    expect(ask(table)).toEqual({ allowed: false, note: 99 });
    expect(ask(table, { protocol: ICMP })).toEqual({ allowed: false, note: 99 });
  });

  it('matches identities of its sets, wherever they are', () => {
    rule(tier([allow(1, inSets(0)), allow(2, inSets(7, 40))]));
    expect(ask(table, { identity: 3 })).toEqual({ allowed: true, note: 1 });
    expect(ask(table, { identity: 4, address: 'fd00::9' })).toEqual({ allowed: true, note: 2 });
    expect(ask(table, { identity: 4, protocol: NOT_IP })).toEqual({ allowed: true, note: 2 });
    expect(ask(table, { identity: 2 }).allowed).toBe(false);
    expect(ask(table, { identity: 1 }).allowed).toBe(false);
    expect(ask(table).allowed).toBe(false);
  });

  it('matches ports by protocol, first and last included', () => {
    const ports = [
      { protocol: 'TCP', from: 80, to: 80 },
      { protocol: 'UDP', from: 53, to: 60 },
      { protocol: 'SCTP', from: 0, to: 65_535 },
    ] as const;
    rule(tier([allow(1, { ports })]));
    const allowed = (protocol: number, to: number) => ask(table, { protocol, to }).allowed;
    expect([79, 80, 81].map((to) => allowed(TCP, to))).toEqual([false, true, false]);
    expect([52, 53, 60, 61].map((to) => allowed(UDP, to))).toEqual([false, true, true, false]);
    expect([0, 1, 65_535].map((to) => allowed(SCTP, to))).toEqual([true, true, true]);
    expect([allowed(ICMP, NO_PORT), allowed(NOT_IP, NO_PORT)]).toEqual([false, false]);
  });

  it('for some ports does not match where the port is not known, one for all of them does', () => {
    rule(
      tier([
        allow(1, { ports: [{ protocol: 'TCP', from: 2, to: 65_535 }] }),
        allow(2, {
          ports: [
            { protocol: 'UDP', from: 1, to: 999 },
            { protocol: 'UDP', from: 1000, to: 65_535 },
          ],
        }),
        allow(3, { ports: [{ protocol: 'SCTP', from: 0, to: 65_535 }] }),
      ]),
    );
    const answers = [TCP, UDP, SCTP, ICMP].map((protocol) => ask(table, { protocol, to: NO_PORT }).note);
    expect(answers).toEqual([99, 2, 3, 99]);
  });

  it('matches blocks of addresses without their exceptions, whoever is there', () => {
    rule(
      tier([
        allow(1, inBlock('192.0.2.0/24', '192.0.2.64/26', '192.0.2.0/32')),
        allow(2, inBlock('fd00::/16', 'fd00:8000::/17')),
      ]),
    );
    const note = (address: string, identity = 0) => ask(table, { address, identity }).note;
    expect(['192.0.2.1', '192.0.2.63', '192.0.2.128', '192.0.2.255'].map((one) => note(one))).toEqual([
      1, 1, 1, 1,
    ]);
    expect(
      ['192.0.2.0', '192.0.2.64', '192.0.2.127', '192.0.1.255', '192.0.3.0'].map((one) => note(one)),
    ).toEqual([99, 99, 99, 99, 99]);
    expect([note('192.0.2.1', 3), note('192.0.2.1', 1), note('192.0.2.64', 3)]).toEqual([1, 1, 99]);
    expect(
      ['fd00::', 'fd00:7fff:ffff:ffff:ffff:ffff:ffff:ffff', 'fd00:8000::', 'fd01::', '::'].map((one) =>
        note(one),
      ),
    ).toEqual([2, 2, 99, 99, 99]);
  });

  it('matches the whole of a family with the prefix of length 0, and none of the other', () => {
    rule(tier([allow(1, inBlock('0.0.0.0/0', '10.0.0.0/8')), allow(2, inBlock('::/0'))]));
    const note = (address: string) => ask(table, { address }).note;
    expect(['0.0.0.0', '255.255.255.255', '128.0.0.0', '10.1.2.3'].map(note)).toEqual([1, 1, 1, 99]);
    expect(['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::10.1.2.3'].map(note)).toEqual([2, 2, 2]);
    expect(ask(table, { address: '0.0.0.0', protocol: NOT_IP, identity: 1 }).note).toBe(99);
  });

  it('takes what one block excepts where another has it', () => {
    rule(
      tier([
        allow(1, {
          peers: {
            sets: [],
            blocks: [{ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }, { cidr: '10.1.1.7/32' }],
          },
        }),
      ]),
    );
    expect(
      ['10.1.1.7', '10.1.1.8', '10.0.255.255', '10.2.0.0'].map((address) => ask(table, { address }).allowed),
    ).toEqual([true, false, true, true]);
  });

  it('matches by one of the peers and one of the ports', () => {
    rule(
      tier([
        allow(1, {
          peers: { sets: [0], blocks: [{ cidr: '192.0.2.0/24' }] },
          ports: [{ protocol: 'TCP', from: 80, to: 80 }],
        }),
      ]),
    );
    expect(ask(table).allowed).toBe(true);
    expect(ask(table, { to: 81 }).allowed).toBe(false);
    expect(ask(table, { address: '10.9.9.9', identity: 3 }).allowed).toBe(true);
    expect(ask(table, { address: '10.9.9.9', identity: 4 }).allowed).toBe(false);
  });
});

describe('tiers', () => {
  it('decide by the first rule that matches', () => {
    rule(tier([deny(1, inSets(0)), allow(2), deny(3)]));
    expect(ask(table, { identity: 3 })).toEqual({ allowed: false, note: 1 });
    expect(ask(table, { identity: 4 })).toEqual({ allowed: true, note: 2 });
  });

  it('go on where a rule says pass, past the rest of the tier, and where none matches and it says next', () => {
    rule(
      tier([pass(1, inSets(0)), deny(2, inSets(0, 40)), allow(3, inBlock('192.0.2.9/32'))], 'next'),
      tier([allow(4, inSets(0))], 'deny', 5),
    );
    expect(ask(table, { identity: 3 })).toEqual({ allowed: true, note: 4 });
    expect(ask(table, { identity: 4 })).toEqual({ allowed: false, note: 2 });
    expect(ask(table, { address: '192.0.2.9' })).toEqual({ allowed: true, note: 3 });
    expect(ask(table)).toEqual({ allowed: false, note: 5 });
  });

  it('let pass what none of them decides, without a note', () => {
    rule(tier([deny(1, inSets(0))], 'next'), tier([pass(2)], 'deny'));
    expect(ask(table)).toEqual({ allowed: true, note: 0 });
    rule();
    expect(ask(table)).toEqual({ allowed: true, note: 0 });
    rule(tier([], 'allow', 6));
    expect(ask(table)).toEqual({ allowed: true, note: 6 });
  });
});

describe('a pod of the cluster that was not heard of', () => {
  const stranger = { address: '10.244.7.7' };

  it('is in the sets of rules that deny, and in no others', () => {
    rule(tier([allow(1, inSets(0)), pass(2, inSets(0)), deny(3, inSets(40))], 'allow'));
    expect(ask(table, stranger)).toEqual({ allowed: false, note: 3 });
    expect(ask(table, { address: 'fd00:10:1::5' })).toEqual({ allowed: false, note: 3 });
    expect(ask(table, { address: '10.245.0.0' })).toEqual({ allowed: true, note: 99 });
    expect(ask(table, { protocol: NOT_IP })).toEqual({ allowed: false, note: 3 });
  });

  it('is in blocks by its address, and is held to ports', () => {
    const ports = [{ protocol: 'TCP', from: 1, to: 79 }] as const;
    rule(
      tier([
        deny(1, { ...inSets(0), ports }),
        deny(2, { peers: { sets: [], blocks: [] } }),
        allow(3, inBlock('10.244.7.0/24')),
      ]),
    );
    expect(ask(table, stranger)).toEqual({ allowed: true, note: 3 });
    expect(ask(table, { ...stranger, to: 79 })).toEqual({ allowed: false, note: 1 });
  });

  it('is no node, and is one whose identity is gone', () => {
    rule(tier([deny(1, inSets(0))], 'allow'));
    expect(ask(table, { ...stranger, identity: 1 })).toEqual({ allowed: true, note: 99 });
    expect(ask(table, { ...stranger, identity: 4 })).toEqual({ allowed: true, note: 99 });
    table.change(changes({ removedIdentities: [4] }));
    expect(ask(table, { ...stranger, identity: 4 })).toEqual({ allowed: false, note: 1 });
  });
});

describe('a port', () => {
  const told: Partial<PolicyChanges> = {
    rulesets: [{ id: 1, tiers: [tier([])] }],
    ports: [{ port: 1, identity: 5, ingress: 1, egress: 0 }],
  };

  function follow(...ports: number[]): void {
    const policed = new Uint8Array(8);
    for (const port of ports) policed[port] = 1;
    table.follow(policed);
  }

  it('asks nothing where it is not policed, and is open', () => {
    expect([table.asks[1], ask(table).allowed, table.identityOf(1)]).toEqual([0, true, 0]);
    table.change(changes(told));
    expect([table.asks[1], table.identityOf(1)]).toEqual([0, 5]);
  });

  it('is closed until it is told of', () => {
    follow(1, 2);
    expect([...table.asks.subarray(0, 4)]).toEqual([0, ASK.PENDING, ASK.PENDING, 0]);
    expect(ask(table)).toEqual({ allowed: false, note: 0 });
    table.change(changes(told));
    expect([...table.asks.subarray(0, 4)]).toEqual([0, ASK.INGRESS, ASK.PENDING, 0]);
    expect([ask(table).note, ask(table, { way: ASK.EGRESS }).allowed]).toEqual([99, true]);
    follow();
    expect([...table.asks.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    follow(1);
    expect(table.asks[1]).toBe(ASK.INGRESS);
  });

  it('is forgotten when its number is given to another', () => {
    follow(1);
    table.change(changes(told));
    table.forgetPort(1);
    expect([table.asks[1], table.identityOf(1), ask(table).allowed]).toEqual([ASK.PENDING, 0, false]);
  });

  it('is closed when its ruleset goes, though the number is given to another, until it is told of', () => {
    follow(1, 2);
    table.change(changes(told));
    table.change(changes({ removedRulesets: [1] }));
    expect([table.asks[1], ask(table).allowed]).toEqual([ASK.PENDING, false]);
    table.change(changes(told));
    const others = [{ port: 2, identity: 6, ingress: 0, egress: 1 }];
    const open = [{ id: 1, tiers: [tier([allow(1)])] }];
    table.change(changes({ removedRulesets: [1], rulesets: open, ports: others }));
    expect([table.asks[1], table.asks[2]]).toEqual([ASK.PENDING, ASK.EGRESS]);
    expect(ask(table, { port: 2, way: ASK.EGRESS })).toEqual({ allowed: true, note: 1 });
  });

  it('has a ruleset that is another at once, and is followed where all are', () => {
    follow(1);
    table.change(changes({ ...told, followsAll: true }));
    expect(table.asks[1]).toBe(ASK.INGRESS | ASK.FOLLOW);
    table.change(changes({ rulesets: [{ id: 1, tiers: [tier([allow(7)])] }] }));
    expect(ask(table)).toEqual({ allowed: true, note: 7 });
    table.change(changes({ ports: [{ port: 1, identity: 5, ingress: 0, egress: 0 }] }));
    expect(table.asks[1]).toBe(ASK.FOLLOW);
    table.change(changes({ followsAll: false }));
    expect(table.asks[1]).toBe(0);
  });

  it('is no pod of ours beyond the last number', () => {
    expect([table.identityOf(4096), table.identityOf(0x8000), table.identityOf(0xffff)]).toEqual([0, 0, 0]);
  });
});

describe('who is at an address', () => {
  const at = (text: string) => text.split('.').reduce((word, octet) => (word << 8) | Number(octet), 0);

  it('is known by zone, until it is somebody else, or nobody', () => {
    table.change(
      changes({
        addresses: [
          { address: '10.244.1.5', identity: 3 },
          { address: '200.0.0.1', identity: 1 },
          { address: '10.244.1.5', domain: 0, identity: 4 },
          { address: 'fd00:8000::f000:5', identity: 5 },
          { address: '::10.244.1.5', identity: 6 },
        ],
      }),
    );
    const found = () => [
      table.find4(0, at('10.244.1.5')),
      table.find4(0, at('200.0.0.1')),
      table.find4(1, at('10.244.1.5')),
      table.find4(2, at('10.244.1.5')),
      table.find6(0, 0xfd008000 | 0, 0, 0, 0xf0000005 | 0),
      table.find6(1, 0xfd008000 | 0, 0, 0, 0xf0000005 | 0),
      table.find6(0, 0, 0, 0, at('10.244.1.5')),
    ];
    expect(found()).toEqual([3, 1, 4, 0, 5, 0, 6]);
    table.change(
      changes({
        addresses: [
          { address: '10.244.1.5', identity: 9 },
          { address: '10.244.1.5', domain: 0, identity: 0 },
          { address: '10.9.9.9', identity: 0 },
        ],
      }),
    );
    expect(found()).toEqual([9, 1, 0, 0, 5, 0, 6]);
  });
});

describe('sets and identities', () => {
  const isIn = (identity: number) => ask(table, { identity }).allowed;

  it('are others as told, from either side', () => {
    rule(tier([allow(1, inSets(40))]));
    table.change(changes({ identities: [{ id: 3, sets: [40, 0] }] }));
    expect([3, 4].map(isIn)).toEqual([true, true]);
    table.change(changes({ identities: [{ id: 4, sets: [] }] }));
    expect([3, 4].map(isIn)).toEqual([true, false]);
    table.change(changes({ sets: [{ id: 40, identities: [900] }] }));
    expect([3, 4, 900].map(isIn)).toEqual([false, false, true]);
  });

  it('keep nothing of what had their number before', () => {
    rule(tier([allow(1, inSets(40)), allow(2, inSets(9000))]));
    table.change(changes({ removedSets: [40], removedIdentities: [3], identities: [{ id: 5, sets: [40] }] }));
    expect([3, 4, 5].map(isIn)).toEqual([false, false, true]);
    table.change(changes({ removedIdentities: [5], identities: [{ id: 5, sets: [9000] }] }));
    expect(ask(table, { identity: 5 }).note).toBe(2);
    table.change(changes({ removedIdentities: [5] }));
    table.change(changes({ identities: [{ id: 6, sets: [] }] }));
    expect([5, 6].map(isIn)).toEqual([false, false]);
  });

  it('in one change: what is told of an identity is all of it', () => {
    rule(tier([allow(1, inSets(40))]));
    table.change(changes({ sets: [{ id: 40, identities: [3, 4] }], identities: [{ id: 3, sets: [0] }] }));
    expect([3, 4].map(isIn)).toEqual([false, true]);
  });
});

describe('a change that cannot be', () => {
  const good: Partial<PolicyChanges> = {
    clusterCidrs: ['192.0.2.0/24'],
    followsAll: true,
    removedSets: [0],
    removedIdentities: [4],
    sets: [{ id: 40, identities: [3] }],
    identities: [{ id: 9, sets: [0] }],
    rulesets: [{ id: 1, tiers: [tier([], 'allow')] }],
    addresses: [{ address: '10.0.0.9', identity: 3 }],
    ports: [{ port: 1, identity: 9, ingress: 1, egress: 1 }],
  };
  const rules = (...list: PolicyTierSpec['rules']) => [
    { id: 8, tiers: [tier([]), tier([allow(1), ...list])] },
  ];
  const wrong: [string, Partial<PolicyChanges>, string][] = [
    ['prefix of the cluster', { clusterCidrs: ['10.0.0.0/33'] }, 'prefixes of the cluster: .*10.0.0.0/33'],
    ['removed ruleset', { removedRulesets: [0] }, 'number of a ruleset'],
    ['removed set', { removedSets: [-1] }, 'number of a set'],
    ['removed identity', { removedIdentities: [1] }, 'number of an identity'],
    ['set', { sets: [{ id: 1.5, identities: [] }] }, 'number of a set'],
    ['member', { sets: [{ id: 3, identities: [2, 1] }] }, 'identity in set 3'],
    ['identity', { identities: [{ id: 0, sets: [] }] }, 'number of an identity'],
    ['set of an identity', { identities: [{ id: 3, sets: [2 ** 20] }] }, 'set of identity 3'],
    ['ruleset', { rulesets: [{ id: 0, tiers: [] }] }, 'number of a ruleset'],
    ['note', { rulesets: rules(deny(0)) }, 'ruleset 8, tier 1, rule 1: note'],
    ['note of a tier', { rulesets: [{ id: 8, tiers: [tier([], 'deny', 0)] }] }, 'ruleset 8, tier 0: note'],
    ['what else holds', { rulesets: [{ id: 8, tiers: [tier([], 'drop' as 'deny', 1)] }] }, "tier 0: 'drop'"],
    [
      'action',
      { rulesets: rules(allow(2, { action: 'log' as 'deny' })) },
      "ruleset 8, tier 1, rule 1: 'log'",
    ],
    ['set of a rule', { rulesets: rules(allow(2, inSets(-4))) }, 'ruleset 8, tier 1, rule 1: set'],
    ['block', { rulesets: rules(allow(2, inBlock('10.0.0/8'))) }, "rule 1: '10.0.0' is not"],
    ['exception', { rulesets: rules(allow(2, inBlock('10.0.0.0/8', 'x'))) }, "rule 1: 'x' is not"],
    [
      'exception of the other family',
      { rulesets: rules(allow(2, inBlock('10.0.0.0/8', '::/8'))) },
      "'::/8' is not of the family",
    ],
    [
      'protocol',
      { rulesets: rules(allow(2, { ports: [{ protocol: 'ICMP' as 'TCP', from: 1, to: 1 }] })) },
      "'ICMP' is not",
    ],
    [
      'port',
      { rulesets: rules(allow(2, { ports: [{ protocol: 'TCP', from: -1, to: 1 }] })) },
      'rule 1: port',
    ],
    [
      'range',
      { rulesets: rules(allow(2, { ports: [{ protocol: 'TCP', from: 9, to: 8 }] })) },
      'rule 1: last port',
    ],
    ['address', { addresses: [{ address: '10.0.0', identity: 3 }] }, "address '10.0.0'"],
    ['domain', { addresses: [{ address: '10.0.0.1', domain: -1, identity: 3 }] }, 'domain of 10.0.0.1'],
    [
      'identity of an address',
      { addresses: [{ address: '10.0.0.1', identity: -1 }] },
      'identity of 10.0.0.1',
    ],
    ['number of a port', { ports: [{ port: 4096, identity: 2, ingress: 0, egress: 0 }] }, 'number of a port'],
    [
      'identity of a port',
      { ports: [{ port: 2, identity: -2, ingress: 0, egress: 0 }] },
      'identity of port 2',
    ],
    [
      'ruleset of a port',
      { ports: [{ port: 2, identity: 2, ingress: 0, egress: 7 }] },
      'port 2 has ruleset 7',
    ],
    [
      'ruleset that goes',
      { rulesets: [], removedRulesets: [1], ports: [{ port: 2, identity: 2, ingress: 1, egress: 0 }] },
      'port 2 has ruleset 1',
    ],
  ];

  it.each(wrong)('leaves everything as it was: %s', (_, entry, message) => {
    rule(tier([allow(1, inSets(0)), deny(2, inSets(40)), allow(3, inBlock('10.0.0.0/8'))], 'deny'));
    table.follow(Uint8Array.of(0, 1, 1));
    const state = () => [
      [...table.asks.subarray(0, 4)],
      [2, 3, 4, 9].map((identity) => ask(table, { identity })),
      ask(table),
      ask(table, { address: '10.244.0.9' }),
      ask(table, { address: '10.0.0.9' }),
      table.find4(0, 0x0a000009),
      table.identityOf(1),
      table.generation,
    ];
    const before = state();
    const change = changes({ ...good, ...entry });
    expect(() => table.change(change)).toThrow(
      expect.objectContaining({
        name: 'TableError',
        code: 'TABLE_INVALID',
        message: expect.stringMatching(message),
      }),
    );
    expect(state()).toEqual(before);
    table.change(changes(good));
    expect(state()).not.toEqual(before);
  });
});
