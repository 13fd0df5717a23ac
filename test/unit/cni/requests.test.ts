/** What the plugin asks the daemon, and what becomes of the daemon's errors, silence and absence. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ANSWER, command, refused, serve } from './support.js';

const ATTACHMENT = { containerId: 'c1', ifname: 'eth0', config: 'pods' };

async function asked(config: Record<string, unknown>, args = ''): Promise<unknown> {
  const { socket, heard } = await serve(200, ANSWER);
  expect(await command('ADD', { socket, ...config }, { CNI_ARGS: args })).toMatchObject({ status: 0 });
  expect(heard).toMatchObject([{ method: 'POST', path: '/v1/cni/add' }]);
  return heard[0].body;
}

describe('ADD', () => {
  it('asks for no more than is said', async () => {
    expect(await asked({})).toEqual({ ...ATTACHMENT, netns: '/run/netns/c1', network: 'default' });
  });

  it('takes what Kubernetes says', async () => {
    const args =
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u-1;X=';
    expect(await asked({ network: 'backend' }, args)).toMatchObject({
      network: 'backend',
      pod: { namespace: 'shop', name: 'web-0', uid: 'u-1' },
    });
  });

  it('takes what podman says: names with capitals and underscores, aliases by network', async () => {
    const args =
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=My_Web.1;K8S_POD_NAME=My_Web.1;MAC=02-AB-00-00-00-01;IP=10.244.0.9';
    const runtimeConfig = { aliases: { pods: ['web', 'c1'], other: ['x'] }, portMappings: [] };
    const body = await asked({ runtimeConfig }, args);
    expect(body).toMatchObject({ ips: ['10.244.0.9'], mac: '02:ab:00:00:00:01', aliases: ['web', 'c1'] });
    // printf My_Web.1 | sha256sum
    const pod = 'my-web-1-';
    expect(body).toMatchObject({ pod: { namespace: expect.stringMatching(`^${pod}[0-9a-f]{8}$`) } });
    expect(await asked({ runtimeConfig }, args)).toEqual(body);
  });

  it('takes the ports that are to be published, and passes over those without a host port', async () => {
    const portMappings = [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '' },
      { hostPort: 53, containerPort: 53, protocol: 'UDP', hostIP: '192.0.2.1' },
      { hostPort: 0, containerPort: 443, protocol: 'tcp' },
      { containerPort: 444 },
    ];
    expect(await asked({ runtimeConfig: { portMappings } })).toMatchObject({
      portMappings: [
        { hostPort: 8080, containerPort: 80, protocol: 'TCP' },
        { hostPort: 53, containerPort: 53, protocol: 'UDP', hostIP: '192.0.2.1' },
      ],
    });
  });

  it('reads keys as Go does: containerd begins them with capitals', async () => {
    const portMappings = [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '192.0.2.1' }];
    const bandwidth = { IngressRate: 8_000_000, IngressBurst: 4_000_000, EgressRate: 0, EgressBurst: 0 };
    expect(await asked({ runtimeConfig: { portMappings, bandwidth } })).toMatchObject({
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: '192.0.2.1' }],
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 4_000_000 },
    });
    const both = [{ HostPort: 1, hostPort: 8080, containerPort: 80 }];
    expect(await asked({ runtimeConfig: { portMappings: both } })).toMatchObject({
      portMappings: [{ hostPort: 8080 }],
    });
  });

  it('makes two pods of two names that differ only in what a name may not have', async () => {
    const names = await Promise.all(
      ['a_b', 'a-b', 'A-b', '___'].map((name) => asked({}, `K8S_POD_NAME=${name}`)),
    );
    const pods = names.map((body) => (body as { pod: { namespace: string; name: string } }).pod);
    expect(new Set(pods.map(({ name }) => name)).size).toBe(4);
    expect(pods[1]).toEqual({ namespace: 'default', name: 'a-b' });
    for (const { name } of pods) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });

  it('takes the runtime’s wishes before args, and those before CNI_ARGS', async () => {
    const runtimeConfig = { ips: ['10.244.0.7/24', 'fd00:10:244::7'], mac: '02:00:00:00:00:07' };
    const args = {
      cni: { ips: ['10.244.0.8'], mac: '02:00:00:00:00:08', labels: [{ key: 'a', value: 'b' }] },
    };
    const old = 'IP=10.244.0.9,fd00:10:244::9;MAC=02:00:00:00:00:09';
    expect(await asked({ runtimeConfig, args }, old)).toMatchObject({
      ips: ['10.244.0.7', 'fd00:10:244::7'],
      mac: '02:00:00:00:00:07',
    });
    expect(await asked({ args }, old)).toMatchObject({
      ips: ['10.244.0.8'],
      mac: '02:00:00:00:00:08',
      labels: { a: 'b' },
    });
    expect(await asked({}, old)).toMatchObject({
      ips: ['10.244.0.9', 'fd00:10:244::9'],
      mac: '02:00:00:00:00:09',
    });
  });

  it('takes limits that limit', async () => {
    const bandwidth = { ingressRate: 8_000_000, ingressBurst: 2 ** 31 - 1, egressRate: 0, egressBurst: 0 };
    expect(await asked({ runtimeConfig: { bandwidth } })).toMatchObject({
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 2 ** 31 - 1 },
    });
    expect(await asked({ runtimeConfig: { bandwidth: { ingressRate: 0 } } })).not.toHaveProperty('bandwidth');
  });

  it('passes over what is somebody else’s', async () => {
    const runtimeConfig = {
      'io.kubernetes.cri.pod-annotations': { a: 'b' },
      cgroupPath: '/pods',
      deviceID: '',
    };
    await asked({
      runtimeConfig,
      'example.org/x': 1,
      capabilities: { ips: true },
      ipam: {},
      ipMasq: false,
      args: null,
    });
  });
});

describe('DEL and GC', () => {
  it('DEL needs little, and no result of the ADD', async () => {
    const { socket, heard } = await serve(200, { released: [] });
    const config = {
      socket,
      prevResult: { cniVersion: '0.1.0', ip4: {} },
      ipam: { type: 'x' },
      nonsense: 1,
      network: 'A',
    };
    const variables = { CNI_NETNS: '', CNI_ARGS: 'FOO' };
    expect(await command('DEL', config, variables)).toEqual({ status: 0 });
    expect(heard).toEqual([{ method: 'POST', path: '/v1/cni/del', body: ATTACHMENT }]);
  });

  it.each([
    [
      'cni.dev/valid-attachments',
      [{ containerID: 'c2', ifname: 'net1', more: 1 }],
      [{ containerId: 'c2', ifname: 'net1' }],
    ],
    ['cni.dev/attachments', [], []],
    ['cni.dev/valid-attachments', null, []],
  ])('GC: %s %j', async (key, list, valid) => {
    const { socket, heard } = await serve(200, { released: [] });
    expect(await command('GC', { socket, [key]: list })).toEqual({ status: 0 });
    expect(heard).toEqual([{ method: 'POST', path: '/v1/cni/gc', body: { config: 'pods', valid } }]);
  });

  it('STATUS asks for the network', async () => {
    const { socket, heard } = await serve(200, { ready: true });
    expect(await command('STATUS', { socket, network: 'backend' })).toEqual({ status: 0 });
    expect(heard).toMatchObject([{ method: 'GET', path: '/v1/cni/status?network=backend' }]);
  });
});

describe('what the daemon refuses', () => {
  it.each([
    ['ADDRESS_EXHAUSTED', undefined, 11],
    ['STOPPING', undefined, 11],
    ['STORE_UNREACHABLE', undefined, 11],
    ['NETNS_NOT_FOUND', undefined, 3],
    ['NETNS_INVALID', undefined, 4],
    ['INVALID', 'ifname', 4],
    ['INVALID', 'mac', 7],
    ['UNSUPPORTED', 'bandwidth.ingressRate', 2],
    ['NOT_FOUND', undefined, 7],
    ['ALREADY_ATTACHED', undefined, 101],
    ['ADDRESS_IN_USE', undefined, 101],
    ['INTERNAL', undefined, 100],
    ['SOMETHING_NEW', undefined, 100],
  ])('%s of %s is %i', async (code, field, expected) => {
    const { socket } = await serve(409, { error: { code, message: 'why, and what to do', field } });
    const { answer } = await command('ADD', { socket });
    expect(answer).toMatchObject({ code: expected, details: code });
    expect(answer?.msg).toContain('why, and what to do');
    if (expected === 4) expect(answer?.msg).toMatch(/^CNI_/);
  });

  it('CHECK: what differs is 102, and what is not there 3', async () => {
    const prevResult = { interfaces: [{ name: 'eth0', sandbox: '/run/netns/c1' }] };
    const differs = await serve(409, { error: { code: 'CNI_CHECK_FAILED', message: 'x' } });
    expect(await refused(command('CHECK', { socket: differs.socket, prevResult }))).toBe('102: x');
    const missing = await serve(404, { error: { code: 'NOT_FOUND', message: 'x' } });
    expect(await refused(command('CHECK', { socket: missing.socket, prevResult }))).toBe('3: x');
  });

  it.each([
    ['ADDRESS_EXHAUSTED', 50],
    ['NOT_FOUND', 50],
    ['DATAPLANE_FAILED', 51],
  ])('STATUS: %s is %i', async (code, expected) => {
    const { socket } = await serve(500, { error: { code, message: 'x' } });
    expect(await refused(command('STATUS', { socket }))).toBe(`${expected}: x`);
  });
});

describe('a daemon that is not there', () => {
  it('ADD, GC and CHECK are to be tried again; STATUS says that it is not available', async () => {
    const prevResult = { interfaces: [{ name: 'eth0', sandbox: '/run/netns/c1' }] };
    const list = { 'cni.dev/valid-attachments': [] };
    expect(await refused(command('ADD'))).toMatch(
      /^11: there is no socket \/nowhere\/podwire.sock; start podwire daemon/,
    );
    expect(await refused(command('GC', list))).toMatch(/^11: /);
    expect(await refused(command('CHECK', { prevResult }))).toMatch(/^11: /);
    expect(await refused(command('STATUS'))).toMatch(/^50: there is no socket/);
  });

  it('DEL succeeds where the namespace is gone, since the daemon sees that itself, and else is to be tried again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-cni-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const left = join(folder, 'left-over');
    writeFileSync(left, '');
    for (const gone of ['', '/run/netns/there-is-none', '/proc/0/ns/net', left]) {
      expect(await command('DEL', {}, { CNI_NETNS: gone })).toEqual({ status: 0 });
    }
    expect(await refused(command('DEL', {}, { CNI_NETNS: '/proc/self/ns/net' }))).toMatch(
      /^11: there is no socket/,
    );
  });

  it('that is another program, or an older daemon', async () => {
    const other = await serve(200, '<html>');
    expect(await refused(command('ADD', { socket: other.socket }))).toMatch(/^103: what answers on/);
    const older = await serve(404, { error: { code: 'NOT_FOUND', message: 'there is no path /v1/cni/add' } });
    expect(await refused(command('ADD', { socket: older.socket }))).toMatch(/^103: .*update it/);
  });

  it('that goes away before it has answered', async () => {
    const socket = await listen((connection) => connection.destroy());
    expect(await refused(command('ADD', { socket }))).toMatch(/^11: .*went away/);
  });

  it('that never answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const heard = withResolvers();
    const socket = await listen((connection) => connection.once('data', () => heard.resolve()));
    const outcome = refused(command('ADD', { socket }));
    await heard.promise;
    vi.advanceTimersByTime(30_000);
    expect(await outcome).toMatch(/^11: .*did not answer in 30 s/);
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function listen(connected: (connection: Socket) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-cni-'));
  const socket = join(folder, 's');
  const connections: Socket[] = [];
  const server = createServer((connection) => {
    connections.push(connection);
    connection.on('error', () => undefined);
    connected(connection);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => {
    for (const connection of connections) connection.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return socket;
}
