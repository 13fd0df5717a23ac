/**
 * The demo's side of a probe: a Node process inside a namespace that does what it is asked, one thing at a
 * time. See probe/protocol.ts for what it can do.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Operation, ProbeAnswer, Request, Result } from './probe/protocol.js';

const PROGRAM = fileURLToPath(new URL('./probe/main.js', import.meta.url));
const CALL_TIMEOUT_MS = 12_000;
const ERROR_TEXT_AT_MOST = 2_000;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  progress(value: number): void;
}

export class ProbeProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #errorText = '';

  /** Starts the probe in the namespace `netns`; `name` is what messages call it. */
  constructor(
    readonly name: string,
    readonly netns: string,
  ) {
    // Detached: a Ctrl-C at the terminal is for the demo, which then ends its probes itself.
    this.#child = spawn('ip', ['netns', 'exec', netns, process.execPath, PROGRAM], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
    });
    this.#child.on('message', (answer: ProbeAnswer) => this.#take(answer));
    this.#child.on('error', (error) => this.#fail(`the probe in ${name} cannot start: ${error.message}`));
    this.#child.on('exit', () => this.#fail(`the probe in ${name} ended. ${this.#errorText}`));
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#errorText = (this.#errorText + data.toString('utf8')).slice(-ERROR_TEXT_AT_MOST);
    });
  }

  /** Asks the probe; rejects with its error, when it ends, and when it is silent for 12 s. */
  call<O extends Operation>(
    operation: O,
    request: Request<O>,
    onProgress: (value: number) => void = () => undefined,
  ): Promise<Result<O>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => settle(() => reject(new Error(`${this.name}: ${operation} takes too long`))),
        CALL_TIMEOUT_MS,
      );
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        finish();
      };
      this.#waiting.set(id, {
        resolve: (result) => settle(() => resolve(result as Result<O>)),
        reject: (error) => settle(() => reject(error)),
        progress: onProgress,
      });
      this.#child.send({ id, operation, request }, (error) => {
        if (error) this.#waiting.get(id)?.reject(error);
      });
    });
  }

  #take(answer: ProbeAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    if ('progress' in answer) waiting.progress(answer.progress);
    else if ('error' in answer) waiting.reject(new Error(`${this.name}: ${answer.error}`));
    else waiting.resolve(answer.result);
  }

  #fail(message: string): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(new Error(message.trim()));
  }

  /** Ends the probe; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || !this.#child.pid) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGKILL');
    await gone;
  }
}
