/**
 * The DNS server's readers, fed with noise and with good messages changed at random. Nothing is thrown; an answer is no
 * longer than it may be, is one to what was asked, and dns-packet can read it.
 */
import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Answerer } from '../../src/control/dns/answerer.js';
import { lifetime } from '../../src/control/dns/cache.js';
import { Clients } from '../../src/control/dns/clients.js';
import { finish, readReply, udpLimit } from '../../src/control/dns/reply.js';
import { Resolver } from '../../src/control/dns/resolver.js';
import { Upstream } from '../../src/control/dns/upstream.js';
import { queryOf, question } from '../support/dns-ask.js';
import { clusterRecords } from '../support/dns-records.js';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';

const BUDGET = 1000;

const unlimited = new Clients({ rate: 1e9, burst: 1e9, waiting: 1e9, clients: 10 });
const faults: unknown[] = [];
const answerer = new Answerer(new Resolver(clusterRecords(), new Upstream()), {
  clients: unlimited,
  onFault: (error) => faults.push(error),
});

const SVC = 'default.svc.cluster.local';
const QUESTIONS = [
  question(`web.${SVC}`, 'A'),
  question(`crowd.${SVC}`, 'A'),
  question(`_http._tcp.pets.${SVC}`, 'SRV', {
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 4096,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  }),
  question('1.1.244.10.in-addr.arpa', 'PTR'),
  question('10-244-1-1.default.pod.cluster.local', 'A'),
  question(`alias.${SVC}`, 'A'),
  question('db', 'A'),
];

const ASKED = question('www.example.test', 'A');
const REPLY = encode({
  type: 'response',
  id: 4711,
  questions: [{ name: 'www.example.test', type: 'A' }],
  answers: [
    { type: 'CNAME', name: 'www.example.test', ttl: 60, data: 'other.test' },
    { type: 'A', name: 'other.test', ttl: 60, data: '192.0.2.1' },
  ],
  authorities: [{ type: 'NS', name: 'test', ttl: 60, data: 'ns.test' }],
});

/** Octets changed, a piece cut off or put in; pointers (0xc0) more often than others. */
function changed(messages: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const octet = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0x3f, 0x40, 0xc0, 0xff));
  const change = fc.tuple(fc.nat(400), octet);
  return fc
    .tuple(
      fc.constantFrom(...messages),
      fc.array(change, { maxLength: 6 }),
      fc.nat(400),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([message, changes, cut, more]) => {
      const copy = Buffer.concat([message, more]);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy.subarray(0, Math.max(0, copy.length - (cut < 200 ? 0 : cut - 200)));
    });
}

const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

function expectAnswer(message: Buffer): void {
  let calls = 0;
  let answer: Buffer | undefined;
  answerer.answer(message, '127.0.0.1', udpLimit, (one) => {
    calls++;
    answer = one;
  });
  expect(faults).toEqual([]);
  // What would go to an upstream is answered later: there is none.
  if (calls === 0 || answer === undefined) return;
  expect(answer.length).toBeLessThanOrEqual(1232);
  expect(answer.readUInt16BE(0)).toBe(message.readUInt16BE(0));
  expect(answer[2] & 0x80).toBe(0x80);
  decode(answer);
}

function expectReply(message: Buffer): void {
  const query = queryOf(ASKED);
  const reply = readReply(message, 4711, query.question);
  if (reply === undefined) return;
  expect(lifetime(reply)).toBeGreaterThanOrEqual(0);
  expect(lifetime(reply)).toBeLessThanOrEqual(3600);
  for (const limit of [40, 512, 65_535]) {
    const sent = finish(reply, query, 7, limit);
    expect(sent.length).toBeLessThanOrEqual(limit);
    expect(readReply(sent, query.id, query.question)).toBeDefined();
  }
}

describe('a DNS server', () => {
  it('survives any message', { timeout: FUZZ_TIMEOUT }, () => {
    fuzz(
      'dns messages',
      fc.oneof(noise, changed(QUESTIONS), changed(QUESTIONS), changed([REPLY])),
      expectAnswer,
      {
        budget: BUDGET,
      },
    );
  });

  it('survives any answer of an upstream', { timeout: FUZZ_TIMEOUT }, () => {
    fuzz('dns replies', fc.oneof(noise, changed([REPLY]), changed([REPLY])), expectReply, { budget: BUDGET });
  });
});
