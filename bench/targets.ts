/**
 * What podwire is to reach, as `npm run bench -- --targets` measures it: one line for each ratio to a baseline of the
 * same run, and for each absolute value. What is missing is `absent`, never met.
 *
 * `left` says what is known to stand between a line that is short and its target. It is printed with such a line only.
 */
import type { Figure } from './figure.js';

/** On which side of `wanted` the value has to be. */
export type Bound = 'at least' | 'at most';

export interface Target {
  /** What people call it. */
  readonly line: string;
  readonly scenario: string;
  readonly metric: string;
  /** The ratio to this baseline is wanted; without it, the value itself. */
  readonly baseline?: string;
  readonly bound: Bound;
  readonly wanted: number;
  /** Of an absolute value: a figure in another unit is not comparable. */
  readonly unit?: string;
  readonly left?: string;
}

export interface Verdict {
  readonly target: Target;
  /** null: absent. */
  readonly measured: number | null;
  readonly met: boolean;
  /** `met`, `short by 8 %`, `absent: why`. */
  readonly text: string;
  /** The least and the greatest that the rounds allow; of a ratio, from the extremes of both. */
  readonly spread: readonly [number, number] | null;
}

const WAKE_UPS =
  'a packet through user space wakes a process once on each way; the kernel forwards in the sender';
const CUTS =
  'the kernel passes 64 KiB packets over the veth underlay whole; podwire cuts, sums and joins 1,450-octet ones';

const KERNEL_SHARE =
  'the kernel has nine tenths of the time: copying each frame out of a TAP and into one, and the receiver’s stack; no function of podwire has more than 1.2 %';
const COPIES =
  'a large packet is copied into user space and out of it, which the bridge does not do; what is left is the kernel’s copying and the wake-up';
const ACCESSES =
  'decision 0033: of 139 ns 38 are the bench’s own loop, 15 batches, 28 looking at headers and destinations, 58 forwarding, each of them typed-array accesses of about 1 ns';
const MISSES =
  'decision 0033: two nodes of a FIB of 19 MB miss the cache for each packet, each with a walk of the page tables';

const TRANSLATION =
  'decision 0040: finding a connection takes some 45 ns, addresses, ports and two checksums 30, counting 10; answers come out of the tunnel, where Express is not';
const COLD_SERVICES =
  'every packet is for another of 50,000 services, so index, claim, service, table and backend miss the cache, one after the other';

const POLICED =
  'decision 0042: a connection at hand is half a cache line, its hash and nine comparisons; out of the tunnel Express is not, and its elements ask one after the other';
const FIRST_POLICED =
  'decision 0042: a first packet goes through all elements and opens a flow, where without policies it goes by Express and nothing is kept';

const FRAMES = {
  scenario: 'node.pps',
  left: KERNEL_SHARE,
  metric: '60-byte frames, switch on one core',
  bound: 'at least',
} as const;
const STREAM = { scenario: 'node.tcp', metric: 'one TCP stream', bound: 'at least', left: COPIES } as const;
const ROUND_TRIP = {
  scenario: 'node.rtt',
  baseline: 'openvswitch',
  bound: 'at most',
  left: WAKE_UPS,
} as const;
const KERNELS = ['kernel-vxlan-bridge', 'kernel-vxlan-routed'] as const;

/** A line for each of the kernel's two ways to make the tunnel. */
function besideKernel(
  line: string,
  scenario: string,
  metric: string,
  wanted: number,
  left?: string,
): readonly Target[] {
  return KERNELS.map((baseline) => ({ line, scenario, metric, baseline, bound: 'at least', wanted, left }));
}

export const TARGETS: readonly Target[] = [
  { ...FRAMES, line: '60-byte frames, one host, one core', baseline: 'openvswitch', wanted: 2.2 },
  { ...FRAMES, line: '60-byte frames, one host, one core', baseline: 'linux-bridge', wanted: 1.5 },
  { ...FRAMES, line: '60-byte frames, one host, one core', baseline: 'c-uring-reflect', wanted: 0.95 },
  { ...STREAM, line: 'one TCP stream, one host', baseline: 'openvswitch', wanted: 1.05 },
  { ...STREAM, line: 'one TCP stream, one host', baseline: 'linux-bridge', wanted: 0.9 },
  { ...ROUND_TRIP, line: 'round trip p50, idle', metric: 'round trip p50', wanted: 1 },
  { ...ROUND_TRIP, line: 'round trip p99, idle', metric: 'round trip p99', wanted: 1 },
  ...besideKernel('tunnel, TCP, offloads off', 'tunnel.tcp', 'one TCP stream, underlay offloads off', 1),
  ...besideKernel(
    'tunnel, TCP, offloads on',
    'tunnel.tcp',
    'one TCP stream, underlay offloads on',
    0.75,
    CUTS,
  ),
  ...besideKernel('tunnel, 60-byte frames', 'tunnel.pps', '60-byte frames', 1.3),
  {
    line: 'in memory, route and encapsulate',
    scenario: 'engine.pipeline',
    metric: 'route and encapsulate, 64 k flows',
    bound: 'at least',
    wanted: 12,
    unit: 'Mpps',
    left: ACCESSES,
  },
  {
    line: 'in memory, cost with 1 M routes',
    scenario: 'engine.pipeline',
    metric: 'route and encapsulate, 1 M routes',
    baseline: 'podwire, 10 routes',
    bound: 'at most',
    wanted: 1.5,
    left: MISSES,
  },
  {
    line: '60-byte frames, 500 idle ports',
    scenario: 'scale.ports',
    metric: '60-byte frames, 500 idle ports',
    baseline: 'podwire, 2 ports',
    bound: 'at least',
    wanted: 0.9,
  },
  {
    line: 'resident memory, 250 pods',
    scenario: 'scale.memory',
    metric: 'resident memory, 250 pods',
    bound: 'at most',
    wanted: 300,
    unit: 'MB',
  },
  {
    line: 'memory of a million connections',
    scenario: 'scale.flows',
    metric: 'memory of 1 M connections',
    bound: 'at most',
    wanted: 300,
    unit: 'MB',
  },
  ...['to services', 'answers'].map((way) => ({
    line: 'an established connection to a service',
    scenario: 'engine.service',
    metric: `${way}, 1 k flows`,
    baseline: 'without services',
    bound: 'at most' as const,
    wanted: 1.4,
    left: TRANSLATION,
  })),
  {
    line: 'a first packet, 50,000 services',
    scenario: 'scale.services',
    metric: 'a first packet, to its flow',
    baseline: 'podwire, 10 services',
    bound: 'at most',
    wanted: 1.5,
    left: COLD_SERVICES,
  },
  {
    line: 'an established connection under 10,000 policies',
    scenario: 'scale.policy',
    metric: 'to pods of other nodes, 1 k flows',
    baseline: 'no policy',
    bound: 'at most',
    wanted: 1.1,
    left: POLICED,
  },
  {
    line: 'an established connection under 10,000 policies',
    scenario: 'scale.policy',
    metric: 'to neighbours, 1 k flows',
    baseline: 'no policy',
    bound: 'at most',
    wanted: 1.1,
    left: POLICED,
  },
  {
    line: 'an established connection under 10,000 policies',
    scenario: 'scale.policy',
    metric: 'from pods of other nodes, 1 k flows',
    baseline: 'no policy',
    bound: 'at most',
    wanted: 1.1,
    left: POLICED,
  },
  {
    line: 'a first packet under 10,000 policies',
    scenario: 'scale.policy',
    metric: 'a first packet',
    baseline: 'no policy',
    bound: 'at most',
    wanted: 2,
    left: FIRST_POLICED,
  },
  {
    line: 'a label of one of 5,000 pods changed, compiled',
    scenario: 'scale.policy',
    metric: 'a label of a pod changed, compiled, slowest',
    bound: 'at most',
    wanted: 50,
    unit: 'ms',
  },
  {
    line: 'one endpoint of 250,000 changed',
    scenario: 'scale.services',
    metric: 'one endpoint changed, in force',
    bound: 'at most',
    wanted: 50,
    unit: 'ms',
  },
];

export function judge(target: Target, figures: readonly Figure[]): Verdict {
  const found = figures.filter(
    ({ scenario, metric, baseline }) =>
      scenario === target.scenario &&
      metric === target.metric &&
      (target.baseline === undefined || baseline === target.baseline),
  );
  const figure = found[0];
  if (figure === undefined) return absent(target, whyNone(target, figures));
  const measured = target.baseline === undefined ? figure.value : figure.ratio;
  if (measured === null || !Number.isFinite(measured)) return absent(target, figure.absent ?? 'no figure');
  if (target.unit !== undefined && figure.unit !== target.unit) {
    return absent(target, `measured in ${figure.unit}, wanted in ${target.unit}`);
  }
  const short = shortfall(target, measured);
  const text = short <= 0 ? 'met' : `short by ${percent(short)}`;
  return { target, measured, met: short <= 0, text, spread: spreadOf(target, figure) };
}

/** A scenario that could not run at all answers figures without a baseline that say why. */
function whyNone(target: Target, figures: readonly Figure[]): string {
  const others = figures.filter(
    ({ scenario, metric }) => scenario === target.scenario && metric === target.metric,
  );
  return others.find(({ value }) => Number.isNaN(value))?.absent ?? 'not measured';
}

function absent(target: Target, why: string): Verdict {
  return { target, measured: null, met: false, text: `absent: ${why.replace(/\s+/g, ' ')}`, spread: null };
}

/** Which part of the target is missing; not above 0 where it is met. */
function shortfall({ bound, wanted }: Target, measured: number): number {
  return (bound === 'at least' ? wanted - measured : measured - wanted) / wanted;
}

/** A shortfall never rounds to nothing. */
function percent(part: number): string {
  const value = part * 100;
  if (value >= 1) return `${value.toFixed(0)} %`;
  return value >= 0.1 ? `${value.toFixed(1)} %` : 'less than 0.1 %';
}

function spreadOf(target: Target, figure: Figure): readonly [number, number] | null {
  const [least, most] = figure.spread;
  const [otherLeast, otherMost] = figure.baselineSpread ?? [figure.baselineValue, figure.baselineValue];
  const spread: readonly [number, number] =
    target.baseline === undefined ? [least, most] : [least / (otherMost ?? NaN), most / (otherLeast ?? NaN)];
  return spread.every(Number.isFinite) ? spread : null;
}
