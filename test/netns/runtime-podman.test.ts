/**
 * podman with podwire as its network: podman calls bin/podwire-cni, which asks the daemon.
 *
 *     container web: eth0 ─┐
 *     container box: eth0 ─┼─ podwire daemon ─── podwire0 in `host`, where podman runs too
 *     …              eth1 ─┘                          └ wan0 ─── wan0 in `outside`
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/control/api/types.js';
import { DaemonBench } from './daemon-support.js';
import { missingForRuntimes } from './runtimes/missing.js';
import { addOutside, HOST, OUTSIDE } from './runtimes/outside.js';
import { PodmanHost } from './runtimes/podman.js';
import {
  all,
  CLIENT_PAGE,
  clientSeen,
  curl,
  httpGet,
  httpServer,
  ping,
  reached,
} from './runtimes/servers.js';

const run = promisify(execFile);
const missing = missingForRuntimes('podman');
if (missing) console.log(`skipped: containers of podman need ${missing}`);
const BACKEND = {
  apiVersion: 'podwire.dev/v1',
  kind: 'Network',
  metadata: { name: 'backend' },
  spec: { mode: 'bridge', cidrs: ['10.80.0.0/24'] },
};
/** A call of podman takes 0.3 s, and many times that where the machine is busy; a test makes up to twenty. */
const TIMEOUT_MS = 180_000;
const FIXED = ['10.244.0.77', '02:00:00:00:00:77'];

describe.skipIf(missing)(`podman${missing ? ` [${missing}]` : ''}`, { timeout: TIMEOUT_MS }, () => {
  const bench = new DaemonBench();
  let podman: PodmanHost;
  beforeAll(async () => {
    bench.namespace('host');
    addOutside(bench);
    await bench.start();
    await bench.call('PUT', '/v1/networks/backend', BACKEND);
    podman = await PodmanHost.start({
      netns: bench.path('host'),
      socket: bench.socket,
      networks: [{ name: 'pods' }, { name: 'back', network: 'backend' }, { name: 'mapped', portmap: true }],
    });
  }, 120_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(bench.log);
    await podman.removeAll();
  }, 120_000);
  afterAll(async () => {
    await podman?.cleanup();
    await bench.cleanup();
  }, 120_000);

  it('gives containers a network: ping and HTTP between them, and from the host, over IPv4 and IPv6', async () => {
    await podman.run('web', [], ...httpServer('page of web'));
    await podman.run('box');
    const [web, box] = await podman.addressesOf('web', 'box');
    expect([web.length, box.length]).toEqual([2, 2]);
    expect(await podman.exec('box', ...all(web.map(ping), web.map(httpGet)))).toMatch(
      reached(2, 'page of web'),
    );
    expect(await podman.exec('web', ...all(box.map(ping)))).toMatch(reached(2));
    for (const address of web) expect(await bench.ping('host', address), address).toBe(true);
    // A container that is stopped has no address, and gets one when it starts again.
    await podman.podman('stop', '--time', '0', 'web');
    expect(await bench.ping('host', web[0])).toBe(false);
    await podman.podman('start', 'web');
    const [again] = await podman.addresses('web');
    expect(await podman.exec('box', ...httpGet(again))).toBe('page of web');
  });

  it('publishes a port: the container sees who asks, over IPv4 and IPv6, from the host and from outside', async () => {
    await podman.run('web', ['--publish', '18080:80'], ...httpServer('published'));
    const own = await podman.addresses('web');
    const { body } = await bench.call<Pod>('GET', '/v1/pods/default/web');
    expect(body.status?.interfaces?.[0].ports).toEqual([
      { hostPort: 18_080, containerPort: 80, protocol: 'TCP' },
    ]);
    const [host, outside] = [bench.path('host'), bench.path('outside')];
    expect(await clientSeen(outside, `${HOST.ipv4}:18080`)).toBe(OUTSIDE.ipv4);
    expect(await clientSeen(outside, `[${HOST.ipv6}]:18080`)).toBe(OUTSIDE.ipv6);
    expect(await clientSeen(host, `${HOST.ipv4}:18080`)).toBe(HOST.ipv4);
    expect(await curl(host, 'http://127.0.0.1:18080/')).toBe('published');
    // Another container, by an address of the node.
    await podman.run('box');
    const [[box]] = await podman.addressesOf('box');
    const words = ['sh', '-c', `wget -qO- http://${HOST.ipv4}:18080/${CLIENT_PAGE}`];
    expect(await podman.exec('box', ...words)).toMatch(new RegExp(`${box.replaceAll('.', '\\.')}\\]?$`));
    await expect(podman.run('same', ['--publish', '18080:80'])).rejects.toThrow(/PORT_IN_USE/);
    await podman.remove('web', 'same');
    await expect(once(host, 'http://127.0.0.1:18080/')).rejects.toThrow();
    expect(own).toHaveLength(2);
  });

  it('leaves published ports to the portmap plugin where that has the capability', async () => {
    await podman.run('web', ['--network', 'mapped', '--publish', '18080:80'], ...httpServer('published'));
    const host = bench.path('host');
    expect(await curl(host, 'http://127.0.0.1:18080/')).toBe('published');
    expect(await curl(host, 'http://10.244.0.2:18080/')).toBe('published');
    const { body } = await bench.call<Pod>('GET', '/v1/pods/default/web');
    expect(body.status?.interfaces?.[0].ports).toBeUndefined();
    await podman.remove('web');
    await expect(once(host, 'http://127.0.0.1:18080/')).rejects.toThrow();
  });

  it('gives a pod of two containers one network: they talk over localhost', async () => {
    await podman.createPod('duo', '--publish', '18090:80');
    await podman.run('first', ['--pod', 'duo'], ...httpServer('in the pod'));
    await podman.run('second', ['--pod', 'duo']);
    await podman.run('other');
    expect(await podman.exec('second', ...httpGet('127.0.0.1'))).toBe('in the pod');
    const [infra] = (await podman.podman('pod', 'inspect', '--format', '{{.InfraContainerID}}', 'duo')).split(
      '\n',
    );
    const addresses = await podman.addresses(infra);
    expect(addresses.length).toBe(2);
    expect(await podman.exec('other', ...all(addresses.map(httpGet)))).toBe('in the pod\nin the pod');
    expect(await curl(bench.path('host'), 'http://127.0.0.1:18090/')).toBe('in the pod');
  });

  it('puts a container into two networks, and takes it out of one while it runs', async () => {
    await podman.run('two', ['--network', 'pods', '--network', 'back']);
    await podman.run('back', ['--network', 'back']);
    await podman.run('front');
    const [back] = await podman.addresses('back', 'back');
    expect(back).toMatch(/^10\.80\.0\./);
    expect(await podman.exec('two', ...ping(back))).toMatch(reached(1));
    await expect(podman.exec('front', 'ping', '-c1', '-W1', back)).rejects.toThrow();

    await podman.podman('network', 'connect', 'back', 'front');
    expect(await podman.exec('front', ...ping(back))).toMatch(reached(1));
    expect(await podman.exec('front', ...ping((await podman.addresses('two'))[0]))).toContain(
      ' 0% packet loss',
    );
    await podman.podman('network', 'disconnect', 'back', 'front');
    await expect(podman.exec('front', 'ping', '-c1', '-W1', back)).rejects.toThrow();
    expect(await podman.exec('front', ...ping((await podman.addresses('two'))[0]))).toContain(
      ' 0% packet loss',
    );
  });

  it('gives the address and the MAC that are asked for, and no two containers the same', async () => {
    const [ip, mac] = FIXED;
    await podman.run('fixed', ['--ip', ip, '--mac-address', mac]);
    const shown = await podman.exec('fixed', 'ip', 'address', 'show', 'eth0');
    expect(shown).toContain(`inet ${ip}/24`);
    expect(shown).toContain(`link/ether ${mac}`);
    expect(await bench.ping('host', ip)).toBe(true);
    await expect(podman.run('same', ['--ip', ip])).rejects.toThrow(ip);
    await podman.remove('fixed', 'same');
    await podman.run('after', ['--ip', ip]);
    expect(await podman.addresses('after')).toContain(ip);
  });
});

/** Asks once, where nobody is to answer. */
async function once(netns: string, url: string): Promise<void> {
  await run('nsenter', [`--net=${netns}`, 'curl', '--silent', '--max-time', '20', url]);
}
