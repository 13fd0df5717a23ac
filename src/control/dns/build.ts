/**
 * Makes an answer of records: dns-packet encodes what a record says, and owner names are compressed here, since
 * dns-packet does not compress. Without it a name of forty octets stands before each address of a headless service, and
 * an answer of thirty fits no datagram. Names within a record stay whole: those of SRV must (RFC 2782).
 */
import { type Answer, record } from 'dns-packet';
import {
  CLASS_IN,
  FLAG,
  HEADER,
  MOST_LABEL_BYTES,
  MOST_MESSAGE_BYTES,
  RECORD,
  TYPE,
  ZONE_TTL,
} from './constants.js';
import type { Query } from './message.js';
import { type KeptRecord, type Reply, SECTION } from './reply.js';

/** A record to be sent. `owner` in lower case, without the last dot. */
export interface ZoneRecord {
  readonly owner: string;
  readonly type: number;
  readonly ttl: number;
  /** Its length in two octets, and what it says. */
  readonly data: Buffer;
}

export interface ZoneSections {
  readonly rcode: number;
  readonly answers: readonly ZoneRecord[];
  readonly authority: readonly ZoneRecord[];
  readonly additional: readonly ZoneRecord[];
}

type Named = Extract<Answer['type'], keyof typeof TYPE>;

export function makeRecord(owner: string, type: Named, data: unknown, ttl: number = ZONE_TTL): ZoneRecord {
  return { owner, type: TYPE[type], ttl, data: record(type).encode(data) };
}

/** True where text can be written as a name. */
export function isName(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => /^[\x21-\x7e]{1,63}$/.test(label));
}

export function build(query: Query, sections: ZoneSections, authoritative = true): Reply {
  const builder = new Builder(query);
  builder.add(SECTION.answer, sections.answers);
  builder.add(SECTION.authority, sections.authority);
  builder.add(SECTION.additional, sections.additional);
  return builder.reply(sections.rcode, authoritative);
}

export function bare(query: Query, rcode: number): Reply {
  return build(query, { rcode, answers: [], authority: [], additional: [] }, false);
}

/** A pointer has 14 bits for where it leads (RFC 1035 section 4.1.4). */
const POINTER = 0xc000;
const FARTHEST = 0x3fff;

class Builder {
  private readonly pieces: Buffer[];
  private readonly records: KeptRecord[] = [];
  /** Where names begin that were written: `svc.cluster.local` is one of them as soon as `a.svc.cluster.local` is. */
  private readonly places = new Map<string, number>();
  private length: number;
  private full = false;

  constructor(query: Query) {
    this.pieces = [Buffer.alloc(HEADER.end), query.question];
    this.length = HEADER.end + query.question.length;
    this.remember(query.labels, HEADER.end);
  }

  /** What does not fit into a message of 64 KiB is left out, and the answer says that it is not whole. */
  add(section: number, records: readonly ZoneRecord[]): void {
    for (const one of records) {
      const name = this.name(one.owner);
      const end = this.length + name.length + RECORD.length + one.data.length;
      if (this.full || end > MOST_MESSAGE_BYTES - RECORD.data - 1) {
        this.full = true;
        return;
      }
      const fixed = this.length + name.length;
      this.pieces.push(name, fixedPart(one), one.data);
      this.remember(one.owner.split('.'), this.length);
      this.records.push({ type: one.type, section, at: this.length, fixed, end });
      this.length = end;
    }
  }

  reply(rcode: number, authoritative: boolean): Reply {
    const message = Buffer.concat(this.pieces);
    message.writeUInt16BE(FLAG.response, HEADER.flags);
    return { rcode, authoritative, truncated: this.full, message, records: this.records };
  }

  private remember(labels: readonly string[], from: number): void {
    let at = from;
    for (let index = 0; index < labels.length && at <= FARTHEST; index++) {
      const name = labels.slice(index).join('.');
      if (this.places.has(name)) return;
      this.places.set(name, at);
      at += 1 + labels[index].length;
    }
  }

  private name(owner: string): Buffer {
    const labels = owner === '' ? [] : owner.split('.');
    const known = labels.findIndex((_, index) => this.places.has(labels.slice(index).join('.')));
    const whole = (known < 0 ? labels : labels.slice(0, known)).map(labelBytes);
    const place = known < 0 ? undefined : this.places.get(labels.slice(known).join('.'));
    const end = place === undefined ? Buffer.of(0) : Buffer.of((POINTER + place) >> 8, place & 0xff);
    return Buffer.concat([...whole, end]);
  }
}

function labelBytes(label: string): Buffer {
  return Buffer.concat([Buffer.of(Math.min(label.length, MOST_LABEL_BYTES)), Buffer.from(label, 'latin1')]);
}

function fixedPart({ type, ttl }: ZoneRecord): Buffer {
  const fixed = Buffer.alloc(RECORD.length);
  fixed.writeUInt16BE(type, RECORD.type);
  fixed.writeUInt16BE(CLASS_IN, RECORD.class);
  fixed.writeUInt32BE(ttl, RECORD.ttl);
  return fixed;
}
