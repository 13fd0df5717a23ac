/**
 * No packet gets past policy for want of it: neither while a pod is attached or detached, nor while a daemon is dead or starts. Senders
 * send without a pause, and a packet socket in the pod counts from before there is an interface.
 *
 *   k1   client   open1 (for client)   cell1 (lock=yes)   new ones          k2   other   open2   cell2 (lock=yes)
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Talker } from '../support/netns-talker.js';
import { outcome, until } from './daemon-support.js';
import { missingForPolicies, networkPolicy, PolicyWorld } from './policy-support.js';
import { type Talk, Talks } from './policy-talks.js';

const LOCKED = networkPolicy('locked', {
  podSelector: { matchLabels: { lock: 'yes' } },
  policyTypes: ['Ingress', 'Egress'],
});
const FOR_CLIENT = networkPolicy('for-client', {
  podSelector: { matchLabels: { lock: 'half' } },
  ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
});

const SENDERS = ['client', 'other'] as const;
const PAUSE_S = 0.002;
/** So many datagrams of each sender, at least, come after attach has answered. */
const MANY = 100;
const ROUNDS = 3;

/** By family: whether the new pod has heard anything of a sender, and the sender of it. */
interface Told {
  readonly client: { readonly heard: boolean[]; readonly told: boolean[] };
  readonly other: { readonly heard: boolean[]; readonly told: boolean[] };
}

const all = (is: boolean) => ({ heard: [is, is], told: [is, is] });
const CLOSED: Told = { client: all(false), other: all(false) };
const OPEN: Told = { client: all(true), other: all(true) };

async function isHeard(by: Talker, ip: string): Promise<boolean> {
  return (await by.heard(ip)).packets > 0;
}

describe.skipIf(missingForPolicies)(
  `what is closed by policy${missingForPolicies ? ` (needs ${missingForPolicies})` : ''}`,
  () => {
    let world: PolicyWorld;
    let talks: Talks;
    beforeAll(async () => {
      world = await PolicyWorld.start(
        {
          client: { node: 'k1', labels: { app: 'client' } },
          other: { node: 'k2', labels: { app: 'other' } },
          open1: { node: 'k1', labels: { lock: 'half' } },
          open2: { node: 'k2', labels: {} },
          cell1: { node: 'k1', labels: { lock: 'yes' } },
          cell2: { node: 'k2', labels: { lock: 'yes' } },
        },
        LOCKED,
        FOR_CLIENT,
      );
      talks = new Talks(world);
      await talks.open('client', 'other', 'open1', 'open2', 'cell1', 'cell2');
    });
    afterEach(({ task }) => {
      if (task.result?.state === 'fail') console.error(world.log);
    });
    afterAll(async () => {
      await talks?.close();
      await world?.cleanup();
    });

    describe('a pod that is attached while others send to it and it sends to them', () => {
      const bench = () => world.services.k1.bench;

      /**
       * What it and its senders have heard of each other, from before it was there to after it was gone.
       * @param expected where it is more than nothing, it is waited for
       */
      async function born(number: number, labels: Record<string, string>, expected: Told): Promise<Told> {
        const name = `new${number}`;
        const ips = [`10.244.0.${number}`, `fd00:10:244::${number.toString(16)}`];
        bench().namespace(name);
        // Whoever is in its subnet need not ask for its MAC address first: it sends to it all the time.
        const mac = `02:00:00:00:99:${number.toString(16)}`;
        for (const ip of ips) {
          bench().ip('client', 'neighbour', 'replace', ip, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent');
        }
        const talker = await Talker.start(bench().name(name));
        const talk = (from: Talker, to: string) => from.talk('udp', to, PAUSE_S);
        try {
          const sending = await Promise.all([
            ...SENDERS.flatMap((sender) => ips.map((ip) => talk(talks.of(sender), ip))),
            ...SENDERS.flatMap((sender) => world.addresses(sender).map((ip) => talk(talker, ip))),
          ]);
          const told = async (): Promise<Told> => {
            const of = async (sender: string) => ({
              heard: await Promise.all(world.addresses(sender).map((ip) => isHeard(talker, ip))),
              told: await Promise.all(ips.map((ip) => isHeard(talks.of(sender), ip))),
            });
            return { client: await of('client'), other: await of('other') };
          };
          expect(outcome(await bench().attach(name, { labels, ips, mac }))).toBe('200');
          const later = await Promise.all(sending.map((facts) => facts()));
          await until(async () => {
            const now = await Promise.all(sending.map((facts) => facts()));
            return now.every(({ sent }, index) => sent > later[index].sent + MANY);
          });
          await until(async () => JSON.stringify(await told()) === JSON.stringify(expected), 20_000);
          expect(outcome(await bench().detach(name))).toBe('200');
          return await told();
        } finally {
          await talker.end();
          // To an address that nobody has any more: five hundred times a second each, through all that follows.
          await Promise.all(SENDERS.map((sender) => talks.of(sender).hush()));
        }
      }

      it('hears nothing, and is not heard, where policy denies both', async () => {
        for (let round = 0; round < ROUNDS; round++) {
          expect(await born(200 + round, { lock: 'yes' }, CLOSED)).toEqual(CLOSED);
        }
      });

      it('hears those whom policy allows, and no other', async () => {
        // Answers to what it has sent itself are heard too, of `other` as well.
        const heard = await born(210, { lock: 'half' }, OPEN);
        expect(heard.client).toEqual(OPEN.client);
        expect(heard.other.told).toEqual([true, true]);
      });

      it('hears all without a policy, so these would have been heard', async () => {
        expect(await born(211, {}, OPEN)).toEqual(OPEN);
      });
    });

    describe('a daemon that is killed and starts again', () => {
      let forbidden: Talk[];
      let allowed: Talk[];
      beforeAll(async () => {
        const cells = ['cell1', 'cell2'].map(async (cell) => [
          ...(await talks.begin('client', cell, 'udp', 'tcp')),
          ...(await talks.begin('other', cell, 'udp', 'tcp')),
          ...(await talks.begin(cell, 'open1', 'udp', 'tcp')),
          ...(await talks.begin(cell, 'open2', 'udp', 'tcp')),
        ]);
        forbidden = [
          ...(await Promise.all(cells)).flat(),
          ...(await talks.begin('other', 'open1', 'udp', 'tcp')),
        ];
        allowed = [
          ...(await talks.begin('client', 'open1', 'udp', 'tcp')),
          ...(await talks.begin('client', 'open2', 'udp', 'tcp')),
          ...(await talks.begin('other', 'open2', 'udp', 'tcp')),
        ];
        await talks.goOn(allowed);
      });

      async function nothingForbidden(): Promise<void> {
        const found: string[] = [];
        for (const { what, to, source } of forbidden) {
          const { packets } = await talks.of(to).heard(source);
          if (packets > 0) found.push(`${what}: ${packets}`);
        }
        expect(found).toEqual([]);
      }

      it('lets nothing through that was forbidden before, and lets go on what was allowed', async () => {
        const { k1, k2, cluster } = world.services;
        await nothingForbidden();
        for (const [node, flags] of [
          [k1, cluster.server(k1)],
          [k2, cluster.joining(k1)],
        ] as const) {
          await node.kill();
          await node.start([...flags]);
          await talks.goOn(allowed);
          await nothingForbidden();
        }
      });

      it('nor where it starts while the cluster’s state is away, from its copy', async () => {
        const { k1, k2, cluster } = world.services;
        await k1.kill();
        await k2.kill();
        await k2.start(cluster.joining(k1));
        await talks.goOn(allowed.filter(({ what }) => what.endsWith('other to open2')));
        await nothingForbidden();
        await k1.start(cluster.server(k1));
        await talks.goOn(allowed);
        await nothingForbidden();
        for (const { facts, what } of allowed) expect((await facts()).error, what).toBeNull();
      });
    });
  },
);
