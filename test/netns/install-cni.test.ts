/**
 * `podwire install-cni` beside a real daemon and the real plugin, in folders of its own.
 *
 *     install-cni ─► bin/podwire-cni, net.d/10-podwire.conflist       podwire daemon, in a namespace
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));
/** A program without a C library of its own to find: all that a host may have. */
const BUSYBOX = '/bin/busybox';

const missing = missingForDaemon();
if (missing !== undefined) console.log(`skipped: installing the plugin needs ${missing}`);
const noBare = missing ?? (isStatic(BUSYBOX) ? undefined : 'a static busybox (busybox-static)');
if (noBare !== undefined) console.log(`skipped: the plugin on a host without Node needs ${noBare}`);

let bench: DaemonBench;
let binDir: string;
let confDir: string;

beforeEach(() => {
  bench = new DaemonBench();
  onTestFinished(() => bench.cleanup());
  binDir = join(bench.directory, 'bin');
  confDir = join(bench.directory, 'net.d');
});

function words(...more: string[]): string[] {
  const places = ['--bin-dir', binDir, '--conf-dir', confDir, '--socket', bench.socket];
  return [PROGRAM, 'install-cni', ...places, '-o', 'json', ...more];
}

function startInstall(...more: string[]): ChildProcess {
  const child = spawn(process.execPath, words(...more), { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function install(...more: string[]): { outcomes: string[]; err: string } {
  const run = spawnSync(process.execPath, words(...more), { encoding: 'utf8', timeout: 50_000 });
  const answer = run.status === 0 ? JSON.parse(run.stdout) : { files: [] };
  return { outcomes: answer.files.map((file: { outcome: string }) => file.outcome), err: run.stderr };
}

const plugin = () => join(binDir, 'podwire-cni');
const conflist = () => join(confDir, '10-podwire.conflist');

/** As a runtime starts it: its configuration is the conflist's, its environment nearly empty. */
function cni(command: string, env: NodeJS.ProcessEnv = {}, root?: string) {
  const { name, plugins } = JSON.parse(readFileSync(conflist(), 'utf8'));
  const input = JSON.stringify({ cniVersion: '1.0.0', name, ...plugins[0] });
  const options = {
    input,
    encoding: 'utf8',
    timeout: 30_000,
    env: { CNI_COMMAND: command, ...env },
  } as const;
  return root === undefined
    ? spawnSync(plugin(), [], options)
    : spawnSync('chroot', [root, '/cni/podwire-cni'], {
        ...options,
        env: { ...options.env, PATH: '/usr/sbin:/sbin' },
      });
}

describe.skipIf(missing !== undefined)('podwire install-cni [needs root]', () => {
  it('tells runtimes of a daemon when it is ready; what they are told gives a container its interface', async () => {
    bench.namespace('host');
    bench.namespace('box');
    const running = startInstall();
    const ended = once(running, 'exit');
    expect(await until(() => existsSync(plugin()), 30_000)).toBe(true);
    expect(existsSync(conflist())).toBe(false);
    await bench.start();
    expect(await ended).toEqual([0, null]);
    const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: bench.path('box'), CNI_IFNAME: 'eth0', CNI_PATH: binDir };
    const added = cni('ADD', env);
    expect({ status: added.status, err: added.stderr }).toEqual({ status: 0, err: '' });
    expect(JSON.parse(added.stdout).ips[0].address).toContain(bench.link('box')!.addr_info[0]!.local);
    expect(install().outcomes).toEqual(['unchanged', 'unchanged']);
    expect(cni('DEL', env).status).toBe(0);
    expect(bench.link('box')).toBeUndefined();
    expect(install('--uninstall').outcomes).toEqual(['removed', 'removed']);
  });

  it('replaces a plugin that is being used, without a call that fails', async () => {
    install('--no-wait');
    const calls: string[] = [];
    let isOver = false;
    onTestFinished(() => {
      isOver = true;
    });
    const caller = (async () => {
      while (!isOver) calls.push(await version());
    })();
    for (const flag of ['--with-node', '--portmap=off', '--with-node']) {
      const child = startInstall('--no-wait', flag);
      expect(await once(child, 'exit')).toEqual([0, null]);
    }
    isOver = true;
    await caller;
    expect(calls.length).toBeGreaterThan(2);
    expect(new Set(calls)).toEqual(new Set(['0']));
    expect(readdirSync(join(binDir, 'podwire.d'))).toHaveLength(1);
    expect(install('--uninstall').outcomes).toEqual(['removed', 'removed', 'removed']);
    expect([...readdirSync(binDir), ...readdirSync(confDir)]).toEqual([]);
  });

  it('repairs a damaged copy', () => {
    install('--no-wait', '--with-node');
    const [id] = readdirSync(join(binDir, 'podwire.d'));
    const copy = join(binDir, 'podwire.d', id!, 'bin', 'podwire-cni');
    writeFileSync(copy, 'throw new Error("damaged")');
    expect(cni('VERSION').status).not.toBe(0);
    expect(install('--no-wait', '--with-node').outcomes).toEqual(['installed', 'unchanged', 'unchanged']);
    expect(cni('VERSION').status).toBe(0);
  });
});

describe.skipIf(noBare !== undefined)('--with-node [needs root]', () => {
  it('runs where there is no Node and no C library, and where the folder has another path', () => {
    install('--no-wait', '--with-node');
    const root = join(bench.directory, 'root');
    mkdirSync(join(root, 'bin'), { recursive: true });
    copyFileSync(BUSYBOX, join(root, 'bin', 'sh'));
    chmodSync(join(root, 'bin', 'sh'), 0o755);
    spawnSync('cp', ['-a', binDir, join(root, 'cni')]);
    const run = cni('VERSION', {}, root);
    expect({ err: run.stderr, status: run.status }).toEqual({ err: '', status: 0 });
    expect(JSON.parse(run.stdout).supportedVersions).toContain('1.0.0');
  });
});

/** The exit status of the plugin's VERSION, as text. */
async function version(): Promise<string> {
  const child = spawn(plugin(), [], { stdio: ['pipe', 'ignore', 'ignore'], env: { CNI_COMMAND: 'VERSION' } });
  child.stdin.on('error', () => undefined);
  child.stdin.end('{"cniVersion":"1.0.0"}');
  const [status] = await once(child, 'exit').catch((error: Error) => [error.message]);
  return String(status);
}

function isStatic(path: string): boolean {
  return existsSync(path) && spawnSync('ldd', [path], { encoding: 'utf8' }).stderr.includes('not a dynamic');
}
