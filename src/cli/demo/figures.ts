/** What the demo measured on its way, for the summary; also in `demo --json` as `figures`. */
export interface Figures {
  /** Round trips of small echo requests between two pods of one subnet, in microseconds. */
  rttMicros?: { p50: number; p99: number };
  /** The same between pods of different nodes. */
  tunnelRttMicros?: { p50: number; p99: number };
  /** Bits of payload a second, by what was measured: `IPv4`, `IPv6`, `IPv4 routed`. */
  tcpBitsPerSecond: Record<string, number>;
  /** From the start of a new daemon after kill -9 until every pod could ping every other again. */
  recoveryMillis?: number;
  /** From kill -9 of a node until the routes to it were gone on another. */
  detectionMillis?: number;
  packets?: number;
  bytes?: number;
  drops: { reason: string; count: number }[];
}

/** The value below which the given share of `values` lies (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
