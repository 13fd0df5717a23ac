/**
 * A real etcd for tests: on loopback, on free ports, in a directory of its own. It can be killed and started again on
 * the same ports, lose its data, stand still, and be compacted. Only the process that was started here is ended.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HEALTHY_WITHIN = 20_000;

/** Why tests with etcd cannot run here; undefined: they can. */
export function etcdMissing(): string | undefined {
  for (const program of ['etcd', 'etcdctl']) {
    if (spawnSync(program, ['version']).error && spawnSync(program, ['--version']).error) {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

export interface EtcdTlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export class TestEtcd {
  private process: ChildProcess | undefined;
  private log = '';

  private constructor(
    private readonly directory: string,
    private readonly clientPort: number,
    private readonly peerPort: number,
    private readonly tls: EtcdTlsFiles | undefined,
  ) {}

  /** Started and healthy. A port that was free may be taken by the time etcd asks for it: then on others. */
  static async start(options: { tls?: EtcdTlsFiles } = {}): Promise<TestEtcd> {
    return TestEtcd.startOnce(options).catch(() => TestEtcd.startOnce(options));
  }

  private static async startOnce(options: { tls?: EtcdTlsFiles }): Promise<TestEtcd> {
    const directory = await mkdtemp(join(tmpdir(), 'podwire-etcd-'));
    const [client, peer] = [await freePort(), await freePort()];
    const etcd = new TestEtcd(directory, client, peer, options.tls);
    try {
      await etcd.restart();
    } catch (error) {
      await etcd.stop();
      throw error;
    }
    return etcd;
  }

  get url(): string {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.clientPort}`;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** With the data that is there, on the same ports. */
  async restart(): Promise<void> {
    const peer = `http://127.0.0.1:${this.peerPort}`;
    const { tls } = this;
    const child = spawn(
      'etcd',
      [
        ['--name', 'test', '--data-dir', join(this.directory, 'data')],
        ['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
        [
          '--listen-peer-urls',
          peer,
          '--initial-advertise-peer-urls',
          peer,
          '--initial-cluster',
          `test=${peer}`,
        ],
        ['--heartbeat-interval', '50', '--election-timeout', '500', '--unsafe-no-fsync'],
        tls
          ? [
              '--cert-file',
              tls.cert,
              '--key-file',
              tls.key,
              '--client-cert-auth',
              '--trusted-ca-file',
              tls.ca,
            ]
          : [],
      ].flat(),
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch } },
    );
    this.process = child;
    this.log = '';
    child.stderr.on('data', (text) => {
      this.log = (this.log + text).slice(-4000);
    });
    await this.healthy(child);
  }

  /** Ends it at once, as a crash would; its data stay. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** It loses its data: killed, emptied, started anew with the same name and ports. */
  async wipe(): Promise<void> {
    await this.kill();
    await rm(join(this.directory, 'data'), { recursive: true, force: true });
    await this.restart();
  }

  /** Answers nothing and closes nothing, until `resume`. Resolves when every thread of it stands still. */
  async pause(): Promise<void> {
    const child = this.process;
    child?.kill('SIGSTOP');
    const isStopped = async (thread: string) =>
      /^State:\s+T/m.test(
        await readFile(`/proc/${this.pid}/task/${thread}/status`, 'utf8').catch(() => 'State: T'),
      );
    for (;;) {
      const threads = await readdir(`/proc/${this.pid}/task`);
      if ((await Promise.all(threads.map(isStopped))).every((stopped) => stopped)) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  resume(): void {
    this.process?.kill('SIGCONT');
  }

  async compact(revision: number): Promise<void> {
    await this.ctl('compact', String(revision));
  }

  /** What etcdctl prints. */
  async ctl(...args: string[]): Promise<string> {
    const { tls } = this;
    const secure = tls ? ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key] : [];
    const env = { ...process.env, ETCDCTL_API: '3' };
    const { stdout } = await run('etcdctl', ['--endpoints', this.url, ...secure, ...args], {
      env,
      timeout: 10_000,
    });
    return stdout;
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    this.resume();
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async healthy(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + HEALTHY_WITHIN;
    while (performance.now() < deadline && child.exitCode === null) {
      const answer = await this.ctl('endpoint', 'health').catch(() => undefined);
      if (answer !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`etcd did not become healthy:\n${this.log}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
