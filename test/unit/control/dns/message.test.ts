/** How questions are read and answers are sized: letters, EDNS, cutting, and what is refused. */
import { describe, expect, it } from 'vitest';
import { Answerer } from '../../../../src/control/dns/answerer.js';
import { Clients } from '../../../../src/control/dns/clients.js';
import { udpLimit } from '../../../../src/control/dns/reply.js';
import { Resolver } from '../../../../src/control/dns/resolver.js';
import { Upstream } from '../../../../src/control/dns/upstream.js';
import { heard, question } from '../../../support/dns-ask.js';
import { clusterRecords } from '../../../support/dns-records.js';

const CROWD = 'crowd.default.svc.cluster.local';

function answererOf(clients?: Clients) {
  return new Answerer(new Resolver(clusterRecords(), new Upstream()), clients && { clients });
}

function answer(message: Buffer, answerer = answererOf()): Buffer | undefined {
  const sent: (Buffer | undefined)[] = [];
  answerer.answer(message, '127.0.0.1', udpLimit, (one) => sent.push(one));
  expect(sent.length).toBe(1);
  return sent[0];
}

/** OPT: size, then extended RCODE, version and flags as 32 bits. */
function opt(size: number, rest = 0): Buffer {
  const bytes = Buffer.from('00002900000000000000' + '00', 'hex');
  bytes.writeUInt16BE(size, 3);
  bytes.writeUInt32BE(rest, 5);
  return bytes;
}

function withOpt(message: Buffer, ...opts: Buffer[]): Buffer {
  const all = Buffer.concat([message, ...opts]);
  all.writeUInt16BE(opts.length, 10);
  return all;
}

describe('an answer', () => {
  it('has the letters of its question, in the question and in the records', () => {
    const said = heard(answer(question('wEb.DEFAULT.svc.Cluster.Local', 'A'))!);
    expect(said.packet.id).toBe(4711);
    expect(said.packet.questions?.[0].name).toBe('wEb.DEFAULT.svc.Cluster.Local');
    expect(said.packet.answers?.[0].name).toBe('wEb.DEFAULT.svc.Cluster.Local');
  });

  it.each([
    ['without EDNS', undefined, 512],
    ['with a size too small to be one', 100, 512],
    ['with a size', 1000, 1000],
    ['with more than fits the way', 4096, 1232],
  ])('is cut between records, %s', (_, size, most) => {
    const plain = question(CROWD, 'A');
    const said = heard(answer(size === undefined ? plain : withOpt(plain, opt(size)))!);
    expect(said.packet.flag_tc).toBe(true);
    expect(said.bytes).toBeLessThanOrEqual(most);
    expect(said.bytes).toBeGreaterThan(most - 16);
    expect(said.answers.length).toBeGreaterThan(25);
  });

  it('is not cut short by what is only beside it', () => {
    const name = '_http._tcp.pets.default.svc.cluster.local';
    const whole = heard(answer(withOpt(question(name, 'SRV'), opt(1232)))!);
    expect([whole.answers.length, whole.additional.length]).toEqual([3, 3]);
    const answerer = answererOf();
    let said = whole;
    answerer.answer(
      question(name, 'SRV'),
      '127.0.0.1',
      () => 270,
      (one) => {
        said = heard(one!);
      },
    );
    expect([said.answers.length, said.additional.length, said.packet.flag_tc]).toEqual([3, 1, false]);
  });

  it('has DO as it was asked, and BADVERS for a version that is not', () => {
    const done = answer(withOpt(question(CROWD, 'A'), opt(1232, 0x8000)))!;
    expect(done.subarray(-11).toString('hex')).toBe('00002904d0' + '00008000' + '0000');
    const bad = answer(withOpt(question(CROWD, 'A'), opt(1232, 0x0001_0000)))!;
    expect(bad.subarray(-11).toString('hex')).toBe('00002904d0' + '01000000' + '0000');
    expect(bad.readUInt16BE(2) & 15).toBe(0);
  });

  it('to ANY is nearly none', () => {
    const said = heard(answer(question('web.default.svc.cluster.local', 'ANY'))!);
    expect(said.packet.answers).toMatchObject([{ type: 'HINFO', data: { cpu: 'RFC8482', os: '' } }]);
    expect(heard(answer(question('nosuch.default.svc.cluster.local', 'ANY'))!).rcode).toBe(3);
  });
});

describe('what is no question', () => {
  const good = question('web.default.svc.cluster.local', 'A');
  const changed = (at: number, value: number) => {
    const message = Buffer.from(good);
    message.writeUInt16BE(value, at);
    return message;
  };

  it.each<[what: string, message: Buffer, rcode: number | undefined]>([
    ['eleven octets', good.subarray(0, 11), undefined],
    ['a response', changed(2, 0x8100), undefined],
    ['a response of an unknown opcode', changed(2, 0xf800), undefined],
    ['an update', changed(2, 0x2800), 4],
    ['a notify', changed(2, 0x2000), 4],
    ['no question', changed(4, 0), 1],
    ['two questions', changed(4, 2), 1],
    ['65,535 questions', changed(4, 0xffff), 1],
    ['an answer beside it', changed(6, 1), 1],
    ['65,535 records that are not there', changed(10, 0xffff), 1],
    ['a pointer to itself', Buffer.concat([good.subarray(0, 12), Buffer.from('c00c00010001', 'hex')]), 1],
    ['a label beyond the end', changed(12, 0x3f77), 1],
    [
      'a name of more than 255 octets',
      Buffer.concat([good.subarray(0, 12), Buffer.alloc(260, 1), Buffer.alloc(5)]),
      1,
    ],
    ['no type', good.subarray(0, -4), 1],
    ['two OPT records', withOpt(good, opt(512), opt(512)), 1],
    ['half an OPT record', withOpt(good, opt(512)).subarray(0, -3), 1],
    ['another class', changed(good.length - 2, 3), 5],
    ['a transfer', changed(good.length - 4, 252), 5],
  ])('%s', (_, message, rcode) => {
    const said = answer(message);
    if (rcode === undefined) expect(said).toBeUndefined();
    else expect(said!.readUInt16BE(2) & 15).toBe(rcode);
    expect(said?.length ?? 0).toBeLessThanOrEqual(message.length);
  });
});

describe('a client', () => {
  it('that asks too much is not answered, and others are', () => {
    const limits = { rate: 0, burst: 3, waiting: 1, clients: 10 };
    const answerer = answererOf(new Clients(limits));
    const message = question('web.default.svc.cluster.local', 'A');
    const sent = [1, 2, 3, 4, 5].map(() => answer(message, answerer));
    expect(sent.map((one) => one !== undefined)).toEqual([true, true, true, false, false]);
    expect(answerer.counters).toMatchObject({ questions: 3, rateDropped: 2 });
    answerer.answer(message, '127.0.0.2', udpLimit, (one) => expect(one).toBeDefined());
  });

  it('is forgotten when many others come', () => {
    const clients = new Clients({ rate: 0, burst: 1, waiting: 1, clients: 2 });
    expect(clients.admit('a', 0)).toBeDefined();
    expect(clients.admit('a', 0)).toBeUndefined();
    for (const other of ['b', 'c']) clients.admit(other, 0);
    expect(clients.admit('a', 0)).toBeDefined();
  });
});
