/**
 * Policy that changes under connections that go on, TCP and datagrams, IPv4 and IPv6, on one node and between two (services-support.ts
 * has the picture):
 *
 *   k1   client (namespace team)   near (app=server)          k2   far (app=server)
 *
 * What a node was told of itself holds for the next packet after its answer; what another node was told, soon after.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { missingForPolicies, namespaceOf, networkPolicy, PolicyWorld } from './policy-support.js';
import { type Talk, Talks } from './policy-talks.js';

const SERVERS = { podSelector: { matchLabels: { app: 'server' } } };
const fromPods = (labels: object) =>
  networkPolicy('servers', {
    ...SERVERS,
    ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: labels } }] }],
  });
const FROM_FRIENDS = fromPods({ role: 'friend' });
const FROM_TEAM = networkPolicy('servers', {
  ...SERVERS,
  ingress: [{ from: [{ namespaceSelector: { matchLabels: { trust: 'yes' } } }] }],
});
const JAIL = networkPolicy(
  'jail',
  { podSelector: { matchLabels: { jailed: 'yes' } }, policyTypes: ['Egress'], egress: [] },
  'team',
);
/** Selects pods and forbids nothing: their connections are followed from their first packet on. */
const FOLLOWED = [
  networkPolicy('follow-servers', { ...SERVERS, policyTypes: ['Egress'], egress: [{}] }),
  networkPolicy('follow-all', { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] }, 'team'),
];

describe.skipIf(missingForPolicies)(
  `policy that changes${missingForPolicies ? ` (needs ${missingForPolicies})` : ''}`,
  () => {
    let world: PolicyWorld;
    let talks: Talks;
    let near: Talk[];
    let far: Talk[];
    beforeAll(async () => {
      world = await PolicyWorld.start(
        {
          client: { node: 'k1', namespace: 'team', labels: { role: 'friend' } },
          near: { node: 'k1', labels: { app: 'server' } },
          far: { node: 'k2', labels: { app: 'server' } },
        },
        namespaceOf('team', { trust: 'yes' }),
        ...FOLLOWED,
      );
      talks = new Talks(world);
      await talks.open('client', 'near', 'far');
      near = await talks.begin('client', 'near', 'udp', 'tcp');
      far = await talks.begin('client', 'far', 'udp', 'tcp');
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') console.error(world.log);
      await world.remove(FROM_FRIENDS, JAIL);
      await world.label('client');
      await world.apply(namespaceOf('team', { trust: 'yes' }));
    });
    afterAll(async () => {
      await talks?.close();
      await world?.cleanup();
    });

    it('is in force on both nodes as soon as each has answered, and gone with its deletion', async () => {
      await talks.goOn([...near, ...far]);
      await world.apply(fromPods({ role: 'nobody' }));
      await talks.end([...near, ...far]);
      await world.apply(FROM_FRIENDS);
      await talks.goOn([...near, ...far]);
      await world.apply(fromPods({ role: 'nobody' }));
      await talks.end([...near, ...far]);
      await world.remove(FROM_FRIENDS);
      await talks.goOn([...near, ...far]);
    });

    it('follows the labels of a peer', async () => {
      await world.apply(FROM_FRIENDS);
      await talks.goOn([...near, ...far]);
      await world.label('client', { role: 'stranger' });
      await talks.end(near);
      await talks.endSoon(far);
      await world.label('client', { role: 'friend' });
      await talks.goOn([...near, ...far]);
    });

    it('follows the labels of the pod that it is about, at the node that sends', async () => {
      await world.apply(JAIL);
      await talks.goOn([...near, ...far]);
      await world.label('client', { jailed: 'yes' });
      await talks.end([...near, ...far]);
      await world.label('client', {});
      await talks.goOn([...near, ...far]);
    });

    it('follows the labels of a namespace', async () => {
      await world.apply(FROM_TEAM);
      await talks.goOn([...near, ...far]);
      await world.apply(namespaceOf('team', { trust: 'no' }));
      await talks.end([...near, ...far]);
      await world.apply(namespaceOf('team', { trust: 'yes' }));
      await talks.goOn([...near, ...far]);
    });

    it('never ended a connection: each is the one that it was', async () => {
      for (const { facts, what } of [...near, ...far]) expect((await facts()).error, what).toBeNull();
    });
  },
);
