/**
 * The program `ip` of iproute2: the one place that runs it. Several commands go into one `ip -batch`, which
 * stops at the first that fails.
 */
import { PodwireError } from '../errors.js';
import { isMissing, type Outcome, runProgram } from './program.js';

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

async function run(args: readonly string[], input: string, namespace?: number): Promise<Outcome> {
  try {
    return await runProgram('ip', args, input, namespace);
  } catch (error) {
    throw error instanceof Error ? startError(error) : error;
  }
}

function startError(error: Error): Error {
  if (isMissing(error)) {
    return new PodwireError('IPROUTE2_MISSING', "there is no program 'ip' that can be run: install iproute2");
  }
  if (!('spawnargs' in error)) return error;
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
