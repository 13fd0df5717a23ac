/**
 * `scale.*` with small numbers: real daemons, TAPs and programs, as `npm run bench -- scale` runs them. Figures are
 * there and positive, and nothing is left behind, also where a scenario is interrupted.
 *
 *     Crowd ──► namespaces pwscale-PID-N-{node,0,1,…} · TMPDIR/podwire-scale-… · podwire daemon, iperf3, trafgen, ping
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Figure } from '../../bench/figure.js';
import { Progress } from '../../bench/progress.js';
import type { RunOptions } from '../../bench/runnable.js';
import { missingPrograms } from '../support/netns-programs.js';
import { missingForDaemon } from './daemon-support.js';

const missing =
  missingForDaemon() ?? missingPrograms('ip', 'ping', 'iperf3', 'trafgen', 'taskset', 'timeout');
if (missing) console.log(`skipped: the benchmarks of scale need ${missing}`);

/** The built ones: they start bin/podwire from where they lie. */
const built = async <T>(name: string): Promise<T> =>
  (await import(new URL(`../../dist/bench/scale/${name}.js`, import.meta.url).href)) as T;

const SHORT: RunOptions = { rounds: 1, seconds: 1, daemonFlags: [] };
const quiet = new Progress(true);

/** For a machine that does much else. */
const MOST = 240_000;

const IDLE = 12;

let folder: string;
const before = process.env.TMPDIR;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-scale-test-'));
  process.env.TMPDIR = folder;
});

afterAll(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(folder, { recursive: true, force: true });
});

/** Namespaces, temporary files and processes of this test. */
function leftBehind(): string[] {
  const namespaces = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n');
  const processes = readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && commandOf(pid).includes(folder),
  );
  return [
    ...namespaces.filter((name) => name.startsWith(`pwscale-${process.pid}-`)),
    ...readdirSync(folder),
    ...processes,
  ];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function byMetric(figures: readonly Figure[]): Map<string, Figure> {
  return new Map(figures.map((figure) => [figure.metric, figure]));
}

function expectPositive(figures: readonly Figure[]): void {
  for (const { metric, value } of figures) expect(value, metric).toBeGreaterThan(0);
}

describe.skipIf(missing !== undefined)('benchmarks of scale', () => {
  afterEach(() => expect(leftBehind()).toEqual([]));

  it('compares two busy ports beside idle ones with two alone', { timeout: MOST }, async () => {
    const { scalePorts } = await built<typeof import('../../bench/scale/ports.js')>('ports');
    const figures = await scalePorts(SHORT, quiet, { idle: [IDLE], idleSeconds: 1, settle: 100 });
    const found = byMetric(figures);
    const moving = [`60-byte frames, ${IDLE} idle ports`, `one TCP stream, ${IDLE} idle ports`];
    expectPositive(moving.map((metric) => found.get(metric)!));
    for (const metric of moving) expect(found.get(metric)).toMatchObject({ baseline: 'podwire, 2 ports' });
    for (const metric of moving) expect(found.get(metric)!.ratio).toBeGreaterThan(0);
    expect(found.get(`CPU while idle, ${IDLE} ports`)!.value).toBeLessThan(100);
  });

  it('says what a daemon keeps in memory, and where', { timeout: MOST }, async () => {
    const { scaleMemory } = await built<typeof import('../../bench/scale/memory.js')>('memory');
    const size = { pods: [0, IDLE], main: IDLE, streamSeconds: 1, settle: 100 };
    const found = byMetric(await scaleMemory(SHORT, quiet, size));
    const of = (metric: string): number => found.get(metric)!.value;
    const total = of(`resident memory, ${IDLE} pods`);
    // A Node process without anything has some 40 MB.
    expect(total).toBeGreaterThan(40);
    expect(total).toBeLessThan(300);
    const parts = ['program and libraries', 'packet pool', 'heaps, stacks, compiled code'];
    const sum = parts.reduce((all, part) => all + of(`of that: ${part}, ${IDLE} pods`), 0);
    expect(sum / total).toBeGreaterThan(0.9);
    expect(sum / total).toBeLessThan(1.1);
    // What packets were read into is memory from then on.
    expect(of(`of that: packet pool, ${IDLE} pods, after traffic`)).toBeGreaterThan(
      of(`of that: packet pool, ${IDLE} pods`),
    );
  });

  it('attaches and detaches pods while others talk', { timeout: MOST }, async () => {
    const { scaleChurn } = await built<typeof import('../../bench/scale/churn.js')>('churn');
    const figures = await scaleChurn(SHORT, quiet, { seconds: 1, parallel: 3, resident: 2 });
    expectPositive(figures.filter(({ unit }) => unit !== 'echoes'));
    expect(byMetric(figures).get('echoes lost, 3 at once')).toMatchObject({ value: 0 });
  });

  it('sends many flows through one daemon', { timeout: MOST }, async () => {
    const { scaleFlows } = await built<typeof import('../../bench/scale/flows.js')>('flows');
    const mix = { name: '1 M flows', sourcePorts: 50_000, destinationPorts: 20 };
    const figures = await scaleFlows(SHORT, quiet, [mix]);
    expectPositive(figures);
    expect(figures).toHaveLength(1);
    expect(figures[0]).toMatchObject({ metric: '60-byte frames, 1 M flows', baseline: 'podwire, 1 flow' });
  });

  it('takes everything away when it is interrupted', { timeout: MOST }, async () => {
    const { scalePorts } = await built<typeof import('../../bench/scale/ports.js')>('ports');
    const interruption = new AbortController();
    setTimeout(() => interruption.abort(), 2000);
    const options = { ...SHORT, signal: interruption.signal };
    const progress = new Progress(true, interruption.signal);
    const size = { idle: [IDLE, 400], idleSeconds: 1, settle: 100 };
    await expect(scalePorts(options, progress, size)).rejects.toThrow();
  });
});
