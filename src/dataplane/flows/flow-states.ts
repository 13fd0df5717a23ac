/**
 * States of flows, how long each lives without a packet, and the word in which a record keeps it.
 *
 * Names and times are those of Linux's conntrack (net/netfilter/nf_conntrack_proto_{tcp,udp,icmp,sctp,generic}.c and
 * Documentation/networking/nf_conntrack-sysctl.rst), so that who knows `nf_conntrack_tcp_timeout_established` knows them.
 */

export const FLOW = {
  /** No flow, or one that is over. */
  ENDED: 0,
  SYN_SENT: 1,
  SYN_RECEIVED: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSED: 8,
  /** Both sides have sent a SYN (RFC 9293, figure 7). */
  SYN_SENT_BOTH: 9,
  /** First seen in the middle, as after a restart, and not answered yet. */
  PICKED_UP: 10,
  UDP: 11,
  /** Answered, and older than STREAM_AFTER. */
  UDP_STREAM: 12,
  ICMP: 13,
  SCTP_OPENING: 14,
  SCTP: 15,
  SCTP_CLOSED: 16,
  OTHER: 17,
} as const;

export type FlowState = (typeof FLOW)[keyof typeof FLOW];

export const LAST_TCP = FLOW.PICKED_UP;

/** Seconds after the last packet. */
export const TIMEOUTS: Readonly<Record<keyof typeof FLOW, number>> = {
  ENDED: 0,
  SYN_SENT: 120,
  SYN_RECEIVED: 60,
  ESTABLISHED: 432_000,
  FIN_WAIT: 120,
  CLOSE_WAIT: 60,
  LAST_ACK: 30,
  TIME_WAIT: 120,
  CLOSED: 10,
  SYN_SENT_BOTH: 120,
  // nf_conntrack_tcp_timeout_unacknowledged.
  PICKED_UP: 300,
  UDP: 30,
  UDP_STREAM: 120,
  ICMP: 30,
  // Linux has 3 s each for two states of the handshake; RFC 9260's T1-init may be as long.
  SCTP_OPENING: 10,
  SCTP: 210,
  SCTP_CLOSED: 10,
  OTHER: 600,
};

/** ms that a UDP flow must last to be a stream; Linux, udp.c. */
export const STREAM_AFTER = 2000;

export const STATE_MASK = 0x1f;
/** Marks, above the state. */
export const MARK = {
  REPLIED: 0x100,
  /** Worth more than those that are not: its handshake is done, or it was answered. */
  ASSURED: 0x200,
  /** A TCP reset was seen that may be forged: it lives as long as a closed one, until the next packet. */
  DOUBTED: 0x400,
} as const;
/** The upper half of the word counts the flows that the entry has had. */
export const FLOW_NUMBER = 0x10000;

/**
 * Whether it goes first when room is needed: not assured, or closed by both sides. Linux (early_drop) gives up TCP
 * connections that are half closed too; they may still carry data.
 */
export function isExpendable(word: number): boolean {
  const state = word & STATE_MASK;
  return (word & MARK.ASSURED) === 0 || (state >= FLOW.LAST_ACK && state <= FLOW.CLOSED);
}

/** Milliseconds by state; `seconds` replaces what it names. */
export function lifetimes(seconds: Partial<Record<keyof typeof FLOW, number>> = {}): Int32Array {
  const times = new Int32Array(STATE_MASK + 1);
  const all = { ...TIMEOUTS, ...seconds };
  for (const name of Object.keys(FLOW) as (keyof typeof FLOW)[]) times[FLOW[name]] = all[name] * 1000;
  // Over, whatever the clock says: that of the engine which saw the last packet may be ahead.
  times[FLOW.ENDED] = -0x80000000;
  return times;
}

/** The word of the flow that an entry has next. Flow numbers are not 0. */
export function openingWord(before: number, state: number): number {
  const number = (before & -FLOW_NUMBER) + FLOW_NUMBER;
  return ((number | 0) === 0 ? FLOW_NUMBER : number | 0) | state;
}

/** Milliseconds that a flow with this word lives without a packet. */
export function lifetimeOf(times: Int32Array, word: number): number {
  const time = times[word & STATE_MASK];
  return (word & MARK.DOUBTED) === 0 ? time : Math.min(time, times[FLOW.CLOSED]);
}
