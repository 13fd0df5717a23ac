/** `limit` and `impair`: what they send and print, against answers of the API's shape. */
import { describe, expect, it } from 'vitest';
import { endOf, nameOf } from '../../../../src/cli/commands/impair.js';
import type { Impairment, LimitAnswer, Pod, ResourceList } from '../../../../src/control/api/types.js';
import { fakeApi, podwire } from '../support.js';

const EGRESS = { rate: 10_000_000, burst: 16_384 };
const INGRESS = { rate: 1_000_000_000, burst: 1_250_000 };
const WEB = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  status: { phase: 'Running', interfaces: [{ ifname: 'eth0', limits: { ingress: INGRESS } }] },
} as unknown as Pod;
const POD = '/v1/pods/default/web';

function limited(limits: LimitAnswer['limits']): LimitAnswer {
  return { name: 'web', namespace: 'default', ifname: 'eth0', network: 'default', limits };
}

function impairment(name: string, from: string, to: string): Impairment {
  const spec = { from: { pod: from }, to: { cidr: to }, bidirectional: true, delay: '50ms', loss: '1%' };
  return {
    apiVersion: 'podwire.dev/v1',
    kind: 'Impairment',
    metadata: { name },
    spec,
    status: { inForce: true },
  };
}

describe('limit', () => {
  it('leaves the other direction as it is', async () => {
    const body = limited({ egress: EGRESS, ingress: INGRESS });
    const { socket, heard } = await fakeApi({
      [`GET ${POD}`]: { body: WEB },
      [`PUT ${POD}/limits`]: { body },
    });
    const { out } = await podwire('limit', 'web', '--egress-rate', '10M', '--socket', socket);
    expect(heard[1].body).toEqual({ egress: { rate: '10M' }, ingress: INGRESS });
    expect(out).toBe(
      'pod/default/web eth0: egress 10.0 Mbit/s (burst 16.0 KiB), ingress 1.00 Gbit/s (burst 1.19 MiB)\n',
    );
  });

  it('takes one direction away, or all', async () => {
    const replies = { [`GET ${POD}`]: { body: WEB }, [`PUT ${POD}/limits`]: { body: limited({}) } };
    const { socket, heard } = await fakeApi(replies);
    const { out } = await podwire('limit', 'web', '--ingress-rate', 'none', '--socket', socket);
    expect(out).toBe('pod/default/web eth0: egress not limited, ingress not limited\n');
    await podwire('limit', 'web', '--none', '--ifname', 'eth1', '--socket', socket);
    expect(heard.map(({ body }) => body)).toEqual([undefined, {}, { ifname: 'eth1' }]);
  });

  it.each([
    [['limit', 'web'], 'which limit?'],
    [['limit', 'web', '--none', '--egress-rate', '1M'], '--none: contradicts'],
    [['limit', 'web', '--egress-burst', '1M'], '--egress-burst 1M: needs --egress-rate'],
    [['attach', 'web', '--netns', 'n', '--ingress-burst', '1M'], '--ingress-burst 1M: needs --ingress-rate'],
  ])('%j: %s', async (argv, expected) => {
    const { err, status } = await podwire(...argv);
    expect(err).toContain(`error: USAGE: ${expected}`);
    expect(status).toBe(2);
  });
});

describe('impair', () => {
  it('writes a resource that is named after its ends', async () => {
    const body = impairment('10.0.0.0-8--web', 'default/web', '10.0.0.0/8');
    const reply = { body, result: 'created' };
    const { socket, heard } = await fakeApi({ 'PUT /v1/impairments/10.0.0.0-8--web': reply });
    const words = ['--delay', '50ms', '--jitter', '5ms', '--loss', '1%', '--rate', '10M'];
    const { out } = await podwire('impair', 'web', '10.0.0.0/8', ...words, '--socket', socket);
    expect(out).toBe('impairment/10.0.0.0-8--web created\n');
    expect(heard[0].body).toEqual({
      ...{ apiVersion: 'podwire.dev/v1', kind: 'Impairment', metadata: { name: '10.0.0.0-8--web' } },
      spec: {
        ...{ from: { pod: 'default/web' }, to: { cidr: '10.0.0.0/8' } },
        ...{ delay: '50ms', jitter: '5ms', loss: '1%', rate: '10M' },
      },
    });
  });

  it('names both orders the same, one way another', () => {
    const [web, db, all] = ['web', 'shop/db', '::/0'].map((text) => endOf(text));
    expect([web, db, all]).toEqual([{ pod: 'default/web' }, { pod: 'shop/db' }, { cidr: '::/0' }]);
    expect(nameOf(web, db, false)).toBe('shop.db--web');
    expect(nameOf(db, web, false)).toBe('shop.db--web');
    expect(nameOf(web, db, true)).toBe('web-to-shop.db');
    expect(nameOf(web, all, true)).toBe('web-to-0');
  });

  it('clears by ends in any order, by name, or all', async () => {
    const items = [impairment('x', 'default/web', '10.0.0.7/32'), impairment('y', 'default/db', '::/0')];
    const list: ResourceList<Impairment> = {
      ...{ apiVersion: 'podwire.dev/v1', kind: 'ImpairmentList', revision: 3, items },
    };
    const { socket, heard } = await fakeApi({
      'GET /v1/impairments': { body: list },
      'DELETE /v1/impairments/x': { body: items[0] },
      'DELETE /v1/impairments/y': { body: items[1] },
    });
    const deleted = async (...words: string[]) => {
      heard.length = 0;
      const { err } = await podwire('impair', '--clear', ...words, '--socket', socket);
      return err || heard.filter(({ method }) => method === 'DELETE').map(({ url }) => url.slice(-1));
    };
    expect(await deleted('10.0.0.7', 'web')).toEqual(['x']);
    expect(await deleted('y')).toEqual(['y']);
    expect(await deleted()).toEqual(['x', 'y']);
    expect(await deleted('web', 'db')).toContain('error: NOT_FOUND: there is no impairment between');
    const { out } = await podwire('get', 'imp', '--socket', socket);
    expect(out).toBe(
      'NAME   FROM          TO            WAYS   DELAY   JITTER   LOSS   RATE   AGE   NOTE\n' +
        'x      default/web   10.0.0.7/32   both    50ms        -     1%      -     -   -\n' +
        'y      default/db    ::/0          both    50ms        -     1%      -     -   -\n',
    );
  });

  it.each([
    [['impair', 'web'], 'between what?'],
    [['impair', 'web', 'db'], 'how?'],
    [['impair', 'web', 'db', '--clear', '--loss', '1%'], '--clear: deletes; leave --loss out'],
  ])('%j: %s', async (argv, expected) => {
    const { err, status } = await podwire(...argv);
    expect(err).toContain(`error: USAGE: ${expected}`);
    expect(status).toBe(2);
  });
});
