/** Looks for whatever containers that have been removed may have left, in the daemon and on the machine. */
import { existsSync } from 'node:fs';
import type { Pod, ResourceList } from '../../../src/control/api/types.js';
import { openTaps } from '../../support/netns-process.js';
import { WORKERS } from '../../support/netns-workers.js';
import { type DaemonBench, type RunningDaemon, until } from '../daemon-support.js';
import type { CniFolders } from './cni-folders.js';
import { cniResults, processesWith } from './leftovers.js';

/** How many containers of each runtime are made and removed; each costs half a second of a processor. */
export const CYCLES = WORKERS > 1 ? 12 : Number(process.env.PODWIRE_RUNTIME_CYCLES || 10);
/** As many at a time. */
const BATCH = 4;

/** Names of the containers, batch by batch. */
export function batches(): string[][] {
  const names = Array.from({ length: CYCLES }, (_, index) => `c${index}`);
  const starts = names.flatMap((_, index) => (index % BATCH === 0 ? [index] : []));
  return starts.map((start) => names.slice(start, start + BATCH));
}

export interface Traces {
  readonly bench: DaemonBench;
  readonly daemon: RunningDaemon;
  readonly folders: CniFolders;
  /** IDs as the runtime gave them. */
  readonly containers: readonly string[];
  /** Paths of their network namespaces. */
  readonly namespaces: readonly string[];
}

/**
 * What is left, in words; empty when all is gone. Waits for what comes to an end by itself. TAPs are compared with
 * the one that a daemon without pods has, podwire0.
 */
export async function remains(traces: Traces): Promise<string[]> {
  let left: string[] = [];
  await until(async () => {
    left = await leftNow(traces);
    return left.length === 0;
  }, 20_000);
  return left;
}

async function leftNow({ bench, daemon, folders, containers, namespaces }: Traces): Promise<string[]> {
  const { body } = await bench.call<ResourceList<Pod>>('GET', '/v1/pods');
  const taps = openTaps(daemon.pid);
  return [
    ...body.items.map(({ metadata }) => `pod ${metadata.namespace}/${metadata.name}`),
    ...(taps === 1 ? [] : [`${taps} TAPs`]),
    ...namespaces.filter((path) => existsSync(path)),
    ...cniResults(containers).map((file) => `result ${file}`),
    ...processesWith(folders.plugins).map(({ pid, command }) => `process ${pid} ${command}`),
  ];
}

/** Addresses are given out lowest first: a pod that gets the lowest shows that nobody holds it any more. */
export async function lowestFree(bench: DaemonBench): Promise<readonly string[]> {
  const { ips } = await bench.pod('probe');
  await bench.detach('probe');
  bench.deleteNamespace('probe');
  return ips;
}
