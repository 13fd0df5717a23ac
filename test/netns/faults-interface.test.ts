/**
 * Interfaces that go down, vanish, or lose their namespace, while packets are sent to them.
 *
 *     a: eth0 10.244.0.3 ─┐
 *     b: eth0 10.244.0.4 ─┴─ podwire daemon
 */
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { DropsAnswer, StatsAnswer } from '../../src/control/api/types.js';
import { openTaps, processorShare } from '../support/netns-process.js';
import { runIn, spawnIn, transfer } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, type RunningDaemon, sleep, until } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: faults of interfaces need ${missing}`);

/** Far above what a daemon needs that has little to do, and far below a loop that spins. */
const SPINNING = 0.3;

describe.skipIf(missing).each(['uring', 'poll'])('with --io %s', (io) => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;

  beforeEach(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start(['--io', io]);
    await bench.pod('a');
    await bench.pod('b');
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(bench.log);
    await bench.cleanup();
  });

  /** Echo requests all the while, a hundred a second, whatever becomes of them. */
  function keepSending(from: string, to: string): void {
    const child = spawnIn(bench.name(from), 'ping', '-q', '-n', '-i0.01', to);
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
  }

  async function drops(port: string): Promise<Record<string, number>> {
    const { body } = await bench.call<DropsAnswer>('GET', '/v1/drops');
    return Object.fromEntries(
      body.drops.filter((drop) => drop.port === port).map((d) => [d.reason, d.count]),
    );
  }

  async function expectBalance(): Promise<void> {
    const { body } = await bench.call<StatsAnswer>('GET', '/v1/stats');
    const { received, originated, replicated, sent, consumed, joined, dropped } = body.totals;
    expect(received + originated + replicated).toBe(sent + consumed + joined + dropped + body.inFlight);
  }

  it('counts what it cannot send to an interface that is down, and goes on when it is up', async () => {
    keepSending('a', '10.244.0.4');
    await sleep(100);
    bench.ip('b', 'link', 'set', 'eth0', 'down');
    await sleep(300);
    expect(await processorShare(daemon.pid, 1000)).toBeLessThan(SPINNING);
    expect((await drops('default/b'))['port-down']).toBeGreaterThan(10);
    bench.ip('b', 'link', 'set', 'eth0', 'up');
    expect(await bench.ping('a', '10.244.0.4')).toBe(true);
    expect(bench.logged('interface vanished')).toEqual([]);
    await expectBalance();
  });

  it('says that an interface has vanished, makes it again and does not spin', async () => {
    keepSending('b', '10.244.0.3');
    await sleep(100);
    const before = bench.link('a');
    bench.ip('a', 'link', 'del', 'eth0');
    expect(await until(() => bench.logged('interface vanished').length > 0)).toBe(true);
    expect(bench.logged('interface vanished')).toEqual([expect.objectContaining({ pod: 'default/a' })]);
    expect(await processorShare(daemon.pid, 2000)).toBeLessThan(SPINNING);
    const after = bench.link('a');
    expect(after?.ifindex).not.toBe(before?.ifindex);
    expect(after?.address).toBe(before?.address);
    expect(await bench.ping('b', '10.244.0.3')).toBe(true);
    expect(openTaps(daemon.pid)).toBe(3);
    await expectBalance();
  });

  it('releases a pod whose namespace is deleted under traffic, and does not spin', async () => {
    keepSending('b', '10.244.0.3');
    await sleep(100);
    bench.deleteNamespace('a');
    expect(await until(() => bench.logged('pod detached').length > 0)).toBe(true);
    expect(bench.logged('pod detached')).toEqual([expect.objectContaining({ pod: 'default/a' })]);
    expect(await processorShare(daemon.pid, 1000)).toBeLessThan(SPINNING);
    expect(await until(() => openTaps(daemon.pid) === 2)).toBe(true);
    expect(await bench.ping('b', '10.244.0.1')).toBe(true);
    await expectBalance();
  });

  it('rests once a burst is over', async () => {
    await transfer(bench.name('a'), bench.name('b'), '10.244.0.4', 3_000_000);
    await runIn(bench.name('a'), 'ping', '-q', '-f', '-c500', '10.244.0.4');
    const cycles = async () => (await bench.call<StatsAnswer>('GET', '/v1/stats')).body.cycles.cycles;
    const rests = async () => {
      const before = await cycles();
      const share = await processorShare(daemon.pid, 500);
      return share < SPINNING && (await cycles()) - before < 50;
    };
    expect(await until(rests)).toBe(true);
  });
});
