/**
 * What upstreams answered, for as long as they allowed. Bounded in entries and in bytes; the least lately used goes first.
 *
 * Nothing can be slipped in. A whole answer is kept under the question it was asked with and given to that question
 * alone. No record of it ever answers another name, whatever an upstream put beside what was asked.
 *
 * Kept: answers for their smallest TTL; that there is none, for what the SOA record says (RFC 2308 section 5), without
 * one not at all; a failure for one second (RFC 9520 section 3.2). Never what was cut short.
 */
import { RCODE, RECORD, TYPE } from './constants.js';
import { type Reply, SECTION } from './reply.js';

export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** About the size of twenty thousand names that have two addresses each, at most. */
export const CACHE_LIMITS: CacheLimits = { entries: 20_000, bytes: 16 * 1024 * 1024 };

/** Longest times (s): an upstream's mistake does not stay for a week. */
const LONGEST = { positive: 3600, negative: 300, failure: 1 } as const;

/** About what an entry takes beside its message, and each of its records (bytes). */
const OVERHEAD = { entry: 300, record: 64 } as const;

interface Entry {
  readonly reply: Reply;
  /** ms. */
  readonly since: number;
  readonly until: number;
  readonly bytes: number;
}

export interface Kept {
  readonly reply: Reply;
  /** s. */
  readonly age: number;
}

export class DnsCache {
  private readonly entries = new Map<string, Entry>();
  private used = 0;

  constructor(private readonly limits: CacheLimits = CACHE_LIMITS) {}

  get size(): number {
    return this.entries.size;
  }

  get bytes(): number {
    return this.used;
  }

  /** @param now ms, of a clock that only goes forward. */
  get(key: string, now: number): Kept | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.drop(key, entry);
    if (entry.until <= now) return undefined;
    this.keep(key, entry);
    return { reply: entry.reply, age: Math.floor((now - entry.since) / 1000) };
  }

  put(key: string, reply: Reply, now: number): void {
    const known = this.entries.get(key);
    if (known) this.drop(key, known);
    const seconds = lifetime(reply);
    if (seconds <= 0) return;
    const bytes =
      OVERHEAD.entry + 2 * key.length + reply.message.length + OVERHEAD.record * reply.records.length;
    if (bytes > this.limits.bytes) return;
    this.keep(key, { reply, since: now, until: now + 1000 * seconds, bytes });
    this.shrink();
  }

  /** Other upstreams may know otherwise. */
  clear(): void {
    this.entries.clear();
    this.used = 0;
  }

  private keep(key: string, entry: Entry): void {
    this.entries.set(key, entry);
    this.used += entry.bytes;
  }

  private drop(key: string, entry: Entry): void {
    this.entries.delete(key);
    this.used -= entry.bytes;
  }

  /** A Map goes through its keys in the order in which they were set: the first is the least lately used. */
  private shrink(): void {
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= this.limits.entries && this.used <= this.limits.bytes) return;
      this.drop(key, entry);
    }
  }
}

/** s; 0: not to be kept. */
export function lifetime(reply: Reply): number {
  if (reply.truncated) return 0;
  if (reply.rcode === RCODE.SERVFAIL) return LONGEST.failure;
  if (reply.rcode !== RCODE.NOERROR && reply.rcode !== RCODE.NXDOMAIN) return 0;
  const answers = reply.records.filter(({ section }) => section === SECTION.answer);
  const shortest = answers.reduce<number>(
    (least, { fixed }) => Math.min(least, ttlAt(reply, fixed)),
    LONGEST.positive,
  );
  return saysThereIsNone(reply) ? Math.min(shortest, negativeLifetime(reply)) : shortest;
}

/** NXDOMAIN, or nothing but aliases (RFC 2308 section 2.2). */
function saysThereIsNone({ rcode, message, records }: Reply): boolean {
  if (rcode === RCODE.NXDOMAIN) return true;
  const asked = questionType(message);
  const wanted = records.some(({ section, type }) => section === SECTION.answer && type === asked);
  return !wanted;
}

/** The type stands behind the question's name, which has no pointers. */
function questionType(message: Buffer): number {
  let at = 12;
  while (message[at] !== 0) at += 1 + message[at];
  return message.readUInt16BE(at + 1);
}

function negativeLifetime(reply: Reply): number {
  const soa = reply.records.find(({ type, section }) => type === TYPE.SOA && section === SECTION.authority);
  // Two names of an octet at least, then five numbers, of which the last is the minimum.
  if (soa === undefined || soa.end - soa.fixed < RECORD.data + 22) return 0;
  return Math.min(ttlAt(reply, soa.fixed), reply.message.readUInt32BE(soa.end - 4), LONGEST.negative);
}

function ttlAt({ message }: Reply, fixed: number): number {
  const ttl = message.readUInt32BE(fixed + RECORD.ttl);
  return ttl > 0x7fff_ffff ? 0 : ttl;
}
