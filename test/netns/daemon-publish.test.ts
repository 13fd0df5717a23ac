/** Published ports of a built daemon: who may ask for them, what becomes of them, and what is refused. publish.test.ts sends packets. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PortsAnswer, PublishedPortStatus } from '../../src/control/api/publish-types.js';
import type { Pod } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon, outcome, type RunningDaemon } from './daemon-support.js';

const missing = missingForDaemon();
const TCP = 'TCP' as const;
const [WEB, ADMIN] = [
  { hostPort: 8080, containerPort: 80, protocol: TCP },
  { hostIP: '127.0.0.1', hostPort: 9090, containerPort: 90, protocol: TCP },
];

describe.skipIf(missing)('published ports', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;
  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
    bench.namespace('web');
    bench.namespace('db');
  });
  afterAll(() => bench.cleanup());

  const portsOf = async (name: string): Promise<PublishedPortStatus[]> => {
    const { body } = await bench.call<Pod>('GET', `/v1/pods/default/${name}`);
    return (body.status?.interfaces ?? []).flatMap(({ ports = [] }) => ports);
  };
  const publish = (name: string, ...ports: object[]) =>
    bench.call<PortsAnswer>('POST', `/v1/pods/default/${name}/ports`, { ports });
  const unpublish = (name: string, ports?: object[]) =>
    bench.call<PortsAnswer>('POST', `/v1/pods/default/${name}/ports/remove`, ports && { ports });

  it('come with an attach, once; another one is told how they are changed', async () => {
    const answer = await bench.attach('web', { publish: [WEB] });
    expect(answer.body.ports).toEqual([WEB]);
    expect(outcome(await bench.attach('web', { publish: [{ hostPort: 8080, containerPort: 80 }] }))).toBe(
      '200',
    );
    expect(outcome(await bench.attach('web'))).toBe('200');
    const other = await bench.attach('web', { publish: [ADMIN] });
    expect(outcome(other)).toBe('409 ALREADY_ATTACHED');
    expect(JSON.stringify(other.body)).toContain('podwire publish');
    expect(await portsOf('web')).toEqual([WEB]);
  });

  it('come and go while the pod runs', async () => {
    expect((await publish('web', ADMIN)).body.ports).toEqual([WEB, ADMIN]);
    expect((await publish('web', ADMIN)).body.ports).toEqual([WEB, ADMIN]);
    const { body } = await publish('web', { containerPort: 22 });
    expect(body.ports[2]).toMatchObject({ containerPort: 22, protocol: TCP });
    const { hostPort } = body.ports[2];
    const missed = await unpublish('web', [{ hostPort }, { hostPort: 7, protocol: TCP }]);
    expect(outcome(missed)).toBe('404 NOT_FOUND');
    expect(JSON.stringify(missed.body)).toContain(
      'has published no 7/tcp; it has 8080/tcp, 127.0.0.1:9090/tcp',
    );
    expect((await unpublish('web', [{ hostPort }])).body.ports).toEqual([WEB, ADMIN]);
  });

  it('are refused to a second pod, and then nothing of it is attached', async () => {
    const taken = await bench.attach('db', { publish: [{ hostPort: 8081, containerPort: 1 }, WEB] });
    expect(taken.body).toMatchObject({ error: { code: 'PORT_IN_USE', field: 'publish' } });
    expect(JSON.stringify(taken.body)).toContain('pod default/web');
    expect(outcome(await bench.call('GET', '/v1/pods/default/db'))).toBe('404 NOT_FOUND');
    expect(bench.links('db').map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(outcome(await bench.attach('db', { publish: [{ hostPort: 8081, containerPort: 1 }] }))).toBe(
      '200',
    );
    expect(outcome(await publish('db', WEB))).toBe('409 PORT_IN_USE');
    expect(outcome(await publish('nobody', WEB))).toBe('404 NOT_FOUND');
  });

  it('are refused while a program of the host listens there', async () => {
    const listen = "require('net').createServer().listen(8443, '::', () => console.log('up'))";
    const enter = ['netns', 'exec', bench.name('host'), process.execPath, '-e', listen];
    const program = spawn('ip', enter, { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(program.stdout, 'data');
      const refused = await publish('db', { hostPort: 8443, containerPort: 443 });
      expect(outcome(refused)).toBe('409 PORT_IN_USE');
      expect(JSON.stringify(refused.body)).toContain(`(pid ${program.pid})`);
    } finally {
      const ended = once(program, 'close');
      program.kill('SIGKILL');
      await ended;
    }
    expect(outcome(await publish('db', { hostPort: 8443, containerPort: 443 }))).toBe('200');
  });

  it('are a container’s, by a runtime, and go with it', async () => {
    bench.namespace('c1');
    const add = (hostPort: number) =>
      bench.call('POST', '/v1/cni/add', {
        ...{ containerId: 'c1', ifname: 'eth0', config: 'podwire', netns: bench.path('c1') },
        pod: { namespace: 'default', name: 'c1' },
        portMappings: [
          { hostPort, containerPort: 80, protocol: TCP },
          { hostPort: 0, containerPort: 81 },
        ],
      });
    expect(outcome(await add(8080))).toBe('409 PORT_IN_USE');
    expect(outcome(await add(8090))).toBe('200');
    expect(await portsOf('c1')).toEqual([{ hostPort: 8090, containerPort: 80, protocol: TCP }]);
    await bench.call('POST', '/v1/cni/del', { containerId: 'c1', ifname: 'eth0', config: 'podwire' });
    expect(outcome(await publish('db', { hostPort: 8090, containerPort: 1 }))).toBe('200');
  });

  it('are what a manifest says, and change with it', async () => {
    bench.namespace('job');
    const put = (...hostPorts: number[]) =>
      bench.call('PUT', '/v1/pods/default/job', {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'job', annotations: { 'podwire.dev/netns': bench.path('job') } },
        spec: { containers: [{ ports: hostPorts.map((hostPort) => ({ containerPort: 80, hostPort })) }] },
      });
    const numbers = async () => (await portsOf('job')).map(({ hostPort }) => hostPort);
    expect(outcome(await put(8080))).toBe('409 PORT_IN_USE');
    expect(outcome(await put(7001, 7002))).toBe('201');
    await publish('job', { hostPort: 7000, containerPort: 80 });
    expect(outcome(await put(7002, 7003))).toBe('200');
    expect(await numbers()).toEqual([7002, 7000, 7003]);
    expect(outcome(await put(7002, 8080))).toBe('409 PORT_IN_USE');
    expect(await numbers()).toEqual([7002, 7000, 7003]);
    await bench.call('DELETE', '/v1/pods/default/job');
    expect(outcome(await publish('db', { hostPort: 7000, containerPort: 1 }))).toBe('200');
  });

  it('are refused where nothing leads from the node to the pod', async () => {
    bench.namespace('inner');
    const network = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'inner' } };
    const spec = { mode: 'routed', cidrs: ['10.99.0.0/24'], internal: true };
    await bench.call('PUT', '/v1/networks/inner', { ...network, spec });
    const ports = [{ hostPort: 6000, containerPort: 1 }];
    const refused = await bench.attach('inner', { network: 'inner', publish: ports });
    expect(refused.body).toMatchObject({ error: { code: 'UNSUPPORTED', field: 'publish' } });
    expect(outcome(await bench.attach('inner', { network: 'inner' }))).toBe('200');
    expect(outcome(await publish('inner', ...ports))).toBe('400 UNSUPPORTED');
    expect(outcome(await publish('web', { ...ports[0], hostIP: '192.0.2.77' }))).toBe('400 INVALID');
  });

  it('are there again after kill -9, and free after a detach', async () => {
    const before = await portsOf('web');
    await bench.end(daemon, 'SIGKILL');
    daemon = await bench.start();
    expect(await portsOf('web')).toEqual(before);
    expect(outcome(await publish('db', WEB))).toBe('409 PORT_IN_USE');
    await bench.detach('web');
    expect(outcome(await publish('db', WEB))).toBe('200');
    expect((await unpublish('db')).body.ports).toEqual([]);
  });
});
