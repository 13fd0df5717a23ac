/**
 * `scale.routes`: a cluster of 1,000 nodes with 100 subnets each, 100,000 routes, in a real embedded store, followed by
 * one node: watch, peers, compile, swap into a running data plane. How long the first load takes, how long it is
 * from the write of one more subnet to its route in force, step by step, and what memory it costs.
 *
 * Every peer counts as live, since nobody is there to answer probes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedStore } from '../../src/control/store/embedded.js';
import type { Json } from '../../src/control/store/store.js';
import { type Figure, median, quantile } from '../figure.js';
import type { Progress } from '../progress.js';
import type { RunOptions } from '../runnable.js';
import { RouteFollower } from './follower.js';

export const SCALE_ROUTES = 'scale.routes';

const NODES = 1000;
const SUBNETS_EACH = 100;
/** Samples for each round asked for. */
const SAMPLES = 7;
/** Between two samples: a change that comes after a rest is taken up at once (ms). */
const REST = 1200;

export async function scaleRoutes({ rounds }: RunOptions, progress: Progress): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'podwire-scale-'));
  const store = EmbeddedStore.open(join(directory, 'store'));
  try {
    await populate(store, progress);
    return await measure(store, rounds * SAMPLES, progress);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function populate(store: EmbeddedStore, progress: Progress): Promise<void> {
  for (let node = 0; node < NODES; node++) {
    progress.say(`${SCALE_ROUTES}: writing node ${node + 1} of ${NODES}`);
    // One more of each family than is announced: the announcement of one is what is measured.
    const cidrs = Array.from({ length: SUBNETS_EACH + 2 }, (_, index) => subnetOf(node, index));
    await Promise.all(
      cidrs.map((cidr) => store.put(`cluster/subnets/${cidr}`, ownerRecord(nameOf(node), cidr))),
    );
    await announce(store, node, announced(node));
  }
}

async function measure(store: EmbeddedStore, samples: number, progress: Progress): Promise<Figure[]> {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const follower = await RouteFollower.start(store);
  try {
    progress.say(`${SCALE_ROUTES}: first load of ${NODES * SUBNETS_EACH} routes`);
    const began = performance.now();
    await follower.follow(NODES * SUBNETS_EACH);
    const load = performance.now() - began;
    const took: number[] = [];
    const steps: Record<string, number[]> = {};
    for (let sample = 0; sample < samples; sample++) {
      progress.say(`${SCALE_ROUTES}: change ${sample + 1} of ${samples}`);
      await new Promise((resolve) => setTimeout(resolve, REST));
      const start = performance.now();
      // By turns IPv4 and IPv6: only the FIB of that family is built again.
      const more = subnetOf(sample, SUBNETS_EACH + (sample % 2));
      const inForce = follower.inForce(nameOf(sample), more);
      await announce(store, sample, [...announced(sample), more]);
      await inForce;
      took.push(performance.now() - start);
      for (const [step, ms] of Object.entries(follower.steps)) steps[step] = [...(steps[step] ?? []), ms];
    }
    const after = process.memoryUsage().rss;
    const each = (after - before) / (NODES * SUBNETS_EACH);
    return [
      figure('first load', 'ms', [load], load),
      figure('put to route in force', 'ms', took, median(took)),
      figure('put to route in force, p99', 'ms', took, quantile(took, 0.99)),
      ...Object.entries(steps).map(([step, values]) =>
        figure(`of that: ${step}`, 'ms', values, median(values)),
      ),
      figure('resident memory before', 'MiB', [before / 2 ** 20], before / 2 ** 20),
      figure('resident memory with all routes', 'MiB', [after / 2 ** 20], after / 2 ** 20),
      figure('resident memory for each route', 'bytes', [each], each),
    ];
  } finally {
    await follower.stop();
  }
}

function figure(metric: string, unit: string, values: readonly number[], value: number): Figure {
  return {
    scenario: SCALE_ROUTES,
    subject: 'podwire',
    metric,
    unit,
    value,
    baseline: '-',
    baselineValue: null,
    ratio: null,
    spread: [Math.min(...values), Math.max(...values)],
    absent: 'nothing to compare with',
  };
}

function nameOf(node: number): string {
  return `node${String(node).padStart(4, '0')}`;
}

function announced(node: number): string[] {
  return Array.from({ length: SUBNETS_EACH }, (_, index) => subnetOf(node, index));
}

/** By turns a /24 of IPv4 and a /64 of IPv6. */
function subnetOf(node: number, index: number): string {
  if (index % 2 === 1) return `fd00:10:${(node + 1).toString(16)}:${index.toString(16)}::/64`;
  const number = node * 64 + index / 2;
  return `10.${number >> 8}.${number & 255}.0/24`;
}

function ownerRecord(node: string, cidr: string): Json {
  return { cidr, node, uid: node, state: 'held', since: '2020-01-01T00:00:00.000Z' };
}

async function announce(store: EmbeddedStore, node: number, podCIDRs: string[]): Promise<void> {
  const name = nameOf(node);
  const hex = node.toString(16).padStart(4, '0');
  await store.put(`cluster/nodes/${name}`, {
    metadata: { name, uid: name, creationTimestamp: '2020-01-01T00:00:00.000Z' },
    spec: {
      podCIDRs,
      underlay: { address: `192.168.${node >> 8}.${node & 255}`, port: 4789 },
      vtepMAC: `02:72:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`,
    },
    managed: 'daemon',
  });
}
