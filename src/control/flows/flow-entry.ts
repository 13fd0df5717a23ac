/** A flow as the API has it, made of what flow-reader.ts reads. */
import type { FlowRow, FlowSide } from '../../dataplane/flows/flow-reader.js';
import { FLOW, LAST_TCP, TIMEOUTS } from '../../dataplane/flows/flow-states.js';
import { formatIpv4, formatIpv6 } from '../../wire/address.js';
import type { FlowEntry, FlowPolicy, FlowWay } from '../api/flow-types.js';
import type { FrontendNames } from './frontend-names.js';

/** IANA's numbers of protocols. */
export const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
]);

const STATE_NAMES = Object.keys(FLOW) as (keyof typeof FLOW)[];

/** Names of numbers, that the API takes and gives. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES.get(protocol) ?? String(protocol);
}

/** Else a tuple's ports are identifiers of queries. */
export function hasPorts(protocol: number): boolean {
  return ['tcp', 'udp', 'sctp'].includes(protocolName(protocol));
}

export function stateName({ state, isReplied }: Pick<FlowRow, 'state' | 'isReplied'>): string {
  const name = keyOf(state);
  if (state <= LAST_TCP || name.startsWith('SCTP')) return name;
  if (state === FLOW.UDP_STREAM) return 'STREAM';
  return isReplied ? 'REPLIED' : 'UNREPLIED';
}

/** Of all that `stateName` answers. */
export const STATES: ReadonlySet<string> = new Set(
  STATE_NAMES.filter((name) => name !== 'ENDED').flatMap((name) =>
    [true, false].map((isReplied) => stateName({ state: FLOW[name], isReplied })),
  ),
);

export function flowEntry(
  row: FlowRow,
  names: Pick<FrontendNames, 'of'>,
  portName: (port: number) => string,
  policyOf: (row: FlowRow) => FlowPolicy | null,
): FlowEntry {
  const original = way(row.original);
  const reply = way(row.reply);
  return {
    protocol: protocolName(row.protocol),
    state: stateName(row),
    assured: row.isAssured,
    service: serviceOf(row, names) ?? null,
    policy: policyOf(row),
    port: portName(row.port),
    original,
    reply,
    ageMs: row.age,
    idleMs: row.idle,
    expiresMs: Math.max(0, TIMEOUTS[keyOf(row.state)] * 1000 - row.idle),
  };
}

/** Only where somebody else answers than who was asked. */
export function serviceOf(
  { protocol, original, reply }: FlowRow,
  names: Pick<FrontendNames, 'of'>,
): string | undefined {
  const isSame =
    original.destinationPort === reply.sourcePort &&
    original.destination.every((word, index) => word === reply.source[index]);
  return isSame ? undefined : names.of(protocol, addressText(original.destination), original.destinationPort);
}

/** One word of IPv4, four of IPv6. */
export function addressText(words: readonly number[]): string {
  return words.length === 1 ? formatIpv4(words[0]) : formatIpv6(words);
}

function way({ source, sourcePort, destination, destinationPort, packets, bytes }: FlowSide): FlowWay {
  return {
    source: addressText(source),
    sourcePort,
    destination: addressText(destination),
    destinationPort,
    packets,
    bytes,
  };
}

function keyOf(state: FlowRow['state']): keyof typeof FLOW {
  return STATE_NAMES.find((name) => FLOW[name] === state) ?? 'OTHER';
}
