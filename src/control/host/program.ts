/**
 * Programs of the host that podwire asks to do something for it: run to their end, fed a text, and their words collected.
 *
 * A child process begins in the network namespace in which the thread is that forks it. libuv forks within
 * `spawn`, on the calling thread, so a spawn inside `withNamespace` starts the program in the pod's namespace although
 * nobody waits for it there.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { inside } from './inside.js';

/** Where distributions put them, for daemons that are started with a short PATH. */
const SBIN = '/usr/sbin:/sbin:/usr/local/sbin';

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** @param namespace descriptor of the network namespace; default: the daemon's own. @throws Error of spawn */
export async function runProgram(
  program: string,
  args: readonly string[],
  input: string,
  namespace?: number,
): Promise<Outcome> {
  const child = inside(namespace, () => start(program, args));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status));
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) return { status: await ended, output: '', errors: '' };
  stdin.on('error', () => {}); // it ended before it read everything: its status tells
  stdin.end(input);
  const [status, output, errors] = await Promise.all([ended, text(stdout), text(stderr)]);
  return { status, output, errors };
}

/** Whether it cannot be run at all. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false;
  return error.code === 'ENOENT' || error.code === 'EACCES';
}

function start(program: string, args: readonly string[]): ChildProcess {
  const PATH = process.env.PATH ? `${process.env.PATH}:${SBIN}` : SBIN;
  return spawn(program, args, { env: { ...process.env, PATH, LC_ALL: 'C' }, stdio: 'pipe' });
}
