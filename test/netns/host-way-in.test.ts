/**
 * The way in: what comes for a port of the node, from outside and from the host itself, reaches a pod through the host's rules.
 *
 *     outside 192.0.2.9 ──── wan0 192.0.2.1  host  podwire0 ─── switch ─── pod web, a server that answers with the client's address
 *             2001:db8:1::9       2001:db8:1::1
 *
 * curl asks; the server's view of the client is the judge.
 */
import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('nft', 'curl');

const SERVER = `
  require('node:http').createServer((request, response) => {
    response.end(request.socket.remoteAddress.replace('::ffff:', ''));
  }).listen(80, '::', () => console.log('listening'));`;

const bench = new DaemonBench();
let server: ChildProcess | undefined;

/** The client as the server sees it, or curl's exit status. */
async function ask(from: string, to: string): Promise<string> {
  const { status, text } = await runIn(bench.name(from), 'curl', '-sg', '-m', '20', `http://${to}/`);
  return status === 0 ? text : `curl ${status}`;
}

function wire(short: string, four: string, six: string): void {
  bench.ip(short, 'address', 'add', four, 'dev', 'wan0');
  bench.ip(short, 'address', 'add', six, 'dev', 'wan0', 'nodad');
  bench.ip(short, 'link', 'set', 'wan0', 'up');
}

describe.skipIf(missing !== undefined)(`the way in${missing ? ` (needs ${missing})` : ''}`, () => {
  beforeAll(async () => {
    for (const name of ['host', 'outside']) bench.namespace(name);
    const peer = ['type', 'veth', 'peer', 'name', 'wan0', 'netns', bench.name('outside')];
    execFileSync('ip', ['-n', bench.name('host'), 'link', 'add', 'wan0', ...peer]);
    wire('host', '192.0.2.1/24', '2001:db8:1::1/64');
    wire('outside', '192.0.2.9/24', '2001:db8:1::9/64');
    await bench.start();
    await bench.pod('web', {
      labels: { app: 'web' },
      publish: [
        { hostPort: 8080, containerPort: 80 },
        { hostIP: '192.0.2.1', hostPort: 9090, containerPort: 80 },
        { hostIP: '127.0.0.1', hostPort: 7070, containerPort: 80 },
      ],
    });
    server = spawnIn(bench.name('web'), process.execPath, '-e', SERVER);
    await once(server.stdout!, 'data');
  });
  afterAll(async () => {
    server?.kill('SIGKILL');
    await bench.cleanup();
  });

  it.each([
    ['192.0.2.1:8080', '192.0.2.9'],
    ['[2001:db8:1::1]:8080', '2001:db8:1::9'],
    ['192.0.2.1:9090', '192.0.2.9'],
  ])('a client from outside reaches %s, and the pod sees its own address', async (to, seen) => {
    expect(await ask('outside', to), bench.log).toBe(seen);
  });

  it.each([
    ['192.0.2.1:8080', '192.0.2.1'],
    ['[2001:db8:1::1]:8080', '2001:db8:1::1'],
    ['192.0.2.1:9090', '192.0.2.1'],
    // Nobody else could be answered at 127.0.0.1.
    ['127.0.0.1:8080', '10.244.0.2'],
    ['127.0.0.1:7070', '10.244.0.2'],
  ])('a program of the host reaches %s', async (to, seen) => {
    expect(await ask('host', to), bench.log).toBe(seen);
  });

  it.each([
    ['host', '127.0.0.1:9090'],
    ['host', '192.0.2.1:7070'],
    ['outside', '192.0.2.1:7070'],
  ])('refuses %s at %s: the port is published at another address', async (from, to) => {
    expect(await ask(from, to)).toBe('curl 7');
  });

  it('refuses at ::1 at once, where no answer could come back from', async () => {
    expect(await ask('host', '[::1]:8080')).toBe('curl 7');
  });

  it('does not take the port away where load balancers ask for endpoints of this node', async () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_999 };
    const web = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { ...spec, selector: { app: 'web' }, ports: [{ port: 80 }] },
    };
    await bench.call('PUT', '/v1/services/default/web', web);
    for (const to of ['192.0.2.1:30999', '[2001:db8:1::1]:30999']) {
      expect(JSON.parse(await ask('outside', to))).toEqual({
        service: { namespace: 'default', name: 'web' },
        localEndpoints: 1,
        serviceProxyHealthy: true,
      });
    }
  });

  it('leads nowhere any more when the pod has gone', async () => {
    await bench.detach('web');
    const rules = () =>
      execFileSync('ip', ['netns', 'exec', bench.name('host'), 'nft', 'list', 'table', 'inet', 'podwire'], {
        encoding: 'utf8',
      });
    expect(await until(() => !/7070|8080|9090/.test(rules()))).toBe(true);
    expect(await ask('outside', '192.0.2.1:30999')).toContain('"localEndpoints":0');
    expect(await ask('outside', '192.0.2.1:8080')).toBe('curl 7');
  });
});
