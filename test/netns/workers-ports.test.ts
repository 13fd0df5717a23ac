/**
 * Several workers without a daemon: what becomes of slots, descriptors and threads.
 *
 *     a: eth0 ═ TAP ─┬─ worker 0 ─┬─ TAP ═ b: eth0
 *                    └─ worker 1 ─┘
 */
import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { offloadBits } from '../../src/control/host/tap.js';
import { TOTALS } from '../../src/dataplane/counters.js';
import type { Dataplane } from '../../src/dataplane/worker/handle.js';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { closeFile } from '../../src/linux/libc.js';
import { withNamespace } from '../../src/linux/netns.js';
import { openTap } from '../../src/linux/tun.js';
import { DataplaneBench, isBuilt } from '../support/netns-dataplane.js';
import { runIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const missing = missingForDaemon() ?? (isBuilt ? undefined : 'npm run build');
if (missing) console.log(`skipped: several workers need ${missing}`);

/** Descriptors of this process, each with what it has open. */
function descriptors(): { fd: number; target: string }[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [{ fd: Number(fd), target: readlinkSync(`/proc/self/fd/${fd}`) }];
    } catch {
      return []; // The one that the list was read with.
    }
  });
}

const taps = (): number => descriptors().filter(({ target }) => target === '/dev/net/tun').length;
const rings = (): number[] =>
  descriptors().flatMap(({ fd, target }) => (target === 'anon_inode:[io_uring]' ? [fd] : []));

describe.skipIf(missing).each(['uring', 'poll'] as const)('several workers with --io %s', (io) => {
  let bench: DataplaneBench;

  beforeEach(() => {
    bench = new DataplaneBench();
  });
  afterEach(() => bench.cleanup());

  async function expectEverySlot(plane: Dataplane): Promise<void> {
    const atRest = async () => {
      const { slots, free, inFlight, held } = await plane.usage();
      return held === 0 && free + inFlight === slots;
    };
    expect(await until(atRest)).toBe(true);
    const totals = Object.fromEntries(TOTALS.map((total) => [total, plane.counters.total(total)]));
    const { received, originated, replicated, sent, consumed, joined, dropped } = totals;
    expect(received).toBeGreaterThan(0);
    expect(received + originated + replicated).toBe(sent + consumed + joined + dropped);
  }

  it.each([2, 5])(
    '%i of them give every slot and descriptor back when ports come and go',
    async (workers) => {
      const before = taps();
      const plane = await bench.start({ io, workers, slots: 512 });
      expect(taps() - before).toBe(2 * workers);
      const flood = runIn(bench.name('a'), 'ping', '-q', '-f', '-w', '2', '10.99.0.2');
      const rounds = Array.from({ length: 10 }, (_, round) => round);
      for (const round of rounds) {
        const options = { name: `extra${round}`, mode: 'create', nonBlocking: io === 'poll' } as const;
        const tap = withNamespace(bench.name('b'), () => openTap(options));
        await plane.addPort({ id: 3, name: 'extra', fd: tap.fd, mtu: 1500, offloads: offloadBits(tap) });
        expect(taps() - before).toBe(3 * workers);
        await plane.removePort(3);
        expect(taps() - before).toBe(2 * workers);
      }
      expect((await flood).text).toMatch(/ [1-9]\d* received/);
      await expectEverySlot(plane);
      // A read waits at each of the two ports, at its owner only.
      expect((await plane.usage()).inFlight).toBe(io === 'uring' ? 2 : 0);
      for (const id of [1, 2]) await plane.removePort(id);
      const { slots, free } = await plane.usage();
      expect({ slots, free, taps: taps() }).toEqual({
        slots: 512 * workers,
        free: 512 * workers,
        taps: before,
      });
    },
  );

  it('leave a descriptor that they cannot take to whoever gave it', async () => {
    const plane = await bench.start({ io, workers: 3 });
    const before = descriptors().length;
    // The number is of nothing that is open: no worker can have a duplicate of it.
    const closed = withNamespace(bench.name('a'), () => openTap({ name: 'gone', mode: 'create' }));
    closeFile(closed.fd);
    const port = { id: 3, name: 'gone', fd: closed.fd, mtu: 1500, offloads: 0 };
    await expect(plane.addPort(port)).rejects.toThrow('EBADF');
    expect(descriptors().length).toBe(before);
    expect((await runIn(bench.name('a'), 'ping', '-c1', '-W2', '10.99.0.2')).status).toBe(0);
  });
});

describe.skipIf(missing || !probeIoUring().available)('a worker that dies', () => {
  it('takes the other with it, and its error is told once', async ({ onTestFinished }) => {
    const bench = new DataplaneBench();
    // It stops the data plane, which says again why it cannot.
    onTestFinished(() => bench.cleanup().catch(() => undefined));
    const own = rings();
    const plane = await bench.start({ io: 'uring', workers: 2 });
    const exits: (Error | undefined)[] = [];
    plane.onExit = (error) => exits.push(error);
    const [, second] = rings().filter((fd) => !own.includes(fd));
    // Its next system call fails, and a worker has no answer to that.
    closeSync(second);
    await runIn(bench.name('a'), 'ping', '-c3', '-i0.1', '-W1', '10.99.0.2');
    expect(await until(() => exits.length > 0)).toBe(true);
    expect(String(exits[0])).toContain('io_uring_enter');
    await expect(plane.usage()).rejects.toThrow('io_uring_enter');
    await expect(plane.stop()).rejects.toThrow('io_uring_enter');
    expect(exits).toHaveLength(1);
  });

  it('ends the daemon with an error', async ({ onTestFinished }) => {
    const bench = new DaemonBench();
    onTestFinished(() => bench.cleanup());
    bench.namespace('host');
    const { child } = await bench.start(['--io', 'uring', '--workers', '2'], 'host', [
      'env',
      `NODE_OPTIONS=--import=${CLOSES_A_RING}`,
    ]);
    await bench.pod('a');
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.kill('SIGUSR2');
    await until(async () => child.exitCode !== null || !(await bench.ping('a', '10.244.0.1')), 5000);
    expect(await ended).toBe(1);
    expect(bench.log).toContain('DATAPLANE_FAILED');
    expect(bench.logged('data plane failed')).toHaveLength(1);
  });
});

/** A module that, in the daemon's main thread, closes the last worker's ring when SIGUSR2 comes. */
const CLOSES_A_RING = `data:text/javascript,${encodeURIComponent(`
  import { isMainThread } from 'node:worker_threads';
  import { closeSync, readdirSync, readlinkSync } from 'node:fs';
  const isRing = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) === 'anon_inode:[io_uring]'; } catch { return false; } };
  if (isMainThread) process.on('SIGUSR2', () => closeSync(Math.max(...readdirSync('/proc/self/fd').filter(isRing).map(Number))));
`)}`;
