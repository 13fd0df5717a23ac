/**
 * What was refused by policies, in memory that engines write and anybody reads: how many packets on the wire each note has refused,
 * and the last of them one by one. Each engine has counts and a ring of its own.
 *
 *     counts   a float64 for each note; that of NO_NOTE is for all beyond `notes`
 *     rings    by engine: a header, and RING_RECORDS records
 *
 * A record has its number, from 1, written last, and 0 while it is being written: who finds the same number before and after reading has
 * read one record (flow-records.ts says what this is worth without a lock).
 *
 * Nothing is touched before it is used: 8 bytes a note that refuses, 64 KiB for a ring that has gone round.
 */
import { NO_NOTE } from '../policy-spec.js';

/** Refused packets that an engine remembers; a power of two. */
export const RING_RECORDS = 1024;
export const RECORD_SHIFT = 4;
export const RECORD = {
  NUMBER: 0,
  /** Milliseconds of flows, modulo 2^32. */
  TIME: 1,
  /** Of the pod whose policies refused it. */
  PORT: 2,
  NOTE: 3,
  /** IPv6, and which way. */
  MARKS: 4,
  PROTOCOL: 5,
  SOURCE_PORT: 6,
  DESTINATION_PORT: 7,
  SOURCE: 8,
  DESTINATION: 12,
} as const;
export const MARK = { IPV6: 1, EGRESS: 2 } as const;

/** Words of a ring's header, a record's length: the number of the last record, and notes from here on were never counted. */
export const HEADER = { LAST: 0, NOTES: 1 } as const;

const RING_WORDS = (1 + RING_RECORDS) << RECORD_SHIFT;

/** What engines and readers share; it may be posted to another thread. */
export interface DenialMemory {
  readonly engines: number;
  readonly notes: number;
  readonly counts: SharedArrayBuffer;
  readonly rings: SharedArrayBuffer;
}

/** @param notes are counted one by one below this */
export function makeDenialMemory(engines: number, notes: number): DenialMemory {
  return {
    engines,
    notes,
    counts: new SharedArrayBuffer(engines * notes * Float64Array.BYTES_PER_ELEMENT),
    rings: new SharedArrayBuffer(engines * RING_WORDS * Int32Array.BYTES_PER_ELEMENT),
  };
}

export function countsOf({ counts, notes }: DenialMemory, engine: number): Float64Array {
  return new Float64Array(counts, engine * notes * Float64Array.BYTES_PER_ELEMENT, notes);
}

/** Header and records. */
export function ringOf({ rings }: DenialMemory, engine: number): Int32Array {
  return new Int32Array(rings, engine * RING_WORDS * Int32Array.BYTES_PER_ELEMENT, RING_WORDS);
}

/** Where a record is in its ring, by its number. */
export function recordAt(number: number): number {
  return (1 + (number & (RING_RECORDS - 1))) << RECORD_SHIFT;
}

/** Which count a note has. */
export function countedAs(note: number, notes: number): number {
  return note < notes ? note : NO_NOTE;
}
