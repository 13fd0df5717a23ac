/**
 * TCP as somebody between the two ends sees it: from state, way and flags of a packet to the next state.
 *
 * What follows what is that of Linux (the comments of net/netfilter/nf_conntrack_proto_tcp.c say why, state by state); RFC
 * 9293 section 3.3.2 has the states of one end, of which these are what can be told from outside. Windows are not followed,
 * so a segment is not held against sequence numbers. The exception is a reset, which ends the most: see `FlowTable`.
 *
 * What has no rule is invalid: the flow stays as it is, and the caller decides about the packet.
 */
import { FLAG } from '../../wire/tcp.js';
import { FLOW } from './flow-states.js';

/** What a packet is, by its flags. */
export const SEGMENT = { INVALID: 0, SYN: 1, SYN_ACK: 2, FIN: 3, ACK: 4, RST: 5 } as const;

/** Answers of `tcpNext` that are no states. */
export const NEXT = {
  INVALID: 0xff,
  /** Let it pass: the other end will answer it. */
  IGNORED: 0xfe,
  /** A new connection with the ports of one that is over (RFC 9293 section 3.6.1). */
  REOPENED: 0xfd,
} as const;

const { SYN, SYN_ACK, FIN, ACK, RST } = SEGMENT;
const { SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSED } = FLOW;
const { SYN_SENT_BOTH, PICKED_UP } = FLOW;
const OPEN = [SYN_RECEIVED, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK];
const ORIGINAL = [0];
const REPLY = [1];
const EITHER = [0, 1];

type Rule = readonly [segment: number, ways: readonly number[], from: readonly number[], to: number];

const RULES: readonly Rule[] = [
  // Opening, sent again, and crossing.
  [SYN, ORIGINAL, [SYN_SENT], SYN_SENT],
  [SYN, ORIGINAL, [SYN_SENT_BOTH], SYN_SENT_BOTH],
  [SYN, REPLY, [SYN_SENT, SYN_SENT_BOTH], SYN_SENT_BOTH],
  [SYN_ACK, REPLY, [SYN_SENT, SYN_SENT_BOTH], SYN_RECEIVED],
  [SYN_ACK, ORIGINAL, [SYN_RECEIVED, SYN_SENT_BOTH], SYN_RECEIVED],
  [ACK, ORIGINAL, [SYN_RECEIVED], ESTABLISHED],
  [ACK, REPLY, [SYN_RECEIVED], SYN_RECEIVED],
  // One end has forgotten the connection, or somebody tries: the other end answers (RFC 9293 section 3.5.1, RFC 5961).
  [SYN, ORIGINAL, [...OPEN, PICKED_UP], NEXT.IGNORED],
  [SYN_ACK, REPLY, [...OPEN, TIME_WAIT, CLOSED, PICKED_UP], NEXT.IGNORED],
  [ACK, REPLY, [SYN_SENT, SYN_SENT_BOTH], NEXT.IGNORED],
  // Over, and opened again. The server may have become the client (Linux); not right after a reset.
  [SYN, EITHER, [TIME_WAIT], NEXT.REOPENED],
  [SYN, ORIGINAL, [CLOSED], NEXT.REOPENED],
  // Data.
  [ACK, EITHER, [ESTABLISHED], ESTABLISHED],
  [ACK, ORIGINAL, [PICKED_UP], PICKED_UP],
  [ACK, REPLY, [PICKED_UP], ESTABLISHED],
  // Closing.
  [FIN, EITHER, [SYN_RECEIVED, ESTABLISHED, PICKED_UP], FIN_WAIT],
  [FIN, EITHER, [FIN_WAIT, CLOSE_WAIT, LAST_ACK], LAST_ACK],
  [FIN, EITHER, [TIME_WAIT], TIME_WAIT],
  [FIN, EITHER, [CLOSED], CLOSED],
  [ACK, EITHER, [FIN_WAIT, CLOSE_WAIT], CLOSE_WAIT],
  [ACK, EITHER, [LAST_ACK, TIME_WAIT], TIME_WAIT],
  [ACK, EITHER, [CLOSED], CLOSED],
  [RST, EITHER, [SYN_SENT, SYN_SENT_BOTH, ...OPEN, TIME_WAIT, CLOSED, PICKED_UP], CLOSED],
];

const STATES = 16;
const WAYS = 2;

const TABLE = (() => {
  const table = new Uint8Array((RST + 1) * WAYS * STATES).fill(NEXT.INVALID);
  for (const [segment, ways, froms, to] of RULES) {
    for (const way of ways) for (const from of froms) table[(segment * WAYS + way) * STATES + from] = to;
  }
  return table;
})();

/** PSH, ECE and CWR say nothing about the connection. */
const TELLING = FLAG.FIN | FLAG.SYN | FLAG.RST | FLAG.ACK | FLAG.URG;
const { SYN: S, ACK: A, RST: R, FIN: F, URG: U } = FLAG;

/** Combinations that occur; any other is a scan or noise (Linux, tcp_valid_flags). */
const SEGMENTS = new Map<number, number>([
  [S, SYN],
  [S | U, SYN],
  [S | A, SYN_ACK],
  [F | A, FIN],
  [F | A | U, FIN],
  [A, ACK],
  [A | U, ACK],
  [R, RST],
  [R | A, RST],
]);

const SEGMENT_OF = Uint8Array.from(
  { length: 256 },
  (_, flags) => SEGMENTS.get(flags & TELLING) ?? SEGMENT.INVALID,
);

export function segmentOf(flags: number): number {
  return SEGMENT_OF[flags & 0xff];
}

/** A state, or one of NEXT. */
export function tcpNext(segment: number, way: number, state: number): number {
  return TABLE[(segment * WAYS + way) * STATES + state];
}

/** The state of a flow whose first packet this is, or NEXT.INVALID. A SYN opens it, an ACK is of one that was there before. */
export function tcpFirst(segment: number): number {
  if (segment === SYN) return SYN_SENT;
  return segment === ACK ? PICKED_UP : NEXT.INVALID;
}
