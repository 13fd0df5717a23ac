/** `podwire explain`: what it asks, and what it makes of the answer. */
import { describe, expect, it } from 'vitest';
import { explanation } from '../../../../src/cli/output/explanation.js';
import { paletteFor } from '../../../../src/cli/output/style.js';
import type {
  ExplainAnswer,
  ExplainPath,
  ExplainVerdict,
} from '../../../../src/control/api/explain-types.js';
import { SCHEMAS } from '../../../../src/control/api/schemas.js';
import { checker } from '../../../../src/control/model/schema.js';
import { fakeApi, podwire } from '../support.js';

const check = checker<ExplainAnswer>(SCHEMAS.Explanation);

const EGRESS: ExplainVerdict = {
  direction: 'egress',
  pod: 'default/web',
  node: 'k1',
  verdict: 'allow',
  text: 'allowed: no policy selects default/web for egress',
};

const POLICY = { kind: 'NetworkPolicy', namespace: 'shop', name: 'db-access' } as const;

const ALLOWED: ExplainVerdict = {
  direction: 'ingress',
  pod: 'shop/db',
  node: 'k2',
  verdict: 'allow',
  text: 'allowed by NetworkPolicy shop/db-access, spec.ingress[0]',
  note: {
    direction: 'ingress',
    tier: 'policy',
    action: 'allow',
    policies: [POLICY],
    path: 'spec.ingress[0]',
  },
  rule: {
    policy: POLICY,
    path: 'spec.ingress[0]',
    line: 9,
    peer: { path: 'spec.ingress[0].from[1]', line: 12, text: 'pods app=web in namespaces team=a' },
    port: { path: 'spec.ingress[0].ports[0]', line: 16, text: 'TCP 5432' },
    lines: [
      { number: 8, text: '  ingress:', matched: false },
      { number: 9, text: '    - from:', matched: false },
      { number: 12, text: '        - podSelector:', matched: true },
      { number: 13, text: '            matchLabels:', matched: true },
      { number: 14, text: '              app: web', matched: true },
      { number: 15, text: '      ports:', matched: false },
      { number: 16, text: '        - protocol: TCP', matched: true },
    ],
  },
};

const REFUSED: ExplainVerdict = {
  direction: 'ingress',
  pod: 'shop/db',
  node: 'k2',
  verdict: 'deny',
  text: 'refused: no rule of NetworkPolicy shop/db-access, NetworkPolicy shop/none is for this',
  misses: [
    {
      policy: POLICY,
      rules: [
        { path: 'spec.ingress[0]', line: 9, why: 'TCP 80 is not TCP 5432' },
        { path: 'spec.ingress[10]', line: 40, why: 'default/web is not app=api' },
      ],
    },
    { policy: { ...POLICY, name: 'none' }, rules: [] },
  ],
};

const PATH: ExplainPath = {
  from: { kind: 'pod', address: '10.244.0.3', pod: 'default/web', node: 'k1', network: 'default' },
  to: { kind: 'pod', address: '10.244.1.4', pod: 'shop/db', node: 'k2', network: 'default' },
  port: 5432,
  way: {
    kind: 'tunnel',
    text: 'routed, through the tunnel to node k2',
    peer: { name: 'k2', address: '192.168.77.2', state: 'up', rttMicros: 210 },
  },
  egress: EGRESS,
  ingress: ALLOWED,
  verdict: 'allowed',
};

const ANSWER: ExplainAnswer = {
  node: 'k1',
  from: 'web',
  to: 'shop/db',
  protocol: 'tcp',
  port: 5432,
  service: null,
  paths: [PATH],
  verdict: 'allowed',
  text: 'allowed',
};

function text(answer: ExplainAnswer): string[] {
  return explanation(check(answer), paletteFor({}))
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd());
}

describe('podwire explain', () => {
  it('asks the daemon, prints the answer, and exits 0 whatever it is', async () => {
    const refused = { ...ANSWER, verdict: 'refused', text: 'refused: ingress of shop/db' };
    const { socket, heard } = await fakeApi({ 'POST /v1/explain': { body: refused } });
    const flags = ['--proto', 'TCP', '--dport', '5432', '-n', 'shop', '-6'];
    const { out, err, status } = await podwire(
      'explain',
      '--from',
      'web',
      '--to',
      'svc/db',
      ...flags,
      '--socket',
      socket,
    );
    expect({ err, status }).toEqual({ err: '', status: 0 });
    expect(out.trimEnd().split('\n').at(-1)).toBe('refused: ingress of shop/db');
    const body = {
      from: 'web',
      to: 'svc/db',
      protocol: 'tcp',
      port: 5432,
      namespace: 'shop',
      family: 'IPv6',
    };
    expect(heard).toEqual([{ method: 'POST', url: '/v1/explain', body }]);
  });

  it('prints all of it as JSON', async () => {
    const { socket } = await fakeApi({ 'POST /v1/explain': { body: ANSWER } });
    const { out } = await podwire('explain', '--from', 'web', '--to', 'db', '-o', 'json', '--socket', socket);
    expect(JSON.parse(out)).toEqual(ANSWER);
  });

  it.each([
    [['--to', 'db'], '--from'],
    [['--from', 'web'], '--to'],
    [['--from', 'a', '--to', 'b', '--proto', 'gre'], '--proto'],
    [['--from', 'a', '--to', 'b', '--dport', '0'], '--dport'],
    [['--from', 'a', '--to', 'b', '--dport', '65536'], '--dport'],
    [['--from', 'a', '--to', 'b', '--dport', 'http'], '--dport'],
    [['--from', 'a', '--to', 'b', '-4', '-6'], '-4'],
    [['--from', 'a', '--to', 'b', '-o', 'yaml'], '-o yaml'],
  ])('refuses the command line %j', async (argv, named) => {
    const { err, status } = await podwire('explain', ...argv, '--socket', '/nonexistent');
    expect(status).toBe(2);
    expect(err).toContain(`error: USAGE: ${named}`);
  });
});

describe('an explanation', () => {
  it('names the ends, the way, and the rule with its lines', () => {
    expect(text(ANSWER)).toEqual([
      'From:    default/web (10.244.0.3), network default, node k1',
      'To:      shop/db (10.244.1.4), network default, node k2',
      'Asked:   tcp 5432',
      'Way:     routed, through the tunnel to node k2 (192.168.77.2, up, 210 µs)',
      '',
      'Egress of default/web, at node k1',
      '  allowed: no policy selects default/web for egress',
      '',
      'Ingress of shop/db, at node k2',
      '  allowed by NetworkPolicy shop/db-access, spec.ingress[0]',
      '    spec.ingress[0].from[1]    line 12: pods app=web in namespaces team=a',
      '    spec.ingress[0].ports[0]   line 16: TCP 5432',
      '    podwire get networkpolicy db-access -n shop -o yaml',
      '       8    ingress:',
      '       9      - from:',
      '       ⋮',
      '    > 12          - podSelector:',
      '    > 13              matchLabels:',
      '    > 14                app: web',
      '      15        ports:',
      '    > 16          - protocol: TCP',
      '',
      'allowed',
    ]);
  });

  it('says of each rule in a line why it does not match', () => {
    const path = { ...PATH, ingress: REFUSED, verdict: 'refused' as const };
    const lines = text({ ...ANSWER, paths: [path], verdict: 'refused', text: 'refused: ingress of shop/db' });
    expect(lines.slice(8)).toEqual([
      'Ingress of shop/db, at node k2',
      '  refused: no rule of NetworkPolicy shop/db-access, NetworkPolicy shop/none is for this',
      '    NetworkPolicy shop/db-access',
      '      spec.ingress[0]    line 9: TCP 80 is not TCP 5432',
      '      spec.ingress[10]   line 40: default/web is not app=api',
      '    NetworkPolicy shop/none: has no ingress rules',
      '',
      'refused: ingress of shop/db',
    ]);
  });

  it('lists the backends of a service, each with its way and verdicts', () => {
    const service = { name: 'shop/db:sql', address: 'fd00::7', port: 5432, backends: 2, otherBackends: 1 };
    const second = { ...PATH, ingress: REFUSED, verdict: 'refused' as const };
    const lines = text({
      ...ANSWER,
      service,
      paths: [PATH, second],
      verdict: 'depends',
      text: 'depends on the backend',
    });
    expect(lines[1]).toBe(
      'To:      service shop/db:sql at [fd00::7]:5432: 2 backends, 1 more take no new connections',
    );
    expect(lines).toContain('Backend 1 of 2:   shop/db (10.244.1.4:5432), network default, node k2');
    expect(lines.filter((line) => line.startsWith('Way:'))).toHaveLength(2);
    expect(lines.at(-1)).toBe('depends on the backend');
    const none = {
      ...ANSWER,
      service: { ...service, backends: 0 },
      paths: [],
      verdict: 'unreachable' as const,
    };
    expect(text({ ...none, text: 'unreachable: none' }).at(-1)).toBe('unreachable: none');
  });

  it('has colours on a terminal', () => {
    const coloured = explanation(ANSWER, paletteFor({ isTTY: true }, {}));
    expect(coloured).toContain('\x1b[32mallowed\x1b[39m by NetworkPolicy');
    expect(coloured).toContain('\x1b[1m12          - podSelector:\x1b[22m');
  });
});
