/** An etcd of the demo's own, one member, in a namespace that the nodes reach. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../errors.js';
import { sleep } from './time.js';

const READY_TIMEOUT_MS = 8_000;
const POLL_MS = 30;
/** Members speak to one another here: there is one. */
const PEER_URL = 'http://127.0.0.1:2380';

export interface EtcdOptions {
  readonly netns: string;
  /** Of the demo. */
  readonly directory: string;
  readonly address: string;
  readonly port: number;
}

export class EtcdProcess {
  readonly #log: string;
  #child: ChildProcess | undefined;
  #error: Error | undefined;

  constructor(private readonly options: EtcdOptions) {
    this.#log = join(options.directory, 'etcd.log');
  }

  /** Until it serves. Rejects with the end of its log where it does not. */
  async start(): Promise<void> {
    const { netns, directory, address, port } = this.options;
    const url = `http://${address}:${port}`;
    const log = openSync(this.#log, 'a', 0o600);
    const words = [
      ...['--data-dir', join(directory, 'etcd'), '--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', PEER_URL, '--initial-advertise-peer-urls', PEER_URL],
      ...['--initial-cluster', `default=${PEER_URL}`],
    ];
    this.#child = spawn('ip', ['netns', 'exec', netns, 'etcd', ...words], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    this.#child.on('error', (error) => {
      this.#error = error;
    });
    closeSync(log);
    await this.#ready();
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (performance.now() < deadline) {
      const text = readFileSync(this.#log, 'utf8');
      if (/serving (insecure )?client|ready to serve client requests/.test(text)) return;
      if (this.#isGone()) break;
      await sleep(POLL_MS);
    }
    const last = readFileSync(this.#log, 'utf8').trim().split('\n').at(-1);
    throw failure('DEMO_FAILED', `etcd does not start (is it installed?): ${this.#error?.message ?? last}`);
  }

  #isGone(): boolean {
    return this.#error !== undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#isGone()) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  /** Lets it outlive the demo. */
  release(): void {
    this.#child?.unref();
  }
}
