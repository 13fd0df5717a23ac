/**
 * Reads DNS messages as they are on the wire, without taking names apart into text more than is needed. Whatever the
 * bytes are, nothing throws: `undefined` or a refusal is the answer. It costs one pass over the message.
 *
 * dns-packet decodes names to text and throws on what it does not like. Text cannot hold every name (a label may have a
 * dot or any octet in it), and a record of a type that nobody here knows must pass as it is (RFC 3597). So what is
 * passed on stays bytes, and dns-packet encodes what is made here (build.ts).
 */
import {
  DNSSEC_OK,
  FLAG,
  HEADER,
  META_TYPES,
  MOST_LABEL_BYTES,
  MOST_NAME_BYTES,
  PLAIN_UDP_BYTES,
  RCODE,
  RECORD,
  TYPE,
} from './constants.js';

export interface Edns {
  /** The largest datagram that the asker takes. */
  readonly size: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

export interface Query {
  readonly id: number;
  readonly flags: number;
  /** Name, type and class as they were sent: answers repeat them octet by octet, so the case of letters is kept. */
  readonly question: Buffer;
  /** In lower case, an octet a character. */
  readonly labels: readonly string[];
  readonly type: number;
  readonly class: number;
  readonly edns?: Edns;
}

/** What to do with bytes that somebody sent: answer a question, answer with an error, or nothing. */
export type Reading =
  | { readonly verdict: 'query'; readonly query: Query }
  | { readonly verdict: 'error'; readonly rcode: number }
  | { readonly verdict: 'drop' };

const DROP: Reading = { verdict: 'drop' };
const FORMERR: Reading = { verdict: 'error', rcode: RCODE.FORMERR };

/**
 * A response is never answered, else two servers could be made to talk to each other for ever. One question only
 * (RFC 9619). Records in a question's answer and authority sections belong to updates and transfers.
 */
export function readQuery(message: Buffer): Reading {
  if (message.length < HEADER.end) return DROP;
  const flags = message.readUInt16BE(HEADER.flags);
  if (flags & FLAG.response) return DROP;
  if (flags & FLAG.opcode) return { verdict: 'error', rcode: RCODE.NOTIMP };
  if (message.readUInt16BE(HEADER.questions) !== 1) return FORMERR;
  if (message.readUInt32BE(HEADER.answers) !== 0) return FORMERR;
  const asked = readQuestion(message);
  if (asked === undefined) return FORMERR;
  const edns = readEdns(message, HEADER.end + asked.question.length);
  if (edns === 'malformed') return FORMERR;
  return {
    verdict: 'query',
    query: { id: message.readUInt16BE(HEADER.id), flags, ...asked, ...(edns && { edns }) },
  };
}

type Asked = Pick<Query, 'question' | 'labels' | 'type' | 'class'>;

/** The question's name is the first of its message, so a pointer in it leads nowhere. */
function readQuestion(message: Buffer): Asked | undefined {
  const labels: string[] = [];
  let at: number = HEADER.end;
  for (let length = message[at]; length !== 0; length = message[at]) {
    if (length === undefined || length > MOST_LABEL_BYTES || at + length >= message.length) return undefined;
    labels.push(lowerCase(message.toString('latin1', at + 1, at + 1 + length)));
    at += 1 + length;
    if (at - HEADER.end >= MOST_NAME_BYTES) return undefined;
  }
  const end = at + 5;
  if (end > message.length) return undefined;
  const [type, klass] = [message.readUInt16BE(at + 1), message.readUInt16BE(at + 3)];
  return { question: message.subarray(HEADER.end, end), labels, type, class: klass };
}

/** One OPT record at most, owned by the root (RFC 6891 section 6.1.1). Its options are not looked at. */
function readEdns(message: Buffer, from: number): Edns | undefined | 'malformed' {
  let edns: Edns | undefined;
  let at = from;
  for (let left = message.readUInt16BE(HEADER.additional); left > 0; left--) {
    const record = readRecord(message, at);
    if (record === undefined) return 'malformed';
    if (record.type === TYPE.OPT) {
      if (edns !== undefined || message[at] !== 0) return 'malformed';
      edns = ednsOf(message, record);
    }
    at = record.end;
  }
  return edns;
}

function ednsOf(message: Buffer, { fixed }: PlacedRecord): Edns {
  const size = message.readUInt16BE(fixed + RECORD.class);
  return {
    size: Math.max(size, PLAIN_UDP_BYTES),
    version: message[fixed + RECORD.ttl + 1],
    dnssecOk: (message.readUInt16BE(fixed + RECORD.ttl + 2) & DNSSEC_OK) !== 0,
  };
}

/** Where a record is. `fixed`: behind its owner name. */
export interface PlacedRecord {
  readonly at: number;
  readonly type: number;
  readonly fixed: number;
  readonly end: number;
}

export function readRecord(message: Buffer, at: number): PlacedRecord | undefined {
  const fixed = skipName(message, at);
  if (fixed === undefined || fixed + RECORD.data > message.length) return undefined;
  const end = fixed + RECORD.data + message.readUInt16BE(fixed + RECORD.length);
  if (end > message.length) return undefined;
  return { type: message.readUInt16BE(fixed + RECORD.type), at, fixed, end };
}

/** Where a name ends. Pointers are not followed, only seen to lead back, as RFC 1035 section 4.1.4 has them. */
function skipName(message: Buffer, from: number): number | undefined {
  let at = from;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return leadsBack(message, at, from) ? at + 2 : undefined;
    if (length > MOST_LABEL_BYTES) return undefined;
    at += 1 + length;
    if (at - from >= MOST_NAME_BYTES) return undefined;
  }
}

function leadsBack(message: Buffer, at: number, from: number): boolean {
  if (at + 2 > message.length) return false;
  const target = message.readUInt16BE(at) & 0x3fff;
  return target >= HEADER.end && target < from;
}

/** ASCII letters only (RFC 4343): other octets are no letters, whatever Latin-1 says. */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The question as text that is the same for the same question: its name may have letters in either case. */
export function questionKey(question: Buffer): string {
  const end = question.length - 4;
  return lowerCase(question.toString('latin1', 0, end)) + question.toString('latin1', end);
}

export function isMetaType(type: number): boolean {
  return type === TYPE.OPT || (type >= META_TYPES.first && type <= META_TYPES.last);
}
