/**
 * Runs a scenario in a process of its own, so that neither what V8 has learned from another nor that one's heap is in
 * its figures.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Figure } from '../figure.js';
import type { Progress } from '../progress.js';
import type { RunOptions } from '../runnable.js';
import type { Budget } from './timing.js';

/** What the process is asked for, as its one argument, and what it answers. */
export interface Request {
  readonly name: string;
  readonly budget: Budget;
}

export type Message = { readonly say: string } | { readonly figures: Figure[] };

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));
/** Of `--seconds`, for one case in one round: there are some eighty cases. */
const SHARE = 0.1;

export async function runIsolated(name: string, options: RunOptions, progress: Progress): Promise<Figure[]> {
  const request: Request = { name, budget: { rounds: options.rounds, seconds: options.seconds * SHARE } };
  const child = fork(CHILD, [JSON.stringify(request)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    return await figuresOf(child, (text) => progress.say(`${name}: ${text}`), options.signal);
  } finally {
    await end(child);
  }
}

function figuresOf(
  child: ChildProcess,
  say: (text: string) => void,
  signal?: AbortSignal,
): Promise<Figure[]> {
  return new Promise((resolve, reject) => {
    const attempt = (action: () => void): void => {
      try {
        action();
      } catch (error) {
        reject(error);
      }
    };
    child.on('message', (message: Message) => {
      if ('figures' in message) resolve(message.figures);
      else attempt(() => say(message.say));
    });
    child.once('error', reject);
    child.once('close', (status) =>
      reject(new Error(`the process that measures ended with status ${status}`)),
    );
    const interrupted = (): void => attempt(() => say('interrupted'));
    signal?.addEventListener('abort', interrupted, { once: true });
    child.once('close', () => signal?.removeEventListener('abort', interrupted));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill();
  await closed;
}
