/**
 * containerd with podwire as its network, asked over CRI as a kubelet asks it.
 *
 *     sandbox web: eth0 ─┐   two containers, one network namespace
 *     sandbox box: eth0 ─┼─ podwire daemon ─── podwire0 in `host`, where containerd runs too
 *                        ┘                          └ wan0 ─── wan0 in `outside`
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/control/api/types.js';
import { DaemonBench, outcome } from './daemon-support.js';
import { ContainerdHost } from './runtimes/containerd.js';
import { missingForRuntimes } from './runtimes/missing.js';
import { addOutside, HOST, OUTSIDE } from './runtimes/outside.js';
import { all, clientSeen, curl, httpGet, httpServer, ping, reached } from './runtimes/servers.js';

const run = promisify(execFile);
const missing = missingForRuntimes('containerd');
/** A pod takes 0.2 s, and many times that where the machine is busy. */
const TIMEOUT_MS = 180_000;
if (missing) console.log(`skipped: containers of containerd need ${missing}`);

describe.skipIf(missing)(`containerd${missing ? ` [${missing}]` : ''}`, { timeout: TIMEOUT_MS }, () => {
  const bench = new DaemonBench();
  let containerd: ContainerdHost;
  beforeAll(async () => {
    bench.namespace('host');
    addOutside(bench);
    await bench.start();
    const host = { netns: bench.path('host'), socket: bench.socket };
    containerd = await ContainerdHost.start({ ...host, network: { name: 'pods' } });
  }, 120_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(bench.log, containerd?.log.slice(-8000));
    await containerd.removeAll();
  }, 120_000);
  afterAll(async () => {
    await containerd?.cleanup();
    await bench.cleanup();
  }, 120_000);

  it('gives the containers of a pod one network: they talk over localhost, and with other pods', async () => {
    const web = await containerd.runSandbox('web');
    await containerd.runContainer(web, 'server', ...httpServer('page of web'));
    const beside = await containerd.runContainer(web, 'beside', 'sleep', '1000');
    const box = await containerd.runSandbox('box');
    const client = await containerd.runContainer(box, 'client', 'sleep', '1000');
    expect(await containerd.exec(beside, ...httpGet('127.0.0.1'))).toBe('page of web');
    expect([web.ips.length, box.ips.length]).toEqual([2, 2]);
    const words = all(web.ips.map(ping), web.ips.map(httpGet));
    expect(await containerd.exec(client, ...words)).toMatch(reached(2, 'page of web'));
    expect(await containerd.exec(beside, ...all(box.ips.map(ping)))).toMatch(reached(2));
    for (const address of web.ips) expect(await bench.ping('host', address), address).toBe(true);
    // The pod has the name that the kubelet gave it, and a UID.
    const { body } = await bench.call<Pod>('GET', '/v1/pods/default/web');
    expect(body.status).toMatchObject({ phase: 'Running', podIPs: web.ips.map((ip) => ({ ip })) });
  });

  it('publishes a host port and sets limits: the pod sees who asks, from the host and from outside', async () => {
    const limits = { 'kubernetes.io/ingress-bandwidth': '100M' };
    const web = await containerd.runSandbox('web', { 18081: 80 }, limits);
    const { body } = await bench.call<Pod>('GET', '/v1/pods/default/web');
    expect(body.status?.interfaces?.[0]).toMatchObject({
      ports: [{ hostPort: 18_081, containerPort: 80, protocol: 'TCP' }],
      limits: { ingress: { rate: 100_000_000 } },
    });
    const server = await containerd.runContainer(web, 'server', ...httpServer('published'));
    expect(await containerd.exec(server, ...httpGet('127.0.0.1'))).toBe('published');
    const [host, outside] = [bench.path('host'), bench.path('outside')];
    expect(await clientSeen(outside, `${HOST.ipv4}:18081`)).toBe(OUTSIDE.ipv4);
    expect(await clientSeen(outside, `[${HOST.ipv6}]:18081`)).toBe(OUTSIDE.ipv6);
    expect(await clientSeen(host, `${HOST.ipv4}:18081`)).toBe(HOST.ipv4);
    expect(await curl(host, 'http://127.0.0.1:18081/')).toBe('published');
    await containerd.stop(web);
    const get = ['curl', '--silent', '--max-time', '20', 'http://127.0.0.1:18081/'];
    await expect(run('nsenter', [`--net=${host}`, ...get])).rejects.toThrow();
  });

  it('stops and removes a pod twice, as a kubelet may, and leaves another alone', async () => {
    const [first, second] = [await containerd.runSandbox('first'), await containerd.runSandbox('second')];
    await containerd.stop(first);
    expect(outcome(await bench.call('GET', '/v1/pods/default/first'))).toBe('404 NOT_FOUND');
    await containerd.stop(first);
    await containerd.remove(first);
    await containerd.remove(first);
    expect(await containerd.list()).toEqual([second.id]);
    expect(await bench.ping('host', second.ips[0])).toBe(true);
    // The same pod anew has the addresses that became free.
    expect((await containerd.runSandbox('first')).ips).toEqual(first.ips);
  });
});
