/**
 * What a change of policies would do, asked of a daemon with connections that go on: the dry run before and after it is
 * applied, and a capture of tcpdump's replayed in the daemon's state. The kernels of the pods are the judges.
 *
 *     web ── cron ── db (TCP 5432, UDP 5432), all in the default network of one node
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowsAnswer } from '../../src/control/api/flow-types.js';
import type { AttachAnswer, Resource } from '../../src/control/api/types.js';
import type { DryRunAnswer, FlowChange, StateAnswer } from '../../src/control/api/what-if-types.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('tcpdump');
if (missing !== undefined) console.log(`skipped: what-if needs ${missing}`);

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));

/** Answers each chunk with itself. */
const SERVER = `
  require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.pipe(socket); })
    .listen(5432, '0.0.0.0', () => console.log('listening'));
  setTimeout(() => process.exit(), 90_000);`;

/** Says something every tenth of a second over one connection, and prints each answer. */
const CLIENT = `
  const socket = require('node:net').connect(5432, process.argv[1]);
  socket.on('error', () => {});
  socket.on('data', () => console.log('answered'));
  setInterval(() => { if (socket.writable) socket.write('x'); }, 100);
  setTimeout(() => process.exit(), 90_000);`;

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'db', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [
      {
        from: [{ podSelector: { matchLabels: { app: 'web' } } }],
        ports: [{ protocol: 'TCP', port: 5432 }],
      },
    ],
  },
};

describe.skipIf(missing !== undefined)('what would be', () => {
  let bench: DaemonBench;
  let children: ChildProcess[] = [];
  let db: AttachAnswer;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    await bench.start(['--pod-cidr', '10.240.7.0/24']);
    db = await bench.pod('db', { labels: { app: 'db' } });
    await bench.pod('web', { labels: { app: 'web' } });
    await bench.pod('cron', { labels: { app: 'cron' } });
    const server = start('db', SERVER);
    await once(server.stdout!, 'data');
    for (const name of ['web', 'cron']) await once(start(name, CLIENT, db.ips[0]!).stdout!, 'data');
  }, 120_000);

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    children = [];
    await bench?.cleanup();
  });

  function start(name: string, program: string, ...words: string[]): ChildProcess {
    const child = spawnIn(bench.name(name), process.execPath, '-e', program, ...words);
    children.push(child);
    return child;
  }

  async function podwire(...words: string[]): Promise<{ out: string; err: string; status: number | null }> {
    const child = spawn(process.execPath, [PROGRAM, '--socket', bench.socket, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString();
    });
    const [status] = (await once(child, 'close')) as [number | null];
    return { out, err, status };
  }

  async function dryRun(command: string, resources: object, observe: string): Promise<DryRunAnswer> {
    const words = [command, '--dry-run', '-f', file(resources), '--observe', observe, '-o', 'json'];
    const { out, err, status } = await podwire(...words);
    expect({ err, status }).toEqual({ err: '', status: 0 });
    return JSON.parse(out) as DryRunAnswer;
  }

  function file(resources: object): string {
    const path = join(bench.directory, 'candidate.json');
    writeFileSync(path, JSON.stringify(resources));
    return path;
  }

  /** `default/cron > default/db tcp 5432`. */
  function shown({ from, to, protocol, port }: FlowChange): string {
    return `${from.pod ?? from.address} > ${to.pod ?? to.address} ${protocol} ${port}`;
  }

  it('shows who would be refused, of connections that no policy has followed until then, and writes nothing', async () => {
    const answer = await dryRun('apply', POLICY, '1.5');
    expect(answer.documents).toEqual([
      { kind: 'NetworkPolicy', namespace: 'default', name: 'db', outcome: 'created', concerns: true },
    ]);
    expect(answer.changes.map(shown)).toEqual(['default/cron > default/db tcp 5432']);
    expect(answer).toMatchObject({ node: 'n1', flows: 2, refused: 1, allowed: 0, ended: 0 });
    const [{ now, after, flows }] = answer.changes as [FlowChange];
    expect(flows).toBe(1);
    expect(now).toEqual({
      allowed: true,
      egress: { allowed: true, reason: 'open' },
      ingress: { allowed: true, reason: 'open' },
    });
    expect(after).toEqual({
      allowed: false,
      egress: { allowed: true, reason: 'open' },
      ingress: {
        allowed: false,
        reason: 'policy',
        note: {
          direction: 'ingress',
          tier: 'policy',
          action: 'deny',
          policies: [{ kind: 'NetworkPolicy', namespace: 'default', name: 'db' }],
        },
      },
    });
    expect((await bench.call('GET', '/v1/networkpolicies/default/db')).status).toBe(404);
  });

  it('prints that as a table, with the rule on each side', async () => {
    const { out } = await podwire('apply', '--dry-run', '-f', file(POLICY), '--observe', '0');
    expect(out).toContain('networkpolicy/default/db created (dry run)\n');
    expect(out).toMatch(
      /^default\/cron → default\/db +tcp +5432 +1 +allowed: nothing selects it +refused: ingress, no rule of NetworkPolicy default\/db$/m,
    );
    expect(out).toContain('2 connections looked at: 1 would be refused, 0 would be allowed.');
  });

  it('refuses what a real apply would refuse, and names the field and the document', async () => {
    const spec = {
      ...POLICY.spec,
      ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['192.168.0.0/16'] } }] }],
    };
    const { err, status } = await podwire('apply', '--dry-run', '-f', file({ ...POLICY, spec }));
    expect(status).toBe(1);
    const applied = await podwire('apply', '-f', file({ ...POLICY, spec }));
    const [, message] = /INVALID: (spec\.ingress\[0\].*) \(networkpolicy/.exec(applied.err) ?? [];
    expect(message).toBeDefined();
    expect(err).toBe(`error: INVALID: apply[0], NetworkPolicy default/db: ${message}\n`);
    const answer = await bench.call<{ error: { field: string } }>('POST', '/v1/dry-run', {
      apply: [{ ...POLICY, spec }],
    });
    expect(answer.body.error.field).toMatch(/^apply\[0\]\.spec\.ingress\[0\]\.from\[0\]\.ipBlock\.except/);
  });

  it('replays a capture of it in the daemon’s state: the same connection would be refused', async () => {
    const capture = join(bench.directory, 'db.pcap');
    const dump =
      start('db', '').pid === undefined
        ? undefined
        : spawnIn(
            bench.name('db'),
            'tcpdump',
            '-i',
            'any',
            '-n',
            '-U',
            '-c',
            '60',
            '-w',
            capture,
            'tcp port 5432',
          );
    children.push(dump!);
    await once(dump!, 'close');
    expect(existsSync(capture) && statSync(capture).size).toBeGreaterThan(1000);
    const words = ['replay', capture, '--state', file(POLICY)];
    const { out, err } = await podwire(...words);
    expect(err).toBe('');
    expect(out).toMatch(
      /^default\/cron → default\/db +tcp +5432 +\d+ +allowed: nothing selects it +refused: ingress, no rule of NetworkPolicy default\/db$/m,
    );
    expect(out).not.toContain('default/web →');
    const state = JSON.parse((await podwire('state', '-o', 'json')).out) as StateAnswer;
    const pods = state.items.filter(({ kind }: Resource) => kind === 'Pod');
    expect(pods.map(({ metadata }) => metadata.name).toSorted()).toEqual(['cron', 'db', 'web']);
  });

  it('shows who would be allowed, once the policy is there', async () => {
    const before = await bench.call('PUT', '/v1/networkpolicies/default/db', POLICY);
    expect(before.status).toBe(201);
    // What cron still says is refused, and known as that.
    const dropped = async () => {
      const { out } = await podwire('drops', '-o', 'json');
      return out.includes('policy-ingress');
    };
    expect(await until(dropped)).toBe(true);
    const answer = await dryRun('delete', POLICY, '0');
    expect(answer.documents).toMatchObject([{ name: 'db', outcome: 'deleted' }]);
    expect(answer.changes.map(shown)).toEqual(['default/cron > default/db tcp 5432']);
    expect(answer).toMatchObject({ refused: 0, allowed: 1 });
    const label = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'cron', labels: { app: 'web' } } };
    expect((await dryRun('apply', label, '0')).changes.map(shown)).toEqual([
      'default/cron > default/db tcp 5432',
    ]);
    // A connection that is refused from its first packet on is no flow; its packets tell.
    await runIn(bench.name('web'), 'bash', '-c', `exec 3<>/dev/udp/${db.ips[0]}/53 && echo x >&3`);
    const udp = await dryRun('delete', POLICY, '0');
    expect(udp.changes.map(shown).toSorted()).toEqual([
      'default/cron > default/db tcp 5432',
      'default/web > default/db udp 53',
    ]);
  });

  it('says what of the file verdicts do not depend on, and what is not there to be deleted', async () => {
    const network = {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'x' },
      spec: { mode: 'bridge', cidrs: ['10.99.0.0/24'] },
    };
    const { out } = await podwire('apply', '--dry-run', '-f', file(network), '--observe', '0');
    expect(out).toContain('network/x created (dry run)\n');
    expect(out).toContain('do not depend on any of these');
    const gone = await podwire('delete', '--dry-run', 'netpol', 'other');
    expect(gone).toMatchObject({
      status: 1,
      err: expect.stringContaining('NOT_FOUND: delete[0]: there is no NetworkPolicy default/other'),
    });
    const pod = await dryRun('delete', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'cron' } }, '0');
    expect(pod.ended).toBeGreaterThan(0);
    expect(pod.changes).toEqual([]);
  });

  it('follows no longer than somebody waits for it', async () => {
    await bench.call('DELETE', '/v1/networkpolicies/default/db');
    const seen = async (port: number): Promise<boolean> => {
      const program = `const s = require('node:dgram').createSocket('udp4');
        s.bind(${port}, () => s.send('x', 53, '${db.ips[0]}', () => s.close()));`;
      await runIn(bench.name('web'), process.execPath, '-e', program);
      const { body } = await bench.call<FlowsAnswer>('GET', '/v1/flows?protocol=udp');
      return body.flows.some(({ original }) => original.sourcePort === port);
    };
    const asked = request({ socketPath: bench.socket, method: 'POST', path: '/v1/dry-run', agent: false });
    asked.on('error', () => {});
    asked.end(JSON.stringify({ apply: [POLICY], observe: 600 }));
    let port = 20_000;
    expect(await until(() => seen(port++))).toBe(true);
    asked.destroy();
    expect(await until(async () => !(await seen(port++)))).toBe(true);
  });
});
