/**
 * Services as pods and the nodes themselves see them, over two nodes (services-support.ts has the picture): every kind of service
 * that has an address in the cluster or a name, IPv4 and IPv6. Who is seen by the servers is in nginx's own log.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPrograms } from '../support/netns-programs.js';
import { outcome, until } from './daemon-support.js';
import {
  CURL,
  FAMILIES,
  host,
  missingForServices,
  OUTSIDE,
  ServiceWorld,
  unique,
} from './services-support.js';

const missing = missingForServices ?? missingPrograms('dig');
const BOTH = ['web1', 'web2'];
/** On podwire0. */
const NODE_ADDRESS = {
  k1: { 4: '10.244.0.2', 6: 'fd00:10:244::2' },
  k2: { 4: '10.244.1.2', 6: 'fd00:10:244:1::2' },
} as const;

describe.skipIf(missing)(`services inside${missing ? ` (needs ${missing})` : ''}`, () => {
  let world: ServiceWorld;
  beforeAll(async () => {
    world = await ServiceWorld.start();
    const { k1, k2 } = world;
    await Promise.all([
      world.pod(k1, 'client'),
      world.pod(k2, 'other'),
      world.server(k1, 'web1', { labels: { app: 'web', only: 'web1' } }),
      world.server(k2, 'web2', { labels: { app: 'web' } }),
    ]);
    await world.service('web', {});
    const known = async () =>
      (await world.ask('client', `http://${(await world.addresses('web'))[4]}/`)).names;
    expect(await until(async () => (await known()).join() === BOTH.join())).toBe(true);
  });
  afterAll(() => world?.cleanup());

  describe.each(FAMILIES)('IPv%i', (family) => {
    const at = async (name: string) => host((await world.addresses(name))[family]);

    it('lead to endpoints of both nodes, which see the client’s own address', async () => {
      const url = `http://${await at('web')}/`;
      for (const client of ['client', 'other']) {
        const own = [world.address(client, family)];
        expect(await world.askBoth(client, url)).toEqual({ names: BOTH, seen: own });
        for (const server of BOTH) expect(world.log(server).join('\n')).toContain(`${own[0]} `);
      }
      for (const node of ['k1', 'k2'] as const) {
        expect(await world.askBoth(node, url)).toEqual({ names: BOTH, seen: [NODE_ADDRESS[node][family]] });
      }
    });

    it('lead a pod to itself as well, which then sees its gateway', async () => {
      const { names, seen } = await world.askBoth('web1', `http://${await at('web')}/`);
      expect(names).toEqual(BOTH);
      const gateway = family === 4 ? '10.244.0.1' : 'fd00:10:244::1';
      expect(seen).toEqual(unique([world.address('web1', family), gateway]));
    });

    it('answer datagrams, whole or in fragments, from pods, endpoints and nodes', async () => {
      const address = (await world.addresses('web'))[family];
      for (const client of ['client', 'web2', 'k1']) {
        for (const size of [10, 4000]) {
          const answers = await world.answers(client, address, 50, size);
          expect(answers, `${client}, ${size}`).toEqual(
            BOTH.map((name) => expect.stringMatching(new RegExp(`^${name} \\S+ ${size}$`))),
          );
        }
      }
    });

    it('are refused at once where nobody is ready: a reset, and port unreachable', async () => {
      await world.service('nobody', { selector: { app: 'nobody' } });
      const address = (await world.addresses('nobody'))[family];
      for (const client of ['client', 'other', 'k1']) {
        expect((await world.get(client, `http://${host(address)}/`)).status).toBe(CURL.REFUSED);
        expect(await world.datagram(client, address, 50)).toBe('ECONNREFUSED');
      }
      // Not the service's port.
      expect((await world.get('client', `http://${await at('web')}:81/`)).status).toBe(CURL.REFUSED);
    });

    it('keep a client with its endpoint where they have affinity', async () => {
      await world.service('sticky', { sessionAffinity: 'ClientIP' });
      const url = `http://${await at('sticky')}/`;
      expect((await world.ask('client', url)).names).toHaveLength(1);
      expect((await world.ask('client', url)).names).toEqual((await world.ask('client', url, 2)).names);
    });

    it('stay on the node by internalTrafficPolicy Local, and are dropped where it has nobody', async () => {
      await world.service('near', { internalTrafficPolicy: 'Local' });
      const url = `http://${await at('near')}/`;
      expect((await world.ask('client', url)).names).toEqual(['web1']);
      expect((await world.ask('other', url)).names).toEqual(['web2']);
      await world.service('near1', { internalTrafficPolicy: 'Local', selector: { only: 'web1' } });
      expect((await world.ask('client', `http://${await at('near1')}/`)).names).toEqual(['web1']);
      const alone = await world.get('other', `http://${await at('near1')}/`, '--max-time', '2');
      expect(alone.status).toBe(CURL.TIMEOUT);
    });

    it('lead to endpoints outside that somebody wrote by hand', async () => {
      await world.service('hand', { selector: undefined, ports: [{ port: 80, targetPort: 8080 }] });
      const slice = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `hand-${family}`, labels: { 'kubernetes.io/service-name': 'hand' } },
        addressType: `IPv${family}`,
        ports: [{ port: 8080, protocol: 'TCP' }],
        endpoints: [{ addresses: [OUTSIDE[family]] }],
      };
      expect(
        outcome(await world.k1.bench.call('PUT', `/v1/endpointslices/default/hand-${family}`, slice)),
      ).toBe('201');
      if (family === 4) await world.nginx('outside');
      const url = `http://${await at('hand')}/`;
      for (const client of ['client', 'other']) {
        const node = client === 'client' ? 'k1' : 'k2';
        expect(await until(async () => (await world.get(client, url)).status === CURL.OK)).toBe(true);
        expect(await world.ask(client, url, 3)).toEqual({
          names: ['outside'],
          seen: [world.address(node, family)],
        });
      }
    });

    it('have names, with ports where these are named, headless ones those of their pods', async () => {
      const type = family === 4 ? 'A' : 'AAAA';
      const dig = async (...words: string[]) => {
        const { text } = await world.run('client', 'dig', '@10.96.0.10', '+short', '+time=10', ...words);
        return text.trim().split('\n').sort();
      };
      const { [family]: address } = await world.addresses('web');
      expect(await dig('web.default.svc.cluster.local', type)).toEqual([address]);
      expect(await dig('-x', address)).toEqual(['web.default.svc.cluster.local.']);
      expect(await dig('_http._tcp.web.default.svc.cluster.local', 'SRV')).toEqual([
        '0 100 80 web.default.svc.cluster.local.',
      ]);
      await world.service('each', { clusterIP: 'None' });
      const pods = BOTH.map((pod) => world.address(pod, family)).sort();
      expect(await dig('each.default.svc.cluster.local', type)).toEqual(pods);
      await world.service('far', { type: 'ExternalName', externalName: 'www.example.test', ...NO_ADDRESS });
      expect(await dig('far.default.svc.cluster.local', 'CNAME')).toEqual(['www.example.test.']);
    });
  });

  it('find ports by the names that pods give them', async () => {
    const ports = [{ name: 'http', port: 80, targetPort: 'www' }];
    const container = { name: 'c', image: 'i', ports: [{ name: 'www', containerPort: 8080 }] };
    const pod = {
      ...{ apiVersion: 'v1', kind: 'Pod', spec: { containers: [container] } },
      metadata: { name: 'web2', namespace: 'default', labels: { app: 'web', named: 'yes' } },
    };
    expect(outcome(await world.k2.bench.call('PUT', '/v1/pods/default/web2', pod))).toBe('200');
    await world.service('named', { ports, selector: { named: 'yes' } });
    const url = `http://${(await world.addresses('named'))[4]}/`;
    expect(await until(async () => (await world.get('client', url)).name === 'web2')).toBe(true);
  });

  it('lead to pods that are not ready where they ask for them', async () => {
    await world.pod(world.k1, 'slow', { labels: { app: 'slow' } });
    await world.nginx('slow');
    await world.service('early', { selector: { app: 'slow' }, publishNotReadyAddresses: true });
    await world.service('late', { selector: { app: 'slow' } });
    const url = async (name: string) => `http://${(await world.addresses(name))[4]}/`;
    const [early, late] = [await url('early'), await url('late')];
    expect(await until(async () => (await world.get('other', late)).name === 'slow')).toBe(true);
    await world.say('slow', { app: 'slow' }, { 'podwire.dev/ready': 'false' });
    expect(await until(async () => (await world.get('other', late)).status === CURL.REFUSED)).toBe(true);
    expect((await world.get('other', early)).name).toBe('slow');
  });

  it('are refused by what they say: addresses of others, fields that are not there', async () => {
    const { 4: taken } = await world.addresses('web');
    expect(outcome(await world.put('thief', { clusterIP: taken }))).toMatch(/^409 /);
    const unknown = await world.put('odd', { loadBalancerSourceRanges: ['192.0.2.0/24'] });
    expect(outcome(unknown)).toMatch(/^400 UNSUPPORTED/);
    expect(JSON.stringify(unknown.body)).toContain('loadBalancerSourceRanges');
  });

  it('are shown to people', () => {
    const shown = world.cli(world.k1, 'get', 'services', '-o', 'wide');
    expect(shown).toMatch(/default\s+web\s+ClusterIP\s+10\.96\.\S+\s+<none>\s+80\/TCP,50\/UDP/);
    expect(world.cli(world.k1, 'flows', '--service', 'web')).toMatch(/default\/web:http/);
  });
});

const NO_ADDRESS = { ports: undefined, selector: undefined, ipFamilyPolicy: undefined };
