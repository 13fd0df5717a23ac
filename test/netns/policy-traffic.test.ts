/**
 * What belongs to a connection that policy allows, and what does not: replies, ICMP errors, fragments, clients of node ports, names; and
 * which of several policies decides.
 *
 *   k1   client   near (app=server)          k2   far (app=server)          outside ── MTU 1300 ── beyond  198.51.100.9, 2001:db8:2::9
 */
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Talker } from '../support/netns-talker.js';
import { type Manifest, missingForPolicies, networkPolicy, PolicyWorld } from './policy-support.js';
import { Talks } from './policy-talks.js';
import { FAMILIES, OUTSIDE } from './services-support.js';

const SERVER = { matchLabels: { app: 'server' } };
const CLIENT = { matchLabels: { app: 'client' } };
const SERVERS = ['near', 'far'];
const BEYOND = { 4: '198.51.100.9', 6: '2001:db8:2::9' } as const;
/** Believed to be silence. */
const SILENCE_S = 0.7;

describe.skipIf(missingForPolicies)(
  `traffic under policy${missingForPolicies ? ` (needs ${missingForPolicies})` : ''}`,
  () => {
    let world: PolicyWorld;
    let talks: Talks;
    const inForce: Manifest[] = [];
    beforeAll(async () => {
      world = await PolicyWorld.start({
        client: { node: 'k1', labels: { app: 'client' } },
        near: { node: 'k1', labels: { app: 'server' } },
        far: { node: 'k2', labels: { app: 'server' } },
      });
      talks = new Talks(world);
      await talks.open('client', ...SERVERS);
      await expectReach('client', SERVERS);
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') console.error(world.log);
      await world.remove(...inForce.splice(0));
    });
    afterAll(async () => {
      await talks?.close();
      await world?.cleanup();
    });

    async function apply(...manifests: Manifest[]): Promise<void> {
      inForce.push(...manifests);
      await world.apply(...manifests);
    }

    /** What datagrams to each of these, by each family, end with. */
    function asked(from: string, to: readonly string[], size: number, wait: number, port?: number) {
      const addresses = to.flatMap((name) => world.addresses(name));
      return Promise.all(addresses.map((address) => talks.of(from).once(address, size, port, wait)));
    }

    async function expectReach(from: string, to: readonly string[], size = 8): Promise<void> {
      expect(await asked(from, to, size, 20)).toEqual(to.flatMap(() => [size, size]));
    }

    async function expectSilence(
      from: string,
      to: readonly string[],
      size = 8,
      port?: number,
    ): Promise<void> {
      expect(await asked(from, to, size, SILENCE_S, port)).toEqual(to.flatMap(() => ['silence', 'silence']));
    }

    it('lets replies out of a pod that may send nothing, and errors about what it was sent', async () => {
      await apply(
        networkPolicy('servers', {
          podSelector: SERVER,
          policyTypes: ['Ingress', 'Egress'],
          ingress: [{ from: [{ podSelector: CLIENT }] }],
        }),
      );
      await expectReach('client', SERVERS);
      await talks.goOn(await talks.begin('client', 'far', 'tcp'));
      for (const server of SERVERS) await expectSilence(server, ['client']);
      // Nobody listens there: what is answered is an ICMP error of the server.
      expect(await asked('client', SERVERS, 8, 20, 9)).toEqual(Array(4).fill('ECONNREFUSED'));
      await expectSilence('near', ['far']);
    });

    it('lets a connection be answered that began before the policy that forbids to begin one', async () => {
      const [four, six] = await talks.begin('near', 'client', 'tcp');
      await talks.goOn([four, six]);
      await apply(networkPolicy('clients', { podSelector: CLIENT, policyTypes: ['Egress'], egress: [] }));
      await talks.goOn([four, six]);
      await expectSilence('client', SERVERS);
    });

    it('lets fragments through with the datagram that they are of, and not without', async () => {
      await apply(
        networkPolicy('servers', {
          podSelector: SERVER,
          ingress: [{ ports: [{ port: 7000, protocol: 'UDP' }] }],
        }),
      );
      await expectReach('client', SERVERS, 8000);
      const packets = async () => {
        const heard = SERVERS.flatMap((name) =>
          world.addresses('client').map((address) => talks.of(name).heard(address)),
        );
        // Connections of other tests go on.
        return (await Promise.all(heard)).map(({ packets: all, tcp }) => all - tcp[0]);
      };
      const before = await packets();
      await expectSilence('client', SERVERS, 8000, 9);
      expect(await packets()).toEqual(before);
    });

    it('lets the path MTU be told of by routers to which nothing may be sent', async () => {
      beyond();
      await apply(
        networkPolicy('beyond', {
          podSelector: CLIENT,
          policyTypes: ['Ingress', 'Egress'],
          egress: [
            { to: [{ ipBlock: { cidr: '198.51.100.0/24' } }, { ipBlock: { cidr: '2001:db8:2::/64' } }] },
          ],
        }),
      );
      for (const family of FAMILIES) {
        expect(await talks.of('client').mtu(BEYOND[family], 1400)).toBe(1300);
        expect(await talks.of('client').once(OUTSIDE[family], 8, 7000, SILENCE_S)).toBe('silence');
      }
    });

    it('knows the client of a node port by its own address', async () => {
      const ports = [{ name: 'echo', port: 70, targetPort: 7000, protocol: 'UDP' }];
      const local = { type: 'NodePort', externalTrafficPolicy: 'Local', selector: { app: 'server' }, ports };
      await world.services.service('port', local);
      const port = (await world.services.addresses('port')).nodePorts.echo;
      const outside = await Talker.start(world.services.outside);
      const ask = (wait: number) =>
        Promise.all(
          ['k1', 'k2'].flatMap((node) => world.addresses(node).map((to) => outside.once(to, 8, port, wait))),
        );
      const from = (...cidrs: string[]) =>
        networkPolicy('servers', {
          podSelector: SERVER,
          ingress: [{ from: cidrs.map((cidr) => ({ ipBlock: { cidr } })) }],
        });
      try {
        expect(await ask(20)).toEqual([8, 8, 8, 8]);
        await apply(from('192.168.77.101/32', 'fd77::101/128'));
        expect(await ask(SILENCE_S)).toEqual(Array(4).fill('silence'));
        await apply(from('192.168.77.100/32', 'fd77::100/128'));
        expect(await ask(20)).toEqual([8, 8, 8, 8]);
      } finally {
        await outside.end();
      }
    });

    it('lets names be asked for at the gateway by pods that may send nothing', async () => {
      await world.services.service('named', { selector: { app: 'server' } });
      await apply(networkPolicy('clients', { podSelector: CLIENT, policyTypes: ['Egress'], egress: [] }));
      await expectSilence('client', SERVERS);
      for (const server of ['10.244.0.1', 'fd00:10:244::1', '10.96.0.10']) {
        const dig = [`@${server}`, '+short', '+time=10', 'named.default.svc.cluster.local'];
        const { text } = await world.services.run('client', 'dig', ...dig);
        expect(text.trim(), server).toBe((await world.services.addresses('named'))[4]);
      }
    });

    it('asks an AdminNetworkPolicy first, then NetworkPolicies, then the baseline', async () => {
      const allow = networkPolicy('servers', {
        podSelector: SERVER,
        ingress: [{ from: [{ podSelector: CLIENT }] }],
      });
      const nobody = networkPolicy('servers', { podSelector: SERVER, ingress: [] });
      await apply(allow);
      await expectReach('client', SERVERS);
      await apply(admin('Deny', 10));
      await expectSilence('client', SERVERS);
      // The lower number goes first.
      await apply(admin('Pass', 5));
      await expectReach('client', SERVERS);
      await apply(nobody);
      await expectSilence('client', SERVERS);
      await apply(admin('Allow', 1));
      await expectReach('client', SERVERS);
      await world.remove(...inForce.splice(0));
      await apply(baseline());
      await expectSilence('client', SERVERS);
      await apply(allow);
      await expectReach('client', SERVERS);
      await expectSilence('near', ['far']);
      // A baseline is not asked about what a policy selects, and that one says no.
      await world.remove(allow);
      await apply(admin('Pass', 5));
      await expectSilence('client', SERVERS);
      await apply(admin('Allow', 5));
      await expectReach('client', SERVERS);
    });

    /** A network behind the host outside, whose link takes less. */
    function beyond(): void {
      const outside = world.services.cluster.hosts.find(({ name }) => name === 'outside')!.bench;
      const name = outside.namespace('beyond');
      const veth = ['link', 'add', 'narrow', 'mtu', '1300', 'type', 'veth'];
      outside.ip('host', ...veth, 'peer', 'name', 'eth0', 'netns', name, 'mtu', '1300');
      for (const [where, ifname, four, six] of [
        ['host', 'narrow', '198.51.100.1/24', '2001:db8:2::1/64'],
        ['beyond', 'eth0', `${BEYOND[4]}/24`, `${BEYOND[6]}/64`],
      ]) {
        outside.ip(where, 'address', 'add', four, 'dev', ifname);
        outside.ip(where, 'address', 'add', six, 'dev', ifname, 'nodad');
        outside.ip(where, 'link', 'set', ifname, 'up');
      }
      for (const file of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) {
        const write = `echo 1 > /proc/sys/net/${file}`;
        execFileSync('ip', ['netns', 'exec', outside.name('host'), 'sh', '-c', write]);
      }
    }
  },
);

function admin(action: 'Allow' | 'Deny' | 'Pass', priority: number): Manifest {
  const spec = {
    priority,
    subject: { pods: { namespaceSelector: {}, podSelector: SERVER } },
    ingress: [{ action, from: [{ pods: { namespaceSelector: {}, podSelector: CLIENT } }] }],
  };
  const metadata = { name: `priority-${priority}` };
  return { apiVersion: 'policy.networking.k8s.io/v1alpha1', kind: 'AdminNetworkPolicy', metadata, spec };
}

function baseline(): Manifest {
  const spec = { subject: { namespaces: {} }, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] };
  const metadata = { name: 'default' };
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'BaselineAdminNetworkPolicy',
    metadata,
    spec,
  };
}
