/** Pods in networks of mode `none` and `host`, and pods of Kubernetes with hostNetwork: nothing of the switch is theirs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CniAddAnswer } from '../../src/control/api/cni-types.js';
import type { FdbAnswer, Network, Pod } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon, outcome, type RunningDaemon } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

describe.skipIf(missing)('pods without an interface of the switch', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
    for (const mode of ['none', 'host']) {
      const manifest = {
        apiVersion: 'podwire.dev/v1',
        kind: 'Network',
        metadata: { name: mode },
        spec: { mode },
      };
      expect(outcome(await bench.call('PUT', `/v1/networks/${mode}`, manifest))).toBe('201');
    }
  });
  afterAll(() => bench.cleanup());

  const view = async (name: string): Promise<Pod> =>
    (await bench.call<Pod>('GET', `/v1/pods/default/${name}`)).body;
  const podsOf = async (network: string): Promise<number | undefined> =>
    (await bench.call<Network>('GET', `/v1/networks/${network}`)).body.status?.pods;
  const ports = async (): Promise<string[]> =>
    (await bench.call<FdbAnswer>('GET', '/v1/fdb')).body.fdb.map(({ port }) => port);

  it('none: loopback up and nothing else, over a restart, until it is detached', async () => {
    bench.namespace('lonely');
    bench.ip('lonely', 'link', 'set', 'lo', 'down');
    const before = await ports();
    const { body } = await bench.attach('lonely', { network: 'none' });
    expect(body).toMatchObject({ network: 'none', ips: [], gateway: [], ifname: 'lo' });
    const facts = () => bench.links('lonely').map(({ ifname, flags }) => [ifname, flags.includes('UP')]);
    expect(facts()).toEqual([['lo', true]]);
    expect(await ports()).toEqual(before);
    expect((await view('lonely')).status).toMatchObject({ phase: 'Running', network: 'none', podIPs: [] });
    // Asked again: the same.
    expect((await bench.attach('lonely', { network: 'none' })).body).toEqual(body);

    await bench.end(daemon, 'SIGKILL');
    bench.ip('lonely', 'link', 'set', 'lo', 'down');
    daemon = await bench.start();
    expect((await view('lonely')).status).toMatchObject({ phase: 'Running' });
    expect(facts()).toEqual([['lo', true]]);
    expect(await podsOf('none')).toBe(1);
    expect(outcome(await bench.call('DELETE', '/v1/networks/none'))).toBe('409 NETWORK_IN_USE');

    expect((await bench.detach('lonely')).body).toMatchObject({ ips: [] });
    expect(await podsOf('none')).toBe(0);
  });

  it('host: the node’s namespace, interface and address, over a restart', async () => {
    const { body } = await bench.attach('agent', { network: 'host', netns: undefined });
    const node = bench.link('host', 'podwire0');
    expect(body).toMatchObject({
      ips: ['10.244.0.2', 'fd00:10:244::2'],
      mac: node?.address,
      mtu: node?.mtu,
      ifname: 'podwire0',
      gateway: [],
    });
    await bench.end(daemon, 'SIGKILL');
    daemon = await bench.start();
    expect((await view('agent')).status).toMatchObject({ phase: 'Running', podIP: '10.244.0.2' });
    expect(await podsOf('host')).toBe(1);
    expect(outcome(await bench.detach('agent'))).toBe('200');
    expect(outcome(await bench.call('GET', '/v1/pods/default/agent'))).toBe('404 NOT_FOUND');
  });

  it('refuses the wrong namespace, and what only an interface can have', async () => {
    bench.namespace('wrong');
    const cases: [body: Record<string, unknown>, expected: string][] = [
      [{ network: 'host' }, '400 NETNS_INVALID'],
      [{ network: 'none', netns: bench.path('host') }, '400 NETNS_INVALID'],
      [{ network: 'none', netns: undefined }, '400 INVALID'],
      [{ network: 'none', ips: ['10.244.0.9'] }, '400 INVALID'],
      [{ network: 'none', ifname: 'eth7' }, '400 INVALID'],
      [{ network: 'none', mac: '02:00:00:00:00:09' }, '400 INVALID'],
    ];
    for (const [body, expected] of cases)
      expect([body, outcome(await bench.attach('wrong', body))]).toEqual([body, expected]);
    expect(await podsOf('none')).toBe(0);
    expect(await podsOf('host')).toBe(0);
  });

  it('keeps such a pod to that one network', async () => {
    bench.namespace('single');
    const alone = bench.attach('single', { network: 'none' });
    expect(outcome(await alone)).toBe('200');
    expect(outcome(await bench.attach('single', { network: 'default' }))).toBe('409 ALREADY_ATTACHED');
    await bench.detach('single');
    await bench.attach('single');
    expect(outcome(await bench.attach('single', { network: 'none' }))).toBe('409 ALREADY_ATTACHED');
    expect(bench.link('single')).toBeDefined();
    await bench.detach('single');
  });

  it('none answers a runtime as the plugin loopback does; host is refused', async () => {
    bench.namespace('cni');
    const request = { containerId: 'c1', ifname: 'eth0', config: 'podwire', netns: bench.path('cni') };
    const add = { ...request, network: 'none', pod: { namespace: 'default', name: 'cni' } };
    const { body } = await bench.call<CniAddAnswer>('POST', '/v1/cni/add', add);
    expect(body).toMatchObject({ ifname: 'lo', mac: '00:00:00:00:00:00', routes: [], netns: request.netns });
    expect(body.ips.map(({ address }) => address)).toContain('127.0.0.1/8');
    const ips = body.ips.map(({ address }) => address);
    const check = () => bench.call('POST', '/v1/cni/check', { ...request, ips, mac: body.mac });
    expect(outcome(await check())).toBe('200');
    bench.ip('cni', 'link', 'set', 'lo', 'down');
    expect(outcome(await check())).toBe('409 CNI_CHECK_FAILED');
    const { netns: _, ...del } = request;
    expect((await bench.call('POST', '/v1/cni/del', del)).body).toMatchObject({
      released: [{ containerId: 'c1' }],
    });
    expect(outcome(await bench.call('POST', '/v1/cni/add', { ...add, network: 'host' }))).toBe(
      '400 UNSUPPORTED',
    );
    expect(outcome(await bench.call('GET', '/v1/cni/status?network=none'))).toBe('200');
    expect(outcome(await bench.call('GET', '/v1/cni/status?network=host'))).toBe('400 UNSUPPORTED');
  });

  it('hostNetwork of a Kubernetes pod: Running under the node’s address, nothing to attach', async () => {
    bench.namespace('proxy');
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'proxy' },
      spec: { hostNetwork: true, containers: [{ name: 'proxy', ports: [{ hostPort: 10249 }] }] },
    };
    expect(outcome(await bench.call('PUT', '/v1/pods/default/proxy', manifest))).toBe('201');
    expect((await view('proxy')).status).toMatchObject({ phase: 'Running', podIP: '10.244.0.2' });
    expect(outcome(await bench.attach('proxy'))).toBe('400 UNSUPPORTED');
    await bench.pod('plain');
    const clash = { ...manifest, metadata: { name: 'plain' } };
    expect(outcome(await bench.call('PUT', '/v1/pods/default/plain', clash))).toBe('409 ALREADY_ATTACHED');
  });
});
