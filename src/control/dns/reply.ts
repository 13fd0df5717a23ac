/**
 * An answer as it is kept: bytes with the places of its records. Made from records of our own (build.ts) or from what
 * an upstream said (`readReply`), and sent many times (`finish`): each time with the asker's id, question and letters,
 * the time it was kept taken off the TTLs, and cut to what the asker takes.
 *
 * Of an upstream's answer the additional section is left out. Nobody asked for it, and its OPT record is about the way
 * between upstream and us.
 */
import { FLAG, HEADER, MOST_UDP_BYTES, PLAIN_UDP_BYTES, RECORD, TYPE } from './constants.js';
import { type PlacedRecord, type Query, questionKey, readRecord } from './message.js';

export const SECTION = { answer: 0, authority: 1, additional: 2 } as const;

export interface KeptRecord extends PlacedRecord {
  readonly section: number;
}

export interface Reply {
  readonly rcode: number;
  readonly authoritative: boolean;
  /** Of the upstream: there was more. */
  readonly truncated: boolean;
  /** Header, question and records. */
  readonly message: Buffer;
  readonly records: readonly KeptRecord[];
}

/**
 * An answer to this question and no other (id, name, type and class), or undefined. A label's length octet is never a
 * letter, so a question can be compared octet by octet, letters in either case.
 */
export function readReply(message: Buffer, id: number, question: Buffer): Reply | undefined {
  const begin = HEADER.end + question.length;
  if (message.length < begin || message.readUInt16BE(HEADER.id) !== id) return undefined;
  const flags = message.readUInt16BE(HEADER.flags);
  if ((flags & (FLAG.response | FLAG.opcode)) !== FLAG.response) return undefined;
  if (message.readUInt16BE(HEADER.questions) !== 1) return undefined;
  if (!sameQuestion(message.subarray(HEADER.end, begin), question)) return undefined;
  const records = placeRecords(message, begin, (flags & FLAG.truncated) !== 0);
  if (records === undefined) return undefined;
  const end = records.at(-1)?.end ?? begin;
  return {
    rcode: flags & FLAG.rcode,
    authoritative: false,
    truncated: (flags & FLAG.truncated) !== 0,
    // A copy: what is kept must not keep the receive buffer it came in.
    message: Buffer.from(message.subarray(0, end)),
    records,
  };
}

function sameQuestion(one: Buffer, other: Buffer): boolean {
  return one.equals(other) || questionKey(one) === questionKey(other);
}

/** Each record takes 11 octets or more, so what the counts claim costs no more than what was sent. */
function placeRecords(message: Buffer, begin: number, truncated: boolean): KeptRecord[] | undefined {
  const records: KeptRecord[] = [];
  let at = begin;
  for (const section of [SECTION.answer, SECTION.authority]) {
    for (let left = message.readUInt16BE(HEADER.answers + 2 * section); left > 0; left--) {
      const record = readRecord(message, at);
      // Some servers cut in the middle of a record and leave the counts as they were.
      if (record === undefined) return truncated ? records : undefined;
      records.push({ ...record, section });
      at = record.end;
    }
  }
  return records;
}

/** Bytes that a client takes over UDP. */
export function udpLimit({ edns }: Query): number {
  return edns ? Math.min(edns.size, MOST_UDP_BYTES) : PLAIN_UDP_BYTES;
}

/** @param age seconds since the answer was made. @param limit bytes that the message may have. */
export function finish(reply: Reply, query: Query, age: number, limit: number): Buffer {
  const room = limit - (query.edns ? OPT_BYTES : 0);
  const kept = reply.records.filter(({ end }) => end <= room);
  const lost =
    reply.records.length > kept.length && reply.records[kept.length].section !== SECTION.additional;
  const end = kept.at(-1)?.end ?? HEADER.end + query.question.length;
  const message = Buffer.allocUnsafe(end + (query.edns ? OPT_BYTES : 0));
  reply.message.copy(message, 0, 0, end);
  writeHeader(message, reply, query, kept, lost || reply.truncated);
  query.question.copy(message, HEADER.end);
  for (const { fixed } of kept) writeAge(message, fixed + RECORD.ttl, age);
  if (query.edns) writeOpt(message, end, reply.rcode, query.edns.dnssecOk);
  return message;
}

function writeHeader(
  message: Buffer,
  reply: Reply,
  query: Query,
  kept: readonly KeptRecord[],
  cut: boolean,
): void {
  const asked = query.flags & (FLAG.recursionDesired | FLAG.checkingDisabled);
  const own = (reply.authoritative ? FLAG.authoritative : 0) | (cut ? FLAG.truncated : 0);
  message.writeUInt16BE(query.id, HEADER.id);
  message.writeUInt16BE(
    FLAG.response | FLAG.recursionAvailable | asked | own | (reply.rcode & FLAG.rcode),
    HEADER.flags,
  );
  message.writeUInt16BE(1, HEADER.questions);
  for (const section of Object.values(SECTION)) {
    const count = kept.filter((record) => record.section === section).length;
    const opt = section === SECTION.additional && query.edns ? 1 : 0;
    message.writeUInt16BE(count + opt, HEADER.answers + 2 * section);
  }
}

/** A TTL with its highest bit set counts as 0 (RFC 2181 section 8). */
function writeAge(message: Buffer, at: number, age: number): void {
  const ttl = message.readUInt32BE(at);
  message.writeUInt32BE(ttl > 0x7fff_ffff ? 0 : Math.max(0, ttl - age), at);
}

/** Root, type, size, upper bits of the RCODE, version 0, DO as it was asked (RFC 3225 section 3), no options. */
const OPT_BYTES = 11;

function writeOpt(message: Buffer, at: number, rcode: number, dnssecOk: boolean): void {
  message.fill(0, at, at + OPT_BYTES);
  message.writeUInt16BE(TYPE.OPT, at + 1 + RECORD.type);
  message.writeUInt16BE(MOST_UDP_BYTES, at + 1 + RECORD.class);
  message[at + 1 + RECORD.ttl] = rcode >> 4;
  if (dnssecOk) message[at + 1 + RECORD.ttl + 2] = 0x80;
}

/** An error about bytes that could not be read as a question: twelve octets, fewer than came. */
export function headerOnly(message: Buffer, rcode: number): Buffer {
  const flags = message.readUInt16BE(HEADER.flags) & (FLAG.opcode | FLAG.recursionDesired);
  const answer = Buffer.alloc(HEADER.end);
  message.copy(answer, HEADER.id, HEADER.id, HEADER.id + 2);
  answer.writeUInt16BE(FLAG.response | FLAG.recursionAvailable | flags | rcode, HEADER.flags);
  return answer;
}
