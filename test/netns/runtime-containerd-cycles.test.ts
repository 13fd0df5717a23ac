/**
 * Many containers of containerd, made and removed quickly, four at a time: afterwards no address is taken, no TAP open, no
 * namespace, process or result of the plugin left.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaemonBench, type RunningDaemon } from './daemon-support.js';
import { ContainerdHost } from './runtimes/containerd.js';
import { missingForRuntimes } from './runtimes/missing.js';
import { batches, CYCLES, lowestFree, remains } from './runtimes/remains.js';

const missing = missingForRuntimes('containerd');
if (missing) console.log(`skipped: containers of containerd need ${missing}`);

describe.skipIf(missing)(`many pods of containerd${missing ? ` [${missing}]` : ''}`, () => {
  const bench = new DaemonBench();
  let daemon: RunningDaemon;
  let containerd: ContainerdHost;
  beforeAll(async () => {
    bench.namespace('host');
    daemon = await bench.start();
    const host = { netns: bench.path('host'), socket: bench.socket };
    containerd = await ContainerdHost.start({ ...host, network: { name: 'pods' } });
  }, 120_000);
  afterAll(async () => {
    await containerd?.cleanup();
    await bench.cleanup();
  }, 120_000);

  it(`leave nothing behind: ${CYCLES}`, { timeout: 300_000 }, async () => {
    const [containers, namespaces]: string[][] = [[], []];
    for (const names of batches()) {
      const sandboxes = await Promise.all(names.map((name) => containerd.runSandbox(name)));
      containers.push(...sandboxes.map(({ id }) => id));
      namespaces.push(...sandboxes.map(({ netns }) => netns));
      await Promise.all(sandboxes.map((sandbox) => containerd.stop(sandbox)));
      await Promise.all(sandboxes.map((sandbox) => containerd.remove(sandbox)));
    }
    expect(new Set(namespaces).size).toBe(CYCLES);
    const traces = { bench, daemon, folders: containerd.folders, containers, namespaces };
    expect(await remains(traces), `${bench.log}\n${containerd.log.slice(-8000)}`).toEqual([]);
    expect(await lowestFree(bench)).toEqual(['10.244.0.3', 'fd00:10:244::3']);
  });
});
