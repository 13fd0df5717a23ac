/** `node.tcp`, `node.pps`, `node.rtt`: subjects in turn, several rounds, medians. */
import { type Figure, median } from '../figure.js';
import type { Progress } from '../progress.js';
import { has } from '../shell.js';
import { rawPackets, roundTrips, tcpThroughput } from './measure.js';
import type { Path, Subject } from './path.js';
import { cReflector, linuxBridge, podwire } from './subjects.js';

interface Metric {
  readonly name: string;
  readonly unit: string;
}

interface Scenario {
  readonly name: string;
  readonly metrics: readonly Metric[];
  /** The program that it needs beside the subjects. */
  readonly needs: string;
  measure(path: Path, seconds: number): Promise<readonly number[]>;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'node.tcp',
    metrics: [{ name: 'one TCP stream', unit: 'Gbit/s' }],
    needs: 'iperf3',
    measure: async (path, seconds) => [await tcpThroughput(path, seconds)],
  },
  {
    name: 'node.pps',
    metrics: [{ name: '60-byte frames, switch on one core', unit: 'kpps' }],
    needs: 'trafgen',
    measure: async (path, seconds) => [await rawPackets(path, seconds)],
  },
  {
    name: 'node.rtt',
    metrics: [
      { name: 'round trip p50', unit: 'µs' },
      { name: 'round trip p99', unit: 'µs' },
    ],
    needs: 'ping',
    measure: async (path, seconds) => {
      const { p50, p99 } = await roundTrips(path, seconds * 400);
      return [p50, p99];
    },
  },
];

export const NODE_SCENARIOS: readonly string[] = SCENARIOS.map(({ name }) => name);

export interface NodeOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Flags of the podwire daemon, as `--io poll`. */
  readonly daemonFlags: readonly string[];
}

export async function runNodeScenario(
  name: string,
  options: NodeOptions,
  progress: Progress,
): Promise<Figure[]> {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)!;
  if (!has(scenario.needs)) return absentFigures(scenario, `${scenario.needs} is not installed`);
  const subjects = [podwire(options.daemonFlags), linuxBridge, cReflector];
  const present = subjects.filter((subject) => subject.absent() === undefined);
  const values = new Map<Subject, number[][]>(
    present.map((subject) => [subject, scenario.metrics.map((): number[] => [])]),
  );
  for (let round = 1; round <= options.rounds; round++) {
    for (const subject of present) {
      progress.say(`${name}: round ${round} of ${options.rounds}, ${subject.name}`);
      const path = await subject.open();
      try {
        const measured = await scenario.measure(path, options.seconds);
        for (const [metric, value] of measured.entries()) values.get(subject)![metric].push(value);
      } finally {
        await path.close();
      }
    }
  }
  const own = values.get(subjects[0])!;
  return subjects.slice(1).flatMap((baseline) =>
    scenario.metrics.map((metric, index) => {
      const other = values.get(baseline)?.[index];
      return compare(scenario.name, metric, own[index], baseline, other);
    }),
  );
}

function compare(
  scenario: string,
  metric: Metric,
  own: readonly number[],
  baseline: Subject,
  other: readonly number[] | undefined,
): Figure {
  const value = median(own);
  const baselineValue = other === undefined ? null : median(other);
  return {
    scenario,
    subject: 'podwire',
    metric: metric.name,
    unit: metric.unit,
    value,
    baseline: baseline.name,
    baselineValue,
    ratio: baselineValue === null ? null : value / baselineValue,
    spread: [Math.min(...own), Math.max(...own)],
    absent: baseline.absent(),
  };
}

function absentFigures(scenario: Scenario, absent: string): Figure[] {
  return scenario.metrics.map((metric) => ({
    scenario: scenario.name,
    subject: 'podwire',
    metric: metric.name,
    unit: metric.unit,
    value: Number.NaN,
    baseline: '-',
    baselineValue: null,
    ratio: null,
    spread: [Number.NaN, Number.NaN],
    absent,
  }));
}
