/**
 * What probes have found out about each peer, in shared memory: one writer (the prober), any reader.
 *
 * An entry belongs to a number, not to a node: once a swap has resolved, the numbers of that snapshot hold, and a
 * number that was given to another node reads `unknown` until it has answered.
 *
 * Bounded by MAX_PEERS, 48 bytes each, of which only entries in use become memory. Float64: one store each, and
 * readers of aligned 8-byte words see no torn value.
 */
import { MAX_PEERS } from './constants.js';

/** Nothing heard yet; answers; has left several probes in a row unanswered. */
export const PEER_STATE = { UNKNOWN: 0, UP: 1, DOWN: 2 } as const;

/** The same by number, for people. */
export const PEER_STATE_NAMES = ['unknown', 'up', 'down'] as const;
export type PeerStateName = (typeof PEER_STATE_NAMES)[number];

const STATE = 0;
const SMOOTHED = 1;
const LAST = 2;
const SEEN = 3;
const SENT = 4;
const ANSWERED = 5;
const STRIDE = 6;

/** As a time or a round trip: there was none. An answer in less than a nanosecond does not happen. */
const NEVER = 0;

/** The weight of a new sample is one in eight (RFC 6298 section 2.3). */
const SMOOTHING = 8;

export class PeerStates {
  private readonly values: Float64Array;

  /**
   * @param shared the buffer of another thread, to read it; without it a new one is made.
   * @param offset what the reader's clock shows when the writer's shows 0 (ms); each thread counts from its start.
   */
  constructor(
    readonly shared = new SharedArrayBuffer(MAX_PEERS * STRIDE * 8),
    private readonly offset = 0,
  ) {
    this.values = new Float64Array(shared);
  }

  isUp(peer: number): boolean {
    return this.values[peer * STRIDE + STATE] === PEER_STATE.UP;
  }

  state(peer: number): PeerStateName {
    return PEER_STATE_NAMES[this.values[peer * STRIDE + STATE]];
  }

  /** Smoothed round-trip time as in RFC 6298, microseconds; undefined: never measured. */
  rttMicros(peer: number): number | undefined {
    return orUndefined(this.values[peer * STRIDE + SMOOTHED]);
  }

  /** Round-trip time of the last probe that was answered in time, microseconds. */
  lastRttMicros(peer: number): number | undefined {
    return orUndefined(this.values[peer * STRIDE + LAST]);
  }

  /** When it answered last, on the reader's monotonic clock (ms); undefined: never. */
  lastAnswerMs(peer: number): number | undefined {
    const seen = this.values[peer * STRIDE + SEEN];
    return seen === NEVER ? undefined : seen + this.offset;
  }

  /** Probes sent to it, and answers to them. */
  sent(peer: number): number {
    return this.values[peer * STRIDE + SENT];
  }

  answered(peer: number): number {
    return this.values[peer * STRIDE + ANSWERED];
  }

  /** From here on the number is another node's, or nobody's. */
  reset(peer: number): void {
    this.values.fill(0, peer * STRIDE, (peer + 1) * STRIDE);
  }

  setState(peer: number, state: number): void {
    this.values[peer * STRIDE + STATE] = state;
  }

  countSent(peer: number): void {
    this.values[peer * STRIDE + SENT]++;
  }

  countAnswer(peer: number, now: number): void {
    this.values[peer * STRIDE + ANSWERED]++;
    this.values[peer * STRIDE + SEEN] = now;
  }

  /** Takes a round trip (ms) into the smoothed time. */
  measured(peer: number, roundTrip: number): void {
    const at = peer * STRIDE;
    const micros = roundTrip * 1000;
    const before = this.values[at + SMOOTHED];
    this.values[at + LAST] = micros;
    this.values[at + SMOOTHED] = before === NEVER ? micros : before + (micros - before) / SMOOTHING;
  }
}

function orUndefined(value: number): number | undefined {
  return value === NEVER ? undefined : value;
}
