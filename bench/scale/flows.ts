/**
 * `scale.flows`: what a packet costs a real daemon with more and more flows between two pods. trafgen chooses the
 * ports of each frame at random among so many; for one flow it chooses fields that do not matter, so that its own cost
 * is the same. The daemon keeps nothing for a flow: it should cost the same.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from '../figure.js';
import { inside } from '../node/measure.js';
import { INTERFACE, type Path } from '../node/path.js';
import { type Span, warmUp, watch } from '../node/window.js';
import type { Progress } from '../progress.js';
import type { RunOptions } from '../runnable.js';
import { end, has, run, startUntil } from '../shell.js';
import { Crowd } from './crowd.js';
import { absent, figure, type Measure } from './values.js';

export const SCALE_FLOWS = 'scale.flows';
export const BASELINE = 'podwire, 1 flow';

export interface FlowMix {
  readonly name: string;
  readonly sourcePorts: number;
  readonly destinationPorts: number;
}

const ONE: FlowMix = { name: '1 flow', sourcePorts: 1, destinationPorts: 1 };

export const FLOW_MIXES: readonly FlowMix[] = [
  { name: '1 k flows', sourcePorts: 1000, destinationPorts: 1 },
  { name: '100 k flows', sourcePorts: 10_000, destinationPorts: 10 },
  { name: '1 M flows', sourcePorts: 50_000, destinationPorts: 20 },
];

/** A measurement need not be longer (s). */
const LONGEST = 2;
const GENERATOR_CPU = '0';
const SWITCH_CPU = '1';

export async function scaleFlows(
  { rounds, seconds, daemonFlags, signal }: RunOptions,
  progress: Progress,
  mixes: readonly FlowMix[] = FLOW_MIXES,
): Promise<Figure[]> {
  if (!has('trafgen')) return [absent(SCALE_FLOWS, measureOf(mixes[0]), 'trafgen is not installed')];
  const values = new Map<FlowMix, number[]>([ONE, ...mixes].map((mix) => [mix, []]));
  progress.say(`${SCALE_FLOWS}: starting`);
  const crowd = await Crowd.open(daemonFlags);
  try {
    await crowd.grow(2);
    const path = crowd.path();
    path.pin(SWITCH_CPU);
    for (let round = 1; round <= rounds; round++) {
      for (const mix of round % 2 === 1 ? values.keys() : [...values.keys()].reverse()) {
        progress.say(`${SCALE_FLOWS}: round ${round} of ${rounds}, ${mix.name}`);
        values.get(mix)!.push(await packetRate(path, mix, { seconds: Math.min(seconds, LONGEST), signal }));
      }
    }
  } finally {
    await crowd.close();
  }
  const baseline = { name: BASELINE, values: values.get(ONE)! };
  return mixes.map((mix) => figure(SCALE_FLOWS, measureOf(mix), values.get(mix)!, baseline));
}

const measureOf = ({ name }: FlowMix): Measure => ({ metric: `60-byte frames, ${name}`, unit: 'kpps' });

/** Thousands a second, as b's kernel counts them. */
async function packetRate(path: Path, mix: FlowMix, span: Span): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-scale-'));
  try {
    const config = join(folder, 'frame.cfg');
    writeFileSync(config, frames(path, mix));
    return await generated(path, config, span);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function generated({ a, b }: Path, config: string, span: Span): Promise<number> {
  // timeout(1) bounds the generator whatever becomes of us, and passes our signal on.
  const bound = ['timeout', String(span.seconds + warmUp(span) + 1)];
  const trafgen = ['trafgen', '--dev', INTERFACE, '--conf', config, '--cpus', '1'];
  const command = [...inside(a.namespace, 'taskset'), '-c', GENERATOR_CPU, ...bound, ...trafgen];
  const generator = await startUntil('ip', command, 'Running!');
  try {
    const { rate } = await watch(span, () => received(b.namespace));
    if (rate === 0) throw new Error('nothing of what the generator sends arrives');
    return rate / 1000;
  } finally {
    await end(generator);
  }
}

/**
 * To b's MAC address, but to an IP address that nobody has, so that nobody answers. Where a port is one and the same,
 * trafgen changes a field that is no flow's instead.
 */
export function frames({ a, b, towardsB }: Path, { sourcePorts, destinationPorts }: FlowMix): string {
  const id = sourcePorts === 1 ? `, id=${among(1, 60_000)}` : '';
  const ttl = destinationPorts === 1 ? among(64, 100) : '64';
  return (
    `{ eth(da=${b.mac}, sa=${a.mac}, type=0x800) ` +
    `ipv4(sa=${a.address}, da=${towardsB!.address}, proto=17, ttl=${ttl}${id}) ` +
    `udp(sp=${among(10_000, sourcePorts)}, dp=${among(2000, destinationPorts)}) fill(0x41, 18) }\n`
  );
}

/** trafgen sends nothing where it is to choose among one. */
function among(first: number, count: number): string {
  return count === 1 ? String(first) : `drnd(${first}, ${first + count - 1})`;
}

function received(namespace: string): number {
  const [link] = JSON.parse(run('ip', ['-n', namespace, '-j', '-s', 'link', 'show', INTERFACE])) as {
    stats64: { rx: { packets: number } };
  }[];
  return link.stats64.rx.packets;
}
