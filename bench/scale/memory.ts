/**
 * `scale.memory`: what a daemon with so many pods keeps in memory, from /proc: idle, and after each pod has pinged its
 * gateway and a TCP stream has gone between two. Each number of pods has a daemon of its own, so that none is measured
 * after another's garbage.
 *
 * MB are 10^6 bytes.
 */
import type { Figure } from '../figure.js';
import { tcpThroughput } from '../node/measure.js';
import type { Progress } from '../progress.js';
import type { RunOptions } from '../runnable.js';
import { finish, has, sleep } from '../shell.js';
import { Crowd, type CrowdPod } from './crowd.js';
import { type Memory, memoryOf } from './processes.js';
import { figure } from './values.js';

export const SCALE_MEMORY = 'scale.memory';

export interface MemorySize {
  readonly pods: readonly number[];
  /** The number that is measured in every round, and broken down. */
  readonly main: number;
  /** Of the TCP stream. */
  readonly streamSeconds: number;
  /** Between the last attach and the look (ms). */
  readonly settle: number;
}

export const MEMORY_SIZE: MemorySize = { pods: [0, 50, 250, 500], main: 250, streamSeconds: 3, settle: 2000 };

/** Pods that ping at a time, and how often each does. */
const PINGING = 50;
const PINGS = 3;

interface Sample {
  readonly idle: Memory;
  /** undefined where there are no two pods. */
  readonly after?: Memory;
}

export async function scaleMemory(
  options: RunOptions,
  progress: Progress,
  size: MemorySize = MEMORY_SIZE,
): Promise<Figure[]> {
  const samples = new Map<number, Sample[]>(size.pods.map((pods) => [pods, []]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const pods of round === 1 ? size.pods : [size.main]) {
      const say = (what: string): void =>
        progress.say(`${SCALE_MEMORY}: round ${round} of ${options.rounds}, ${pods} pods, ${what}`);
      samples.get(pods)!.push(await sample(pods, options, size, say));
    }
  }
  return [...samples].flatMap(([pods, found]) => figuresOf(pods, found, pods === size.main));
}

async function sample(
  pods: number,
  { daemonFlags, signal }: RunOptions,
  { streamSeconds, settle }: MemorySize,
  say: (what: string) => void,
): Promise<Sample> {
  say('attaching');
  const crowd = await Crowd.open(daemonFlags);
  try {
    await crowd.grow(pods, { said: (count) => say(`${count} attached`), signal });
    await sleep(settle, signal);
    const idle = memoryOf(crowd.pid);
    if (pods < 2) return { idle };
    say('traffic');
    await pingGateways(crowd.pods, signal);
    if (has('iperf3')) await tcpThroughput(crowd.path(), streamSeconds, signal);
    return { idle, after: memoryOf(crowd.pid) };
  } finally {
    await crowd.close();
  }
}

/** @throws Error where a gateway does not answer */
async function pingGateways(pods: readonly CrowdPod[], signal?: AbortSignal): Promise<void> {
  for (let first = 0; first < pods.length; first += PINGING) {
    signal?.throwIfAborted();
    await Promise.all(
      pods.slice(first, first + PINGING).map(({ namespace, gateway }) => {
        const ping = ['ping', '-q', '-c', String(PINGS), '-i', '0.1', '-W', '5', gateway];
        return finish('ip', ['netns', 'exec', namespace, ...ping]);
      }),
    );
  }
}

const PARTS = {
  files: 'program and libraries',
  pool: 'packet pool',
  heaps: 'heaps, stacks, compiled code',
} as const;

function figuresOf(pods: number, samples: readonly Sample[], isMain: boolean): Figure[] {
  const name = `${pods} pods`;
  const after = samples.flatMap((one) => one.after ?? []);
  const idle = samples.map((one) => one.idle);
  const part = (key: keyof typeof PARTS, from: readonly Memory[], when: string): Figure =>
    megabytes(`of that: ${PARTS[key]}, ${name}${when}`, from, key);
  return [
    megabytes(`resident memory, ${name}`, idle, 'resident'),
    megabytes(`proportional share, ${name}`, idle, 'proportional'),
    ...(isMain ? [part('files', idle, ''), part('pool', idle, ''), part('heaps', idle, '')] : []),
    ...(after.length > 0 ? [megabytes(`resident memory, ${name}, after traffic`, after, 'resident')] : []),
    ...(isMain && after.length > 0 ? [part('pool', after, ', after traffic')] : []),
  ];
}

function megabytes(metric: string, samples: readonly Memory[], key: keyof Memory): Figure {
  const values = samples.map((memory) => memory[key] / 1e6);
  return figure(SCALE_MEMORY, { metric, unit: 'MB', better: 'lower' }, values);
}
