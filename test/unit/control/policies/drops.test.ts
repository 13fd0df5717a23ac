/** What policies have refused, by rule and packet by packet: told by an engine's end, read as the API answers it. */
import { describe, expect, it } from 'vitest';
import { type DropsSource, dropRoutes } from '../../../../src/control/api/drop-routes.js';
import { SCHEMAS } from '../../../../src/control/api/schemas.js';
import { checker } from '../../../../src/control/model/schema.js';
import { PolicyDrops } from '../../../../src/control/policies/drops.js';
import { ruleText } from '../../../../src/control/policies/note-text.js';
import type { PolicyNote } from '../../../../src/control/policies/types.js';
import { makeDenialMemory } from '../../../../src/dataplane/policy/denial-memory.js';
import { DenialReader } from '../../../../src/dataplane/policy/denial-reader.js';
import { Denials } from '../../../../src/dataplane/policy/denials.js';
import { ASK } from '../../../../src/dataplane/policy/policy-table.js';
import { NO_PORT, NOT_IP } from '../../../../src/dataplane/policy/verdict.js';
import { addressWords, ICMP, TCP } from '../../dataplane/policy/policy-fixture.js';

const DB = { kind: 'NetworkPolicy', namespace: 'shop', name: 'db' } as const;
const NOTES: Record<number, PolicyNote> = {
  5: { direction: 'ingress', tier: 'policy', action: 'deny', policies: [DB] },
  6: {
    direction: 'egress',
    tier: 'admin',
    action: 'deny',
    policies: [{ kind: 'AdminNetworkPolicy', name: 'ops' }],
    path: 'spec.egress[1]',
  },
};
const AT = Date.parse('2026-01-02T03:04:05.678Z');

function world() {
  const memory = makeDenialMemory(1, 64);
  const denials = new Denials(memory, 0);
  const drops = new PolicyDrops({
    denials: new DenialReader(memory),
    noteOf: (note) => NOTES[note],
    portName: (port) => `shop/pod${port}`,
    podAt: (address) => (address === '10.244.0.3' ? 'shop/web' : undefined),
    now: () => 5000,
    wall: () => AT,
  });
  const tell = (time: number, way: number, note: number, protocol: number, port: number, packets = 1) => {
    const [from, to] = [addressWords('10.244.0.3'), addressWords('10.244.1.4')];
    denials.tell(
      time,
      way,
      3,
      note,
      false,
      from,
      to,
      protocol,
      port === NO_PORT ? NO_PORT : 40_000,
      port,
      packets,
    );
  };
  return { denials, drops, tell };
}

describe('what policies refused', () => {
  it('is counted by rule, the most first', () => {
    const { drops, tell } = world();
    expect(drops.byRule()).toEqual([]);
    tell(1, ASK.INGRESS, 5, TCP, 80);
    tell(1, ASK.EGRESS, 6, TCP, 80, 44);
    tell(1, ASK.EGRESS, 7, TCP, 80, 2);
    expect(drops.byRule()).toEqual([
      { count: 44, direction: 'egress', rule: 'AdminNetworkPolicy ops, spec.egress[1]', note: NOTES[6] },
      { count: 2, direction: null, rule: 'a rule that is gone', note: null },
      { count: 1, direction: 'ingress', rule: 'no rule of NetworkPolicy shop/db', note: NOTES[5] },
    ]);
  });

  it('is told packet by packet, with pods, the latest first', () => {
    const { denials, drops, tell } = world();
    tell(4000, ASK.INGRESS, 5, TCP, 80);
    tell(4500, ASK.EGRESS, 6, ICMP, NO_PORT);
    const [v6, to] = [addressWords('fd00::3'), addressWords('fd00::4')];
    denials.tell(4600, ASK.INGRESS, 3, 5, true, v6, to, TCP, 1, 2, 1);
    denials.tell(4700, ASK.INGRESS, 3, 5, false, v6, to, NOT_IP, NO_PORT, NO_PORT, 1);
    const [other, second, icmp, tcp] = drops.recent(10);
    expect(tcp).toEqual({
      time: '2026-01-02T03:04:04.678Z',
      direction: 'ingress',
      port: 'shop/pod3',
      protocol: 'tcp',
      source: { address: '10.244.0.3', port: 40_000, pod: 'shop/web' },
      destination: { address: '10.244.1.4', port: 80, pod: null },
      rule: 'no rule of NetworkPolicy shop/db',
      note: NOTES[5],
    });
    expect(icmp).toMatchObject({ protocol: 'icmp', direction: 'egress', source: { port: null } });
    expect(second.source?.address).toBe('fd00::3');
    expect(other).toMatchObject({ protocol: null, source: null, destination: null });
    expect(drops.recent(1)).toHaveLength(1);
  });

  it('is answered as the description of the API says', async () => {
    const { drops, tell } = world();
    tell(4000, ASK.INGRESS, 5, TCP, 80);
    tell(4500, ASK.EGRESS, 7, NOT_IP, NO_PORT);
    const source: DropsSource = {
      drops: () => ({ total: 2, drops: [], rules: drops.byRule() }),
      recentDrops: (limit) => ({ drops: drops.recent(limit) }),
    };
    const routes = dropRoutes(() => source);
    const ask = async (path: string, query = '') => {
      const route = routes.find((one) => one.path === path)!;
      const request = { params: {}, body: undefined, query: new URLSearchParams(query) };
      return checker<{ drops: unknown[] }>(SCHEMAS[route.answer])((await route.handle(request)).body);
    };
    expect(await ask('/v1/drops')).toMatchObject({ rules: [{ count: 1 }, { count: 1 }] });
    expect((await ask('/v1/drops/recent', 'limit=1')).drops).toHaveLength(1);
    for (const limit of ['0', '10001', 'x', '-1']) {
      await expect(ask('/v1/drops/recent', `limit=${limit}`)).rejects.toMatchObject({ field: 'limit' });
    }
  });
});

describe('a note in words', () => {
  it('names few of many policies, and tiers that have none', () => {
    const names = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ ...DB, name }));
    expect(ruleText({ ...NOTES[5], policies: names })).toBe(
      'no rule of NetworkPolicy shop/a, NetworkPolicy shop/b, NetworkPolicy shop/c and 2 more',
    );
    const apart = { tier: 'network', policies: [], networks: ['default', 'backend'] } as const;
    expect(ruleText({ ...NOTES[6], path: undefined, ...apart })).toBe(
      'networks default and backend are kept apart',
    );
    expect(ruleText({ ...NOTES[5], tier: 'unknown', policies: [] })).toContain('not heard of yet');
  });
});
