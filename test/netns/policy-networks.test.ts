/**
 * Policy holds in every kind of network that podwire forwards, for bridged packets as for routed ones: by labels, whatever the network.
 *
 *   k1   lan1 ─ bridge network lan ─ lan2      k1   over1 ─ overlay over ─ over2   k2      k1   end1 ─ direct pair ─ end2
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runIn } from '../support/netns-programs.js';
import { sleep } from './daemon-support.js';
import { missingForPolicies, networkPolicy, PolicyWorld } from './policy-support.js';
import { type Talk, Talks } from './policy-talks.js';

const NETWORKS = {
  lan: { mode: 'bridge', cidrs: ['10.81.0.0/24', 'fd00:81::/64'] },
  over: { mode: 'overlay', cidrs: ['10.82.0.0/24', 'fd00:82::/64'], vni: 82 },
  pair: { mode: 'direct', cidrs: ['10.83.0.0/30', 'fd00:83::/126'] },
};
const CLIENT = { role: 'client' };
const SERVER = { role: 'server' };
const PAIRS = [
  { kind: 'bridge', from: 'lan1', to: 'lan2' },
  { kind: 'overlay', from: 'over1', to: 'over2' },
  { kind: 'direct', from: 'end1', to: 'end2' },
];

const INGRESS = networkPolicy('servers', {
  podSelector: { matchLabels: SERVER },
  ingress: [{ from: [{ podSelector: { matchLabels: { trust: 'yes' } } }] }],
});
const EGRESS = networkPolicy('clients', {
  podSelector: { matchLabels: CLIENT },
  policyTypes: ['Egress'],
  egress: [{ to: [{ podSelector: { matchLabels: { trust: 'yes' } } }] }],
});

/** To everybody on the link, by both families: twenty datagrams of eight octets. */
const TO_ALL = `
import socket
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('eth0'))
for i in range(20):
    four.sendto(bytes(8), ('255.255.255.255', 9999))
    six.sendto(bytes(8), ('ff02::1', 9999, 0, socket.if_nametoindex('eth0')))
`;

describe.skipIf(missingForPolicies)(
  `policy in networks${missingForPolicies ? ` (needs ${missingForPolicies})` : ''}`,
  () => {
    let world: PolicyWorld;
    let talks: Talks;
    const between = new Map<string, Talk[]>();
    beforeAll(async () => {
      const pods = PAIRS.flatMap(({ from, to }) => [
        [from, { node: 'k1', labels: CLIENT, network: networkOf(from) }],
        [to, { node: to === 'over2' ? 'k2' : 'k1', labels: SERVER, network: networkOf(to) }],
      ]);
      world = await PolicyWorld.start(
        Object.fromEntries(pods),
        ...Object.entries(NETWORKS).map(([name, spec]) => ({
          ...{ apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec },
        })),
      );
      talks = new Talks(world);
      await talks.open(...PAIRS.flatMap(({ from, to }) => [from, to]));
      for (const { kind, from, to } of PAIRS) between.set(kind, await talks.begin(from, to, 'udp', 'tcp'));
      await talks.goOn(all());
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') console.error(world.log);
      await world.remove(INGRESS, EGRESS);
      for (const { from, to } of PAIRS) for (const pod of [from, to]) await world.label(pod);
    });
    afterAll(async () => {
      await talks?.close();
      await world?.cleanup();
    });

    const all = () => [...between.values()].flat();

    it('is asked at the destination: bridged, in an overlay, in a direct pair', async () => {
      await talks.goOn(all());
      await world.apply(INGRESS);
      await talks.end(all());
      for (const { from } of PAIRS) await world.label(from, { ...CLIENT, trust: 'yes' });
      await talks.goOn(all());
    });

    it('is asked at the source', async () => {
      await talks.goOn(all());
      await world.apply(EGRESS);
      await talks.end(all());
      for (const { to } of PAIRS) await world.label(to, { ...SERVER, trust: 'yes' });
      await talks.goOn(all());
      await world.remove(EGRESS);
      await talks.goOn(all());
    });

    it('is asked for what goes to everybody, for each who would get it', async () => {
      const heard = async () => {
        const [four, six] = world.addresses('lan1');
        const talker = talks.of('lan2');
        const linkLocal = world.services.k1.bench
          .link('lan1')!
          .addr_info.find(({ scope }) => scope === 'link')!;
        const [a, b, c] = [
          await talker.heard(four),
          await talker.heard(six),
          await talker.heard(linkLocal.local),
        ];
        return { four: a.udp[0], six: b.udp[0] + c.udp[0] };
      };
      const send = async () => {
        expect((await runIn(world.services.at('lan1'), 'python3', '-c', TO_ALL)).status).toBe(0);
        await sleep(300);
      };
      await world.apply(INGRESS);
      await talks.end(between.get('bridge')!);
      const before = await heard();
      await send();
      expect(await heard()).toEqual(before);
      await world.label('lan1', { ...CLIENT, trust: 'yes' });
      await send();
      // Its datagrams go on too.
      expect((await heard()).four).toBeGreaterThan(before.four + 19);
      expect((await heard()).six).toBeGreaterThan(before.six + 19);
    });

    it('ended no connection', async () => {
      for (const { facts, what } of all()) expect((await facts()).error, what).toBeNull();
    });
  },
);

function networkOf(pod: string): string {
  if (pod.startsWith('lan')) return 'lan';
  return pod.startsWith('over') ? 'over' : 'pair';
}
