/** The daemon ended, killed and doubled while packets are on their way, and left alone with a hundred ports. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openTaps, restingShare } from '../support/netns-process.js';
import { missingPrograms, spawnIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, residentBytes, sleep, until } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: faults of the daemon need ${missing}`);
const noIperf = missingPrograms('iperf3') !== undefined;
if (noIperf) console.log('skipped: TCP over a killed daemon needs iperf3');

const IDLE_PORTS = 100;
const IDLE_SHARE = 0.01;
const IDLE_BYTES = 200 << 20;

let benches: DaemonBench[];

function newBench(): DaemonBench {
  const bench = new DaemonBench();
  benches.push(bench);
  bench.namespace('host');
  return bench;
}

beforeEach(() => {
  benches = [];
});
afterEach(async ({ task }) => {
  for (const bench of benches) {
    if (task.result?.state === 'fail') console.log(bench.log);
    await bench.cleanup();
  }
});

/** Echo requests all the while; `replies` counts those answered. */
function keepPinging(bench: DaemonBench, from: string, to: string): { replies(): number } {
  const child = spawnIn(bench.name(from), 'ping', '-n', '-i0.01', to);
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let replies = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    replies += chunk.toString().split('bytes from').length - 1;
  });
  return { replies: () => replies };
}

function interfaces(bench: DaemonBench): unknown[] {
  const places = [
    ['a', 'eth0'],
    ['b', 'eth0'],
    ['host', 'podwire0'],
  ];
  return places.map(([name, ifname]) => {
    const { ifindex, address, mtu, addr_info } = bench.link(name, ifname)!;
    const ips = addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
    return { ifindex, address, mtu, ips };
  });
}

describe.skipIf(missing).each(['uring', 'poll'])('with --io %s', (io) => {
  it('leaves the interfaces when it is ended under traffic, and takes them up again', async () => {
    const bench = newBench();
    const first = await bench.start(['--io', io]);
    await bench.pod('a');
    await bench.pod('b');
    const flood = keepPinging(bench, 'a', '10.244.0.4');
    expect(await until(() => flood.replies() > 20)).toBe(true);
    const before = interfaces(bench);
    const begun = performance.now();
    expect(await bench.end(first, 'SIGTERM')).toBe(0);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(interfaces(bench)).toEqual(before);
    await bench.start(['--io', io]);
    const answered = flood.replies();
    expect(await until(() => flood.replies() > answered + 20)).toBe(true);
    expect(interfaces(bench)).toEqual(before);
  });

  it.skipIf(noIperf)('is killed and started again under TCP, which goes on', async () => {
    const bench = newBench();
    const first = await bench.start(['--io', io]);
    await bench.pod('a');
    await bench.pod('b');
    const before = interfaces(bench);
    const server = spawnIn(bench.name('b'), 'iperf3', '-s', '-1', '--forceflush');
    await once(server.stdout!, 'data');
    const client = spawnIn(bench.name('a'), 'iperf3', '-c', '10.244.0.4', '-t60');
    onTestFinished(() => {
      for (const program of [client, server]) program.kill('SIGKILL');
    });
    const arrived = () =>
      Number(bench.ip('b', '-j', '-s', 'link', 'show', 'eth0').match(/"rx":{"bytes":(\d+)/)?.[1]);
    expect(await until(() => arrived() > 4e6)).toBe(true);
    await bench.end(first, 'SIGKILL');
    const [atKill, second] = [arrived(), await bench.start(['--io', io])];
    // TCP tries again at intervals that double, and iperf3 makes no second connection.
    expect(await until(() => arrived() > atKill + 4e6, 30_000)).toBe(true);
    expect([client.exitCode, client.signalCode]).toEqual([null, null]);
    expect(interfaces(bench)).toEqual(before);
    expect(openTaps(second.pid)).toBe(3);
    for (const name of ['a', 'b'])
      expect(bench.links(name).map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
  });

  it(`is idle with ${IDLE_PORTS} ports that are`, async () => {
    const bench = newBench();
    const { pid } = await bench.start(['--io', io]);
    const names = Array.from({ length: IDLE_PORTS }, (_, index) => `i${index}`);
    for (const name of names) bench.namespace(name);
    const answers = await Promise.all(names.map((name) => bench.attach(name)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    // The kernels report their multicast groups at first.
    await sleep(2000);
    // Some seconds after much has happened V8 collects the heap once: that is in one of the windows at most.
    const share = await restingShare(pid, 2500, IDLE_SHARE);
    const bytes = residentBytes(pid);
    console.log(
      `${io}: ${(share * 100).toFixed(2)} % of a core, ${(bytes / 2 ** 20).toFixed(0)} MiB resident`,
    );
    expect(share).toBeLessThan(IDLE_SHARE);
    expect(bytes).toBeLessThan(IDLE_BYTES);
  });
});

describe.skipIf(missing)('a pod that cannot be taken up again', () => {
  it('can be detached, which takes its interface away, and attached anew', async () => {
    const bench = newBench();
    const first = await bench.start();
    const { mac } = await bench.pod('a');
    await bench.end(first, 'SIGKILL');
    bench.ip('a', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:77');
    await bench.start();
    expect(bench.logged('pod cannot be attached again')).toEqual([
      expect.objectContaining({ pod: 'default/a', code: 'INTERFACE_EXISTS' }),
    ]);
    // Or it is taken up within two seconds: then it is detached as any other
    bench.ip('a', 'link', 'set', 'eth0', 'address', mac);
    expect(await bench.detach('a')).toMatchObject({ status: 200 });
    expect(bench.links('a').map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(await bench.attach('a')).toMatchObject({ status: 200 });
  });

  it('keeps an interface that is another, and the log says so', async () => {
    const bench = newBench();
    const first = await bench.start();
    const { mac } = await bench.pod('a');
    await bench.end(first, 'SIGKILL');
    bench.ip('a', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:77');
    await bench.start();
    expect(await bench.detach('a')).toMatchObject({ status: 200 });
    expect(bench.links('a').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
    expect(bench.logged('interface left')).toEqual([
      expect.objectContaining({ pod: 'default/a', reason: `its MAC address is not ${mac}` }),
    ]);
  });
});

describe.skipIf(missing)('two daemons', () => {
  it('share a machine, each with namespaces and data of its own', async () => {
    const [one, two] = [newBench(), newBench()];
    await Promise.all([one.start(), two.start()]);
    for (const bench of [one, two]) {
      for (const name of ['a', 'b']) await bench.pod(name);
    }
    for (const bench of [one, two]) {
      expect(bench.link('a')?.addr_info[0]?.local).toBe('10.244.0.3');
      expect(await bench.ping('a', '10.244.0.4')).toBe(true);
      expect(await bench.ping('host', '10.244.0.3')).toBe(true);
    }
    expect((await one.detach('b')).status).toBe(200);
    expect(await one.ping('a', '10.244.0.4')).toBe(false);
    expect(await two.ping('a', '10.244.0.4')).toBe(true);
  });
});
