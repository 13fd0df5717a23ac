/** The items of `ports`, read once more for people, as explain-peers.ts does those of `from` and `to`. */
import type { Protocol } from '../services/types.js';
import type { AdminPolicyPort, NetworkPolicyPort, PolicyPod } from './types.js';

export interface AskedPort {
  /** undefined: one without ports, as ICMP. */
  readonly protocol: Protocol | undefined;
  /** undefined: every port. */
  readonly port: number | undefined;
  /** That is sent to: names of ports are its own. */
  readonly destination: PolicyPod | undefined;
}

export interface PortItem {
  /** `TCP 80`, `TCP 8000-8080`, `TCP web (8080)` */
  readonly text: string;
  readonly matches: boolean;
}

interface Range {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
}

/** A rule that is for them matches a question about every port, too. */
const EVERY_PORT = { first: 1, last: 65_535 } as const;

export function networkPort({ protocol, port, endPort }: NetworkPolicyPort, asked: AskedPort): PortItem {
  if (port === undefined) return item(`${protocol}, every port`, [{ protocol, from: 0, to: 65_535 }], asked);
  if (typeof port === 'string') return namedPort(port, protocol, asked);
  const to = endPort ?? port;
  return item(`${protocol} ${rangeText(port, to)}`, [{ protocol, from: port, to }], asked);
}

export function adminPort({ portNumber, portRange, namedPort: name }: AdminPolicyPort, asked: AskedPort) {
  if (portNumber) {
    const { protocol, port } = portNumber;
    return item(`${protocol} ${port}`, [{ protocol, from: port, to: port }], asked);
  }
  if (portRange) {
    const { protocol, start, end } = portRange;
    return item(`${protocol} ${rangeText(start, end)}`, [{ protocol, from: start, to: end }], asked);
  }
  return namedPort(name ?? '', undefined, asked);
}

/** @param protocol undefined: whichever the port of that name has. */
function namedPort(name: string, protocol: Protocol | undefined, asked: AskedPort): PortItem {
  const found = (asked.destination?.ports ?? []).filter(
    (one) => one.name === name && (protocol === undefined || one.protocol === protocol),
  );
  const ranges = found.map((one) => ({ protocol: one.protocol, from: one.port, to: one.port }));
  const numbers = ranges.map(({ from }) => from).join(', ') || 'which the destination does not have';
  return item(`${protocol === undefined ? '' : `${protocol} `}${name} (${numbers})`, ranges, asked);
}

function item(text: string, ranges: readonly Range[], { protocol, port }: AskedPort): PortItem {
  const matches = ranges.some(
    (range) =>
      range.protocol === protocol &&
      (port === undefined
        ? range.from <= EVERY_PORT.first && range.to >= EVERY_PORT.last
        : range.from <= port && port <= range.to),
  );
  return { text, matches };
}

function rangeText(from: number, to: number): string {
  return from === to ? String(from) : `${from}-${to}`;
}
