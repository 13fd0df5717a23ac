/** Limits and impairments of a built daemon: who may ask for them, and what is refused. daemon-limits.test.ts measures them. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ImpairmentSpec } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon, outcome } from './daemon-support.js';
import { A, B, impair, limitsOf } from './limits-support.js';

const missing = missingForDaemon();
const MBIT = 1e6;

describe.skipIf(missing)('who asks for limits', () => {
  let bench: DaemonBench;
  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    await bench.start();
    bench.namespace('web');
  });
  afterAll(() => bench.cleanup());
  afterEach(async () => {
    await bench.call('DELETE', '/v1/pods/default/web');
  });
  const egress = { rate: 3 * MBIT, burst: 16_384 };

  it('an attach, once; another one is told how they are changed', async () => {
    const answer = await bench.attach('web', { limits: { egress: { rate: '3M' } } });
    expect(answer.body.limits).toEqual({ egress });
    expect(outcome(await bench.attach('web', { limits: { egress: { rate: 3 * MBIT } } }))).toBe('200');
    expect(outcome(await bench.attach('web'))).toBe('200');
    const other = await bench.attach('web', { limits: { egress: { rate: '4M' } } });
    expect(outcome(other)).toBe('409 ALREADY_ATTACHED');
    expect(JSON.stringify(other.body)).toContain('podwire limit');
    expect(await limitsOf(bench, 'web')).toEqual({ egress });
    const refused = await bench.call('PUT', '/v1/pods/default/web/limits', { ingress: { rate: '7k' } });
    expect(refused.body).toMatchObject({ error: { code: 'INVALID', field: 'ingress.rate' } });
    expect(outcome(await bench.call('PUT', '/v1/pods/default/web/limits', { ifname: 'eth7' }))).toBe(
      '404 NOT_FOUND',
    );
    expect(outcome(await bench.call('PUT', '/v1/pods/default/nobody/limits', {}))).toBe('404 NOT_FOUND');
  });

  it('but not of a pod without a port', async () => {
    const network = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'nothing' } };
    await bench.call('PUT', '/v1/networks/nothing', { ...network, spec: { mode: 'none' } });
    const limits = { egress };
    const refused = await bench.attach('web', { network: 'nothing', limits });
    expect(refused.body).toMatchObject({ error: { code: 'UNSUPPORTED', field: 'limits' } });
    expect(outcome(await bench.attach('web', { network: 'nothing' }))).toBe('200');
    const later = await bench.call('PUT', '/v1/pods/default/web/limits', limits);
    expect(later.body).toMatchObject({ error: { code: 'UNSUPPORTED', field: 'limits' } });
    expect(outcome(await bench.call('PUT', '/v1/pods/default/web/limits', {}))).toBe('200');
  });

  it('the annotations of Kubernetes, changed while the pod runs', async () => {
    const pod = (rate?: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'web',
        annotations: {
          'podwire.dev/netns': bench.path('web'),
          ...(rate && { 'kubernetes.io/egress-bandwidth': rate }),
        },
      },
    });
    const put = async (rate?: string) => outcome(await bench.call('PUT', '/v1/pods/default/web', pod(rate)));
    expect(await put('3M')).toBe('201');
    expect(await limitsOf(bench, 'web')).toEqual({ egress });
    expect(await put('6M')).toBe('200');
    expect(await limitsOf(bench, 'web')).toEqual({ egress: { rate: 6 * MBIT, burst: 16_384 } });
    await bench.call('PUT', '/v1/pods/default/web/limits', { egress });
    expect(await put('6M')).toBe('200');
    expect(await limitsOf(bench, 'web')).toEqual({ egress });
    expect(await put()).toBe('200');
    expect(await limitsOf(bench, 'web')).toBeUndefined();
  });

  it('a container runtime, in bits', async () => {
    const add = (bandwidth: object) =>
      bench.call('POST', '/v1/cni/add', {
        ...{ containerId: 'c1', ifname: 'eth0', config: 'podwire', netns: bench.path('web') },
        ...{ pod: { namespace: 'default', name: 'web' }, bandwidth },
      });
    const refused = await add({ egressRate: 100 });
    expect(refused.body).toMatchObject({ error: { code: 'INVALID', field: 'bandwidth.egressRate' } });
    const given = {
      egressRate: 3 * MBIT,
      egressBurst: 2 ** 31 - 1,
      ingressRate: MBIT,
      ingressBurst: 800_000,
    };
    expect(outcome(await add(given))).toBe('200');
    expect(await limitsOf(bench, 'web')).toEqual({ egress, ingress: { rate: MBIT, burst: 100_000 } });
  });

  it('and what cannot be impaired is refused', async () => {
    const cases: [object, string][] = [
      [{ from: A, to: A, delay: '1ms' }, 'spec.to'],
      [{ from: { cidr: '10.0.0.0/8' }, to: { cidr: '10.0.0.0/8' }, delay: '1ms' }, 'spec.to'],
      [{ from: A, to: B }, 'spec'],
      [{ from: A, to: B, delay: '50' }, 'spec.delay'],
      [{ from: A, to: B, loss: '101%' }, 'spec.loss'],
      [{ from: A, to: B, delay: '1ms', jitter: '2ms' }, 'spec.jitter'],
    ];
    for (const [spec, field] of cases) {
      const { body } = await impair(bench, 'bad', spec as ImpairmentSpec);
      expect(body).toMatchObject({ error: { code: 'INVALID', field } });
    }
    await impair(bench, 'ab', { from: A, to: B, delay: '1ms' });
    const twice = await impair(bench, 'ba', { from: B, to: A, bidirectional: false, loss: '1%' });
    expect(outcome(twice)).toBe('409 CONFLICT');
    for (let number = 1; number < 16; number++) {
      const spec = { from: A, to: { cidr: `10.9.0.${number}` }, delay: '1ms' };
      expect(outcome(await impair(bench, `n${number}`, spec))).toBe('201');
    }
    const many = await impair(bench, 'many', { from: A, to: { cidr: '10.9.1.0/24' }, delay: '1ms' });
    expect(outcome(many)).toBe('409 IMPAIRMENTS_EXHAUSTED');
    expect(outcome(await bench.attach('web'))).toBe('200');
  });
});
