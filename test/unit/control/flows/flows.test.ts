/** Connections as the API lists them, read from a real table. */
import { describe, expect, it } from 'vitest';
import type { FlowsAnswer } from '../../../../src/control/api/flow-types.js';
import { SCHEMAS } from '../../../../src/control/api/schemas.js';
import { type FlowPolicyParts, flowPolicy } from '../../../../src/control/flows/flow-policy.js';
import { Flows } from '../../../../src/control/flows/flows.js';
import { FrontendNames } from '../../../../src/control/flows/frontend-names.js';
import { checker } from '../../../../src/control/model/schema.js';
import type { PolicyNote } from '../../../../src/control/policies/types.js';
import { NODE_FRONTEND, type ServiceSpec } from '../../../../src/dataplane/service-spec.js';
import { DECISION } from '../../../../src/dataplane/translation/chooser.js';
import { ACK, open, pass, type Rig, rig, SYN, TCP, UDP } from '../../dataplane/flows/flow-fixture.js';

const SERVICE: ServiceSpec = {
  id: 0,
  name: 'shop/web:http/IPv4',
  family: 'IPv4',
  protocol: 'TCP',
  frontends: [
    { address: '10.96.0.7', port: 80, scope: 'cluster' },
    { address: NODE_FRONTEND, port: 30080, scope: 'cluster' },
  ],
  backends: [],
};

const CLIENT = 0x0af40003;
const ADDRESS = 0x0a600007;
const BACKEND = 0x0af40104;

const NOTE: PolicyNote = {
  ...{ direction: 'ingress', tier: 'policy', action: 'allow', path: 'spec.ingress[2]' },
  policies: [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'web' }],
};

/** The plan: it knows note 5, and says that of every connection. */
const POLICIES: FlowPolicyParts = {
  noteOf: (note) => (note === 5 ? NOTE : undefined),
  judge: ({ to, port }) => {
    const isBackend = 'address' in to && to.address === '10.244.1.4' && port === 8080;
    const [found, open] = [{}, { allowed: true, reason: 'open' as const }];
    return {
      family: 4,
      from: found,
      to: found,
      egress: open,
      ingress: { ...open, ...(isBackend && { note: NOTE }) },
    };
  },
};

function flowsOf({ reader }: Rig, now = 0): Flows {
  return new Flows({
    reader,
    now: () => now,
    names: new FrontendNames(
      () => [SERVICE],
      () => 1,
    ),
    addressesOf: (pod) => (pod === 'default/web' ? ['10.244.0.3', 'fd00::3'] : ['10.244.1.4']),
    portName: (port) => `default/pod${port}`,
    policyOf: (row) => flowPolicy(row, POLICIES),
  });
}

/** A connection of 10.244.0.3 to a service at 10.96.0.7, translated to 10.244.1.4:8080. */
function openService({ table, original, reply }: Rig, port: number, to = ADDRESS, toPort = 80): void {
  original.setIpv4(0, TCP, CLIENT, to, (port << 16) | toPort);
  reply.mirror(original, 0);
  reply.source[3] = BACKEND;
  reply.seal(reply.subject, (8080 << 16) | port);
  table.open(original, reply, 3, SYN, 0);
}

function list(flows: Flows, query = ''): Promise<FlowsAnswer> {
  return flows.list(new URLSearchParams(query));
}

describe('GET /v1/flows', () => {
  it('has client, service address and backend, what was counted, and when it ends', async () => {
    const one = rig(16);
    openService(one, 40_000);
    const { flows, continue: next } = await list(flowsOf(one, 5000));
    expect(next).toBeNull();
    expect(flows).toEqual([
      {
        protocol: 'tcp',
        state: 'SYN_SENT',
        assured: false,
        service: 'shop/web:http',
        policy: null,
        port: 'default/pod3',
        original: {
          source: '10.244.0.3',
          sourcePort: 40_000,
          destination: '10.96.0.7',
          destinationPort: 80,
          packets: expect.any(Number),
          bytes: expect.any(Number),
        },
        reply: {
          source: '10.244.1.4',
          sourcePort: 8080,
          destination: '10.244.0.3',
          destinationPort: 40_000,
          packets: 0,
          bytes: 0,
        },
        ageMs: 5000,
        idleMs: 5000,
        expiresMs: 115_000,
      },
    ]);
  });

  it('names a service by a node port, and none where nothing was translated', async () => {
    const one = rig(16);
    openService(one, 1, 0xc0000201, 30080);
    open(one, TCP, 5, 1, 0, SYN);
    const { flows } = await list(flowsOf(one));
    expect(flows.map(({ service }) => service).sort()).toEqual([null, 'shop/web:http'].sort());
  });

  it('has the verdict and the rules of what policies decided', async () => {
    const one = rig(16);
    const decided = (n: number, kind: number, target: number, argument: number) => {
      const handle = open(one, UDP, n);
      one.table.decide(handle, one.table.found.state, kind, target, argument, 1);
    };
    decided(1, DECISION.ADMIT, 0, 5);
    decided(2, DECISION.REFUSE, 5, 0);
    decided(3, 0, 5, 5);
    openService(one, 4);
    const handle = one.table.lookup(one.original, 0);
    one.table.decide(handle, one.table.found.state, DECISION.TRANSLATE | DECISION.ADMIT, 5, 5, 1);
    const { flows } = await list(flowsOf(one));
    const rule = { rule: 'NetworkPolicy shop/web, spec.ingress[2]', note: NOTE };
    expect(flows.map(({ policy }) => policy)).toEqual([
      { verdict: 'allowed', egress: null, ingress: rule },
      { verdict: 'refused', egress: rule, ingress: null },
      null,
      // Not by its target and argument, which are ways: by what the plan says of client and backend.
      { verdict: 'allowed', egress: null, ingress: rule },
    ]);
  });

  it('says of UDP whether it was answered, and goes on', async () => {
    const one = rig(16);
    open(one, UDP, 1);
    expect((await list(flowsOf(one))).flows[0].state).toBe('UNREPLIED');
    pass(one, UDP, 1, 1, 10);
    expect((await list(flowsOf(one, 10))).flows[0].state).toBe('REPLIED');
    pass(one, UDP, 1, 0, 4000);
    pass(one, UDP, 1, 1, 4001);
    expect((await list(flowsOf(one, 4001))).flows[0].state).toBe('STREAM');
  });

  it.each<[query: string, ports: number[]]>([
    ['', [1, 2, 80]],
    ['protocol=tcp', [1, 80]],
    ['protocol=17', [2]],
    ['state=syn-sent', [1, 80]],
    ['state=unreplied', [2]],
    ['pod=default/web', [1]],
    ['pod=web', [1]],
    ['service=shop/web', [1]],
    ['service=shop/we', []],
    ['protocol=udp&pod=web', []],
  ])('is filtered by %s', async (query, ports) => {
    const one = rig(16);
    openService(one, 1);
    one.original.setIpv4(0, UDP, 7, 8, (2 << 16) | 53);
    one.reply.mirror(one.original, 0);
    one.table.open(one.original, one.reply, 1, 0, 0);
    one.original.setIpv4(0, TCP, 7, 8, (80 << 16) | 80);
    one.reply.mirror(one.original, 0);
    one.table.open(one.original, one.reply, 1, SYN, 0);
    const { flows } = await list(flowsOf(one), query);
    expect(flows.map(({ original }) => original.sourcePort).sort((a, b) => a - b)).toEqual(ports);
  });

  it('comes page by page, each flow once', async () => {
    const one = rig(256);
    for (let n = 0; n < 100; n++) open(one, UDP, n);
    const flows = flowsOf(one);
    const seen: string[] = [];
    let pages = 0;
    for (let next: string | null = '0'; next !== null; pages++) {
      const page = await list(flows, `limit=7&continue=${next}`);
      expect(page.flows.length).toBeLessThanOrEqual(7);
      seen.push(...page.flows.map(({ original }) => original.source));
      next = page.continue;
    }
    expect(pages).toBeGreaterThan(14);
    expect(new Set(seen).size).toBe(100);
    expect(seen).toHaveLength(100);
  });

  it.each([
    'limit=0',
    'limit=10001',
    'limit=x',
    'continue=-1',
    'state=lazy',
    'protocol=256',
    'pod=a/b/c',
    'service=',
  ])('refuses %s', async (query) => {
    const name = query.split('=')[0];
    await expect(list(flowsOf(rig(16)), query)).rejects.toMatchObject({ code: 'INVALID', field: name });
  });

  it('lets others go first, however many there are', async () => {
    const one = rig(1 << 16);
    for (let n = 0; n < 60_000; n++) open(one, UDP, n);
    let turns = 0;
    const count = () => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    await flowsOf(one).summary(new URLSearchParams());
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(5);
  });
});

describe('GET /v1/flows/summary', () => {
  it('counts by state and service, and says how full the table is', async () => {
    const one = rig(16);
    openService(one, 1);
    openService(one, 2);
    for (let n = 0; n < 3; n++) open(one, UDP, n);
    pass(one, UDP, 0, 1);
    const summary = await flowsOf(one).summary(new URLSearchParams());
    expect(summary.states).toEqual([
      { protocol: 'tcp', state: 'SYN_SENT', flows: 2 },
      { protocol: 'udp', state: 'UNREPLIED', flows: 2 },
      { protocol: 'udp', state: 'REPLIED', flows: 1 },
    ]);
    expect(summary.services.map(({ service, flows }) => [service, flows])).toEqual([
      [null, 3],
      ['shop/web:http', 2],
    ]);
    expect(summary.table).toMatchObject({ capacity: 16, size: 5, opened: 5, evicted: 0 });
    const filtered = await flowsOf(one).summary(new URLSearchParams('service=shop/web'));
    expect(filtered.flows).toBe(2);
  });

  it('and the list answer what the description of the API says', async () => {
    const one = rig(16);
    openService(one, 1);
    pass(one, TCP, 1, 0, 0, ACK);
    const flows = flowsOf(one);
    checker(SCHEMAS.Flows, 'flows')(await list(flows));
    checker(SCHEMAS.FlowSummary, 'summary')(await flows.summary(new URLSearchParams()));
  });
});
