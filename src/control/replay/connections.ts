/**
 * The packets of a capture by connection: who began it, how many packets it has, and what became of them, in one state or in two.
 *
 * Who began: whoever opens with SYN; of a TCP connection that was there before the capture, the side with the higher port, as
 * forwarding takes it; of all else the sender of the first packet. Fragments without ports are counted with the first of theirs.
 */
import type { CapturedPacket } from './captured-packet.js';
import type { PacketReport, PacketVerdict } from './types.js';

const TCP = 6;
const SYN = 0x02;
const ACK = 0x10;

/** What became of a connection's packets. */
export interface ConnectionOutcome {
  passed: number;
  /** By reason: `policy-ingress`, `no-route`. */
  readonly dropped: Map<string, number>;
  /** Of the first packet that was dropped, else of the first one. */
  verdict: PacketVerdict;
}

export interface Connection {
  readonly protocol: number;
  /** Of who began it. */
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** Where its first packet entered. */
  readonly from: string;
  packets: number;
  readonly now: ConnectionOutcome;
  readonly after?: ConnectionOutcome;
}

export class Connections {
  private readonly known = new Map<string, Connection>();
  /** By what all fragments of a packet share: the connection's key. */
  private readonly fragments = new Map<string, string>();

  add(report: PacketReport): void {
    const connection = this.find(report);
    connection.packets++;
    count(connection.now, report.now);
    if (connection.after && report.after) count(connection.after, report.after);
  }

  /** In the order of their first packets. */
  all(): Connection[] {
    return [...this.known.values()];
  }

  private find(report: PacketReport): Connection {
    const { packet } = report;
    const key = this.keyOf(packet);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const connection = begun(report);
    this.known.set(key, connection);
    return connection;
  }

  private keyOf(packet: CapturedPacket): string {
    const { protocol, fragment, source, destination } = packet;
    const shared = fragment === undefined ? undefined : `${protocol} ${source} ${destination} ${fragment}`;
    if (shared !== undefined && packet.destinationPort < 0) return this.fragments.get(shared) ?? shared;
    const ends = [`${source} ${packet.sourcePort}`, `${destination} ${packet.destinationPort}`].sort();
    const key = `${protocol} ${ends.join(' ')}`;
    if (shared !== undefined) this.fragments.set(shared, key);
    return key;
  }
}

function begun({ packet, from, now, after }: PacketReport): Connection {
  const { protocol, source, sourcePort, destination, destinationPort } = packet;
  const ends = isReversed(packet)
    ? { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort }
    : { source, sourcePort, destination, destinationPort };
  return { protocol, ...ends, from, packets: 0, now: empty(now), ...(after && { after: empty(after) }) };
}

/** Whether the first packet that the capture has is an answer. */
function isReversed({ protocol, tcpFlags, sourcePort, destinationPort }: CapturedPacket): boolean {
  if (protocol !== TCP) return false;
  if ((tcpFlags & SYN) !== 0) return (tcpFlags & ACK) !== 0;
  return sourcePort < destinationPort;
}

function empty(verdict: PacketVerdict): ConnectionOutcome {
  return { passed: 0, dropped: new Map(), verdict };
}

function count(outcome: ConnectionOutcome, verdict: PacketVerdict): void {
  const { fate, reason } = verdict;
  if (fate === 'unsent') return;
  if (reason === undefined) {
    outcome.passed++;
    return;
  }
  if (outcome.dropped.size === 0) outcome.verdict = verdict;
  outcome.dropped.set(reason, (outcome.dropped.get(reason) ?? 0) + 1);
}

/** Whether it fares otherwise in the candidate state. Which rule it is does not matter. */
export function isChanged({ now, after }: Connection): boolean {
  if (after === undefined) return false;
  return now.passed !== after.passed || reasonsOf(now) !== reasonsOf(after);
}

function reasonsOf({ dropped }: ConnectionOutcome): string {
  return [...dropped]
    .map(([reason, count]) => `${reason} ${count}`)
    .sort()
    .join();
}
