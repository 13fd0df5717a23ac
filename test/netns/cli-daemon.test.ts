/**
 * The built `podwire` as its users run it: a daemon in a namespace of its own, a pod beside it.
 *
 *     pod (eth0) ── podwire daemon, podwire0 (node)
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: the daemon needs root');

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A node namespace, a pod namespace and a directory, all removed at the end. */
class Host {
  readonly name = `podwire-${randomBytes(4).toString('hex')}`;
  readonly pod = `${this.name}-pod`;
  readonly directory = mkdtempSync(join(tmpdir(), 'podwire-cli-daemon-'));
  readonly socket = join(this.directory, 'podwire.sock');
  log = '';
  #children: ChildProcess[] = [];

  constructor() {
    for (const name of [this.name, this.pod]) execFileSync('ip', ['netns', 'add', name]);
    onTestFinished(() => {
      for (const child of this.#children) child.kill('SIGKILL');
      for (const name of [this.name, this.pod]) spawnSync('ip', ['netns', 'del', name]);
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  /** Starts a daemon and waits until its log says that it is ready. */
  async start(words: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
    const own = ['--data', join(this.directory, 'data'), '--socket', this.socket, ...words];
    const child = spawn('ip', ['netns', 'exec', this.name, process.execPath, PROGRAM, 'daemon', ...own], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#children.push(child);
    this.log = '';
    await new Promise<void>((resolve, reject) => {
      child.on('exit', () => reject(new Error(`the daemon ended: ${this.log}`)));
      child.stderr?.on('data', (data: Buffer) => {
        this.log += data.toString();
        if (this.log.includes('"msg":"ready"')) resolve();
      });
    });
    return child;
  }

  podwire(...words: string[]): { out: string; err: string; status: number | null } {
    const run = spawnSync(process.execPath, [PROGRAM, '--socket', this.socket, ...words], {
      encoding: 'utf8',
    });
    return { out: run.stdout, err: run.stderr, status: run.status };
  }

  /** Addresses of the pod's eth0, as its kernel says; empty where there is no eth0. */
  addresses(): string[] {
    const run = spawnSync('ip', ['-n', this.pod, '-j', 'addr', 'show', 'dev', 'eth0'], { encoding: 'utf8' });
    if (run.status !== 0) return [];
    const [link] = JSON.parse(run.stdout) as { addr_info: { local: string; scope: string }[] }[];
    return (link?.addr_info ?? []).filter(({ scope }) => scope === 'global').map(({ local }) => local);
  }
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<Ended> {
  child.removeAllListeners('exit');
  const ended = new Promise<Ended>((resolve) =>
    child.on('exit', (status, by) => resolve({ status, signal: by })),
  );
  child.kill(signal);
  return ended;
}

describe.skipIf(!isRoot)('podwire daemon and its clients [needs root]', () => {
  it('attaches, keeps the pod across a clean stop, and detaches', async () => {
    const host = new Host();
    const daemon = await host.start();
    const { out } = host.podwire('attach', 'web', '--netns', host.pod, '--label', 'app=web');
    const answer = JSON.parse(out);
    expect(answer).toMatchObject({ name: 'web', namespace: 'default', ifname: 'eth0', mtu: 1500 });
    expect(host.addresses().sort()).toEqual([...answer.ips].sort());

    expect(await end(daemon, 'SIGTERM')).toEqual({ status: 0, signal: null });
    expect(host.addresses().sort()).toEqual([...answer.ips].sort());
    expect(host.podwire('pods')).toMatchObject({
      status: 1,
      err: expect.stringContaining('error: DAEMON_UNREACHABLE: '),
    });

    const again = await host.start();
    expect(JSON.parse(host.podwire('status', '-o', 'json').out)).toMatchObject({ ready: true, pods: 1 });
    expect(host.podwire('detach', 'web').out).toContain('pod/default/web detached');
    expect(host.addresses()).toEqual([]);
    expect(await end(again, 'SIGINT')).toEqual({ status: 0, signal: null });
  });

  it('takes its settings from flags, environment and file, in this order', async () => {
    const host = new Host();
    const config = join(host.directory, 'podwire.yaml');
    writeFileSync(config, 'name: from-file\nmtu: 1400\npod-cidr: [10.244.7.0/24, "fd00:10:244:7::/64"]\n');
    await host.start(['--config', config, '--name', 'from-flag'], { PODWIRE_MTU: '1300' });
    expect(JSON.parse(host.podwire('status', '-o', 'json').out)).toMatchObject({
      node: 'from-flag',
      mtu: 1300,
      podCIDRs: ['10.244.7.0/24', 'fd00:10:244:7::/64'],
    });
  });

  it('ends with one clear line where another daemon has the data directory', async () => {
    const host = new Host();
    await host.start();
    const words = ['netns', 'exec', host.name, process.execPath, PROGRAM, 'daemon'];
    const own = ['--data', join(host.directory, 'data'), '--socket', join(host.directory, 'second.sock')];
    const second = spawnSync('ip', [...words, ...own], { encoding: 'utf8', timeout: 60_000 });
    expect(second.status).toBe(1);
    expect(second.stderr.split('\n').filter((line) => line.startsWith('error: '))).toEqual([
      expect.stringMatching(/^error: DATA_DIR_IN_USE: /),
    ]);
    expect(JSON.parse(host.podwire('status', '-o', 'json').out)).toMatchObject({ ready: true });
  });

  it('ends quietly when the reader of a listing goes away', async () => {
    const host = new Host();
    await host.start();
    const shell = `"${process.execPath}" "${PROGRAM}" --socket "${host.socket}" routes -o json | true`;
    const run = spawnSync('bash', ['-c', `set -o pipefail; ${shell}`], { encoding: 'utf8' });
    expect({ err: run.stderr, status: run.status }).toEqual({ err: '', status: 0 });
  });
});
