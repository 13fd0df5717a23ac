/**
 * Networks that are kept apart, by a daemon: the default one and two bridge networks, of which one has no way out, and an internal
 * one. ping and curl say what a pod is told, the daemon which networks they are.
 *
 *     web  default, with a way out         front  10.80.1.0/24, with one          back  10.80.2.0/24, without
 *     shut 10.80.3.0/24, without a router
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DropsAnswer, RecentDropsAnswer } from '../../src/control/api/drop-types.js';
import type { ExplainAnswer } from '../../src/control/api/explain-types.js';
import type { RoutesAnswer } from '../../src/control/api/types.js';
import { missingPrograms, runIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('curl');
const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));

const bench = new DaemonBench();
const NETWORKS: Readonly<Record<string, string>> = { web: 'default', front: 'front', back: 'back' };
const ips: Record<string, readonly string[]> = {};

async function network(name: string, number: number, more: object = {}): Promise<string> {
  const cidrs = [`10.80.${number}.0/24`, `fd00:80:${number}::/64`];
  const body = {
    ...{ apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name } },
    spec: { mode: 'bridge', cidrs, ...more },
  };
  return outcome(await bench.call('PUT', `/v1/networks/${name}`, body));
}

const pairs = Object.keys(NETWORKS).flatMap((from) =>
  Object.keys(NETWORKS).flatMap((to) => (from === to ? [] : [{ from, to }])),
);

function command(...words: string[]): string {
  const flags = ['--socket', bench.socket];
  return execFileSync(process.execPath, [PROGRAM, ...words, ...flags], { encoding: 'utf8' });
}

async function explain(from: string, to: string): Promise<ExplainAnswer> {
  const answer = await bench.call<ExplainAnswer>('POST', '/v1/explain', { from, to });
  expect(outcome(answer)).toBe('200');
  return answer.body;
}

const apart = (from: string, to: string) => `networks ${NETWORKS[from]} and ${NETWORKS[to]} are kept apart`;

describe.skipIf(missing)(`networks apart${missing ? ` (needs ${missing})` : ''}`, () => {
  beforeAll(async () => {
    bench.namespace('host');
    await bench.start();
    expect(await network('front', 1)).toBe('201');
    expect(await network('back', 2, { egress: false })).toBe('201');
    expect(await network('shut', 3, { internal: true })).toBe('201');
    for (const pod of ['web', 'front', 'back', 'shut']) {
      const attached = await bench.pod(pod, pod === 'web' ? {} : { network: pod });
      ips[pod] = attached.ips;
    }
  });
  afterAll(() => bench.cleanup());

  it('tell ping that it is prohibited, in both families', async () => {
    for (const { from, to } of pairs) {
      const [four, six] = await Promise.all(
        ips[to].map((address) => runIn(bench.name(from), 'ping', '-c1', '-W5', address)),
      );
      expect([four.status, six.status], `${from} to ${to}`).not.toContain(0);
      expect(four.text).toMatch(/Packet filtered/i);
      expect(six.text).toMatch(/Administratively prohibited/i);
    }
    // Pods of the default network on nodes that are not there are that network's, too.
    const other = await runIn(bench.name('back'), 'ping', '-c1', '-W5', '10.244.200.7');
    expect(other.text).toMatch(/Packet filtered/i);
  });

  it('let programs fail at once', async () => {
    for (const [index, url] of [`http://${ips.front[0]}/`, `http://[${ips.front[1]}]/`].entries()) {
      const said = await runIn(bench.name('web'), 'curl', '-sS', '-g', '--max-time', '60', url);
      // 7: no connection; 28 would be the time that it waits.
      expect([index, said.status], said.text).toEqual([index, 7]);
    }
  });

  it('are named by what counts drops', async () => {
    const { drops, rules } = (await bench.call<DropsAnswer>('GET', '/v1/drops')).body;
    for (const { from, to } of pairs) {
      const rule = rules.find((one) => one.rule === apart(from, to));
      expect(rule?.count, `${from} to ${to}`).toBeGreaterThanOrEqual(2);
      expect(rule).toMatchObject({
        direction: 'egress',
        note: { tier: 'network', action: 'deny', networks: [NETWORKS[from], NETWORKS[to]] },
      });
    }
    const reasons = new Set(drops.map(({ reason }) => reason));
    expect(reasons).toContain('network-isolation');
    expect([reasons.has('unreachable'), reasons.has('no-route')]).toEqual([false, false]);
    const sum = (counts: { count: number }[]) => counts.reduce((total, { count }) => total + count, 0);
    expect(sum(drops.filter(({ reason }) => reason === 'network-isolation'))).toBe(sum(rules));
    const recent = (await bench.call<RecentDropsAnswer>('GET', '/v1/drops/recent')).body.drops;
    expect(recent).toContainEqual(
      expect.objectContaining({
        ...{ direction: 'egress', port: 'default/web', protocol: 'tcp', rule: apart('web', 'front') },
        destination: { address: ips.front[0], port: 80, pod: 'default/front' },
      }),
    );
  });

  it('are named by the commands', async () => {
    expect(command('drops')).toMatch(/egress +networks front and back are kept apart/);
    expect(command('drops', '--recent')).toContain('networks default and front are kept apart');
    const said = command('explain', '--from', 'back', '--to', 'web');
    expect(said).toContain('refused: networks back and default are kept apart');
    expect(command('routes')).toMatch(/^back +10\.80\.1\.0\/24 +apart .*front$/m);
  });

  it('are explained, and why nothing leaves a network without a router', async () => {
    for (const { from, to } of pairs) {
      expect(await explain(from, to)).toMatchObject({
        verdict: 'refused',
        text: `refused: ${apart(from, to)}`,
      });
    }
    expect((await explain('shut', 'web')).text).toBe(
      'unreachable: network shut has no router: only its own pods are reachable',
    );
  });

  it('are so from the moment that they are made until they are removed', async () => {
    const routesTo = async () =>
      (await bench.call<RoutesAnswer>('GET', '/v1/routes')).body.routes
        .filter(({ prefix, kind }) => prefix === '10.80.9.0/24' && kind === 'apart')
        .map(({ network: of, dev }) => `${of} ${dev}`);
    expect(await network('late', 9)).toBe('201');
    expect((await routesTo()).sort()).toEqual(['back late', 'default late', 'front late']);
    const { text } = await runIn(bench.name('back'), 'ping', '-c1', '-W5', '10.80.9.9');
    expect(text).toMatch(/Packet filtered/i);
    expect(outcome(await bench.call('DELETE', '/v1/networks/late'))).toMatch(/^20/);
    expect(await until(async () => (await routesTo()).length === 0)).toBe(true);
    expect(command('drops')).toContain('networks back and late are kept apart');
  });
});
