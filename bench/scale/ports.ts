/**
 * `scale.ports`: what idle ports cost two that are busy. A daemon for each number of ports, all open at once, measured
 * in turn within a round, so that each is compared with the one that has two ports under the same conditions.
 */
import type { Figure } from '../figure.js';
import { rawPackets, tcpThroughput } from '../node/measure.js';
import type { Progress } from '../progress.js';
import type { RunOptions } from '../runnable.js';
import { has, sleep } from '../shell.js';
import { Crowd } from './crowd.js';
import { cpuSeconds } from './processes.js';
import { absent, figure, type Measure } from './values.js';

export const SCALE_PORTS = 'scale.ports';
export const BASELINE = 'podwire, 2 ports';

export interface PortsSize {
  /** Ports that are attached and up beside the two busy ones, from few to many; the last is measured in full. */
  readonly idle: readonly number[];
  /** How long an idle daemon's processor time is counted (s). */
  readonly idleSeconds: number;
  /** After the last attach, and before idle time is counted: late messages of the kernels' IPv6 are over (ms). */
  readonly settle: number;
}

export const PORTS_SIZE: PortsSize = { idle: [10, 100, 250, 500], idleSeconds: 5, settle: 2000 };

const BUSY = 2;

/** Each number of ports is one of many points: a measurement need not be longer (s). */
const LONGEST = 2;

interface Subject {
  readonly idle: number;
  readonly crowd: Crowd;
  readonly frames: number[];
  readonly stream: number[];
  readonly cpu: number[];
}

export async function scalePorts(
  options: RunOptions,
  progress: Progress,
  size: PortsSize = PORTS_SIZE,
): Promise<Figure[]> {
  const missing = ['trafgen', 'iperf3', 'taskset'].find((program) => !has(program));
  if (missing !== undefined)
    return [absent(SCALE_PORTS, frames(size.idle.at(-1)!), `${missing} is not installed`)];
  const subjects: Subject[] = [];
  try {
    for (const idle of [0, ...size.idle]) subjects.push(await open(idle, options, progress));
    await sleep(size.settle, options.signal);
    await measure(subjects, options, size, progress);
    return figuresOf(subjects);
  } finally {
    for (const { crowd } of subjects) await crowd.close();
  }
}

async function open(idle: number, { daemonFlags, signal }: RunOptions, progress: Progress): Promise<Subject> {
  const say = (count: number): void =>
    progress.say(`${SCALE_PORTS}: attaching for ${idle} idle ports, ${count} are there`);
  say(0);
  const crowd = await Crowd.open(daemonFlags);
  try {
    await crowd.grow(BUSY + idle, { said: say, signal });
  } catch (error) {
    await crowd.close();
    throw error;
  }
  return { idle, crowd, frames: [], stream: [], cpu: [] };
}

async function measure(
  subjects: readonly Subject[],
  { rounds, seconds, signal }: RunOptions,
  { idleSeconds, settle }: PortsSize,
  progress: Progress,
): Promise<void> {
  const ends = [subjects[0], subjects.at(-1)!];
  const short = Math.min(seconds, LONGEST);
  for (let round = 1; round <= rounds; round++) {
    const say = (what: string, { idle }: Subject): void =>
      progress.say(`${SCALE_PORTS}: round ${round} of ${rounds}, ${what}, ${idle} idle ports`);
    // Forwards and backwards by turns, so that what changes with time is nobody's.
    const turn = <T>(all: readonly T[]): T[] => (round % 2 === 1 ? [...all] : [...all].reverse());
    for (const subject of turn(subjects)) {
      say('60-byte frames', subject);
      subject.frames.push(await rawPackets(subject.crowd.path(), short, signal));
    }
    for (const subject of turn(ends)) {
      say('one TCP stream', subject);
      subject.stream.push(await tcpThroughput(subject.crowd.path(), short, signal));
    }
    if (round > 1) continue;
    for (const subject of ends) {
      say('nothing to do', subject);
      await sleep(settle, signal);
      subject.cpu.push(await idleShare(subject.crowd.pid, idleSeconds, signal));
    }
  }
}

/** Per cent of one core. */
async function idleShare(pid: number, seconds: number, signal?: AbortSignal): Promise<number> {
  const before = cpuSeconds(pid);
  await sleep(seconds * 1000, signal);
  return ((cpuSeconds(pid) - before) / seconds) * 100;
}

function figuresOf([none, ...others]: readonly Subject[]): Figure[] {
  const most = others.at(-1)!;
  const { idle } = most;
  const beside = (values: readonly number[]) => ({ name: BASELINE, values });
  return [
    ...others.map((subject) =>
      figure(SCALE_PORTS, frames(subject.idle), subject.frames, beside(none.frames)),
    ),
    figure(
      SCALE_PORTS,
      { metric: `one TCP stream, ${idle} idle ports`, unit: 'Gbit/s' },
      most.stream,
      beside(none.stream),
    ),
    figure(
      SCALE_PORTS,
      { metric: `CPU while idle, ${idle} ports`, unit: '% of a core', better: 'lower' },
      most.cpu,
      beside(none.cpu),
    ),
  ];
}

const frames = (idle: number): Measure => ({ metric: `60-byte frames, ${idle} idle ports`, unit: 'kpps' });
