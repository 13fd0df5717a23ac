/**
 * The demo's daemon: `podwire daemon` as its users start it, in the node's namespace, with its own data
 * directory and socket.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusAnswer } from '../../control/api/types.js';
import { ApiClient } from '../client.js';
import { failure } from '../errors.js';
import { packageRoot } from '../install-cni/plugin-files.js';
import { sleep, within } from './time.js';

const PROGRAM = join(packageRoot(), 'bin', 'podwire');
const READY_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 4_000;
const POLL_MS = 15;

export interface SwitchOptions {
  /** Of the node. */
  readonly name: string;
  readonly netns: string;
  /** For data, socket and log; it is made. */
  readonly directory: string;
  readonly io: string;
  /** Further words for its command line. */
  readonly flags: readonly string[];
}

export class SwitchProcess {
  readonly socket: string;
  readonly logFile: string;
  readonly api: ApiClient;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #isOver = false;
  #wasReady = false;

  constructor(readonly options: SwitchOptions) {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.socket = join(options.directory, 'podwire.sock');
    this.logFile = join(options.directory, 'daemon.log');
    this.api = new ApiClient(this.socket);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the daemon and waits until it is ready. Rejects with the daemon's own error. */
  async start(): Promise<StatusAnswer> {
    if (this.#isOver) throw failure('INTERRUPTED', 'the demo is over');
    this.#wasReady = false;
    const log = openSync(this.logFile, 'a', 0o600);
    this.#child = spawn('ip', ['netns', 'exec', this.options.netns, process.execPath, ...this.#words()], {
      stdio: ['ignore', 'ignore', log],
      detached: true,
      env: environmentWithoutSettings(),
    });
    closeSync(log);
    this.#exited = exitOf(this.#child);
    return this.#ready();
  }

  #words(): string[] {
    const { name, directory, io, flags } = this.options;
    return [
      ...[PROGRAM, 'daemon', '--name', name, '--data', join(directory, 'data')],
      ...['--socket', this.socket, '--io', io, ...flags],
    ];
  }

  async #ready(): Promise<StatusAnswer> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (performance.now() < deadline) {
      if (this.isGone) throw failure('DEMO_FAILED', `the daemon ended at once: ${this.lastWords()}`);
      const status = await this.api.get<StatusAnswer>('/v1/status').catch(() => undefined);
      if (status?.ready) {
        this.#wasReady = true;
        return status;
      }
      await sleep(POLL_MS);
    }
    throw failure(
      'DEMO_FAILED',
      `the daemon is not ready after ${READY_TIMEOUT_MS / 1000} s: ${this.lastWords()}`,
    );
  }

  /** The end of its log. */
  logTail(lines: number): string[] {
    return this.#logLines().slice(-lines);
  }

  /** The daemon's own error, or else how it ended, or else the last line of its log. */
  lastWords(): string {
    const lines = this.#logLines();
    const error = lines.findLast((line) => line.startsWith('error: '));
    return error?.slice('error: '.length) ?? this.#end() ?? lines.at(-1) ?? 'it says nothing';
  }

  #end(): string | undefined {
    const { signalCode, exitCode } = this.#child ?? {};
    if (signalCode) return `ended by ${signalCode}`;
    return typeof exitCode === 'number' ? `ended with status ${exitCode}` : undefined;
  }

  #logLines(): string[] {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').trim().split('\n') : [];
  }

  /** Whether it has been ready since its last start. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** Whether it does not run. */
  get isGone(): boolean {
    return this.#child === undefined || this.hasEnded;
  }

  /** Whether it was started and has ended, whoever ended it. */
  get hasEnded(): boolean {
    return this.#child !== undefined && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  /** As a crash would: no chance to tidy up. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** A clean stop, within bounds; it is not started again. */
  async stop(): Promise<void> {
    this.#isOver = true;
    if (this.isGone) return;
    this.#child?.kill('SIGTERM');
    await within(STOP_TIMEOUT_MS, this.#exited, 'it does not stop').catch(() => undefined);
    await this.kill();
  }

  /** Lets the daemon outlive the demo. */
  release(): void {
    this.#child?.unref();
  }
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

/** What the user has set for a real daemon is not meant for this one. */
function environmentWithoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PODWIRE_')));
}
