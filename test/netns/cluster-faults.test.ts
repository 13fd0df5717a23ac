/**
 * What befalls nodes of a cluster, over a real underlay: an address that changes, a server that stands still,
 * datagrams from strangers, a cluster that trusts certificates only.
 *
 *     web: 10.244.0.3 ── node a ─┐
 *     db:  10.244.1.3 ── node b ─┼── underlay ── stranger: sends to UDP 4789 what it likes
 */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateMaker, missingForCertificates } from '../support/certificates.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { ClusterBench, UNDERLAY } from './cluster-bench.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('python3', 'openssl') ?? missingForCertificates();
if (missing) console.log(`skipped: faults between nodes need ${missing}`);

/** Random datagrams, and VXLAN headers with nothing or with noise behind them, as fast as Python can for two seconds. */
const NOISE = `
import os, random, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.time() + 2
sent = 0
while time.time() < end:
    kind = random.randrange(4)
    noise = os.urandom(random.randrange(1400))
    header = b'\\x08\\0\\0\\0\\0\\0\\x01\\0'
    data = [noise, header + noise, header[:random.randrange(8)], b'\\0' * 8 + noise][kind]
    s.sendto(data, (sys.argv[1], 4789))
    sent += 1
print(sent)`;

describe.skipIf(missing)('faults between nodes', () => {
  let bench: ClusterBench;
  let addresses: string[];

  beforeEach(() => {
    bench = new ClusterBench();
    for (const name of ['a', 'b', 'stranger']) bench.host(name);
  });
  afterEach(async () => bench?.cleanup());

  /** Both nodes with a pod each, seeing each other. */
  async function start(a: string[] = [], b: string[] = []): Promise<void> {
    await bench.startNode('a', a);
    await bench.startNode('b', b, 'a');
    await bench.podAt('a', 'web');
    addresses = (await bench.podAt('b', 'db')).ips;
    expect(await bench.seesUp('a', 'b')).toBe(true);
    expect(await bench.seesUp('b', 'a')).toBe(true);
  }

  const ping = (...words: string[]) => runIn(bench.name('web'), 'ping', '-n', '-i0.05', '-W1', ...words);

  async function reaches(): Promise<boolean> {
    for (const address of addresses) if ((await ping('-c2', address)).status !== 0) return false;
    return true;
  }

  it('follows a node to another underlay address', async () => {
    await start();
    expect(await reaches()).toBe(true);
    await bench.endNode('b', 'SIGTERM');
    const address = (what: string, of: string): void => {
      execFileSync('ip', ['-n', bench.name('b'), 'addr', what, `${of}/24`, 'dev', UNDERLAY]);
    };
    address('del', bench.address('b'));
    address('add', '192.168.77.99');
    bench.moveHost('b', '192.168.77.99');
    await bench.startNode('b', [], 'a');
    expect(await until(reaches)).toBe(true);
    const { peers } = await bench.status('a');
    expect(peers).toMatchObject([{ name: 'b', address: '192.168.77.99', state: 'up' }]);
  });

  it('goes on while a stranger sends noise to the tunnel, and counts it', async () => {
    await start();
    const noise = spawnIn(bench.name('stranger'), 'python3', '-c', NOISE, bench.address('a'));
    let sent = '';
    noise.stdout?.on('data', (chunk: Buffer) => {
      sent += chunk.toString();
    });
    const { text } = await ping('-q', '-c40', addresses[0]);
    await until(() => sent !== '');
    expect(Number(sent)).toBeGreaterThan(1000);
    expect(text).toMatch(/ (3[89]|40) received/);
    const { body } = await bench.ask<{ drops: { reason: string; port: string; count: number }[] }>(
      'a',
      'GET',
      '/v1/drops',
    );
    const strangers = body.drops.find(({ reason, port }) => reason === 'unknown-peer' && port === 'tunnel');
    expect(strangers?.count ?? 0).toBeGreaterThan(500);
    expect((await bench.status('a')).ready).toBe(true);
  });

  it('forwards while the daemon with the store stands still, and hears of what happened then', async () => {
    await start();
    const { pid } = await bench.startNode('stranger', [], 'a');
    expect(pid).toBeGreaterThan(0);
    expect(await bench.seesUp('b', 'a', 'stranger')).toBe(true);
    const far = (await bench.podAt('stranger', 'far')).ips;
    const server = bench.daemonOf('a').pid;
    process.kill(server, 'SIGSTOP');
    try {
      const lost = async () => !(await bench.status('b')).store.connected;
      expect(await until(lost)).toBe(true);
      const { status, text } = await runIn(bench.name('db'), 'ping', '-n', '-c3', '-i0.05', '-W1', far[0]);
      expect(status, text).toBe(0);
    } finally {
      process.kill(server, 'SIGCONT');
    }
    const back = async () => (await bench.status('b')).store.connected && (await reaches());
    expect(await until(back), bench.log).toBe(true);
    expect(bench.logged('store lost: forwarding goes on with what is known').length).toBeLessThanOrEqual(2);
  });

  it('joins by certificates alone, and lets nobody else in', async () => {
    const maker = new CertificateMaker(bench.directory);
    const other = new CertificateMaker(bench.directory, 'other');
    const flags = (node: string, from = maker): string[] => {
      const { cert, key } = from.issue(undefined, `IP:${bench.address(node)}`);
      return ['--tls-cert', cert, '--tls-key', key, '--tls-ca', maker.ca];
    };
    bench.trust = 'certificates';
    await start(flags('a'), flags('b'));
    expect(await reaches()).toBe(true);
    bench.host('late');
    const refused = await bench.failNode('late', flags('late', other), 'a');
    expect(refused.status).toBe(1);
    expect(refused.text).toMatch(/error: (STORE_UNREACHABLE|UNAUTHORIZED|TLS_FAILED)/);
    const { body } = await bench.ask<{ items: { metadata: { name: string } }[] }>('a', 'GET', '/v1/nodes');
    expect(body.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(outcome(await bench.ask('a', 'GET', '/healthz'))).toBe('200');
  });
});
