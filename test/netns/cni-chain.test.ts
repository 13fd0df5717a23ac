/**
 * podwire-cni among the reference plugins, which judge its results: what they cannot read or use, they refuse.
 *
 *   loopback ─► podwire-cni ─► tuning ─► portmap      one chain, in the host's namespace
 *
 *   host: iptables rules of portmap ──► podwire ──► eth0, web:8080
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CniBench } from './cni/cni-bench.js';
import { Chain, type ConfList, REFERENCE_PLUGINS } from './cni/runner.js';
import { missingForDaemon, until } from './daemon-support.js';

const TYPES = ['loopback', 'tuning', 'portmap', 'bandwidth', 'bridge', 'host-local'];

function missingForChain(): string | undefined {
  const plugin = TYPES.find((type) => !existsSync(join(REFERENCE_PLUGINS, type)));
  if (plugin !== undefined) return `${REFERENCE_PLUGINS}/${plugin}, of containernetworking-plugins`;
  try {
    execFileSync('sh', ['-c', 'command -v iptables'], { stdio: 'ignore' });
  } catch {
    return 'the program iptables';
  }
  return missingForDaemon();
}

const missing = missingForChain();

/** A server in a namespace that says its greeting to whoever connects. */
const SERVER = `require('net').createServer((socket) => socket.end('hello from web')).listen(8080, '0.0.0.0')`;
const CLIENT = `require('net').connect(Number(process.argv[1]), process.argv[2]).on('error', () => process.exit(1)).pipe(process.stdout)`;

describe.skipIf(missing)(`podwire-cni in a chain [${missing ?? 'reference plugins'}]`, () => {
  const bench = new CniBench();
  const host = () => bench.path('host');

  const list = (cniVersion: string): ConfList => ({
    cniVersion,
    name: `chain${cniVersion}`,
    plugins: [
      { type: 'loopback' },
      { type: 'podwire-cni', socket: bench.socket, capabilities: { ips: true, mac: true } },
      { type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.log_martians': '1' } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });

  beforeAll(async () => {
    bench.namespace('host');
    await bench.start();
  });

  afterAll(() => bench.cleanup());

  it.each(['0.3.1', '0.4.0', '1.0.0'])('CNI %s: ADD, CHECK and DEL through all four', async (cniVersion) => {
    const chain = new Chain(list(cniVersion), host());
    const short = `c${cniVersion}`;
    const container = bench.container(short);
    const result = await chain.add(container);
    expect(result.interfaces.map(({ name }) => name)).toEqual(['lo', 'eth0']);
    expect(result.ips.filter((ip) => ip.interface === 1).map(({ address }) => address)).toHaveLength(2);
    expect(readSysctl(short, 'net.ipv4.conf.eth0.log_martians')).toBe('1');
    if (cniVersion !== '0.3.1') await chain.check(container);
    await chain.del(container);
    await chain.del(container);
    expect(bench.link(short)).toBeUndefined();
    expect(await bench.pods()).toEqual([]);
  });

  it('publishes ports on the host with portmap chained behind', async () => {
    const chain = new Chain(list('1.0.0'), host());
    const portMappings = [{ hostPort: 18080, containerPort: 8080, protocol: 'tcp' }];
    const container = bench.container('web', { capabilities: { portMappings } });
    const result = await chain.add(container);
    const [address] = result.ips.flatMap((ip) => (ip.interface === 1 ? ip.address.split('/')[0] : []));
    const server = spawn('nsenter', [`--net=${bench.path('web')}`, process.execPath, '-e', SERVER], {
      stdio: 'ignore',
    });
    try {
      const node = bench.link('host', 'podwire0')?.addr_info.find(({ family }) => family === 'inet')?.local;
      expect(await until(async () => (await said('host', 8080, address)) === 'hello from web', 30_000)).toBe(
        true,
      );
      expect(await said('host', 18080, node!)).toBe('hello from web');
      expect(await said('host', 18080, '127.0.0.1')).toBe('hello from web');
      // No CHECK: portmap 1.1.1 looks for its IPv4 rules among those of IPv6 where a container has both
      await chain.del(container);
      expect(await said('host', 18080, node!)).toBe('');
    } finally {
      const ended = once(server, 'close');
      server.kill('SIGKILL');
      await ended;
    }
  });

  it('stands before bandwidth, which limits only veth pairs, while that has nothing to limit', async () => {
    const [, podwire] = list('1.0.0').plugins;
    const bandwidth = { type: 'bandwidth', capabilities: { bandwidth: true } };
    const chain = new Chain({ cniVersion: '1.0.0', name: 'limits', plugins: [podwire, bandwidth] }, host());
    const container = bench.container('limits');
    const result = await chain.add(container);
    expect(result.interfaces.map(({ name }) => name)).toEqual(['eth0']);
    await chain.del(container);
    const limits = { ingressRate: 1_000_000, ingressBurst: 100_000 };
    await expect(chain.add({ ...container, capabilities: { bandwidth: limits } })).rejects.toThrow(
      'no veth peer',
    );
    await chain.del(container);
    expect(await bench.pods()).toEqual([]);
  });

  it('adds its interface behind one of another plugin, whose default route stays', async () => {
    const ipam = {
      type: 'host-local',
      dataDir: join(bench.directory, 'host-local'),
      subnet: '10.99.0.0/24',
      routes: [{ dst: '0.0.0.0/0' }],
    };
    const bridge = { type: 'bridge', bridge: 'br99', isGateway: true, ipam };
    const only = new Chain({ cniVersion: '1.0.0', name: 'first', plugins: [bridge] }, host());
    const second = new Chain(
      { cniVersion: '1.0.0', name: 'second', plugins: [{ type: 'podwire-cni', socket: bench.socket }] },
      host(),
    );
    const container = bench.container('two');
    await only.add(container);
    const result = await second.add({ ...container, ifname: 'net1' });
    expect(bench.ip('two', 'route', 'show', 'default')).toContain('dev eth0');
    expect(result.routes.filter(({ dst }) => dst === '0.0.0.0/0')).toEqual([]);
    await second.check({ ...container, ifname: 'net1' });
    await second.del({ ...container, ifname: 'net1' });
    expect(bench.links('two').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
    await only.del(container);
  });

  it('leaves what the chain has added to DEL where a plugin behind it fails', async () => {
    const [, podwire] = list('1.0.0').plugins;
    const broken = { type: 'tuning', sysctl: { 'net.there.is.none': '1' } };
    const chain = new Chain({ cniVersion: '1.0.0', name: 'broken', plugins: [podwire, broken] }, host());
    const container = bench.container('broken');
    await expect(chain.add(container)).rejects.toThrow('tuning');
    expect(bench.link('broken')).toBeDefined();
    await chain.del(container);
    expect(bench.link('broken')).toBeUndefined();
    expect(await bench.pods()).toEqual([]);
  });

  function readSysctl(short: string, name: string): string {
    const path = `/proc/sys/${name.replaceAll('.', '/')}`;
    return execFileSync('ip', ['netns', 'exec', bench.name(short), 'cat', path], { encoding: 'utf8' }).trim();
  }

  /** What is heard on a TCP connection; nothing where there is none. */
  async function said(from: string, port: number, address: string): Promise<string> {
    const words = [
      `--net=${bench.path(from)}`,
      'timeout',
      '5',
      process.execPath,
      '-e',
      CLIENT,
      String(port),
      address,
    ];
    const child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    await once(child, 'close');
    return text;
  }
});
