/** dns-packet's coders of single records, which its published types leave out. Decoding throws on what is malformed. */
import 'dns-packet';

declare module 'dns-packet' {
  /** Two octets of length, and what the record says. `decode` reads the same. */
  export interface RecordCoder {
    encode(data: unknown): Buffer;
    decode(bytes: Buffer, offset: number): unknown;
  }
  export function record(type: string): RecordCoder;
  /** A whole record, owner name and all. */
  export const answer: { decode(message: Buffer, offset: number): Exclude<Answer, OptAnswer> };
}
