/**
 * Names for pods, served by a built daemon and asked for by dig: at the server's own address, at gateways and at service addresses.
 *
 *     web ── eth0 default, eth1 back ──┐
 *     db ─── eth0 back ────────────────┤ switch ── podwire0 of host: the DNS server
 *     alone ─ eth0 default ────────────┘                │
 *                            loopback of host, 127.0.0.9: dnsmasq, in its resolv.conf
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowsAnswer } from '../../src/control/api/flow-types.js';
import type { StatusAnswer } from '../../src/control/api/types.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('dig', 'dnsmasq');
if (missing) console.log(`skipped: the tests of names need ${missing}`);

const UPSTREAM = ['-k', '--pid-file=', '--conf-file=/dev/null', '--user=root', '--no-hosts', '--no-resolv'];

describe.skipIf(missing)('names for pods', () => {
  let bench: DaemonBench;
  let upstream: ReturnType<typeof spawnIn>;

  beforeAll(async () => {
    bench = new DaemonBench();
    const host = bench.namespace('host');
    const where = ['--listen-address=127.0.0.9', '--bind-interfaces'];
    upstream = spawnIn(host, 'dnsmasq', ...UPSTREAM, ...where, '--address=/www.example.test/192.0.2.80');
    const answers = () => runIn(host, 'dig', '@127.0.0.9', '+time=1', '+tries=1', 'www.example.test');
    expect(await until(async () => (await answers()).status === 0)).toBe(true);
    const resolvConf = join(bench.directory, 'resolv.conf');
    writeFileSync(resolvConf, 'nameserver 127.0.0.9\n');
    await bench.start(['--resolv-conf', resolvConf, '--cluster-domain', 'k8s.test']);
    const spec = { mode: 'bridge', cidrs: ['10.80.0.0/24', 'fd80::/64'] };
    const manifest = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'back' }, spec };
    expect(outcome(await bench.call('PUT', '/v1/networks/back', manifest))).toBe('201');
    await bench.pod('web');
    expect(outcome(await bench.attach('web', { network: 'back' }))).toBe('200');
    await bench.pod('db', { network: 'back', aliases: ['sql'] });
    await bench.pod('alone');
  });

  afterAll(async () => {
    upstream?.kill();
    await bench.cleanup();
  });

  async function dns(): Promise<NonNullable<StatusAnswer['dns']>> {
    const { dns: found } = (await bench.call<StatusAnswer>('GET', '/v1/status')).body;
    if (!found) throw new Error('there is no DNS server');
    return found;
  }

  /** @returns what dig +short says, and what it says of the answer's status. */
  async function dig(pod: string, family: 4 | 6, ...question: string[]) {
    const listening = (await dns()).listening.find((place) => place.startsWith('[') === (family === 6)) ?? '';
    const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(listening) ?? [];
    const words = [`@${address}`, '-p', port, '+time=10', '+tries=2', '+noall', '+answer', '+comments'];
    const { text } = await runIn(bench.name(pod), 'dig', ...words, ...question);
    const status = /status: (\w+)/.exec(text)?.[1];
    const answers = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .map((line) => line.split(/\s+/).slice(3).join(' '));
    return { status, answers };
  }

  it.each<[family: 4 | 6, way: string]>([
    [4, '+notcp'],
    [4, '+tcp'],
    [6, '+notcp'],
    [6, '+tcp'],
  ])('are those of the asker’s networks, and of the world: IPv%i, %s', async (family, way) => {
    const known = { status: 'NOERROR', answers: ['A 10.80.0.3'] };
    expect(await dig('web', family, way, 'db', 'A')).toEqual(known);
    expect(await dig('web', family, way, 'sql', 'AAAA')).toEqual({
      status: 'NOERROR',
      answers: ['AAAA fd80::3'],
    });
    expect(await dig('web', family, way, '-x', '10.80.0.3')).toMatchObject({ answers: ['PTR db.default.'] });
    expect((await dig('alone', family, way, 'db', 'A')).answers).toEqual([]);
    expect((await dig('alone', family, way, 'www.example.test', 'A')).answers).toEqual(['A 192.0.2.80']);
    expect((await dig('alone', family, way, 'no.default.svc.k8s.test', 'A')).status).toBe('NXDOMAIN');
    expect((await dig('alone', family, way, 'ns.dns.k8s.test', 'A')).answers).toEqual(['A 10.96.0.10']);
  });

  it.each(['10.244.0.1', 'fd00:10:244::1', '10.96.0.10', 'fd00:10:96::a'])(
    'are asked for at port 53 of %s, over UDP and TCP, by pods and by the node',
    async (address) => {
      for (const way of ['+notcp', '+tcp']) {
        const words = [`@${address}`, way, '+time=10', '+tries=2', '+short'];
        const { text } = await runIn(bench.name('web'), 'dig', ...words, 'db', 'A', 'db', 'AAAA');
        expect(text.trim().split('\n')).toEqual(['10.80.0.3', 'fd80::3']);
      }
      if (!address.includes('96')) return;
      const fromHost = await runIn(bench.name('host'), 'dig', `@${address}`, '+short', 'ns.dns.k8s.test');
      expect(fromHost.text.trim()).toBe('10.96.0.10');
      const { flows } = (await bench.call<FlowsAnswer>('GET', '/v1/flows?pod=web&protocol=udp')).body;
      expect(flows.map(({ original, service }) => `${original.destination} ${service}`)).toContain(
        `${address} dns:udp`,
      );
    },
  );

  it('are said in the status, with where pods ask and who is asked for others', async () => {
    expect(await dns()).toMatchObject({
      domain: 'k8s.test',
      addresses: expect.arrayContaining(['10.244.0.1', 'fd00:10:244::1', '10.80.0.1', '10.96.0.10']),
      listening: [
        expect.stringMatching(/^10\.244\.0\.2:\d+$/),
        expect.stringMatching(/^\[fd00:10:244::2\]:\d+$/),
      ],
      upstreams: [{ address: '127.0.0.9:53', state: 'up' }],
      problem: null,
    });
  });

  it('are served again where podwire0 was deleted, and in spite of noise', async () => {
    bench.ip('host', 'link', 'del', 'podwire0');
    const isBack = async () => (await dig('web', 4, 'db', 'A')).answers.length === 1;
    expect(await until(isBack)).toBe(true);
    const [, port] = (await dns()).listening[0].split(':');
    const noise = `for i in $(seq 40); do head -c $((i * 7)) /dev/urandom > /dev/udp/10.244.0.2/${port}; done`;
    await runIn(bench.name('alone'), 'bash', '-c', noise);
    expect(await dig('web', 6, 'db', 'A')).toMatchObject({ answers: ['A 10.80.0.3'] });
    expect((await dns()).malformed + (await dns()).ignored).toBeGreaterThan(0);
  });

  it('go with the pod', async () => {
    expect(outcome(await bench.detach('db'))).toBe('200');
    expect((await dig('web', 4, 'db', 'A')).answers).toEqual([]);
  });
});
