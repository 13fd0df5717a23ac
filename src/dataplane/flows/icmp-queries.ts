/**
 * ICMP queries and their answers as connections (RFC 792, RFC 950, RFC 4443 section 4): echo, timestamp, information, address mask.
 *
 * In place of ports a tuple has the identifier and the type. The other way has the type of the answer, so a query of the other end
 * with the same identifier is not taken for one.
 */
import * as icmp from '../../wire/icmp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import { PROTOCOL } from '../../wire/ipv4.js';

/** What a packet is to its connection. */
export const PART = {
  /** It may begin one. */
  QUERY: 0,
  /** Without the query's connection it belongs to none. */
  ANSWER: 1,
  /** There are no connections of its kind. */
  NONE: 2,
} as const;

const TIMESTAMP = 13;
const MASK_REPLY = 18;

export function isIcmp(protocol: number): boolean {
  return protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6;
}

/** One of PART. */
export function partOf(protocol: number, type: number): number {
  return protocol === PROTOCOL.ICMP ? part4(type) : part6(type);
}

/** What a tuple has in place of ports: of the message at `l4`, which is a query or an answer. */
export function queryPorts(view: DataView, l4: number): number {
  return (icmp.identifier(view, l4) << 16) | icmp.type(view, l4);
}

/** The same of the other way. */
export function answerPorts(protocol: number, ports: number): number {
  const type = ports & 0xff;
  return (ports & ~0xffff) | (protocol === PROTOCOL.ICMP ? answer4(type) : answer6(type));
}

function part4(type: number): number {
  if (type === icmp.TYPE.ECHO_REQUEST) return PART.QUERY;
  if (type === icmp.TYPE.ECHO_REPLY) return PART.ANSWER;
  if (type < TIMESTAMP || type > MASK_REPLY) return PART.NONE;
  return (type & 1) === 1 ? PART.QUERY : PART.ANSWER;
}

function part6(type: number): number {
  if (type === icmpv6.TYPE.ECHO_REQUEST) return PART.QUERY;
  return type === icmpv6.TYPE.ECHO_REPLY ? PART.ANSWER : PART.NONE;
}

/** Of a query's type that of its answer, and the other way round. */
function answer4(type: number): number {
  if (type === icmp.TYPE.ECHO_REQUEST) return icmp.TYPE.ECHO_REPLY;
  if (type === icmp.TYPE.ECHO_REPLY) return icmp.TYPE.ECHO_REQUEST;
  return (type & 1) === 1 ? type + 1 : type - 1;
}

function answer6(type: number): number {
  return type === icmpv6.TYPE.ECHO_REQUEST ? icmpv6.TYPE.ECHO_REPLY : icmpv6.TYPE.ECHO_REQUEST;
}
