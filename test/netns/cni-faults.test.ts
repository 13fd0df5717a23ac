/**
 * What goes wrong between a runtime, the plugin and the daemon: each of them is killed, held or taken away at moments
 * that nobody chose, and afterwards nothing may be left: no pod, no address, no interface.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CniBench } from './cni/cni-bench.js';
import type { PluginAnswer } from './cni/runner.js';
import { missingForDaemon, type RunningDaemon, sleep, until } from './daemon-support.js';

const missing = missingForDaemon();

const AT_ONCE = 20;

describe.skipIf(missing)(`the CNI plugin when something fails [${missing ?? 'namespaces'}]`, () => {
  const bench = new CniBench();
  let daemon: RunningDaemon;

  beforeAll(async () => {
    bench.namespace('host');
    daemon = await bench.start();
  });

  afterAll(() => bench.cleanup());

  it(`adds ${AT_ONCE} containers at the same time, and one after the other in little time`, async () => {
    const containers = Array.from({ length: AT_ONCE }, (_, index) => bench.container(`p${index}`));
    const results = await Promise.all(containers.map((container) => bench.add(container)));
    const addresses = results.flatMap(({ ips }) => ips.map(({ address }) => address));
    expect(new Set(addresses).size).toBe(2 * AT_ONCE);
    for (const index of containers.keys()) expect(bench.link(`p${index}`)?.flags).toContain('UP');
    await Promise.all(containers.map((container) => bench.plugin('DEL', container)));
    expect(await bench.pods()).toEqual([]);

    const times: number[] = [];
    for (const container of containers.slice(0, 9)) {
      times.push((await bench.plugin('ADD', container)).milliseconds);
      await bench.plugin('DEL', container);
    }
    const median = times.toSorted((a, b) => a - b)[4];
    console.log(`CNI ADD end to end: median ${median.toFixed(0)} ms of 9`);
    // The target is 150 ms on a machine with nothing else to do
    expect(median).toBeLessThan(5_000);
  });

  it('leaves nothing of plugins that are killed, once the runtime says with GC what is left', async () => {
    const containers = Array.from({ length: 12 }, (_, index) => bench.container(`k${index}`));
    const killed = await Promise.all(
      containers.map((container, index) => {
        const started = (child: ChildProcess) => setTimeout(() => child.kill('SIGKILL'), 40 * index);
        return bench.plugin('ADD', container, {}, { started });
      }),
    );
    expect(killed.some(({ status }) => status === null)).toBe(true);
    // The daemon goes on with what it was asked; the runtime begins GC when nothing of its own is under way
    await bench.settled();
    expect(await bench.collect()).toMatchObject({ status: 0 });
    expect(await bench.pods()).toEqual([]);
    for (const index of containers.keys())
      expect(bench.links(`k${index}`).map(({ ifname }) => ifname)).toEqual(['lo']);
    // Nothing is in the way of the same containers
    await bench.add(containers[0]);
    await bench.plugin('DEL', containers[0]);
  });

  it('gives an attachment that was made to whoever asks again after the plugin was killed', async () => {
    const container = bench.container('again');
    const first = await bench.add(container);
    const [one, two] = await Promise.all([bench.add(container), bench.add(container)]);
    expect([one, two]).toEqual([first, first]);
    await bench.plugin('DEL', container);
  });

  it('holds nothing for namespaces that vanish while they are attached', async () => {
    const outcomes: PluginAnswer[] = [];
    for (const [index, delay] of [0, 60, 120, 180, 240, 300].entries()) {
      const container = bench.container(`g${index}`);
      const adding = bench.plugin('ADD', container);
      await sleep(delay);
      bench.deleteNamespace(`g${index}`);
      outcomes.push(await adding);
    }
    for (const { status, answer } of outcomes)
      if (status !== 0) expect(answer).toMatchObject({ msg: expect.any(String) });
    expect(await bench.isEmpty()).toBe(true);
  });

  it('says that a daemon is down, at once, and leaves nothing to clean up', async () => {
    const [kept, gone, later] = ['kept', 'gone', 'later'].map((name) => bench.container(name));
    const prevResult = await bench.add(kept);
    await bench.add(gone);
    await bench.end(daemon, 'SIGKILL');
    const { status, answer, milliseconds } = await bench.plugin('ADD', later);
    expect({ status, answer }).toMatchObject({
      status: 1,
      answer: { code: 11, details: 'DAEMON_UNREACHABLE' },
    });
    expect(milliseconds).toBeLessThan(10_000);
    expect(await bench.refused('STATUS')).toBe('50 DAEMON_UNREACHABLE');
    expect(await bench.refused('CHECK', kept, { prevResult })).toBe('11 DAEMON_UNREACHABLE');
    // Its interface and addresses are in use while its namespace is there
    expect(await bench.refused('DEL', gone)).toBe('11 DAEMON_UNREACHABLE');
    bench.deleteNamespace('gone');
    expect(await bench.plugin('DEL', gone)).toMatchObject({ status: 0 });
    expect(bench.links('later').map(({ ifname }) => ifname)).toEqual(['lo']);

    daemon = await bench.start();
    expect(await bench.plugin('STATUS')).toMatchObject({ status: 0 });
    expect(await until(async () => (await bench.pods()).length === 1, 30_000)).toBe(true);
    expect(await bench.plugin('CHECK', kept, { prevResult })).toMatchObject({ status: 0 });
    await bench.plugin('DEL', kept);
    expect(await bench.pods()).toEqual([]);
  });

  it('gets over a daemon that is killed while it attaches', async () => {
    const containers = Array.from({ length: 6 }, (_, index) => bench.container(`d${index}`));
    const adding = containers.map((container) => bench.plugin('ADD', container));
    await sleep(250);
    await bench.end(daemon, 'SIGKILL');
    for (const { status, answer } of await Promise.all(adding)) {
      if (status !== 0) expect(answer).toMatchObject({ code: 11, details: 'DAEMON_UNREACHABLE' });
    }
    daemon = await bench.start();
    const results = await Promise.all(containers.map((container) => bench.add(container)));
    expect(new Set(results.flatMap(({ ips }) => ips.map(({ address }) => address))).size).toBe(12);
    for (const container of containers) await bench.plugin('DEL', container);
    expect(await bench.pods()).toEqual([]);
  });

  it('waits for a daemon that is held, and what it then does is what was asked', async () => {
    const container = bench.container('held');
    daemon.child.kill('SIGSTOP');
    expect(await until(() => /^State:\tT/m.test(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')))).toBe(
      true,
    );
    const adding = bench.plugin('ADD', container);
    await sleep(500);
    daemon.child.kill('SIGCONT');
    expect(await adding).toMatchObject({ status: 0 });
    await bench.plugin('DEL', container);
    expect(await bench.pods()).toEqual([]);
  });
});
