/**
 * Starts the workers of a data plane. The first chooses how packets are read and written, and the others follow
 * it, since a TAP's descriptors are of one open file and so block for all of them or for none.
 */
import { type SharedConnections, shareConnections } from '../connections.js';
import { makeGossipRings } from '../gossip.js';
import { BUCKET_BYTES } from '../shaping/rate-buckets.js';
import type { IoChoice } from './messages.js';
import { DataplaneError, WorkerHandle } from './worker-handle.js';

export interface WorkerSettings {
  readonly io: IoChoice;
  readonly slots: number;
  readonly seed: number;
  /** How many. */
  readonly workers: number;
  /** Connections that they know at most, all together. */
  readonly maxFlows: number;
}

export interface StartedWorkers {
  readonly workers: readonly WorkerHandle[];
  readonly ioReason: string;
  readonly connections: SharedConnections;
}

/** Rejects as WorkerHandle.start does; then none is running. */
export async function startWorkers(settings: WorkerSettings): Promise<StartedWorkers> {
  try {
    const started = await startAll(settings);
    return { ...started, ioReason: started.workers[0].ioReason };
  } catch (error) {
    // Where the first has found no io_uring, it has fallen back by itself.
    const isRefused = error instanceof DataplaneError && error.code === 'IO_URING_UNAVAILABLE';
    if (settings.io !== 'auto' || !isRefused) throw error;
    const ioReason = `no io_uring for ${settings.workers} workers: ${error.message}`;
    return { ...(await startAll({ ...settings, io: 'poll' })), ioReason };
  }
}

async function startAll(settings: WorkerSettings): Promise<Omit<StartedWorkers, 'ioReason'>> {
  const { io, slots, seed, workers, maxFlows } = settings;
  const connections = shareConnections(maxFlows, workers, seed);
  const rings = workers > 1 ? makeGossipRings(workers) : undefined;
  const buckets = workers > 1 ? new SharedArrayBuffer(BUCKET_BYTES) : undefined;
  const start = (own: number, choice: IoChoice): Promise<WorkerHandle> =>
    WorkerHandle.start({
      io: choice,
      slots,
      seed,
      probes: own === 0,
      connections: { ...connections, own },
      ...(rings && { gossip: { own, rings } }),
      ...(buckets && { buckets }),
    });
  const first = await start(0, io);
  const others = Array.from({ length: workers - 1 }, (_, index) => start(index + 1, first.io));
  const outcomes = await Promise.allSettled(others);
  const started = [first, ...outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))];
  const failed = outcomes.find((one) => one.status === 'rejected');
  if (failed === undefined) return { workers: started, connections };
  await Promise.allSettled(started.map((worker) => worker.stop()));
  throw failed.reason;
}
