/** What is kept of upstreams' answers, for how long and how much; and how resolv.conf is read. */
import { encode, type Packet } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { DnsCache } from '../../../../src/control/dns/cache.js';
import { type Reply, readReply } from '../../../../src/control/dns/reply.js';
import { parseResolvConf } from '../../../../src/control/dns/resolv.js';
import { queryOf, question } from '../../../support/dns-ask.js';

const NAME = 'www.example.test';
const SOA = {
  type: 'SOA',
  name: 'example.test',
  ttl: 60,
  data: { mname: 'a.test', rname: 'b.test', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 20 },
} as const;

function a(name: string, ttl: number) {
  return { type: 'A', name, ttl, data: '192.0.2.1' } as const;
}

function reply(packet: Packet, rcode = 0): Reply {
  const asked = question(NAME, 'A');
  const message = encode({
    type: 'response',
    id: 1,
    flags: rcode,
    questions: [{ name: NAME, type: 'A' }],
    ...packet,
  });
  return readReply(message, 1, queryOf(asked).question)!;
}

function keptFor(kept: Reply): number {
  const cache = new DnsCache();
  cache.put('key', kept, 0);
  for (let seconds = 1; seconds < 5000; seconds++) if (!cache.get('key', 1000 * seconds)) return seconds;
  return Number.POSITIVE_INFINITY;
}

describe('the cache', () => {
  it.each<[what: string, kept: Reply, seconds: number]>([
    ['an answer for its smallest TTL', reply({ answers: [a(NAME, 30), a(NAME, 7)] }), 7],
    ['no longer than an hour', reply({ answers: [a(NAME, 100_000)] }), 3600],
    ['not at all with TTL 0', reply({ answers: [a(NAME, 0)] }), 1],
    ['a TTL with its highest bit is 0', reply({ answers: [a(NAME, 0x8000_0001)] }), 1],
    ['NXDOMAIN for the SOA’s minimum', reply({ authorities: [SOA] }, 3), 20],
    ['NODATA for the SOA’s TTL', reply({ authorities: [{ ...SOA, ttl: 9 }] }), 9],
    ['NXDOMAIN without a SOA not', reply({}, 3), 1],
    [
      'an alias to nothing without a SOA not',
      reply({ answers: [{ type: 'CNAME', name: NAME, ttl: 9, data: 'x.y' }] }),
      1,
    ],
    ['a failure for a second', reply({}, 2), 1],
    ['a refusal not', reply({}, 5), 1],
  ])('keeps %s', (_, kept, seconds) => {
    expect(keptFor(kept)).toBe(seconds);
  });

  it('keeps a failure, and nothing else that is not to be kept, for the first second', () => {
    const cache = new DnsCache();
    cache.put('failed', reply({}, 2), 0);
    cache.put('refused', reply({}, 5), 0);
    cache.put('fleeting', reply({ answers: [a(NAME, 0)] }), 0);
    cache.put('cut', { ...reply({ answers: [a(NAME, 9)] }), truncated: true }, 0);
    expect(['failed', 'refused', 'fleeting', 'cut'].map((key) => cache.get(key, 500) !== undefined)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it('says how old an answer is', () => {
    const cache = new DnsCache();
    cache.put('key', reply({ answers: [a(NAME, 30)] }), 500);
    expect(cache.get('key', 1400)?.age).toBe(0);
    expect(cache.get('key', 10_500)?.age).toBe(10);
  });

  it('lets the least lately used go, by number and by bytes', () => {
    const kept = reply({ answers: [a(NAME, 30)] });
    const few = new DnsCache({ entries: 2, bytes: 1e6 });
    few.put('a', kept, 0);
    few.put('b', kept, 0);
    few.get('a', 1);
    few.put('c', kept, 1);
    expect(['a', 'b', 'c'].map((key) => few.get(key, 2) !== undefined)).toEqual([true, false, true]);
    const small = new DnsCache({ entries: 1e6, bytes: 2000 });
    for (let number = 0; number < 100; number++) small.put(`key${number}`, kept, 0);
    expect(small.bytes).toBeLessThanOrEqual(2000);
    expect(small.size).toBeGreaterThan(1);
    for (let number = 0; number < 100; number++) small.get(`key${number}`, 1e9);
    expect([small.size, small.bytes]).toEqual([0, 0]);
  });
});

describe('an upstream’s answer', () => {
  const asked = queryOf(question(NAME, 'A')).question;
  const packet = {
    type: 'response',
    id: 7,
    questions: [{ name: NAME, type: 'A' }],
    answers: [a(NAME, 3)],
  } as const;
  const good = encode({ ...packet, answers: [a(NAME, 3)], questions: [{ name: NAME, type: 'A' }] });

  it('is one to the question that was asked', () => {
    expect(readReply(good, 7, asked)).toBeDefined();
    expect(readReply(good, 8, asked)).toBeUndefined();
    expect(readReply(good, 7, queryOf(question('www.example.tesu', 'A')).question)).toBeUndefined();
    expect(readReply(good, 7, queryOf(question(NAME, 'AAAA')).question)).toBeUndefined();
    expect(readReply(good, 7, queryOf(question('wWw.Example.test', 'A')).question)).toBeDefined();
    const query = Buffer.from(good);
    query[2] &= 0x7f;
    expect(readReply(query, 7, asked)).toBeUndefined();
    for (let length = 0; length < good.length; length++) {
      expect(readReply(good.subarray(0, length), 7, asked)).toBeUndefined();
    }
  });

  it('loses what is beside it', () => {
    const beside = encode({
      ...packet,
      questions: [{ name: NAME, type: 'A' }],
      answers: [a(NAME, 3)],
      additionals: [a('bank.test', 3)],
    });
    const kept = readReply(beside, 7, asked)!;
    expect(kept.records.length).toBe(1);
    expect(kept.message.includes('bank')).toBe(false);
  });

  it('may not have an owner name that points at itself or ahead', () => {
    const start = good.length - 16 - NAME.length;
    for (const pointer of ['c000', 'ffff', `c0${start.toString(16)}`]) {
      const record = Buffer.from(`${pointer}000100010000000300040a000001`, 'hex');
      expect(
        readReply(Buffer.concat([good.subarray(0, 12 + asked.length), record]), 7, asked),
      ).toBeUndefined();
    }
  });
});

describe('resolv.conf', () => {
  it('is read as the C library reads it', () => {
    const text = `# made by hand
domain first.test
search  example.test\tcorp.test ; the last one counts
nameserver 192.0.2.1
nameserver\t2001:db8::1 # second
nameserver fe80::1%eth0
nameserver 192.0.2.1
nameserver not-an-address
nameserver
options ndots:5 edns0
options timeout:1
sortlist 192.0.2.0`;
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['192.0.2.1', '2001:db8::1', 'fe80::1%eth0'],
      search: ['example.test', 'corp.test'],
      options: ['ndots:5', 'edns0', 'timeout:1'],
    });
    expect(parseResolvConf('')).toEqual({ nameservers: [], search: [], options: [] });
  });
});
