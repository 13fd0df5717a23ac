/**
 * From a flow's state word and a packet to the next state word, whatever the protocol. Pure.
 *
 * A flow is assured when it is worth more than a first packet and its answer: TCP with its handshake, or data both ways; UDP as a
 * stream; SCTP and others when answered; ICMP never, as its queries cost nothing to make again (all as Linux has it).
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import { FLOW, LAST_TCP, MARK, STATE_MASK, STREAM_AFTER } from './flow-states.js';
import { NEXT, SEGMENT, segmentOf, tcpFirst, tcpNext } from './tcp-tracking.js';

/** Answers of `nextWord` that are no words: those begin at FLOW_NUMBER. The same as in TRACK (flow-table.ts). */
export const MOVE = { IGNORED: 1, INVALID: 2, REOPENED: 3, LAST: 3 } as const;

/** `flags` of a packet that ends an SCTP association: ABORT or SHUTDOWN COMPLETE (RFC 9260 sections 3.3.7, 3.3.13). */
export const SCTP_END = 1;

const SCTP_PROTOCOL = 132;

/** The state of a flow that begins with this packet, or FLOW.ENDED where none can. */
export function openingState(protocol: number, flags: number): number {
  switch (protocol) {
    case PROTOCOL.TCP: {
      const state = tcpFirst(segmentOf(flags));
      return state === NEXT.INVALID ? FLOW.ENDED : state;
    }
    case PROTOCOL.UDP:
      return FLOW.UDP;
    case PROTOCOL.ICMP:
    case PROTOCOL.ICMPV6:
      return FLOW.ICMP;
    case SCTP_PROTOCOL:
      return flags === SCTP_END ? FLOW.ENDED : FLOW.SCTP_OPENING;
    default:
      return FLOW.OTHER;
  }
}

/**
 * The word after a packet, or one of MOVE. `ahead`: how far a reset's sequence number is beyond what the other end has
 * acknowledged; `age` of the flow, ms.
 */
export function nextWord(word: number, way: number, flags: number, ahead: number, age: number): number {
  const state = word & STATE_MASK;
  const marked = way === 0 ? word : word | MARK.REPLIED;
  if (state <= LAST_TCP) return afterSegment(word, marked, way, segmentOf(flags), ahead);
  return afterDatagram(marked, state, flags, age);
}

function afterSegment(word: number, marked: number, way: number, segment: number, ahead: number): number {
  const state = word & STATE_MASK;
  const next = tcpNext(segment, way, state);
  if (next >= NEXT.REOPENED) return moveOf(next);
  if (segment === SEGMENT.RST && state === FLOW.ESTABLISHED && ahead !== 0) {
    return ahead < 0 ? MOVE.INVALID : word | MARK.DOUBTED;
  }
  // Data after a handshake, or both ways: the states before it are no longer told apart.
  const isAssured = next === FLOW.ESTABLISHED && (marked & MARK.REPLIED) !== 0;
  return withState(isAssured ? marked | MARK.ASSURED : marked, next) & ~MARK.DOUBTED;
}

function moveOf(next: number): number {
  if (next === NEXT.REOPENED) return MOVE.REOPENED;
  return next === NEXT.IGNORED ? MOVE.IGNORED : MOVE.INVALID;
}

function afterDatagram(marked: number, state: number, flags: number, age: number): number {
  if ((marked & MARK.REPLIED) === 0) return marked;
  switch (state) {
    case FLOW.UDP:
      return age > STREAM_AFTER ? withState(marked | MARK.ASSURED, FLOW.UDP_STREAM) : marked;
    case FLOW.SCTP_OPENING:
    case FLOW.SCTP:
      if (flags === SCTP_END) return withState(marked & ~MARK.ASSURED, FLOW.SCTP_CLOSED);
      return withState(marked | MARK.ASSURED, FLOW.SCTP);
    case FLOW.OTHER:
      return marked | MARK.ASSURED;
    default:
      return marked;
  }
}

function withState(word: number, state: number): number {
  return (word & ~STATE_MASK) | state;
}
