/**
 * `scale.churn`: pods that come and go. How many are attached and detached a second through the API, one at a time and
 * eight at once; how long an attach takes; whether two other pods lose an echo meanwhile, and what one TCP stream
 * between them loses. Generator, pods and daemon share the machine: a part of what the stream loses goes to `ip` and
 * to the kernel's making of interfaces, not to the daemon.
 */
import type { Figure } from '../figure.js';
import { quantile } from '../figure.js';
import { both, inside, tcpThroughput } from '../node/measure.js';
import type { Path } from '../node/path.js';
import type { Progress } from '../progress.js';
import type { RunOptions } from '../runnable.js';
import { finish, has } from '../shell.js';
import { Crowd } from './crowd.js';
import { absent, figure, type Measure } from './values.js';

export const SCALE_CHURN = 'scale.churn';
export const BASELINE = 'podwire, no churn';

export interface ChurnSize {
  /** How long pods come and go, each way (s). */
  readonly seconds: number;
  /** At once. */
  readonly parallel: number;
  /** Pods that stay. */
  readonly resident: number;
}

export const CHURN_SIZE: ChurnSize = { seconds: 10, parallel: 8, resident: 2 };

/** Between two echoes (s); the least that ping allows without flooding. */
const ECHO_INTERVAL = 0.01;

/** An echo that is answered later than this is lost (s). */
const ECHO_WAIT = 2;

/** A TCP stream need not be longer (s). */
const LONGEST = 2;

interface Churned {
  /** Pods attached and detached a second. */
  readonly rate: number;
  /** Of each attach and each detach, from request to answer (ms). */
  readonly attach: readonly number[];
  readonly detach: readonly number[];
}

interface Collected {
  readonly alone: Churned;
  readonly together: Churned;
  readonly calm: Echoes;
  readonly shaken: Echoes;
  readonly quiet: number[];
  readonly churned: number[];
}

export async function scaleChurn(
  options: RunOptions,
  progress: Progress,
  size: ChurnSize = CHURN_SIZE,
): Promise<Figure[]> {
  const missing = ['iperf3', 'ping'].find((program) => !has(program));
  if (missing !== undefined) return [absent(SCALE_CHURN, RATE.alone, `${missing} is not installed`)];
  progress.say(`${SCALE_CHURN}: attaching the pods that stay`);
  const crowd = await Crowd.open(options.daemonFlags);
  try {
    await crowd.grow(size.resident, options);
    return figuresOf(await measure(crowd, options, size, progress), size);
  } finally {
    await crowd.close();
  }
}

async function measure(
  crowd: Crowd,
  { rounds, seconds, signal }: RunOptions,
  size: ChurnSize,
  progress: Progress,
): Promise<Collected> {
  const churning = crowd.addNamespaces(size.parallel);
  const path = crowd.path();
  const until = (end: number) => (): boolean => performance.now() < end && signal?.aborted !== true;
  const longEnough = (): (() => boolean) => until(performance.now() + size.seconds * 1000);
  progress.say(`${SCALE_CHURN}: one pod at a time`);
  const alone = await churn(crowd, churning.slice(0, 1), longEnough());
  progress.say(`${SCALE_CHURN}: echoes`);
  const calm = await echoes(path, size.seconds / 2, signal);
  progress.say(`${SCALE_CHURN}: ${size.parallel} pods at a time, beside echoes`);
  const [shaken, together] = await both(
    echoes(path, size.seconds, signal),
    churn(crowd, churning, longEnough()),
  );
  const quiet: number[] = [];
  const churned: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const short = Math.min(seconds, LONGEST);
    progress.say(`${SCALE_CHURN}: round ${round} of ${rounds}, one TCP stream`);
    quiet.push(await tcpThroughput(path, short, signal));
    progress.say(`${SCALE_CHURN}: round ${round} of ${rounds}, one TCP stream beside one pod at a time`);
    churned.push(await streamBesideChurn(crowd, churning.slice(0, 1), short, signal));
  }
  return { alone, together, calm, shaken, quiet, churned };
}

/** In each namespace, one pod after the other is attached and detached, as long as `goesOn`. */
async function churn(crowd: Crowd, namespaces: readonly string[], goesOn: () => boolean): Promise<Churned> {
  const attach: number[] = [];
  const detach: number[] = [];
  const began = performance.now();
  await Promise.all(
    namespaces.map(async (namespace, index) => {
      for (let count = 0; goesOn() || count === 0; count++) {
        const name = `churn-${index}-${count}`;
        attach.push(await timed(() => crowd.attach(name, namespace)));
        detach.push(await timed(() => crowd.detach(name)));
      }
    }),
  );
  return { rate: (attach.length * 1000) / (performance.now() - began), attach, detach };
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

async function streamBesideChurn(
  crowd: Crowd,
  namespaces: readonly string[],
  seconds: number,
  signal?: AbortSignal,
): Promise<number> {
  let isOver = false;
  const churning = churn(crowd, namespaces, () => !isOver);
  try {
    return await tcpThroughput(crowd.path(), seconds, signal);
  } finally {
    isOver = true;
    await churning;
  }
}

interface Echoes {
  readonly lost: number;
  /** ms */
  readonly times: readonly number[];
}

/** From the first pod to the second, for so many seconds. */
async function echoes({ a, b }: Path, seconds: number, signal?: AbortSignal): Promise<Echoes> {
  const count = Math.round(seconds / ECHO_INTERVAL);
  const options = ['-c', String(count), '-i', String(ECHO_INTERVAL), '-W', String(ECHO_WAIT), b.address];
  const text = await finish('ip', [...inside(a.namespace, 'ping'), ...options], signal);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
  return { lost: count - times.length, times };
}

const RATE = {
  alone: { metric: 'pods attached and detached a second, one at a time', unit: '1/s' },
  together: (parallel: number): Measure => ({
    metric: `pods attached and detached a second, ${parallel} at once`,
    unit: '1/s',
  }),
} as const;

function figuresOf(
  { alone, together, calm, shaken, quiet, churned }: Collected,
  { parallel }: ChurnSize,
): Figure[] {
  const how = `${parallel} at once`;
  const lost: Measure = { metric: `echoes lost, ${how}`, unit: 'echoes', better: 'lower' };
  const stream: Measure = { metric: 'one TCP stream, one at a time', unit: 'Gbit/s' };
  return [
    figure(SCALE_CHURN, RATE.alone, [alone.rate]),
    ...latencies('one at a time', alone),
    figure(SCALE_CHURN, RATE.together(parallel), [together.rate]),
    ...latencies(how, together),
    figure(SCALE_CHURN, lost, [shaken.lost]),
    ...[0.5, 0.99].map((q) => echoTime(how, q, shaken, calm)),
    figure(SCALE_CHURN, stream, churned, { name: BASELINE, values: quiet }),
  ];
}

function echoTime(how: string, q: number, shaken: Echoes, calm: Echoes): Figure {
  const measure: Measure = { metric: `echo p${q * 100}, ${how}`, unit: 'ms', better: 'lower' };
  const baseline = { name: BASELINE, values: [quantile(calm.times, q)] };
  return figure(SCALE_CHURN, measure, [quantile(shaken.times, q)], baseline);
}

function latencies(how: string, { attach, detach }: Churned): Figure[] {
  const one = (what: string, q: number, values: readonly number[]): Figure =>
    figure(
      SCALE_CHURN,
      { metric: `${what} p${q * 100}, ${how}`, unit: 'ms', better: 'lower' },
      values,
      undefined,
      quantile(values, q),
    );
  return [one('attach', 0.5, attach), one('attach', 0.99, attach), one('detach', 0.5, detach)];
}
