/**
 * From a question to its answer: the zone, then what is remembered, then the upstreams. What the zone or the cache knows
 * is answered within the call. Each question goes its own way, so that one of a pair, A and AAAA, never waits for the other.
 *
 * An ExternalName's target is resolved here and put behind its CNAME, since programs do not ask again.
 */
import { isIP } from 'node:net';
import { answer as decoder, record } from 'dns-packet';
import type { Question } from './ask.js';
import { bare, build, isName, makeRecord, type ZoneRecord } from './build.js';
import { DnsCache, type Kept } from './cache.js';
import { CLASS_IN, FLAG, RCODE, TYPE } from './constants.js';
import { isMetaType, lowerCase, type Query, questionKey } from './message.js';
import { type KeptRecord, type Reply, SECTION } from './reply.js';
import type { Upstream } from './upstream.js';
import type { DnsView } from './view.js';
import { answer, type ZoneAnswer } from './zone.js';

export interface Asker {
  readonly address: string;
  /** False where it has too many questions waiting: what has to be asked elsewhere fails at once. */
  readonly mayWait: boolean;
  /** Bytes that the answer may have. */
  readonly limit: number;
}

/** @param age seconds since the reply was made. */
export type Respond = (reply: Reply, age: number) => void;

/** More ExternalNames that lead to one another are a mistake, or made to keep us busy. */
const MOST_ALIASES = 8;

export class Resolver {
  readonly cache = new DnsCache();
  private turn = 0;

  constructor(
    readonly view: DnsView,
    private readonly upstream: Upstream,
  ) {}

  /** @param respond called once; not at all where this throws. */
  resolve(query: Query, asker: Asker, respond: Respond): void {
    const refusal = this.refusal(query);
    if (refusal !== undefined) {
      respond(bare(query, refusal), 0);
      return;
    }
    const turn = this.turn++ & 0x7fff_ffff;
    const known = answer(this.view, {
      labels: query.labels,
      type: query.type,
      client: asker.address,
      turn,
      most: mostRecords(asker),
    });
    if (query.type === TYPE.ANY && known?.rcode !== RCODE.NXDOMAIN) respond(minimal(query), 0);
    else if (known?.alias !== undefined) this.follow(query, asker, known, respond);
    else if (known) respond(build(query, known), 0);
    else this.forward(query, asker, respond);
  }

  /** What is no question about data of the Internet, or nobody's to answer. */
  private refusal({ edns, labels, type, class: klass }: Query): number | undefined {
    if (edns && edns.version !== 0) return RCODE.BADVERS;
    if (klass !== CLASS_IN || isMetaType(type)) return RCODE.REFUSED;
    return this.upstream.isProbe(labels) ? RCODE.REFUSED : undefined;
  }

  private forward(query: Query, { mayWait }: Asker, respond: Respond): void {
    const question = forwarded(query);
    const kept = this.cache.get(question.key, performance.now());
    if (kept) {
      respond(kept.reply, kept.age);
      return;
    }
    if (!mayWait) {
      respond(bare(query, RCODE.SERVFAIL), 0);
      return;
    }
    this.upstream.ask(question, (reply) => {
      const known = reply ?? bare(query, RCODE.SERVFAIL);
      this.cache.put(question.key, known, performance.now());
      respond(known, 0);
    });
  }

  /** Adds what the alias leads to: here, or at the upstreams. */
  private follow(query: Query, asker: Asker, first: ZoneAnswer, respond: Respond): void {
    const answers = [...first.answers];
    let known: ZoneAnswer | undefined = first;
    let alias = first.alias ?? '';
    for (let step = 1; known?.alias !== undefined; step++) {
      alias = known.alias;
      const labels = alias.split('.');
      known =
        step > MOST_ALIASES
          ? FAILED
          : answer(this.view, {
              labels,
              type: query.type,
              client: asker.address,
              turn: this.turn,
              most: mostRecords(asker),
            });
      answers.push(...(known?.answers ?? []));
    }
    if (known) respond(build(query, { ...known, answers }), 0);
    else
      this.forward(aliased(query, alias), asker, (reply, age) =>
        respond(behind(query, answers, { reply, age }), 0),
      );
  }
}

/** The smallest record is an A record whose owner is a pointer. One more than fits, so that it shows that there is more. */
const SMALLEST_RECORD = 16;

function mostRecords({ limit }: Asker): number {
  return Math.ceil(limit / SMALLEST_RECORD) + 1;
}

const FAILED: ZoneAnswer = { rcode: RCODE.SERVFAIL, answers: [], authority: [], additional: [] };

function forwarded(query: Query): Question {
  const dnssecOk = query.edns?.dnssecOk ?? false;
  const checkingDisabled = (query.flags & FLAG.checkingDisabled) !== 0;
  const key = `${questionKey(query.question)}${dnssecOk ? 1 : 0}${checkingDisabled ? 1 : 0}`;
  return { key, question: query.question, dnssecOk, checkingDisabled };
}

/** ANY is answered with next to nothing: it is asked by who looks for large answers (RFC 8482 section 4.2). */
function minimal(query: Query): Reply {
  const hinfo = makeRecord(query.labels.join('.'), 'HINFO', { cpu: 'RFC8482', os: '' });
  return build(query, { rcode: RCODE.NOERROR, answers: [hinfo], authority: [], additional: [] });
}

/** The same question about the alias. */
function aliased(query: Query, alias: string): Query {
  const labels = alias.split('.');
  const bytes = labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  return { ...query, labels, question: Buffer.concat([...bytes, Buffer.of(0), query.question.subarray(-4)]) };
}

/** What an upstream answered about the alias, behind the CNAME. */
function behind(query: Query, answers: readonly ZoneRecord[], { reply, age }: Kept): Reply {
  const found = reply.records.filter(({ section }) => section === SECTION.answer);
  try {
    const target = found.map((record) => copied(reply, record, age));
    return build(query, {
      rcode: reply.rcode,
      answers: [...answers, ...target],
      authority: [],
      additional: [],
    });
  } catch {
    // dns-packet throws on what it cannot read.
    return bare(query, RCODE.SERVFAIL);
  }
}

/** Taken apart and made again, since names in it may be pointers into the message that it was in. */
function copied({ message }: Reply, { at, type }: KeptRecord, age: number): ZoneRecord {
  const { name, type: typeName, data, ttl = 0 } = decoder.decode(message, at);
  if (!isName(name) || (typeof data === 'string' && !isText(data)))
    throw new RangeError('a name beyond text');
  return { owner: lowerCase(name), type, ttl: Math.max(0, ttl - age), data: record(typeName).encode(data) };
}

/** Addresses and names, as dns-packet has both. */
function isText(data: string): boolean {
  return isIP(data) !== 0 || isName(data);
}
