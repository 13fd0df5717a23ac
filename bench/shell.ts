/**
 * Running other programs for a benchmark. Every one of them is ended by its process id, and a measurement that is
 * interrupted (`signal`) ends the ones that it waits for.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

/** Runs a program to its end and answers what it printed. Throws with its standard error. */
export function run(program: string, args: readonly string[], timeoutMs = 60_000): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export function has(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end without blocking the caller. Rejects with what it said when it fails. */
export async function finish(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => void child.kill();
  signal?.addEventListener('abort', stop);
  try {
    const output: string[] = [];
    const errors: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    signal?.throwIfAborted();
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${errors.join('') || output.join('')}`);
    return output.join('');
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Longest wait for a program's sign. */
const START_DEADLINE_MS = 30_000;

/** Starts a program and waits until its output contains `sign`. One that never says so is ended again. */
export async function startUntil(
  program: string,
  args: readonly string[],
  sign: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const env = { ...process.env, ...environment };
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const late = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS);
  try {
    await saying(child, program, sign);
  } finally {
    clearTimeout(late);
  }
  return child;
}

function saying(child: ChildProcess, program: string, sign: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    // Reads on when it is ready: a program that finds its pipe full would wait.
    const look = (chunk: Buffer): void => {
      text = (text + chunk.toString()).slice(-MOST_TEXT);
      if (text.includes(sign)) resolve();
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('close', () => reject(new Error(`${program} ended before it was ready: ${text.trim()}`)));
    child.once('error', reject);
  });
}

/** What is kept of a program's output. */
const MOST_TEXT = 16_384;

/** How long a program may take to end when it is asked to. */
const END_DEADLINE_MS = 10_000;

/** Ends a process and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), END_DEADLINE_MS);
  await closed;
  clearTimeout(late);
}

/** Rejects at once when it is interrupted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return wait(ms, undefined, signal ? { signal } : {});
}
