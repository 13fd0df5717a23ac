/**
 * Services as the outside and the nodes' own programs reach them (services-support.ts has the picture): node ports, load balancers,
 * external addresses, published ports; IPv4 and IPv6. The outside routes what belongs to a load balancer to a node, as
 * MetalLB or a cloud has it done.
 */

import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outcome, until } from './daemon-support.js';
import {
  CURL,
  FAMILIES,
  type Family,
  host,
  missingForServices,
  OUTSIDE,
  ServiceWorld,
} from './services-support.js';

const missing = missingForServices;
const BOTH = ['web1', 'web2'];
const NODES = ['k1', 'k2'] as const;
/** Of a load balancer, and of somebody who has routed them here. */
const INGRESS = { 4: '198.51.100.1', 6: '2001:db8:51::1' } as const;
const EXTERNAL = { 4: '198.51.100.2', 6: '2001:db8:51::2' } as const;
const LOOPBACK = '127.0.0.1';

describe.skipIf(missing)(`services from outside${missing ? ` (needs ${missing})` : ''}`, () => {
  let world: ServiceWorld;
  beforeAll(async () => {
    world = await ServiceWorld.start();
    const { k1, k2 } = world;
    await Promise.all([
      world.pod(k1, 'client'),
      world.server(k1, 'web1', { labels: { app: 'web', only: 'web1' } }),
      world.server(k2, 'web2', { labels: { app: 'web' } }),
    ]);
    await world.service('web', { type: 'NodePort' });
    const url = await nodePortUrl('web', 'k1', 4);
    expect(await until(async () => (await world.askBoth('outside', url)).names.join() === BOTH.join())).toBe(
      true,
    );
  });
  afterAll(() => world?.cleanup());

  async function nodePortUrl(service: string, node: 'k1' | 'k2', family: Family): Promise<string> {
    const { nodePorts } = await world.addresses(service);
    return `http://${host(world.address(node, family))}:${nodePorts.http}/`;
  }

  /** The outside sends what is for these to a node. */
  function routeTo(node: 'k1' | 'k2', family: Family, ...addresses: string[]): void {
    for (const address of addresses) {
      const words = ['route', 'replace', address, 'via', world.address(node, family)];
      execFileSync('ip', ['-n', world.outside, ...words]);
    }
  }

  describe.each(FAMILIES)('IPv%i', (family) => {
    const gateway = (node: 'k1' | 'k2') => {
      const number = node === 'k1' ? 0 : 1;
      return family === 4 ? `10.244.${number}.1` : `fd00:10:244${number === 0 ? '' : ':1'}::1`;
    };

    it('are at a port of every node; endpoints of that node see who asks, others its gateway', async () => {
      for (const node of NODES) {
        const url = await nodePortUrl('web', node, family);
        const { names, seen } = await world.askBoth('outside', url);
        expect(names).toEqual(BOTH);
        expect(seen).toEqual([OUTSIDE[family], gateway(node)].sort());
        expect(world.log(node === 'k1' ? 'web1' : 'web2').join('\n')).toContain(`${OUTSIDE[family]} `);
      }
    });

    it('are there for the nodes themselves and for pods, whichever node they ask', async () => {
      for (const client of ['client', 'web1', ...NODES]) {
        for (const node of NODES) {
          const url = await nodePortUrl('web', node, family);
          expect((await world.askBoth(client, url)).names, `${client} at ${node}`).toEqual(BOTH);
        }
      }
      if (family === 6) return;
      const { nodePorts } = await world.addresses('web');
      expect((await world.askBoth('k1', `http://${LOOPBACK}:${nodePorts.http}/`)).names).toEqual(BOTH);
    });

    it('answer datagrams, whole or in fragments', async () => {
      const { nodePorts } = await world.addresses('web');
      for (const [client, node] of [
        ['outside', 'k1'],
        ['outside', 'k2'],
        ['k1', 'k2'],
        ['client', 'k2'],
      ] as const) {
        for (const size of [10, 1400]) {
          const answer = await world.datagram(client, world.address(node, family), nodePorts.echo, size);
          expect(answer, `${client} at ${node}`).toMatch(new RegExp(`^web[12] \\S+ ${size}`));
        }
      }
    });

    it('are refused at once where nobody is ready', async () => {
      await world.service('nobody', { type: 'NodePort', selector: { app: 'nobody' } });
      const { nodePorts } = await world.addresses('nobody');
      const url = await nodePortUrl('nobody', 'k2', family);
      expect((await world.get('outside', url)).status).toBe(CURL.REFUSED);
      expect(await world.datagram('outside', world.address('k2', family), nodePorts.echo)).toBe(
        'ECONNREFUSED',
      );
    });

    it('are at a load balancer’s address and at external ones, at every node that they are routed to', async () => {
      await world.service('lb', { type: 'LoadBalancer', externalIPs: [EXTERNAL[family]] });
      await giveIngress('lb', INGRESS[family]);
      for (const node of NODES) {
        routeTo(node, family, INGRESS[family], EXTERNAL[family]);
        for (const address of [INGRESS[family], EXTERNAL[family]]) {
          const url = `http://${host(address)}/`;
          const found = async () => (await world.askBoth('outside', url)).names.join() === BOTH.join();
          expect(await until(found), `${address} by ${node}`).toBe(true);
        }
      }
      for (const client of ['client', 'k1']) {
        const url = `http://${host(INGRESS[family])}/`;
        expect((await world.askBoth(client, url)).names, client).toEqual(BOTH);
      }
      expect(outcome(await world.k1.bench.call('DELETE', '/v1/services/default/lb'))).toBe('200');
      const url = `http://${host(EXTERNAL[family])}/`;
      const isGone = async () => (await world.get('outside', url, '--max-time', '2')).status !== CURL.OK;
      expect(await until(isGone)).toBe(true);
    });

    it('keep who asks, and to the node, by externalTrafficPolicy Local; a load balancer is told where', async () => {
      const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { only: 'web1' } };
      await world.service('local', spec);
      const here = await nodePortUrl('local', 'k1', family);
      expect(await world.ask('outside', here)).toEqual({ names: ['web1'], seen: [OUTSIDE[family]] });
      const there = await nodePortUrl('local', 'k2', family);
      expect((await world.get('outside', there, '--max-time', '2')).status).toBe(CURL.TIMEOUT);
      // Pods are in the cluster. Of another node they know the underlay's address alone, which is IPv4 here.
      if (family === 4) expect((await world.get('client', there)).name).toBe('web1');
      const { body } = await world.k1.bench.call<{ spec: { healthCheckNodePort: number } }>(
        'GET',
        '/v1/services/default/local',
      );
      const asked = async (node: 'k1' | 'k2') => {
        const url = `http://${host(world.address(node, family))}:${body.spec.healthCheckNodePort}/`;
        const { text } = await world.run(
          'outside',
          'curl',
          '-sS',
          '--max-time',
          '20',
          '-w',
          '%{http_code}',
          url,
        );
        return text;
      };
      expect(await asked('k1')).toMatch(/"name":"local"},"localEndpoints":1.*\n200$/);
      expect(await asked('k2')).toMatch(/"localEndpoints":0.*\n503$/);
      expect(outcome(await world.k1.bench.call('DELETE', '/v1/services/default/local'))).toBe('200');
      expect(await until(async () => (await asked('k2')).includes('Failed to connect'))).toBe(true);
    });

    it('are ports that pods publish, on their node alone', async () => {
      const port = 8000 + family;
      const ports = [{ hostPort: port, containerPort: 8080 }];
      expect(outcome(await world.k2.bench.call('POST', '/v1/pods/default/web2/ports', { ports }))).toBe(
        '200',
      );
      const url = (node: 'k1' | 'k2') => `http://${host(world.address(node, family))}:${port}/`;
      expect(await world.ask('outside', url('k2'))).toEqual({ names: ['web2'], seen: [OUTSIDE[family]] });
      for (const client of ['client', 'k1', 'k2']) {
        expect((await world.get(client, url('k2'))).name, client).toBe('web2');
      }
      expect((await world.get('outside', url('k1'))).status).toBe(CURL.REFUSED);
    });
  });

  async function giveIngress(name: string, ip: string): Promise<void> {
    const path = `/v1/services/default/${name}`;
    const { body } = await world.k1.bench.call<object>('GET', path);
    const status = { loadBalancer: { ingress: [{ ip }] } };
    const put = await world.k1.bench.call('PUT', path, { ...body, status });
    expect(outcome(put), JSON.stringify(put.body)).toBe('200');
  }

  it('have ports that are nobody else’s', async () => {
    const { nodePorts } = await world.addresses('web');
    const ports = [{ name: 'http', port: 80, targetPort: 8080, nodePort: nodePorts.http }];
    expect(outcome(await world.put('thief', { type: 'NodePort', ports }))).toBe('409 PORT_IN_USE');
    const published = { ports: [{ hostPort: nodePorts.http, containerPort: 80 }] };
    const answer = await world.k1.bench.call('POST', '/v1/pods/default/web1/ports', published);
    expect(outcome(answer)).toBe('409 PORT_IN_USE');
    await world.service('outer', { externalIPs: [EXTERNAL[4]] });
    expect(outcome(await world.put('thief', { externalIPs: [EXTERNAL[4]] }))).toBe('409 PORT_IN_USE');
  });
});
