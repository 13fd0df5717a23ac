/**
 * Many containers of podman, made and removed quickly, four at a time: afterwards no address is taken, no TAP open, no
 * namespace, process or result of the plugin left.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaemonBench, type RunningDaemon } from './daemon-support.js';
import { missingForRuntimes } from './runtimes/missing.js';
import { PodmanHost } from './runtimes/podman.js';
import { batches, CYCLES, lowestFree, remains } from './runtimes/remains.js';

const missing = missingForRuntimes('podman');
if (missing) console.log(`skipped: containers of podman need ${missing}`);

describe.skipIf(missing)(`many containers of podman${missing ? ` [${missing}]` : ''}`, () => {
  const bench = new DaemonBench();
  let daemon: RunningDaemon;
  let podman: PodmanHost;
  beforeAll(async () => {
    bench.namespace('host');
    daemon = await bench.start();
    const host = { netns: bench.path('host'), socket: bench.socket };
    podman = await PodmanHost.start({ ...host, networks: [{ name: 'pods' }] });
  }, 120_000);
  afterAll(async () => {
    await podman?.cleanup();
    await bench.cleanup();
  }, 120_000);

  it(`leave nothing behind: ${CYCLES}`, { timeout: 300_000 }, async () => {
    const [containers, namespaces]: string[][] = [[], []];
    for (const names of batches()) {
      containers.push(...(await Promise.all(names.map((name) => podman.run(name)))));
      namespaces.push(...(await podman.namespaces(...names)));
      await podman.remove(...names);
    }
    expect(new Set(namespaces).size).toBe(CYCLES);
    const traces = { bench, daemon, folders: podman.folders, containers, namespaces };
    expect(await remains(traces), bench.log).toEqual([]);
    expect(await lowestFree(bench)).toEqual(['10.244.0.3', 'fd00:10:244::3']);
  });
});
