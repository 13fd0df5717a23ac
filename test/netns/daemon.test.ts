/**
 * The built daemon with real namespaces and the kernel as its judge.
 *
 *     a: eth0 ─┐
 *     b: eth0 ─┼─ podwire daemon ─── podwire0 in `host`, the daemon's own namespace
 *     …       ─┘
 */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, ResourceList, StatsAnswer, StatusAnswer } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

let bench: DaemonBench;

beforeEach(() => {
  bench = new DaemonBench();
  bench.namespace('host');
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(bench.log);
  await bench.cleanup();
});

async function phases(): Promise<Record<string, string | undefined>> {
  const { body } = await bench.call<ResourceList<Pod>>('GET', '/v1/pods');
  return Object.fromEntries(body.items.map(({ metadata, status }) => [metadata.name, status?.phase]));
}

describe.skipIf(missing).each(['uring', 'poll'])('daemon with --io %s', (io) => {
  it('gives pods an interface that works, keeps it over kill -9, and takes it away', async () => {
    const first = await bench.start(['--io', io]);
    const a = await bench.pod('a', { labels: { app: 'web' } });
    await bench.pod('b');
    expect(a).toEqual({
      name: 'a',
      namespace: 'default',
      network: 'default',
      ips: ['10.244.0.3', 'fd00:10:244::3'],
      mac: '02:70:0a:f4:00:03',
      gateway: ['10.244.0.1', 'fd00:10:244::1'],
      mtu: 1500,
      ifname: 'eth0',
      dns: {
        nameservers: ['10.244.0.1', 'fd00:10:244::1'],
        search: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        options: ['ndots:5'],
      },
    });
    const before = bench.link('a');
    expect(before).toMatchObject({ address: a.mac, mtu: 1500 });
    expect(before?.flags).toContain('LOWER_UP');
    expect(before?.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`)).toEqual([
      '10.244.0.3/24',
      'fd00:10:244::3/64',
      'fe80::70:aff:fef4:3/64',
    ]);
    const everywhere = async () => {
      for (const [from, to] of [
        ['a', '10.244.0.4'],
        ['b', 'fd00:10:244::3'],
        ['a', '10.244.0.1'],
        ['a', 'fd00:10:244::1'],
        ['a', '10.244.0.2'],
        ['host', '10.244.0.3'],
        ['host', 'fd00:10:244::4'],
      ]) {
        expect(await bench.ping(from, to), `${from} to ${to}`).toBe(true);
      }
    };
    await everywhere();

    await bench.end(first, 'SIGKILL');
    expect(bench.link('a')?.ifindex).toBe(before?.ifindex);
    const second = await bench.start(['--io', io]);
    await everywhere();
    expect(bench.link('a')?.ifindex).toBe(before?.ifindex);
    expect((await bench.attach('a')).body).toEqual(a);

    const detached = await bench.detach('a');
    expect(detached.body).toEqual({ name: 'a', namespace: 'default', ips: a.ips });
    expect(bench.link('a')).toBeUndefined();
    expect(outcome(await bench.detach('a'))).toBe('404 NOT_FOUND');

    bench.deleteNamespace('b');
    expect(await until(async () => Object.keys(await phases()).length === 0)).toBe(true);
    const stats = await bench.call<StatsAnswer>('GET', '/v1/stats');
    const { received, originated, replicated, sent, consumed, joined, dropped } = stats.body.totals;
    expect(received + originated + replicated).toBe(sent + consumed + joined + dropped + stats.body.inFlight);
    expect(await bench.end(second, 'SIGTERM')).toBe(0);
  });
});

describe.skipIf(missing)('daemon', () => {
  it('attaches twenty pods at once', async () => {
    await bench.start();
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`);
    for (const name of names) bench.namespace(name);
    const answers = await Promise.all(names.map((name) => bench.attach(name)));
    expect(answers.map(outcome)).toEqual(names.map(() => '200'));
    expect(new Set(answers.flatMap(({ body }) => body.ips)).size).toBe(40);
    for (const name of ['p0', 'p7', 'p19']) expect(await bench.ping(name, '10.244.0.1')).toBe(true);
    const again = await Promise.all(names.map((name) => bench.detach(name)));
    expect(again.map(outcome)).toEqual(names.map(() => '200'));
    expect(bench.link('p3')).toBeUndefined();
  });

  it('gives one answer to the same attach made twice at the same time', async () => {
    await bench.start();
    bench.namespace('a');
    const [one, two] = await Promise.all([bench.attach('a'), bench.attach('a')]);
    expect(one.body.ips).toEqual(['10.244.0.3', 'fd00:10:244::3']);
    expect(two.body).toEqual(one.body);
  });

  it('restores or forgets each pod whole when it is killed while twelve are being attached', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `k${index}`);
    for (const name of names) bench.namespace(name);
    for (const delay of [15, 60]) {
      const running = await bench.start();
      const storm = Promise.allSettled(names.map((name) => bench.attach(name)));
      await new Promise((resolve) => setTimeout(resolve, delay));
      await bench.end(running, 'SIGKILL');
      await storm;
      const next = await bench.start();
      const known = await phases();
      for (const name of names) {
        expect(bench.link(name) ? 'Running' : undefined, name).toBe(known[name]);
        if (known[name]) expect(await bench.ping(name, '10.244.0.1'), name).toBe(true);
      }
      const { body } = await bench.call<ResourceList<Pod>>('GET', '/v1/pods');
      const ips = body.items.flatMap(({ status }) => status?.podIPs ?? []).map(({ ip }) => ip);
      expect(new Set(ips).size).toBe(ips.length);
      for (const { metadata } of body.items) await bench.detach(metadata.name);
      expect(names.filter((name) => bench.link(name))).toEqual([]);
      await bench.end(next, 'SIGTERM');
    }
  });

  it('undoes an attach that fails, whatever is wrong', async () => {
    await bench.start(['--pod-cidr', '10.7.0.0/29']);
    await bench.pod('a');
    bench.namespace('b');
    bench.namespace('taken');
    bench.ip('taken', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer');
    const cases: [name: string, body: Record<string, unknown>, expected: string][] = [
      ['b', { netns: '/run/netns/no-such-namespace' }, '404 NETNS_NOT_FOUND'],
      ['b', { netns: '/etc/passwd' }, '400 NETNS_INVALID'],
      ['b', { netns: '/proc/self/ns/mnt' }, '400 NETNS_INVALID'],
      ['b', { netns: bench.path('host') }, '400 NETNS_INVALID'],
      ['b', { netns: 'b' }, '400 INVALID'],
      ['b', { mac: '01:00:5e:00:00:01' }, '400 INVALID'],
      ['b', { mac: '02:70:0a:07:00:01' }, '409 MAC_IN_USE'],
      ['b', { mac: '02:70:0a:07:00:02' }, '409 MAC_IN_USE'],
      ['b', { mac: '02:70:0a:07:00:03' }, '409 MAC_IN_USE'],
      ['taken', {}, '409 INTERFACE_EXISTS'],
      ['b', { ifname: 'much-too-long-a-name' }, '400 INVALID'],
      ['b', { ifname: 'lo' }, '400 INVALID'],
      ['b', { network: 'nope' }, '404 NOT_FOUND'],
      ['b', { ips: ['10.7.0.3'] }, '409 ADDRESS_IN_USE'],
      ['b', { ips: ['10.7.0.1'] }, '409 ADDRESS_IN_USE'],
      ['b', { ips: ['10.7.0.2'] }, '409 ADDRESS_IN_USE'],
      ['b', { ips: ['10.7.0.7'] }, '400 INVALID'],
      ['b', { ips: ['10.8.0.3'] }, '400 INVALID'],
      ['b', { ips: ['10.7.0.4', '10.7.0.5'] }, '400 INVALID'],
      ['b', { labels: { 'not a key': 'x' } }, '400 INVALID'],
      ['b', { colour: 'blue' }, '400 INVALID'],
      ['a', { netns: bench.path('b') }, '409 ALREADY_ATTACHED'],
      ['a', { ips: ['10.7.0.4'] }, '409 ALREADY_ATTACHED'],
    ];
    for (const [name, body, expected] of cases) {
      expect(outcome(await bench.attach(name, body)), JSON.stringify(body)).toBe(expected);
    }
    expect(bench.links('b').map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(await phases()).toEqual({ a: 'Running' });
    const more = ['c', 'd', 'e'];
    for (const name of more) await bench.pod(name);
    expect(outcome(await bench.attach('b'))).toBe('409 ADDRESS_EXHAUSTED');
    await bench.detach('c');
    expect((await bench.attach('b')).body.ips).toEqual(['10.7.0.4']);
    expect(await bench.ping('b', '10.7.0.3')).toBe(true);
    expect((await bench.call<StatusAnswer>('GET', '/v1/status')).body.pods).toBe(4);
  });

  it('gives a MAC address to one pod, of several that ask for it at once or would have it by themselves', async () => {
    await bench.start();
    const mac = '02:70:0a:f4:00:05';
    const names = ['a', 'b', 'c'];
    for (const name of names) bench.namespace(name);
    const outcomes = await Promise.all(names.map(async (name) => outcome(await bench.attach(name, { mac }))));
    expect(outcomes.toSorted()).toEqual(['200', '409 MAC_IN_USE', '409 MAC_IN_USE']);
    const winner = names[outcomes.indexOf('200')];
    await bench.pod('four');
    const five = await bench.pod('five');
    expect(five.ips[0]).toBe('10.244.0.5');
    expect(five.mac).toMatch(/^02:71:/);
    expect(await bench.ping(winner, '10.244.0.5')).toBe(true);
  });

  it('releases a pod whose namespace has made room for another of the same name', async () => {
    await bench.start();
    await bench.pod('a', { ips: ['10.244.0.9'] });
    bench.deleteNamespace('a');
    bench.namespace('a');
    const answer = await bench.attach('a');
    expect(answer.body.ips).toEqual(['10.244.0.3', 'fd00:10:244::3']);
    expect(await bench.ping('a', '10.244.0.1')).toBe(true);
  });

  it('releases a pod whose namespace ends with its process', async () => {
    await bench.start();
    const child = spawn('unshare', ['-n', 'sleep', '1000'], { stdio: 'ignore' });
    try {
      const netns = `/proc/${child.pid}/ns/net`;
      const own = statSync('/proc/self/ns/net').ino;
      expect(await until(() => statSync(netns).ino !== own)).toBe(true);
      expect(outcome(await bench.attach('a', { netns }))).toBe('200');
      expect(await bench.ping('host', '10.244.0.3')).toBe(true);
    } finally {
      child.kill('SIGKILL');
    }
    expect(await until(async () => Object.keys(await phases()).length === 0)).toBe(true);
    expect(bench.logged('pod detached')).toMatchObject([
      { pod: 'default/a', reason: 'its network namespace is gone' },
    ]);
  });

  it('makes interfaces again that are deleted under it', async () => {
    await bench.start();
    const { ips, mac } = await bench.pod('a');
    bench.ip('a', 'link', 'del', 'eth0');
    expect(await until(() => bench.link('a') !== undefined && bench.ping('a', '10.244.0.1'))).toBe(true);
    expect(bench.link('a')).toMatchObject({ address: mac });
    bench.ip('host', 'link', 'del', 'podwire0');
    expect(await until(() => bench.ping('host', ips[0]))).toBe(true);
  });

  it('says that a pod is lost whose interface another one has taken, and attaches it again after', async () => {
    const first = await bench.start();
    const { ips } = await bench.pod('a');
    await bench.end(first, 'SIGTERM');
    bench.ip('a', 'link', 'del', 'eth0');
    bench.ip('a', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer');
    await bench.start();
    expect(await phases()).toEqual({ a: 'Lost' });
    expect(bench.logged('pod cannot be attached again')).toMatchObject([
      { pod: 'default/a', code: 'INTERFACE_NOT_TAP' },
    ]);
    bench.namespace('b');
    expect(outcome(await bench.attach('b', { ips: [ips[0]] }))).toBe('409 ADDRESS_IN_USE');
    bench.ip('a', 'link', 'del', 'eth0');
    expect(await until(async () => (await phases()).a === 'Running')).toBe(true);
    expect(await bench.ping('host', ips[0])).toBe(true);
  });

  it('leaves a default route alone that the namespace has already', async () => {
    await bench.start();
    bench.namespace('a');
    bench.ip('a', 'link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'peer');
    bench.ip('a', 'address', 'add', '192.0.2.2/24', 'dev', 'other');
    bench.ip('a', 'link', 'set', 'other', 'up');
    bench.ip('a', 'link', 'set', 'peer', 'up');
    bench.ip('a', 'route', 'add', 'default', 'via', '192.0.2.1');
    expect(outcome(await bench.attach('a'))).toBe('200');
    expect(bench.ip('a', 'route', 'show', 'default')).toBe('default via 192.0.2.1 dev other \n');
    expect(bench.ip('a', '-6', 'route', 'show', 'default')).toContain('via fd00:10:244::1 dev eth0');
    expect(
      bench.logged('the namespace has a default route through another interface, which stays'),
    ).toHaveLength(1);
  });
});
