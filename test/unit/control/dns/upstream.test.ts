/** Forwarding to name servers that answer, are late, lie, cut, refuse or are not there: over real sockets on loopback. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Answerer } from '../../../../src/control/dns/answerer.js';
import type { NameServer } from '../../../../src/control/dns/ask.js';
import { udpLimit } from '../../../../src/control/dns/reply.js';
import { Resolver } from '../../../../src/control/dns/resolver.js';
import { Upstream } from '../../../../src/control/dns/upstream.js';
import { asked, heard, question } from '../../../support/dns-ask.js';
import { clusterRecords } from '../../../support/dns-records.js';
import { type Asked, address, isTest, type React, say, upstreamOf } from '../../../support/dns-upstream.js';

const TRUNCATED = 0x0200;
const NAME = 'www.example.test';
const answers: React = (one) => [say(one, [address(one, 1)])];
const silent: React = () => [];
/** Silent about the test's names, alive otherwise. */
const forgetful: React = (one) => (isTest(one) ? [] : [say(one)]);

function resolverOf(servers: readonly NameServer[], upstream = new Upstream()): Resolver {
  upstream.setServers(servers);
  onTestFinished(() => upstream.close());
  return new Resolver(clusterRecords(), upstream);
}

const whole = { limit: () => 65_535 };

describe('an upstream', () => {
  it('is asked once, and the answer grows older', async () => {
    const server = await upstreamOf(answers);
    const resolver = resolverOf([server]);
    const first = await asked(resolver, question(NAME, 'A'));
    expect(first.answers).toEqual(['A 192.0.2.1']);
    expect([first.packet.flag_aa, first.packet.flag_ra]).toEqual([false, true]);
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 20_000);
    onTestFinished(() => now.mockRestore());
    const second = await asked(resolver, question('WWW.example.test', 'A'));
    expect(second.packet.questions?.[0].name).toBe('WWW.example.test');
    const [{ ttl }] = second.packet.answers as { ttl: number }[];
    expect([39, 40]).toContain(ttl);
    expect(server.asked.filter(isTest).length).toBe(1);
  });

  it('that the host has no way to is down', async () => {
    // A socket may not be connected to a broadcast address: the same as having no route, without a namespace.
    const upstream = new Upstream();
    const resolver = resolverOf([{ address: '255.255.255.255', port: 53 }], upstream);
    expect((await asked(resolver, question(NAME, 'A'))).rcode).toBe(2);
    expect(upstream.states).toMatchObject([{ state: 'down' }]);
  });

  it('is asked once by many that ask the same at a time', async () => {
    const server = await upstreamOf(answers);
    const resolver = resolverOf([server]);
    const all = Array.from({ length: 50 }, () => asked(resolver, question(NAME, 'A')));
    const said = await Promise.all(all);
    expect(said.every(({ answers: [first] }) => first === 'A 192.0.2.1')).toBe(true);
    expect(server.asked.filter(isTest).length).toBe(1);
  });

  it('is asked over TCP where the answer does not fit, for whole', async () => {
    const server = await upstreamOf((one) =>
      one.overTcp
        ? [
            say(
              one,
              Array.from({ length: 200 }, (_, number) => address(one, number)),
            ),
          ]
        : [say(one, [], TRUNCATED)],
    );
    const said = await asked(resolverOf([server]), question(NAME, 'A'), whole);
    expect([said.answers.length, said.packet.flag_tc]).toEqual([200, false]);
  });

  it('that answers FORMERR to EDNS is asked without', async () => {
    const server = await upstreamOf((one) =>
      one.packet.additionals?.length ? [say(one, [], 1)] : [say(one, [address(one, 1)])],
    );
    expect((await asked(resolverOf([server]), question(NAME, 'A'))).answers).toEqual(['A 192.0.2.1']);
  });

  it('gets random ids and ports, and DO and CD as they were asked', async () => {
    const server = await upstreamOf(answers);
    const resolver = resolverOf([server]);
    for (let number = 0; number < 20; number++) await asked(resolver, question(`n${number}.test`, 'A'));
    const ids = new Set(server.asked.filter(isTest).map(({ packet }) => packet.id));
    expect(ids.size).toBeGreaterThan(15);
    const checking = question('cd.test', 'A', { flags: 0x0110 });
    await asked(resolver, checking);
    expect(server.asked.at(-1)?.message.readUInt16BE(2)).toBe(0x0110);
  });

  it('cannot slip in another name', async () => {
    const server = await upstreamOf((one) => [
      say(one, [address(one, 1), { type: 'A', name: 'bank.test', ttl: 600, data: '192.0.2.66' }]),
    ]);
    const resolver = resolverOf([server]);
    await asked(resolver, question(NAME, 'A'));
    await asked(resolver, question('bank.test', 'A'));
    expect(server.asked.filter(isTest).map(({ packet }) => packet.questions?.[0].name)).toEqual([
      NAME,
      'bank.test',
    ]);
  });

  it('is not believed with another id or question', async () => {
    const server = await upstreamOf((one) => {
      const wrongId = say({ ...one, packet: { ...one.packet, id: (one.packet.id ?? 0) ^ 1 } }, [
        address(one, 66),
      ]);
      const questions = [{ name: 'bank.test', type: 'A' }] as const;
      const wrongName = say({ ...one, packet: { ...one.packet, questions: [...questions] } }, [
        address(one, 66),
      ]);
      return [wrongId, wrongName, Buffer.alloc(3), say(one, [address(one, 1)])];
    });
    expect((await asked(resolverOf([server]), question(NAME, 'A'))).answers).toEqual(['A 192.0.2.1']);
  });

  it('passes on types that nobody here knows', async () => {
    const data = Buffer.from('00010000010003026832', 'hex');
    const server = await upstreamOf((one) => [
      say(one, [{ type: 'UNKNOWN_65' as 'NULL', name: NAME, ttl: 60, data }]),
    ]);
    const said = await asked(resolverOf([server]), question(NAME, 'UNKNOWN_65' as 'NULL'));
    expect(said.packet.answers).toMatchObject([{ type: 'UNKNOWN_65', data }]);
  });

  it('resolves what an ExternalName leads to', async () => {
    const server = await upstreamOf(answers);
    const resolver = resolverOf([server]);
    const away = question('away.default.svc.cluster.local', 'A');
    expect((await asked(resolver, away)).answers).toEqual(['CNAME www.example.test', 'A 192.0.2.1']);
    expect((await asked(resolver, away)).answers).toEqual(['CNAME www.example.test', 'A 192.0.2.1']);
    expect(server.asked.filter(isTest).length).toBe(1);
  });
});

describe('several upstreams', () => {
  it('are asked in order, the next one where one is silent, refuses or is not there', async () => {
    const good = await upstreamOf(answers);
    const gone = await upstreamOf(silent);
    gone.close();
    const refusing = await upstreamOf((one) => [say(one, [], 5)]);
    for (const first of [gone, refusing, await upstreamOf(forgetful)]) {
      const resolver = resolverOf([first, good]);
      expect((await asked(resolver, question(NAME, 'A'))).answers).toEqual(['A 192.0.2.1']);
    }
    const resolver = resolverOf([good, refusing]);
    const before = refusing.asked.filter(isTest).length;
    await asked(resolver, question(NAME, 'A'));
    expect(refusing.asked.filter(isTest).length).toBe(before);
  });

  it('may be late: an answer after the next one was asked counts as well', async () => {
    const late = await upstreamOf(forgetful);
    const held: Asked[] = [];
    const second = await upstreamOf((one) => {
      held.push(one);
      return isTest(one) ? [] : [say(one)];
    });
    const resolver = resolverOf([late, second]);
    const pending = asked(resolver, question(NAME, 'A'));
    await vi.waitFor(() => expect(held.filter(isTest).length).toBe(1), 10_000);
    late.answerLate((one) => say(one, [address(one, 7)]));
    expect((await pending).answers).toEqual(['A 192.0.2.7']);
  });
});

describe('an upstream that never answers', () => {
  it('fails each question within five seconds, and all at once when it is known to be down, until it is back', async () => {
    const dead = await upstreamOf(silent);
    const resolver = resolverOf([dead]);
    const begun = performance.now();
    const said = await asked(resolver, question(NAME, 'A'));
    expect(said.rcode).toBe(2);
    expect(performance.now() - begun).toBeGreaterThan(4000);
    // The check of the server takes two seconds more.
    await vi.waitFor(
      async () => {
        const asking = performance.now();
        await asked(resolver, question(`${asking}.test`, 'A'));
        expect(performance.now() - asking).toBeLessThan(1000);
      },
      { timeout: 60_000, interval: 100 },
    );
    const known = dead.asked.filter(isTest).length;
    await Promise.all([1, 2, 3].map((number) => asked(resolver, question(`n${number}.test`, 'A'))));
    expect(dead.asked.filter(isTest).length).toBe(known);
    dead.close();
    const back = await upstreamOf(answers, dead.port);
    await vi.waitFor(
      async () => {
        const { answers: found } = await asked(resolver, question(`back${performance.now()}.test`, 'A'));
        expect(found).toEqual(['A 192.0.2.1']);
      },
      { timeout: 60_000, interval: 500 },
    );
    back.close();
  });

  it('about one name stays in use for the others', async () => {
    const server = await upstreamOf((one) =>
      one.packet.questions?.[0].name === NAME ? [] : [say(one, [address(one, 1)])],
    );
    const resolver = resolverOf([server]);
    expect((await asked(resolver, question(NAME, 'A'))).rcode).toBe(2);
    for (let number = 0; number < 10; number++) {
      expect((await asked(resolver, question(`n${number}.test`, 'A'))).answers).toEqual(['A 192.0.2.1']);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });

  it('leaves the names of the cluster as they are, for a client that waits for as much as it may', async () => {
    const dead = await upstreamOf(silent);
    const answerer = new Answerer(resolverOf([dead]));
    const sent: number[] = [];
    for (let number = 0; number < 600; number++) {
      answerer.answer(question(`n${number}.test`, 'A'), '127.0.0.1', udpLimit, (one) => {
        sent.push(heard(one!).rcode);
      });
    }
    expect(sent).toEqual(Array.from({ length: 100 }, () => 2));
    answerer.answer(question('web.default.svc.cluster.local', 'A'), '127.0.0.1', udpLimit, (one) => {
      expect(heard(one!).answers).toEqual(['A 10.96.0.20']);
    });
  });
});

describe('a loop', () => {
  it('is found, and the server not asked any more', async () => {
    const looped: NameServer[] = [];
    const upstream = new Upstream({ onLoop: (server) => looped.push(server) });
    const answerer: { current?: Answerer } = {};
    // A forwarder that has us as its only name server.
    const forwarder = await upstreamOf((one) => {
      answerer.current?.answer(one.message, '127.0.0.9', udpLimit, () => undefined);
      return [];
    });
    const good = await upstreamOf(answers);
    answerer.current = new Answerer(resolverOf([forwarder, good], upstream));
    await vi.waitFor(() => expect(looped.map(({ port }) => port)).toEqual([forwarder.port]), 10_000);
    const before = forwarder.asked.length;
    const resolver = new Resolver(clusterRecords(), upstream);
    expect((await asked(resolver, question(NAME, 'A'))).answers).toEqual(['A 192.0.2.1']);
    expect(forwarder.asked.length).toBe(before);
  });

  it('to where we listen is never entered', async () => {
    const own = await upstreamOf(answers);
    const upstream = new Upstream({ isSelf: ({ port }) => port === own.port });
    expect((await asked(resolverOf([own], upstream), question(NAME, 'A'))).rcode).toBe(2);
    expect(own.asked).toEqual([]);
  });
});
