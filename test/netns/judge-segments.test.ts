/**
 * Packets of many segments on the way to a device that takes finished packets only: tshark judges what comes out.
 *
 *     a: eth0, all offloads ─── data plane ─── b: eth0, none
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { OFFLOAD } from '../../src/dataplane/device.js';
import type { Dataplane } from '../../src/dataplane/worker/handle.js';
import { broken, Capture, matching, type Packet, verified } from '../support/netns-capture.js';
import { DataplaneBench, isBuilt, macOf } from '../support/netns-dataplane.js';
import { missingPrograms, sendSegmented, transfer } from '../support/netns-programs.js';
import { missingForDaemon, sleep } from './daemon-support.js';

const programs = missingPrograms('tcpdump', 'tshark', 'ethtool', 'python3');
const missing = missingForDaemon() ?? programs ?? (isBuilt ? undefined : 'npm run build');
if (missing) console.log(`skipped: the judges of segments need ${missing}`);

const BYTES = 1_000_000;
const WHOLE = 14 + 1500;
const SEGMENTS = 20;
/** As DataplaneBench numbers them. */
const PORT_A = 1;

describe.skipIf(missing).each(['uring', 'poll'] as const)('with --io %s', (io) => {
  let bench: DataplaneBench;
  let plane: Dataplane;
  let folder: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-segments-'));
    bench = new DataplaneBench();
    plane = await bench.start({ io, slots: 2048, plain: ['b'] });
  });
  afterEach(async () => {
    await bench.cleanup();
    rmSync(folder, { recursive: true });
  });

  /** Everything that b gets and gives is whole and has right checksums; answers what came from a. */
  async function during(run: () => unknown): Promise<Packet[]> {
    const capture = await Capture.start(bench.name('b'), 'eth0', join(folder, 'b.pcap'));
    onTestFinished(() => capture.stop());
    await run();
    const packets = await capture.packets();
    expect(broken(packets)).toEqual([]);
    const fromA = matching(packets, { from: macOf('a') });
    expect(Math.max(...fromA.map(({ length }) => Number(length)))).toBeLessThanOrEqual(WHOLE);
    return fromA;
  }

  it.each(['10.99.0.2', 'fd99::2'])('cuts TCP to %s', async (address) => {
    const packets = await during(async () => {
      const { sent, arrived } = await transfer(bench.name('a'), bench.name('b'), address, BYTES);
      expect(sent).toMatch(/^1000000 /);
      expect(arrived).toBe(sent);
    });
    expect(verified(packets, 'tcpSum')).toBeGreaterThan(BYTES / 1500);
    // Most of it came as packets of many segments: what was cut made far more packets than a sent. How many
    // acknowledgements b sent is b's business.
    const cut = plane.counters.total('replicated');
    expect(cut).toBeGreaterThan(BYTES / 1500 / 2);
    expect(plane.counters.port(PORT_A, 'rxPackets')).toBeLessThan(cut);
  });

  it.each(['10.99.0.2', 'fd99::2'])('cuts UDP to %s', async (address) => {
    // Without USO, which is of Linux 6.2, a's kernel cuts them itself.
    const isWhole = (bench.offloads.a! & OFFLOAD.USO) !== 0;
    const packets = await during(async () => {
      sendSegmented(bench.name('a'), address, SEGMENTS);
      await sleep(100);
    });
    const datagrams = matching(packets, { udpPort: '5001' });
    expect(datagrams).toHaveLength(SEGMENTS);
    expect(verified(datagrams, 'udpSum')).toBe(SEGMENTS);
    expect(new Set(datagrams.map(({ length }) => length)).size).toBe(1);
    // Beside the segments only floods are replicated, and between two ports there are none.
    expect(plane.counters.total('replicated')).toBe(isWhole ? SEGMENTS - 1 : 0);
  });
});
