/**
 * The program `ip` of iproute2: the one place that runs it. Several commands go into one `ip -batch`, which
 * stops at the first that fails.
 *
 * A child process begins in the network namespace in which the thread is that forks it. libuv forks within
 * `spawn`, on the calling thread, so a spawn inside `withNamespace` starts `ip` in the pod's namespace although
 * nobody waits for it there.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { PodwireError } from '../errors.js';
import { inside } from './inside.js';

/** Where distributions put it, for daemons that are started with a short PATH. */
const SBIN = '/usr/sbin:/sbin:/usr/local/sbin';

/**
 * Runs commands such as `link set dev eth0 up`, in order.
 * @param namespace descriptor of the network namespace; default: the daemon's own.
 * @throws PodwireError IPROUTE2_MISSING, or IPROUTE2_FAILED with the command and ip's words
 */
export async function runBatch(commands: readonly string[], namespace?: number): Promise<void> {
  if (commands.length === 0) return;
  const { status, errors } = await run(['-batch', '-'], `${commands.join('\n')}\n`, namespace);
  if (status !== 0) throw batchError(commands, errors);
}

/** Runs one command and reads its JSON answer. @throws as `runBatch` */
export async function queryJson<T>(args: readonly string[]): Promise<T> {
  const { status, output, errors } = await run(['-json', ...args], '');
  if (status !== 0) throw failure(args.join(' '), errors);
  return JSON.parse(output || '[]') as T;
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

async function run(args: readonly string[], input: string, namespace?: number): Promise<Outcome> {
  const child = inside(namespace, () => start(args));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(startError(error)));
    child.once('close', (status) => resolve(status));
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) return { status: await ended, output: '', errors: '' };
  stdin.on('error', () => {}); // ip ended before it read everything: its status tells
  stdin.end(input);
  const [status, output, errors] = await Promise.all([ended, text(stdout), text(stderr)]);
  return { status, output, errors };
}

function start(args: readonly string[]): ChildProcess {
  const PATH = process.env.PATH ? `${process.env.PATH}:${SBIN}` : SBIN;
  return spawn('ip', args, { env: { ...process.env, PATH, LC_ALL: 'C' }, stdio: 'pipe' });
}

function startError(error: Error): PodwireError {
  if ('code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) {
    return new PodwireError('IPROUTE2_MISSING', "there is no program 'ip' that can be run: install iproute2");
  }
  return new PodwireError('IPROUTE2_FAILED', `ip cannot be started: ${error.message}`, undefined, error);
}

/** `Command failed -:3` says which line it was. */
function batchError(commands: readonly string[], errors: string): PodwireError {
  const line = Number(/Command failed -:(\d+)/.exec(errors)?.[1] ?? Number.NaN);
  return failure(commands[line - 1] ?? commands.join('; '), errors);
}

function failure(command: string, errors: string): PodwireError {
  const words = errors.replace(/Command failed -:\d+/, '').trim();
  return new PodwireError('IPROUTE2_FAILED', `ip ${command}: ${words || 'failed without a word'}`);
}
