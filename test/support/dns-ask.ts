/** Questions and answers for tests of the DNS server: dns-packet reads what the server wrote by other code. */
import { type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet';
import { type Query, readQuery } from '../../src/control/dns/message.js';
import { finish, udpLimit } from '../../src/control/dns/reply.js';
import type { Resolver } from '../../src/control/dns/resolver.js';

/** dns-packet knows ANY, its types do not. */
export function question(name: string, type: RecordType | 'ANY', more: Packet = {}): Buffer {
  return encode({
    type: 'query',
    id: 4711,
    flags: 0x0100,
    questions: [{ name, type: type as RecordType }],
    ...more,
  });
}

export function queryOf(message: Buffer): Query {
  const reading = readQuery(message);
  if (reading.verdict !== 'query') throw new Error(`not a question: ${reading.verdict}`);
  return reading.query;
}

export interface Heard {
  readonly rcode: number;
  /** `TYPE data`, in the order in which they came. */
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly packet: DecodedPacket;
  readonly bytes: number;
}

export function heard(message: Buffer): Heard {
  const packet = decode(message);
  const said = (records: Packet['answers']) =>
    (records ?? []).flatMap((one) => (one.type === 'OPT' ? [] : [`${one.type} ${text(one.data)}`]));
  return {
    rcode: message.readUInt16BE(2) & 15,
    answers: said(packet.answers),
    authority: said(packet.authorities),
    additional: said(packet.additionals),
    packet,
    bytes: message.length,
  };
}

function text(data: unknown): string {
  if (typeof data === 'string') return data;
  if (Array.isArray(data)) return data.map(String).join(' ');
  const srv = data as { target?: string; port?: number };
  return srv.target === undefined ? '' : `${srv.port} ${srv.target}`;
}

export function asked(
  resolver: Resolver,
  message: Buffer,
  { client = '127.0.0.1', limit = udpLimit }: { client?: string; limit?: (query: Query) => number } = {},
): Promise<Heard> {
  const query = queryOf(message);
  return new Promise((resolve) => {
    resolver.resolve(query, { address: client, mayWait: true, limit: limit(query) }, (reply, age) => {
      resolve(heard(finish(reply, query, age, limit(query))));
    });
  });
}
