/**
 * A daemon in a network namespace of its own, pods in others, all removed again whatever happens.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttachAnswer, AttachRequest, DetachAnswer, ErrorAnswer } from '../../src/control/api/types.js';

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));
/** A start takes one second; ten times that and more where twenty threads wait for each processor. */
const START_DEADLINE_MS = 60_000;

let made = 0;

/** Why such tests cannot run here, or undefined. */
export function missingForDaemon(): string | undefined {
  if (process.getuid?.() !== 0) return 'root';
  if (!existsSync('/dev/net/tun')) return '/dev/net/tun';
  for (const program of ['ip', 'ping', 'unshare', 'nsenter', 'setpriv']) {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    } catch {
      return `the program ${program}`;
    }
  }
  return undefined;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: T;
}

/** `404 NETNS_NOT_FOUND` of an error, `200` of what is none. */
export function outcome({ status, body }: Answer<unknown>): string {
  const { error } = body as Partial<ErrorAnswer>;
  return error ? `${status} ${error.code}` : String(status);
}

export interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly address: string;
  readonly mtu: number;
  readonly flags: string[];
  readonly addr_info: { family: string; local: string; prefixlen: number; scope: string }[];
}

/** What `DaemonBench.run` has started and not yet ended. */
export interface RunningDaemon {
  readonly child: ChildProcess;
  readonly pid: number;
}

export class DaemonBench {
  readonly directory = mkdtempSync(join(tmpdir(), 'podwire-daemon-'));
  readonly socket = join(this.directory, 'api.sock');
  readonly data = join(this.directory, 'data');
  private readonly prefix = `pwd${process.pid}x${made++}`;
  private readonly namespaces: string[] = [];
  private readonly children: ChildProcess[] = [];
  private output = '';

  /** Names of namespaces that this bench makes are unique on the machine. */
  name(short: string): string {
    return `${this.prefix}-${short}`;
  }

  path(short: string): string {
    return `/run/netns/${this.name(short)}`;
  }

  namespace(short: string): string {
    const name = this.name(short);
    execFileSync('ip', ['netns', 'add', name]);
    this.namespaces.push(name);
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return name;
  }

  deleteNamespace(short: string): void {
    const name = this.name(short);
    execFileSync('ip', ['netns', 'del', name]);
    this.namespaces.splice(this.namespaces.indexOf(name), 1);
  }

  /** Starts a daemon in namespace `host` and waits until it is ready. */
  async start(flags: string[] = [], host = 'host', wrapper: string[] = []): Promise<RunningDaemon> {
    const running = this.spawn(flags, host, wrapper);
    const deadline = Date.now() + START_DEADLINE_MS;
    const from = this.output.length;
    while (!this.output.slice(from).includes('"msg":"ready"')) {
      if (running.child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the daemon did not start:\n${this.output.slice(from)}`);
      }
      await sleep(10);
    }
    return running;
  }

  /** Starts a daemon that is expected to fail, and answers what it said and its exit status. */
  async fail(
    flags: string[],
    host = 'host',
    wrapper: string[] = [],
  ): Promise<{ status: number; text: string }> {
    const from = this.output.length;
    const { child } = this.spawn(flags, host, wrapper);
    const timer = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS);
    const [status] = (await once(child, 'close')) as [number];
    clearTimeout(timer);
    return { status, text: this.output.slice(from) };
  }

  spawn(flags: string[], host: string, wrapper: string[] = []): RunningDaemon {
    const enter = ['nsenter', `--net=${this.path(host)}`, process.execPath, PROGRAM, 'daemon'];
    const options = ['--name', 'n1', '--data', this.data, '--socket', this.socket, ...flags];
    const [program, ...args] = [...wrapper, ...enter, ...options];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.children.push(child);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    if (child.pid === undefined) throw new Error(`${program} cannot be started`);
    return { child, pid: child.pid };
  }

  /** Log lines with this message, so far. */
  logged(message: string): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === message);
  }

  /** The log, for messages of failed tests. */
  get log(): string {
    return this.output;
  }

  async end({ child }: RunningDaemon, signal: NodeJS.Signals): Promise<number | null> {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'close');
    child.kill(signal);
    return ((await ended) as [number | null])[0];
  }

  call<T = unknown>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    return this.callAt(this.socket, method, path, body);
  }

  callAt<T = unknown>(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath, method, path, agent: false }, (incoming) => {
        let received = '';
        incoming.on('data', (chunk: Buffer) => {
          received += chunk.toString();
        });
        incoming.on('end', () => {
          const { statusCode = 0, headers } = incoming;
          resolve({ status: statusCode, headers, body: JSON.parse(received) as T });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }

  attach(
    name: string,
    body: Partial<AttachRequest> = {},
    namespace = 'default',
  ): Promise<Answer<AttachAnswer>> {
    return this.call('POST', `/v1/pods/${namespace}/${name}/attach`, { netns: this.path(name), ...body });
  }

  detach(name: string): Promise<Answer<DetachAnswer>> {
    return this.call('POST', `/v1/pods/default/${name}/detach`);
  }

  /** A namespace and a pod attached in it, by the same name. */
  async pod(name: string, body: Partial<AttachRequest> = {}, namespace = 'default'): Promise<AttachAnswer> {
    this.namespace(name);
    const answer = await this.attach(name, body, namespace);
    if (answer.status !== 200) throw new Error(`attach ${name}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Runs `ip` in a namespace. */
  ip(short: string, ...args: string[]): string {
    return execFileSync('ip', ['-n', this.name(short), ...args], { encoding: 'utf8' });
  }

  links(short: string): Link[] {
    return JSON.parse(this.ip(short, '-j', 'address', 'show')) as Link[];
  }

  link(short: string, ifname = 'eth0'): Link | undefined {
    return this.links(short).find((link) => link.ifname === ifname);
  }

  /** Whether two echo requests are both answered. */
  async ping(from: string, to: string): Promise<boolean> {
    const words = ['netns', 'exec', this.name(from), 'ping', '-c2', '-i0.05', '-W2', to];
    const child = spawn('ip', words, { stdio: 'ignore' });
    const [status] = (await once(child, 'close')) as [number];
    return status === 0;
  }

  async cleanup(): Promise<void> {
    for (const child of this.children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
    }
    for (const name of this.namespaces) execFileSync('ip', ['netns', 'del', name]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `probe` answers true; false when it has not within `ms`. */
export async function until(probe: () => boolean | Promise<boolean>, ms = 40_000): Promise<boolean> {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    if (await probe()) return true;
    await sleep(50);
  }
  return false;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
