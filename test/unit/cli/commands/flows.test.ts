/** What `podwire flows` prints. */
import { describe, expect, it } from 'vitest';
import type {
  FlowEntry,
  FlowRule,
  FlowSummary,
  FlowsAnswer,
} from '../../../../src/control/api/flow-types.js';
import { fakeApi, podwire } from '../support.js';

function flow(sourcePort: number, more: Partial<FlowEntry> = {}): FlowEntry {
  return {
    protocol: 'tcp',
    state: 'ESTABLISHED',
    assured: true,
    service: 'shop/web:http',
    policy: null,
    port: 'shop/client',
    original: {
      source: '10.244.0.3',
      sourcePort,
      destination: '10.96.0.7',
      destinationPort: 80,
      packets: 12,
      bytes: 1536,
    },
    reply: {
      source: '10.244.1.4',
      sourcePort: 8080,
      destination: '10.244.0.3',
      destinationPort: sourcePort,
      packets: 9,
      bytes: 900,
    },
    ageMs: 61_000,
    idleMs: 2000,
    expiresMs: 431_998_000,
    ...more,
  };
}

describe('podwire flows', () => {
  it('is a table, sorted, with both ways', async () => {
    const answer: FlowsAnswer = { flows: [flow(40_001), flow(40_000)], continue: null };
    const { socket } = await fakeApi({ 'GET /v1/flows?limit=1000': { body: answer } });
    expect((await podwire('flows', '--socket', socket)).out).toBe(
      'PROTO   STATE         CLIENT             ADDRESS        BACKEND           SERVICE         PACKETS            BYTES   IDLE   EXPIRES\n' +
        'tcp     ESTABLISHED   10.244.0.3:40000   10.96.0.7:80   10.244.1.4:8080   shop/web:http      12/9   1.50 KiB/900 B     2s     4d23h\n' +
        'tcp     ESTABLISHED   10.244.0.3:40001   10.96.0.7:80   10.244.1.4:8080   shop/web:http      12/9   1.50 KiB/900 B     2s     4d23h\n',
    );
    const wide = (await podwire('flows', '-o', 'wide', '--socket', socket)).out;
    expect(wide).toContain('SEEN AS');
    expect(wide).toContain('shop/client');
    const json = JSON.parse((await podwire('flows', '-o', 'json', '--socket', socket)).out) as FlowsAnswer;
    expect(json.flows.map(({ original }) => original.sourcePort)).toEqual([40_000, 40_001]);
  });

  it('shows verdicts and rules where there are some', async () => {
    const policies = [{ kind: 'NetworkPolicy' as const, namespace: 'shop', name: 'db' }];
    const allow = {
      direction: 'egress' as const,
      tier: 'policy' as const,
      action: 'allow' as const,
      policies,
    };
    const rule = (note: FlowRule['note']): FlowRule => ({ rule: `RULE ${note.direction}`, note });
    const [egress, deny] = [rule(allow), rule({ ...allow, direction: 'ingress', action: 'deny' })];
    const answer: FlowsAnswer = {
      flows: [
        flow(1, { policy: { verdict: 'allowed', egress, ingress: null } }),
        flow(2, { policy: { verdict: 'refused', egress, ingress: deny } }),
      ],
      continue: null,
    };
    const { socket } = await fakeApi({ 'GET /v1/flows?limit=1000': { body: answer } });
    const lines = (await podwire('flows', '--socket', socket)).out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/SERVICE +VERDICT +PACKETS .* EXPIRES +RULE$/);
    expect(lines[1]).toMatch(/ allowed .* egress: RULE egress$/);
    expect(lines[2]).toMatch(/ refused .* {3}ingress: RULE ingress$/);
  });

  it('asks for what is wanted, page after page, and says that there may be more', async () => {
    const filters = 'pod=shop%2Fclient&service=default%2Fweb&protocol=tcp&state=established';
    const { socket } = await fakeApi({
      [`GET /v1/flows?${filters}&limit=3`]: { body: { flows: [flow(1), flow(2)], continue: '77' } },
      [`GET /v1/flows?${filters}&limit=1&continue=77`]: { body: { flows: [flow(3)], continue: '78' } },
    });
    const words = ['--pod', 'shop/client', '--service', 'web', '--protocol', 'tcp', '--state', 'established'];
    const { out } = await podwire('flows', ...words, '--limit', '3', '--socket', socket);
    expect(out.split('\n').filter((line) => line.startsWith('tcp'))).toHaveLength(3);
    expect(out).toContain('There may be more: --limit 30\n');
  });

  it('sums up', async () => {
    const summary: FlowSummary = {
      flows: 3,
      states: [
        { protocol: 'udp', state: 'REPLIED', flows: 2 },
        { protocol: 'tcp', state: 'ESTABLISHED', flows: 1 },
      ],
      services: [
        { service: 'shop/web:http', flows: 1, packets: 21, bytes: 2436 },
        { service: null, flows: 2, packets: 4, bytes: 300 },
      ],
      table: { capacity: 1_048_576, size: 3, opened: 7, expired: 4, evicted: 0, refused: 0 },
    };
    const { socket } = await fakeApi({ 'GET /v1/flows/summary?': { body: summary } });
    const { out } = await podwire('flows', '--summary', '--socket', socket);
    expect(out).toContain('3 of 1048576 entries in use, 0 %');
    expect(out).toContain('    2   udp     REPLIED\n');
    expect(out).toContain('    1        21   2.38 KiB   shop/web:http\n');
    expect(out).toContain('    2         4      300 B   -\n');
  });

  it('refuses a limit that is none', async () => {
    const { socket } = await fakeApi({});
    expect(await podwire('flows', '--limit', '0', '--socket', socket)).toMatchObject({ status: 2 });
  });
});
