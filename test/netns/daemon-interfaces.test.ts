/**
 * Pods with several interfaces: connected to more networks and disconnected while they run, and what becomes of the
 * traffic in the others.
 *
 *      default 10.244.0.0/24      red 10.90.0.0/24       blue 10.91.0.0/24 (internal)
 *           │       │                │      │                 │      │
 *         peer     web ─────────────eth1  red-peer          eth2   blue-peer
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachAnswer, DropsAnswer, NamesAnswer, Pod } from '../../src/control/api/types.js';
import type { AttachmentRecord, PodRecord } from '../../src/control/records.js';
import { EmbeddedStore } from '../../src/control/store/embedded.js';
import { DaemonBench, missingForDaemon, outcome, type RunningDaemon, until } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

describe.skipIf(missing)('several interfaces of a pod', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
    for (const [name, spec] of Object.entries({
      red: { mode: 'bridge', cidrs: ['10.90.0.0/24'] },
      blue: { mode: 'bridge', cidrs: ['10.91.0.0/24'], internal: true },
    })) {
      const manifest = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
      expect(outcome(await bench.call('PUT', `/v1/networks/${name}`, manifest))).toBe('201');
    }
    await bench.pod('web');
    await bench.pod('peer');
    await bench.pod('red-peer', { network: 'red' });
    await bench.pod('blue-peer', { network: 'blue' });
  });
  afterAll(() => bench.cleanup());

  const connect = (network: string, more = {}) =>
    bench.call<AttachAnswer>('POST', '/v1/pods/default/web/attach', { network, ...more });
  const disconnect = (network: string) => bench.call('POST', '/v1/pods/default/web/detach', { network });
  const status = async (): Promise<NonNullable<Pod['status']>> =>
    (await bench.call<Pod>('GET', '/v1/pods/default/web')).body.status ?? { phase: 'Pending' };
  const defaultRoute = (): string => bench.ip('web', 'route', 'show', 'default').trim();

  it('come and go while the others carry what they carried', async () => {
    const words = ['netns', 'exec', bench.name('web'), 'ping', '-i0.1', '-D', '10.244.0.4'];
    const ping = spawn('ip', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    ping.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const answers = (): number => text.split('bytes from').length - 1;
    try {
      expect(await until(() => answers() > 2)).toBe(true);
      expect((await connect('red')).body).toMatchObject({ ifname: 'eth1', ips: ['10.90.0.3'] });
      expect((await connect('blue', { ips: ['10.91.0.77'] })).body).toMatchObject({
        ifname: 'eth2',
        ips: ['10.91.0.77'],
      });
      expect(await bench.ping('web', '10.90.0.2')).toBe(true);
      expect(await bench.ping('blue-peer', '10.91.0.77')).toBe(true);
      expect(outcome(await disconnect('red'))).toBe('200');
      expect(bench.link('web', 'eth1')).toBeUndefined();
      expect(await bench.ping('web', '10.90.0.2')).toBe(false);
      expect(outcome(await connect('red'))).toBe('200');
      const before = answers();
      expect(await until(() => answers() > before + 2)).toBe(true);
    } finally {
      ping.kill('SIGINT');
      if (ping.exitCode === null && ping.signalCode === null) await once(ping, 'close');
    }
    // Every request but perhaps the last, which was under way.
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
    expect(Number(sent) - Number(received)).toBeLessThanOrEqual(1);
  });

  it('keep networks apart within the pod', async () => {
    // The kernel of the pod forwards for nobody, and the switch sends nothing from one to the other.
    expect(await bench.ping('red-peer', '10.91.0.77')).toBe(false);
    expect(await bench.ping('red-peer', '10.244.0.4')).toBe(false);
    expect(await bench.ping('blue-peer', '10.90.0.2')).toBe(false);
    // Under the address that it has in one network the pod may not send in another.
    const words = ['netns', 'exec', bench.name('web'), 'ping', '-c1', '-W1', '-I', '10.91.0.77', '10.90.0.2'];
    await once(spawn('ip', words, { stdio: 'ignore' }), 'close');
    const { drops } = (await bench.call<DropsAnswer>('GET', '/v1/drops')).body;
    expect(drops).toContainEqual(
      expect.objectContaining({ port: 'default/web/eth1', reason: expect.stringMatching(/^spoofed-/) }),
    );
  });

  it('are both there after kill -9', async () => {
    const before = await status();
    expect(before.interfaces?.map(({ ifname, network }) => [ifname, network])).toEqual([
      ['eth0', 'default'],
      ['eth2', 'blue'],
      ['eth1', 'red'],
    ]);
    await bench.end(daemon, 'SIGKILL');
    daemon = await bench.start();
    expect(await status()).toEqual(before);
    for (const to of ['10.244.0.4', '10.90.0.2', '10.91.0.1'])
      expect([to, await until(() => bench.ping('web', to))]).toEqual([to, true]);
  });

  it('have names in their networks, aliases among them', async () => {
    expect(outcome(await bench.call('POST', '/v1/pods/default/red-peer/detach'))).toBe('200');
    expect(outcome(await bench.attach('red-peer', { network: 'red', aliases: ['db', 'store'] }))).toBe('200');
    const { body } = await bench.call<NamesAnswer>('GET', '/v1/names?network=red');
    expect(body.names.map(({ name, pod, ips }) => `${name} ${pod} ${ips}`)).toEqual([
      'db default/red-peer 10.90.0.2',
      'red-peer default/red-peer 10.90.0.2',
      'red-peer.default default/red-peer 10.90.0.2',
      'store default/red-peer 10.90.0.2',
      'web default/web 10.90.0.3',
      'web.default default/web 10.90.0.3',
    ]);
    expect(outcome(await bench.call('GET', '/v1/names?network=nowhere'))).toBe('404 NOT_FOUND');
    const all = await bench.call<NamesAnswer>('GET', '/v1/names');
    expect(new Set(all.body.names.map(({ network }) => network))).toEqual(
      new Set(['blue', 'default', 'red']),
    );
  });

  it('hand the default route on when the first goes', async () => {
    expect(defaultRoute()).toBe('default via 10.244.0.1 dev eth0');
    expect(outcome(await disconnect('blue'))).toBe('200');
    expect(outcome(await disconnect('default'))).toBe('200');
    expect(defaultRoute()).toBe('default via 10.90.0.1 dev eth1');
    expect(await status()).toMatchObject({ phase: 'Running', podIP: '10.90.0.3', ifname: 'eth1' });
    // The next one is eth0 again, and no default route.
    expect((await connect('default')).body.ifname).toBe('eth0');
    expect(defaultRoute()).toBe('default via 10.90.0.1 dev eth1');
    expect(await bench.ping('web', '10.244.0.4')).toBe(true);
    expect((await bench.detach('web')).body.ips).toHaveLength(3);
    expect(bench.links('web').map(({ ifname }) => ifname)).toEqual(['lo']);
  });

  it('are read from a store of the time when a pod had one', async () => {
    await bench.end(daemon, 'SIGTERM');
    const store = EmbeddedStore.open(`${bench.data}/state.mdb`);
    const found = await store.get('pods/default/peer');
    if (!found) throw new Error('the pod is not stored');
    const { attachments, ...record } = found.value as unknown as PodRecord;
    const { port: _, ...attachment }: AttachmentRecord = attachments[0];
    await store.put('pods/default/peer', JSON.parse(JSON.stringify({ ...record, attachment })));
    await store.close();
    daemon = await bench.start();
    expect(bench.logged('pods restored').at(-1)).toMatchObject({ pods: 3, lost: 0 });
    expect(await until(() => bench.ping('peer', '10.244.0.2'))).toBe(true);
    expect((await bench.detach('peer')).body.ips).toContain('10.244.0.4');
  });
});
