/**
 * The way out: what pods send to the outside goes through the host's kernel, which masquerades it.
 *
 *     pod web (default)     ┐                  host                      outside             far
 *     pod own (masquerade   ├─ switch ─ podwire0 │ wan0 192.0.2.1 ─ 192.0.2.9 │ 198.51.100.1 ─── 198.51.100.9
 *         off) and others   ┘                        2001:db8:1::1   2001:db8:1::9      MTU 1300
 *
 * tcpdump and tshark at the outside judge addresses; ping says what the pod is told.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/netns-capture.js';
import { missingPrograms, runIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, outcome, type RunningDaemon, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('nft', 'tcpdump', 'tshark');
const OUTSIDE = ['192.0.2.9', '2001:db8:1::9'];
const NODE = ['192.0.2.1', '2001:db8:1::1'];

const bench = new DaemonBench();
let daemon: RunningDaemon;

async function network(name: string, spec: object): Promise<string> {
  const body = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
  return outcome(await bench.call('PUT', `/v1/networks/${name}`, body));
}

/** Whom the outside sees when a pod asks it for an echo. */
async function seenFrom(pod: string, to: string): Promise<string[]> {
  const seen = await Capture.start(bench.name('outside'), 'wan0', join(bench.directory, 'seen.pcap'));
  expect(await bench.ping(pod, to), `${pod} to ${to}:\n${bench.log}`).toBe(true);
  const packets = await seen.packets();
  const requests = packets.filter(({ icmpType, icmp6Type }) => icmpType === '8' || icmp6Type === '128');
  return [...new Set(requests.map(({ source, source6 }) => source || source6))];
}

function nft(...words: string[]): string {
  return execFileSync('ip', ['netns', 'exec', bench.name('host'), 'nft', ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function link(a: string, b: string, mtu: number, ends: readonly (readonly [string, string, string])[]): void {
  const names = [a, b].map((short) => bench.name(short));
  const ifnames = ends.map(([, ifname]) => ifname);
  const veth = ['link', 'add', ifnames[0], 'netns', names[0], 'mtu', `${mtu}`, 'type', 'veth'];
  execFileSync('ip', [...veth, 'peer', 'name', ifnames[1], 'netns', names[1], 'mtu', `${mtu}`]);
  for (const [where, ifname, addresses] of ends) {
    for (const address of addresses.split(' ')) {
      bench.ip(where, 'address', 'add', address, 'dev', ifname, ...(address.includes(':') ? ['nodad'] : []));
    }
    bench.ip(where, 'link', 'set', ifname, 'up');
  }
}

function sysctl(short: string, name: string, value: string): void {
  const file = `/proc/sys/net/${name}`;
  execFileSync('ip', ['netns', 'exec', bench.name(short), 'sh', '-c', `echo ${value} > ${file}`]);
}

async function topology(): Promise<void> {
  for (const name of ['host', 'outside', 'far']) bench.namespace(name);
  link('host', 'outside', 1500, [
    ['host', 'wan0', '192.0.2.1/24 2001:db8:1::1/64'],
    ['outside', 'wan0', '192.0.2.9/24 2001:db8:1::9/64'],
  ]);
  link('outside', 'far', 1300, [
    ['outside', 'far', '198.51.100.1/24 2001:db8:2::1/64'],
    ['far', 'wan0', '198.51.100.9/24 198.51.100.200/24 2001:db8:2::9/64'],
  ]);
  for (const [where, four, six] of [
    ['host', '192.0.2.9', '2001:db8:1::9'],
    ['far', '198.51.100.1', '2001:db8:2::1'],
  ]) {
    bench.ip(where, 'route', 'add', 'default', 'via', four);
    bench.ip(where, '-6', 'route', 'add', 'default', 'via', six);
  }
  sysctl('outside', 'ipv4/ip_forward', '1');
  sysctl('outside', 'ipv6/conf/all/forwarding', '1');
  bench.ip('outside', 'route', 'add', '10.80.0.0/16', 'via', NODE[0]);
  bench.ip('outside', 'route', 'add', '10.244.0.0/16', 'via', NODE[0]);
  bench.ip('outside', '-6', 'route', 'add', 'fd00:80::/32', 'via', NODE[1]);
}

describe.skipIf(missing !== undefined)(`the way out${missing ? ` (needs ${missing})` : ''}`, () => {
  beforeAll(async () => {
    await topology();
    daemon = await bench.start(['--non-masquerade-cidr', '198.51.100.128/25']);
    await bench.pod('web');
    expect(
      await network('own', { mode: 'routed', cidrs: ['10.80.1.0/24', 'fd00:80:1::/64'], masquerade: false }),
    ).toBe('201');
    await bench.pod('own', { network: 'own' });
    expect(
      await network('shut', { mode: 'routed', cidrs: ['10.80.2.0/24', 'fd00:80:2::/64'], egress: false }),
    ).toBe('201');
    await bench.pod('shut', { network: 'shut' });
  });
  afterAll(() => bench.cleanup());

  it.each([0, 1])('a pod leaves under the node’s address and is answered (%i)', async (family) => {
    expect(await seenFrom('web', OUTSIDE[family])).toEqual([NODE[family]]);
  });

  it('a pod of a network without masquerade keeps its address, in both families', async () => {
    expect(await seenFrom('own', OUTSIDE[0])).toEqual([bench.link('own')?.addr_info[0].local]);
    expect(await seenFrom('own', OUTSIDE[1])).toEqual(['fd00:80:1::2']);
  });

  it('a pod reaches destinations that are excepted under its own address', async () => {
    const [own] = bench.link('web')?.addr_info ?? [];
    expect(await seenFrom('web', '198.51.100.200')).toEqual([own.local]);
  });

  it('a pod of a network without egress is told that there is no way', async () => {
    for (const to of OUTSIDE) {
      const { status, text } = await runIn(bench.name('shut'), 'ping', '-c1', '-W5', to);
      expect(status, text).not.toBe(0);
      expect(text).toMatch(/Unreachable|unreachable/);
    }
    expect(await bench.ping('shut', bench.link('shut') ? '10.80.2.1' : '')).toBe(true);
  });

  it('networks stay apart, though the kernel routes to all of them', async () => {
    const address = (pod: string, index: number) => bench.link(pod)?.addr_info[index].local ?? '';
    for (const [from, to] of [
      ['web', 'own'],
      ['own', 'web'],
      ['web', 'shut'],
      ['shut', 'own'],
    ]) {
      expect(await bench.ping(from, address(to, 0)), `${from} to ${to}`).toBe(false);
    }
    // As a pod could who is told of a router that nobody has announced.
    const rules = nft('list', 'chain', 'inet', 'podwire', 'between');
    expect(rules).toContain('iifname "podwire0" oifname "podwire0" drop');
  });

  it('a router outside tells the pod its MTU, through masquerade', async () => {
    const sent = await runIn(
      bench.name('web'),
      'ping',
      '-c2',
      '-W5',
      '-M',
      'do',
      '-s',
      '1400',
      '198.51.100.9',
    );
    expect(sent.text).toMatch(/(Frag needed and DF set|Message too long|message too long).*1300/i);
    const six = await runIn(
      bench.name('web'),
      'ping',
      '-6',
      '-c2',
      '-W5',
      '-M',
      'do',
      '-s',
      '1400',
      '2001:db8:2::9',
    );
    expect(six.text).toMatch(/(Packet too big|message too long).*1300/i);
    expect(await bench.ping('web', '198.51.100.9')).toBe(true);
  });

  it('is switched off and on while pods run', async () => {
    const spec = { mode: 'routed', cidrs: ['10.80.2.0/24', 'fd00:80:2::/64'] };
    expect(await network('shut', spec)).toBe('200');
    expect(await seenFrom('shut', OUTSIDE[0])).toEqual([NODE[0]]);
    expect(await network('shut', { ...spec, egress: false })).toBe('200');
    expect(await bench.ping('shut', OUTSIDE[0])).toBe(false);
    expect(await network('x', { ...spec, cidrs: ['10.80.9.0/24'], internal: true, egress: true })).toBe(
      '400 INVALID',
    );
  });

  it.each([
    ['flushed', () => nft('flush', 'ruleset')],
    ['deleted', () => nft('delete', 'table', 'inet', 'podwire')],
    ['edited', () => nft('flush', 'chain', 'inet', 'podwire', 'leaving')],
    ['added to', () => nft('insert', 'rule', 'inet', 'podwire', 'between', 'iifname podwire0 drop')],
    [
      'opened where nobody asked',
      () => nft('add', 'element', 'inet', 'podwire', 'node_ports4', '{ tcp . 22 }'),
    ],
  ])('the rules come back when they are %s', async (_what, harm) => {
    const before = nft('list', 'table', 'inet', 'podwire');
    harm();
    const isBack = () => {
      try {
        return nft('list', 'table', 'inet', 'podwire') === before;
      } catch {
        return false;
      }
    };
    expect(isBack()).toBe(false);
    expect(await until(isBack)).toBe(true);
    expect(await bench.ping('web', OUTSIDE[1])).toBe(true);
  });

  it('rules of others stay, and ours outlive the daemon', async () => {
    nft('add', 'table', 'inet', 'others');
    await bench.end(daemon, 'SIGTERM');
    expect(nft('list', 'tables')).toContain('table inet podwire');
    daemon = await bench.start();
    expect(nft('list', 'tables')).toContain('table inet others');
    // Excepted until now, and not by this daemon.
    expect(await seenFrom('web', '198.51.100.200')).toEqual([NODE[0]]);
  });

  it('goes with podwire clean, which a running daemon refuses', async () => {
    const clean = () => runIn(bench.name('host'), process.execPath, 'bin/podwire', 'clean');
    expect((await clean()).text).toContain('error: INTERFACE_BUSY');
    await bench.end(daemon, 'SIGTERM');
    expect((await clean()).text).toBe('interface podwire0 removed\nnftables table inet podwire removed\n');
    expect(nft('list', 'tables').trim()).toBe('table inet others');
    expect(bench.link('host', 'podwire0')).toBeUndefined();
    expect((await clean()).text).toBe('nothing to remove\n');
  });

  it('goes on without nft: one warning, the reason in the status, and pods that reach one another', async () => {
    const hide = 'mount --bind /dev/null "$(command -v nft)" && exec "$@"';
    daemon = await bench.start([], 'host', ['unshare', '--mount', 'sh', '-c', hide, 'sh']);
    const { body } = await bench.call<{ hostProblem: string }>('GET', '/v1/status');
    expect(body.hostProblem).toContain('install nftables');
    const warnings = () => bench.log.split('\n').filter((line) => line.includes('NFT_MISSING'));
    expect(warnings()).toHaveLength(1);
    expect(await bench.ping('web', '10.244.0.2')).toBe(true);
    // Nothing would keep networks apart.
    expect(await bench.ping('web', OUTSIDE[0])).toBe(false);
  });
});
