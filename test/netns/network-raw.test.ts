/**
 * Networks of mode `raw`: pods as stations of the LAN behind an interface of the host, as with macvlan. Two nodes, each
 * with a daemon of its own and no tunnel; the LAN is a bridge of the kernel's in a namespace, which is its router too.
 *
 *      pods ── node a ── eth0 ═veth═ ┌─────────────────────┐ ═veth═ eth0 ── node b ── pods
 *              192.168.7.10          │ LAN: br0            │        192.168.7.20
 *                                    │ 192.168.7.1, fd07::1│
 *                                    │ 203.0.113.1 (lo)    │
 *                                    └─────────────────────┘
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Network, NetworkSpec } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon, outcome, type RunningDaemon, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingProgram('iperf3') ?? missingProgram('tcpdump');
if (missing) console.log(`skipped: raw networks need ${missing}`);

const LAN = {
  mode: 'raw',
  parent: 'eth0',
  cidrs: ['192.168.7.0/24', 'fd07::/64'],
  gateways: ['192.168.7.1', 'fd07::1'],
} satisfies Partial<NetworkSpec>;

function missingProgram(name: string): string | undefined {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `the program ${name}`;
  }
}

describe.skipIf(missing)('raw networks', () => {
  let a: DaemonBench;
  let b: DaemonBench;
  let daemon: RunningDaemon;

  beforeAll(async () => {
    a = new DaemonBench();
    b = new DaemonBench();
    a.namespace('lan');
    a.ip('lan', 'link', 'add', 'br0', 'type', 'bridge');
    // Else it is that of a port, and changes with them: neighbours would have to find out first.
    a.ip('lan', 'link', 'set', 'br0', 'address', '02:00:00:00:07:01');
    a.ip('lan', 'address', 'add', '192.168.7.1/24', 'dev', 'br0');
    a.ip('lan', 'address', 'add', 'fd07::1/64', 'dev', 'br0', 'nodad');
    a.ip('lan', 'address', 'add', '203.0.113.1/32', 'dev', 'lo');
    a.ip('lan', 'link', 'set', 'br0', 'up');
    for (const [bench, address] of [
      [a, '192.168.7.10/24'],
      [b, '192.168.7.20/24'],
    ] as const) {
      bench.namespace('host');
      plug(bench);
      bench.ip('host', 'address', 'add', address, 'dev', 'eth0');
    }
    [daemon] = await Promise.all([a.start(), b.start()]);
  }, 90_000);
  afterAll(async () => {
    await a.cleanup();
    await b.cleanup();
  });

  /** A cable from the node to the LAN. */
  function plug(bench: DaemonBench): void {
    const port = bench === a ? 'to-a' : 'to-b';
    bench.ip(
      'host',
      ...['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port],
      ...['netns', a.name('lan')],
    );
    bench.ip('host', 'link', 'set', 'eth0', 'up');
    a.ip('lan', 'link', 'set', port, 'master', 'br0', 'up');
  }

  const put = async (bench: DaemonBench, name: string, spec: Partial<NetworkSpec>): Promise<string> => {
    const manifest = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
    return outcome(await bench.call('PUT', `/v1/networks/${name}`, manifest));
  };
  const status = async (name: string): Promise<Network['status']> =>
    (await a.call<Network>('GET', `/v1/networks/${name}`)).body.status;
  const reaches = (bench: DaemonBench, from: string, to: string): Promise<boolean> =>
    until(() => bench.ping(from, to));

  it('are refused where the interface cannot be had, and nothing is recorded', async () => {
    a.ip('host', 'link', 'add', 'sleepy', 'type', 'veth', 'peer', 'name', 'sleepy-end');
    const cases: [spec: Partial<NetworkSpec>, expected: string][] = [
      [{ ...LAN, parent: 'eth9' }, '404 INTERFACE_NOT_FOUND'],
      [{ ...LAN, parent: 'sleepy' }, '409 INTERFACE_DOWN'],
      [{ ...LAN, parent: 'podwire0' }, '400 INVALID'],
      [{ ...LAN, mtu: 9000 }, '400 INVALID'],
    ];
    for (const [spec, expected] of cases)
      expect([spec, await put(a, 'never', spec)]).toEqual([spec, expected]);
    expect(outcome(await a.call('GET', '/v1/networks/never'))).toBe('404 NOT_FOUND');
    a.ip('host', 'link', 'del', 'sleepy');
  });

  it('make pods stations of the LAN, with an address and a MAC of their own', async () => {
    expect(await put(a, 'lan', { ...LAN, ranges: ['192.168.7.192/28', 'fd07::a:0/112'] })).toBe('201');
    expect(await put(a, 'twin', { ...LAN })).toBe('409 PARENT_IN_USE');
    const web = await a.pod('web', { network: 'lan' });
    expect(web).toMatchObject({
      ips: ['192.168.7.192', 'fd07::a:0'],
      gateway: ['192.168.7.1', 'fd07::1'],
      mtu: 1500,
    });
    for (const to of ['192.168.7.1', 'fd07::1', '203.0.113.1'])
      expect([to, await reaches(a, 'web', to)]).toEqual([to, true]);
    expect(await reaches(a, 'lan', '192.168.7.192')).toBe(true);
    expect(await reaches(a, 'lan', 'fd07::a:0')).toBe(true);
    expect(a.ip('lan', 'neigh', 'show', '192.168.7.192')).toContain(web.mac);
    // As with macvlan, the host itself is the one that does not.
    expect(await a.ping('host', '192.168.7.192')).toBe(false);
  });

  it('show the LAN the pod’s own MAC address', async () => {
    const words = [
      'netns',
      'exec',
      a.name('lan'),
      'timeout',
      '20',
      'tcpdump',
      '-eln',
      '-c1',
      '-i',
      'to-a',
      'icmp[0]=8',
    ];
    const seen = spawn('ip', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    seen.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = once(seen, 'close');
    await until(async () => (await a.ping('web', '192.168.7.1')) && text !== '');
    await ended;
    expect(text).toContain(`${a.link('web')?.address} > `);
  });

  it('carry TCP both ways', async () => {
    const words = ['netns', 'exec', a.name('lan'), 'iperf3', '-s', '-p', '5207', '--forceflush'];
    const server = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(server.stdout, 'data');
      for (const way of [[], ['-R']]) {
        const client = [
          'netns',
          'exec',
          a.name('web'),
          'iperf3',
          '-c',
          '192.168.7.1',
          '-p',
          '5207',
          '-n',
          '16M',
          '-J',
        ];
        const run = spawn('ip', [...client, ...way], { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        run.stdout.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        await once(run, 'close');
        const { end } = JSON.parse(text) as { end: { sum_received: { bytes: number } } };
        expect(end.sum_received.bytes).toBeGreaterThan(8e6);
      }
    } finally {
      server.kill('SIGKILL');
    }
  });

  it('give only what is theirs of the LAN', async () => {
    a.namespace('more');
    const cases: [ip: string, expected: string][] = [
      ['192.168.7.100', '400 INVALID'],
      ['192.168.7.1', '400 INVALID'],
      ['10.0.0.1', '400 INVALID'],
      ['192.168.7.192', '409 ADDRESS_IN_USE'],
    ];
    for (const [ip, expected] of cases)
      expect([ip, outcome(await a.attach('more', { network: 'lan', ips: [ip] }))]).toEqual([ip, expected]);
  });

  it('can be edited while pods are in them, but not moved', async () => {
    const ranges = ['192.168.7.0/28', 'fd07::a:0/112'];
    expect(await put(a, 'lan', { ...LAN, ranges, mtu: 1400 })).toBe('200');
    expect(await put(a, 'lan', { ...LAN, ranges, vlan: 9 })).toBe('409 NETWORK_IN_USE');
    expect(await put(a, 'lan', { ...LAN, ranges, gateways: ['192.168.7.192'] })).toBe('409 ADDRESS_IN_USE');
    // .0 is the LAN's, .1 its router, .10 the host's.
    const refused = await a.attach('more', { network: 'lan', ips: ['192.168.7.10'] });
    expect(outcome(refused)).toBe('409 ADDRESS_IN_USE');
    expect(JSON.stringify(refused.body)).toContain('interface eth0');
    const more = await a.attach('more', { network: 'lan' });
    expect(more.body).toMatchObject({ ips: ['192.168.7.2', 'fd07::a:1'], mtu: 1400 });
    expect(await reaches(a, 'more', '192.168.7.192')).toBe(true);
    expect(await reaches(a, 'more', '192.168.7.1')).toBe(true);
  });

  it('join pods of two nodes, and ask for addresses where no ranges are given', async () => {
    expect(await put(b, 'lan', { ...LAN })).toBe('201');
    b.namespace('far');
    expect(outcome(await b.attach('far', { network: 'lan' }))).toBe('400 INVALID');
    expect(outcome(await b.call('GET', '/v1/cni/status?network=lan'))).toBe('200');
    const far = await b.attach('far', { network: 'lan', ips: ['192.168.7.30'] });
    expect(far.body).toMatchObject({ ips: ['192.168.7.30'], gateway: ['192.168.7.1'] });
    expect(await reaches(b, 'far', '192.168.7.192')).toBe(true);
    expect(await reaches(a, 'more', '192.168.7.30')).toBe(true);
    // The other node's host is a station like any other.
    expect(await reaches(b, 'far', '192.168.7.10')).toBe(true);
  });

  it('keep a VLAN apart from the rest of the interface', async () => {
    const vlan = {
      mode: 'raw',
      parent: 'eth0',
      vlan: 12,
      cidrs: ['192.168.12.0/24'],
    } satisfies Partial<NetworkSpec>;
    for (const bench of [a, b]) expect(await put(bench, 'lan12', vlan)).toBe('201');
    await a.pod('v1', { network: 'lan12', ips: ['192.168.12.1'] });
    await b.pod('v2', { network: 'lan12', ips: ['192.168.12.2'] });
    a.ip('lan', 'address', 'add', '192.168.12.9/24', 'dev', 'br0');
    const words = [
      'netns',
      'exec',
      a.name('lan'),
      'timeout',
      '20',
      'tcpdump',
      '-eln',
      '-c2',
      '-i',
      'to-b',
      'vlan',
      '12',
      'and',
      'icmp',
    ];
    const seen = spawn('ip', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    seen.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = once(seen, 'close');
    await until(async () => (await a.ping('v1', '192.168.12.2')) && text !== '');
    await ended;
    expect(text).toContain('vlan 12');
    // The LAN has that address too, but untagged.
    expect(await a.ping('v1', '192.168.12.9')).toBe(false);
  });

  it('survive kill -9, and an interface that is deleted and made again', async () => {
    await a.end(daemon, 'SIGKILL');
    daemon = await a.start();
    expect(await reaches(a, 'web', '192.168.7.1')).toBe(true);
    a.ip('host', 'link', 'del', 'eth0');
    expect(await until(async () => (await status('lan'))?.message !== undefined)).toBe(true);
    expect(await a.ping('web', '192.168.7.2')).toBe(true);
    plug(a);
    expect(await reaches(a, 'web', '192.168.7.1')).toBe(true);
    expect(await reaches(a, 'v1', '192.168.12.2')).toBe(true);
    expect((await status('lan'))?.message).toBeUndefined();
  });

  it('wait for an interface that is not there when the daemon starts', async () => {
    await a.end(daemon, 'SIGKILL');
    a.ip('host', 'link', 'del', 'eth0');
    daemon = await a.start();
    expect(a.logged('network without its uplink').length).toBeGreaterThan(0);
    expect((await status('lan'))?.message).toContain('eth0');
    expect(await a.ping('web', '192.168.7.2')).toBe(true);
    a.namespace('late');
    expect(outcome(await a.attach('late', { network: 'lan' }))).toBe('404 INTERFACE_NOT_FOUND');
    expect(outcome(await a.call('GET', '/v1/cni/status?network=lan'))).toBe('404 INTERFACE_NOT_FOUND');
    plug(a);
    expect(await reaches(a, 'web', '203.0.113.1')).toBe(true);
  });

  it('leave the interface as it was', async () => {
    for (const name of ['web', 'more', 'v1']) expect(outcome(await a.detach(name))).toBe('200');
    for (const name of ['lan', 'lan12'])
      expect(outcome(await a.call('DELETE', `/v1/networks/${name}`))).toBe('200');
    expect(a.ip('host', '-d', 'link', 'show', 'eth0')).toContain('promiscuity 0 ');
  });
});
