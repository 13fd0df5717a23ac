/** Networks of a built daemon: kept apart, routed to by the node, changed and taken back as a whole. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Network, NetworkSpec, Pod, ResourceList, RoutesAnswer } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon, outcome } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

const NETWORK = { apiVersion: 'podwire.dev/v1', kind: 'Network' };

describe.skipIf(missing)('networks', () => {
  let bench: DaemonBench;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    await bench.start();
  });
  afterAll(() => bench.cleanup());
  const network = async (name: string, spec: NetworkSpec): Promise<void> => {
    const manifest = { ...NETWORK, metadata: { name }, spec };
    expect(outcome(await bench.call('PUT', `/v1/networks/${name}`, manifest))).toBe('201');
  };

  afterEach(async () => {
    const pods = await bench.call<ResourceList<Pod>>('GET', '/v1/pods');
    for (const { metadata } of pods.body.items) await bench.detach(metadata.name);
    const networks = await bench.call<ResourceList<Network>>('GET', '/v1/networks');
    for (const { metadata } of networks.body.items)
      await bench.call('DELETE', `/v1/networks/${metadata.name}`);
  });

  it('keeps networks apart, and lets the node reach those that are routed', async () => {
    await network('backend', { mode: 'bridge', cidrs: ['10.80.0.0/24', 'fd80::/64', '10.81.0.0/24'] });
    await network('closed', { mode: 'bridge', cidrs: ['10.90.0.0/24'], internal: true });
    await network('pair', { mode: 'direct', cidrs: ['10.91.0.0/31'] });
    await bench.pod('a');
    const b = await bench.pod('b', { network: 'backend' });
    expect(b).toMatchObject({ ips: ['10.80.0.2', 'fd80::2'], gateway: ['10.80.0.1', 'fd80::1'] });
    const c = await bench.pod('c', { network: 'backend', ips: ['10.81.0.9'] });
    expect(c).toMatchObject({ ips: ['10.81.0.9'], gateway: ['10.81.0.1'] });
    const d = await bench.pod('d', { network: 'closed' });
    expect(d).toMatchObject({ ips: ['10.90.0.1'], gateway: [] });
    await bench.pod('e', { network: 'closed' });
    await bench.pod('f', { network: 'pair' });
    await bench.pod('g', { network: 'pair' });
    const reach: [from: string, to: string, expected: boolean][] = [
      ['b', '10.81.0.9', true],
      ['host', '10.80.0.2', true],
      ['host', 'fd80::2', true],
      ['b', '10.244.0.2', true],
      ['d', '10.90.0.2', true],
      ['f', '10.91.0.1', true],
      ['g', '10.91.0.0', true],
      ['a', '10.80.0.2', false],
      ['b', '10.244.0.3', false],
      ['host', '10.90.0.1', false],
    ];
    const results = await Promise.all(reach.map(([from, to]) => bench.ping(from, to)));
    expect(reach.map(([from, to], index) => [from, to, results[index]])).toEqual(reach);
    bench.namespace('h');
    expect(outcome(await bench.attach('h', { network: 'pair' }))).toBe('409 NETWORK_FULL');
    expect(outcome(await bench.call('DELETE', '/v1/networks/backend'))).toBe('409 NETWORK_IN_USE');
    await bench.detach('b');
    await bench.detach('c');
    expect(outcome(await bench.call('DELETE', '/v1/networks/backend'))).toBe('200');
    expect(bench.ip('host', 'route', 'show')).not.toContain('10.80.0.0/24');
    expect(outcome(await bench.call('DELETE', '/v1/networks/default'))).toBe('409 PROTECTED');
  });

  it('changes what can be changed of a network, and labels of the default one', async () => {
    const put = (name: string, spec: unknown, metadata = {}) =>
      bench.call<Network>('PUT', `/v1/networks/${name}`, {
        ...NETWORK,
        metadata: { name, ...metadata },
        spec,
      });
    const spec = { mode: 'bridge', cidrs: ['10.80.0.0/24'] };
    expect(outcome(await put('lab', spec))).toBe('201');
    expect(outcome(await put('other', { mode: 'bridge', cidrs: ['10.80.0.0/16'] }))).toBe('409 CIDR_OVERLAP');
    expect(outcome(await put('hidden', { ...spec, internal: true }))).toBe('201');
    expect((await put('lab', { ...spec, mtu: 1400 })).headers['x-podwire-result']).toBe('configured');
    bench.namespace('l1');
    expect((await bench.attach('l1', { network: 'lab' })).body.mtu).toBe(1400);
    // The pod has it from now on, and others later.
    expect(outcome(await put('lab', spec))).toBe('200');
    expect(bench.link('l1')?.mtu).toBe(1400);
    expect(outcome(await put('lab', { ...spec, sourceGuard: false }))).toBe('200');
    expect(outcome(await put('lab', { ...spec, internal: true }))).toBe('409 NETWORK_IN_USE');
    const { body } = await bench.call<Network>('GET', '/v1/networks/lab');
    expect(body.status).toEqual({ gateways: ['10.80.0.1'], pods: 1 });
    expect(await bench.ping('l1', '10.80.0.1')).toBe(true);
    const home = (await bench.call<Network>('GET', '/v1/networks/default')).body;
    expect(outcome(await put('default', home.spec, { labels: { team: 'net' } }))).toBe('200');
    await bench.detach('l1');
    for (const name of ['lab', 'hidden']) await bench.call('DELETE', `/v1/networks/${name}`);
  });

  it('takes more subnets while pods are attached, or none of them', async () => {
    const put = (name: string, ...cidrs: string[]) =>
      bench.call('PUT', `/v1/networks/${name}`, {
        ...NETWORK,
        metadata: { name },
        spec: { mode: 'bridge', cidrs },
      });
    expect(outcome(await put('grow', '10.86.0.0/30'))).toBe('201');
    await bench.pod('g1', { network: 'grow' });
    bench.namespace('g2');
    expect(outcome(await bench.attach('g2', { network: 'grow' }))).toBe('409 ADDRESS_EXHAUSTED');
    const refused: [cidrs: string[], expected: string][] = [
      [['10.87.0.0/30'], '409 NETWORK_IN_USE'],
      [['10.87.0.0/30', '10.86.0.0/30'], '409 NETWORK_IN_USE'],
      // It would be a prefix more of the subnet that the pod is in.
      [['10.86.0.0/30', 'fd86::/64'], '409 NETWORK_IN_USE'],
      [['10.86.0.0/30', '10.244.9.0/24'], '409 CIDR_OVERLAP'],
    ];
    for (const [cidrs, expected] of refused)
      expect([cidrs, outcome(await put('grow', ...cidrs))]).toEqual([cidrs, expected]);
    bench.ip('host', 'route', 'add', 'blackhole', '10.88.0.0/24');
    expect(outcome(await put('grow', '10.86.0.0/30', '10.88.0.0/24'))).toBe('500 IPROUTE2_FAILED');
    bench.ip('host', 'route', 'del', 'blackhole', '10.88.0.0/24');
    expect(outcome(await bench.attach('g2', { network: 'grow' }))).toBe('409 ADDRESS_EXHAUSTED');
    expect(await bench.ping('g1', '10.86.0.1')).toBe(true);

    expect(outcome(await put('grow', '10.86.0.0/30', '10.88.0.0/24'))).toBe('200');
    expect((await bench.attach('g2', { network: 'grow' })).body.ips).toEqual(['10.88.0.2']);
    expect(await bench.ping('g2', '10.86.0.2')).toBe(true);
    expect(await bench.ping('host', '10.88.0.2')).toBe(true);
  });

  it('takes a network back whose routes the host refuses, and lets one of two creators win', async () => {
    bench.ip('host', 'route', 'add', 'blackhole', '10.83.0.0/24');
    const put = (name: string, cidr: string) =>
      bench.call('PUT', `/v1/networks/${name}`, {
        ...NETWORK,
        metadata: { name, resourceVersion: '0' },
        spec: { mode: 'bridge', cidrs: [cidr] },
      });
    expect(outcome(await put('refused', '10.83.0.0/24'))).toBe('500 IPROUTE2_FAILED');
    expect(outcome(await bench.call('GET', '/v1/networks/refused'))).toBe('404 NOT_FOUND');
    const { routes } = (await bench.call<RoutesAnswer>('GET', '/v1/routes')).body;
    expect(routes.filter(({ prefix }) => prefix.startsWith('10.83'))).toEqual([]);
    bench.ip('host', 'route', 'del', 'blackhole', '10.83.0.0/24');
    const both = await Promise.all([put('race', '10.83.0.0/24'), put('race', '10.84.0.0/24')]);
    expect(both.map(outcome).sort()).toEqual(['201', '409 CONFLICT']);
    expect(outcome(await bench.call('DELETE', '/v1/networks/race'))).toBe('200');
    expect(bench.ip('host', 'route', 'show')).not.toMatch(/10\.8[34]/);
  });
});
