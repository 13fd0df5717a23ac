/** Stored figures as they come: compared ones, some with a baseline that is absent, and what grows with a quantity. */
import type { Figure } from '../../../bench/figure.js';
import type { Section } from '../../../bench/report/stored.js';

export function compared(
  scenario: string,
  [metric, unit]: readonly [string, string],
  values: readonly [number, number, number],
  baselines: Readonly<Record<string, number | null>>,
  better: 'higher' | 'lower' = 'higher',
): Figure[] {
  const [value, least, most] = values;
  return Object.entries(baselines).map(([baseline, baselineValue]) => ({
    ...{
      scenario,
      subject: 'podwire',
      metric,
      unit,
      value,
      baseline,
      baselineValue,
      better,
      spread: [least, most],
    },
    ratio: baselineValue === null ? null : value / baselineValue,
    ...(baselineValue === null
      ? { absent: `${baseline} <is> not installed & "gone"` }
      : { baselineSpread: [baselineValue * 0.9, baselineValue * 1.05] }),
  }));
}

export function alone(scenario: string, metric: string, unit: string, value: number): Figure {
  const nothing = { baseline: '-', baselineValue: null, ratio: null, absent: 'nothing to compare with' };
  return {
    scenario,
    subject: 'podwire',
    metric,
    unit,
    value,
    spread: [value * 0.95, value * 1.1],
    ...nothing,
  };
}

export function section(scenario: string, figures: readonly Figure[]): Section {
  const machine = {
    cpu: 'CPU',
    processors: 2,
    memoryGiB: 8,
    kernel: '6.1',
    node: '20.0.0',
    programs: { gcc: '12.2.0' },
  };
  const run = {
    date: '2026-11-21',
    command: `npm run bench -- ${scenario}`,
    rounds: 3,
    seconds: 4,
    tookSeconds: 60,
  };
  return { scenario, ...run, machine, figures };
}

const FLOWS = { '1 flow': 1, '1 k flows': 1.1, '64 k flows': 1.6, '1 M flows': 2.4 } as const;

function byFlows(scenario: string, name: string, ns: number): Figure[] {
  return Object.entries(FLOWS).flatMap(([flows, times]) => [
    alone(scenario, `${name}, ${flows}`, 'Mpps', 1000 / (ns * times)),
    alone(scenario, `${name}, ${flows}, cost`, 'ns', ns * times),
  ]);
}

const NODE = { 'linux-bridge': 19.2, openvswitch: 12.9, 'c-uring-reflect': 13.8, 'c-poll-reflect': null };

export const EXAMPLE: readonly Section[] = [
  section('node.tcp', [
    ...compared('node.tcp', ['one TCP stream', 'Gbit/s'], [17.7, 16.8, 17.9], NODE),
    ...compared('node.tcp', ['eight TCP streams', 'Gbit/s'], [16.1, 15.2, 16.4], NODE),
    ...compared(
      'node.tcp',
      ['CPU time for one TCP stream', 's/GB'],
      [0.91, 0.85, 0.97],
      { ...NODE, 'linux-bridge': 0.61, openvswitch: 1.1, 'c-uring-reflect': 1.02 },
      'lower',
    ),
  ]),
  section(
    'tunnel.pps',
    compared('tunnel.pps', ['60-byte frames', 'kpps'], [169_000, 150_000, 171_000], {
      'kernel-vxlan-bridge': 146_000,
      'kernel-vxlan-routed': 150_000,
    }),
  ),
  section('engine.pipeline', [
    ...byFlows('engine.pipeline', 'route and encapsulate', 61),
    ...byFlows('engine.pipeline', 'route and encapsulate, IMIX', 66),
    ...compared(
      'engine.pipeline',
      ['route and encapsulate, 1 M routes', 'ns'],
      [88, 84, 90],
      { 'podwire, 10 routes': 70 },
      'lower',
    ),
  ]),
  section('engine.route', byFlows('engine.route', 'route', 12)),
  section('engine.parse', byFlows('engine.parse', 'parse', 8)),
  section(
    'engine.fib',
    ['10 routes', '10 k routes', '1 M routes'].flatMap((routes, at) => [
      alone('engine.fib', `IPv4, ${routes}`, 'ns', 4 + at * 9),
      alone('engine.fib', `IPv6, ${routes}`, 'ns', 9 + at * 16),
    ]),
  ),
  section(
    'scale.memory',
    ['0 pods', '50 pods', '250 pods', '500 pods'].map((pods, at) =>
      alone('scale.memory', `resident memory, ${pods}`, 'MB', 120 + at * 55),
    ),
  ),
  section(
    'scale.ports',
    [10, 100, 500].flatMap((ports) =>
      compared('scale.ports', [`60-byte frames, ${ports} idle ports`, 'kpps'], [390 - ports / 20, 360, 400], {
        'podwire, 2 ports': 395,
      }),
    ),
  ),
];
