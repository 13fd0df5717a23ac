/**
 * Limits of interfaces and impairments between pods, through built daemons. iperf3 and ping judge.
 *
 *     pod a ──limited──┐
 *     pod b ───────────┤ daemon (n1, or k1) ── tunnel ── k2 ── pod far
 *     pod c ───────────┘
 *
 * What passes too fast is a fault on any machine. What passes too slowly may be the machine's: then it is measured again.
 */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Impairment, LimitAnswer, ResourceList } from '../../src/control/api/types.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { TestCluster } from './cluster-support.js';
import {
  type Answer,
  DaemonBench,
  missingForDaemon,
  outcome,
  type RunningDaemon,
  sleep,
  until,
} from './daemon-support.js';
import { A, B, impair, limitsOf } from './limits-support.js';

const missing = missingForDaemon() ?? missingPrograms('iperf3');
if (missing) console.log(`skipped: limits and impairments need ${missing}`);

const MBIT = 1e6;
/** Of a frame of 1500 bytes of IP, what is TCP's payload. */
const PAYLOAD = 1448 / 1514;
const SECONDS = 2;
const ATTEMPTS = 4;

/** Bits a second that arrive of one TCP stream. */
async function stream(client: string, server: string, address: string, ...words: string[]): Promise<number> {
  const serving = spawnIn(server, 'iperf3', '-s', '-1', '--forceflush');
  onTestFinished(() => void serving.kill('SIGKILL'));
  const ended = once(serving, 'exit');
  const isServing = await Promise.race([
    once(serving.stdout!, 'data').then(() => true),
    ended.then(() => false),
  ]);
  if (!isServing) throw new Error('the server of iperf3 has ended');
  const { text } = await runIn(client, 'iperf3', '-c', address, '-t', String(SECONDS), '-J', ...words);
  // Its port is the next one's.
  await ended;
  const report = JSON.parse(text) as { error?: string; end: { sum_received: { bits_per_second: number } } };
  if (report.error !== undefined) throw new Error(report.error);
  return report.end.sum_received.bits_per_second;
}

/** The stream is as fast as the limit and no faster, by a tenth. @param burst bytes that pass beside it. */
async function expectRate(measure: () => Promise<number>, rate: number, burst = 16_384): Promise<void> {
  const goodput = rate * PAYLOAD;
  const most = goodput * 1.1 + (burst * 8) / SECONDS;
  for (let attempt = 1; ; attempt++) {
    const got = await measure();
    expect(got).toBeLessThan(most);
    if (got > goodput * 0.9 || attempt === ATTEMPTS) {
      expect(got).toBeGreaterThan(goodput * 0.9);
      return;
    }
  }
}

/** Round trips in milliseconds, and how many echo requests were answered. */
async function ping(
  namespace: string,
  address: string,
  count = 5,
  interval = '0.1',
): Promise<{ least: number; answered: number }> {
  const { text } = await runIn(namespace, 'ping', '-c', String(count), '-i', interval, '-W', '2', address);
  return {
    least: Number(/= ([\d.]+)\//.exec(text)?.[1] ?? Number.POSITIVE_INFINITY),
    answered: Number(/(\d+) received/.exec(text)?.[1]),
  };
}

describe.skipIf(missing)('limits and impairments', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;
  const to: Record<string, string> = {};

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
    for (const name of ['a', 'b', 'c']) to[name] = (await bench.pod(name)).ips[0];
  });
  afterAll(() => bench.cleanup());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(bench.log);
    const { body } = await bench.call<ResourceList<Impairment>>('GET', '/v1/impairments');
    for (const { metadata } of body.items) await bench.call('DELETE', `/v1/impairments/${metadata.name}`);
    for (const name of ['a', 'b', 'c']) await limit(name, {});
  });

  const limit = (name: string, body: unknown): Promise<Answer<LimitAnswer>> =>
    bench.call('PUT', `/v1/pods/default/${name}/limits`, body);
  const tcp =
    (from: string, target: string, ...words: string[]): (() => Promise<number>) =>
    () =>
      stream(bench.name(from), bench.name(target), to[target], ...words);
  /** No faster than that, since it would take all processors. */
  const unlimited = (from: string, target: string) => tcp(from, target, '-b', '60M', '-t', '1')();

  it('limits what a pod sends and is sent, changed while it runs, and after a restart', async () => {
    const changed = await limit('a', {
      egress: { rate: '10M' },
      ingress: { rate: 20 * MBIT, burst: '32Ki' },
    });
    expect(changed.body).toEqual({
      name: 'a',
      namespace: 'default',
      ifname: 'eth0',
      network: 'default',
      limits: { egress: { rate: 10 * MBIT, burst: 16_384 }, ingress: { rate: 20 * MBIT, burst: 32_768 } },
    });
    await expectRate(tcp('a', 'b'), 10 * MBIT);
    await expectRate(tcp('b', 'a'), 20 * MBIT, 32_768);
    await limit('a', { ingress: { rate: '5M' } });
    expect(await unlimited('a', 'b')).toBeGreaterThan(40 * MBIT);
    await bench.end(daemon, 'SIGKILL');
    daemon = await bench.start();
    expect(await limitsOf(bench, 'a')).toEqual({ ingress: { rate: 5 * MBIT, burst: 16_384 } });
    await expectRate(tcp('b', 'a'), 5 * MBIT);
  });

  it('shares one limit between all who send to the pod', async () => {
    await limit('a', { ingress: { rate: '10M' } });
    const arrived = () =>
      Number(/"rx":{"bytes":(\d+)/.exec(bench.ip('a', '-j', '-s', 'link', 'show', 'eth0'))?.[1]);
    const senders = ['b', 'c'].map((name) => tcp('a', name, '-R', '-t', '4')());
    expect(await until(() => arrived() > 1e6)).toBe(true);
    const [begun, before] = [performance.now(), arrived()];
    await sleep(1500);
    const rate = ((arrived() - before) * 8000) / (performance.now() - begun);
    const each = await Promise.all(senders);
    // Beside the rate, what a busy machine lets go late: a tenth of a second, and the burst.
    expect(rate).toBeLessThan(12 * MBIT);
    for (const one of each) expect(one).toBeGreaterThan(MBIT);
    expect(each[0] + each[1]).toBeGreaterThan(8 * MBIT);
  });

  it('delays what goes between two pods, and nothing else', async () => {
    expect(outcome(await impair(bench, 'slow', { from: A, to: B, delay: '25ms' }))).toBe('201');
    expect((await ping(bench.name('a'), to.b)).least).toBeGreaterThanOrEqual(50);
    expect((await ping(bench.name('b'), to.a)).least).toBeGreaterThanOrEqual(50);
    expect((await ping(bench.name('a'), to.c)).least).toBeLessThan(25);
    expect((await ping(bench.name('host'), to.a)).least).toBeLessThan(25);
    const oneWay = { from: A, to: B, bidirectional: false, delay: '50ms', jitter: '5ms' };
    expect(outcome(await impair(bench, 'slow', oneWay))).toBe('200');
    const { least } = await ping(bench.name('b'), to.a);
    expect(least).toBeGreaterThanOrEqual(45);
    expect(least).toBeLessThan(90);
  });

  it('loses all, none, or some of the packets', async () => {
    await impair(bench, 'lossy', { from: A, to: B, loss: '100%' });
    expect((await ping(bench.name('a'), to.b, 3)).answered).toBe(0);
    expect((await ping(bench.name('a'), to.c, 3)).answered).toBe(3);
    await impair(bench, 'lossy', { from: A, to: B, loss: '0%' });
    expect((await ping(bench.name('a'), to.b, 20, '0.01')).answered).toBe(20);
    // Of 200, 140 are answered, give or take 6.5; ten times out of a thousand million it is outside of these.
    await impair(bench, 'lossy', { from: A, to: B, bidirectional: false, loss: '30%' });
    const { answered } = await ping(bench.name('a'), to.b, 200, '0.005');
    expect(answered).toBeGreaterThan(100);
    expect(answered).toBeLessThan(180);
  });

  it('limits the rate between two pods', async () => {
    await impair(bench, 'thin', { from: A, to: B, rate: '8M' });
    await expectRate(tcp('b', 'a'), 8 * MBIT);
    expect(await unlimited('a', 'c')).toBeGreaterThan(40 * MBIT);
  });

  it('impairs addresses, the longest prefix first, and pods as soon as they are attached', async () => {
    await impair(bench, 'all', { from: A, to: { cidr: '10.244.0.0/16' }, delay: '40ms' });
    await impair(bench, 'not-c', { from: A, to: { cidr: to.c }, delay: '0ms' });
    expect((await ping(bench.name('a'), to.b)).least).toBeGreaterThanOrEqual(80);
    expect((await ping(bench.name('a'), to.c)).least).toBeLessThan(40);
    const late = await impair(bench, 'late', { from: { pod: 'd' }, to: B, delay: '30ms' });
    expect(late.body.status).toEqual({
      inForce: false,
      message: 'pod default/d is not attached on this node',
    });
    await bench.pod('d', { limits: { egress: { rate: '1G' } } });
    const { body } = await bench.call<Impairment>('GET', '/v1/impairments/late');
    expect(body.status).toEqual({ inForce: true });
    expect(body.spec).toMatchObject({ from: { pod: 'default/d' }, bidirectional: true, delay: '30ms' });
    expect((await ping(bench.name('d'), to.b)).least).toBeGreaterThanOrEqual(60);
    await bench.end(daemon, 'SIGKILL');
    daemon = await bench.start();
    expect((await ping(bench.name('d'), to.b)).least).toBeGreaterThanOrEqual(60);
    await bench.detach('d');
    bench.deleteNamespace('d');
    expect((await ping(bench.name('c'), to.b)).least).toBeLessThan(60);
  });
});

describe.skipIf(missing)('limits and impairments, --workers 2', () => {
  it('are one for all workers', async () => {
    const bench = new DaemonBench();
    onTestFinished(() => bench.cleanup());
    bench.namespace('host');
    await bench.start(['--workers', '2']);
    const [a, b] = [await bench.pod('a', { limits: { ingress: { rate: '10M' } } }), await bench.pod('b')];
    await expectRate(() => stream(bench.name('b'), bench.name('a'), a.ips[0]), 10 * MBIT);
    await impair(bench, 'slow', { from: A, to: B, delay: '25ms' });
    expect((await ping(bench.name('a'), b.ips[0])).least).toBeGreaterThanOrEqual(50);
    expect((await ping(bench.name('b'), a.ips[1])).least).toBeGreaterThanOrEqual(50);
  });
});

describe.skipIf(missing)('impairments across the tunnel', () => {
  it('are those of the node whose pod it is, each way', async () => {
    const cluster = new TestCluster();
    onTestFinished(() => cluster.cleanup());
    const [k1, k2] = [cluster.host('k1', 1), cluster.host('k2', 2)];
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
    expect(await k1.sees('k2')).toBe(true);
    expect(await k2.sees('k1')).toBe(true);
    await k1.pod('a');
    const far = await k2.pod('far');
    const trip = () => ping(k1.bench.name('a'), far.ips[0]);
    expect(await until(async () => (await trip()).answered > 0)).toBe(true);
    for (const [index, address] of far.ips.entries())
      await impair(k1.bench, `far-${index}`, { from: A, to: { cidr: address }, delay: '30ms' });
    expect((await trip()).least).toBeGreaterThanOrEqual(60);
    expect((await ping(k1.bench.name('a'), far.ips[1])).least).toBeGreaterThanOrEqual(60);
    await k1.bench.call('PUT', '/v1/pods/default/a/limits', { ingress: { rate: '10M' } });
    await expectRate(() => stream(k1.bench.name('a'), k2.bench.name('far'), far.ips[0], '-R'), 10 * MBIT);
  });
});
