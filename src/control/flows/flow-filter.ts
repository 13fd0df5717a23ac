/** Which flows are asked for: query parameters to a question about a row. */
import type { FlowRow, FlowSide } from '../../dataplane/flows/flow-reader.js';
import { parseIp } from '../../wire/address.js';
import { invalid } from '../errors.js';
import { PROTOCOL_NAMES, STATES, serviceOf, stateName } from './flow-entry.js';
import type { FrontendNames } from './frontend-names.js';

export interface FlowFilter {
  matches(row: FlowRow): boolean;
}

export interface FilterParts {
  /** Addresses of a pod by NAMESPACE/NAME. @throws PodwireError NOT_FOUND */
  readonly addressesOf: (pod: string) => readonly string[];
  readonly names: Pick<FrontendNames, 'of'>;
}

type Test = (row: FlowRow) => boolean;

/** With what each means. */
export const FILTERS = {
  pod: 'NAMESPACE/NAME: one end is this pod',
  service: 'NAMESPACE/NAME: to this service',
  protocol: 'tcp, udp, sctp, icmp, icmpv6 or a number',
  state: 'of TCP and SCTP its state; of others UNREPLIED, REPLIED or STREAM',
} as const;

/** @throws PodwireError INVALID naming the parameter, NOT_FOUND */
export function flowFilter(query: URLSearchParams, parts: FilterParts): FlowFilter {
  const tests = [
    given(query, 'protocol', protocolTest),
    given(query, 'state', stateTest),
    given(query, 'pod', (pod) => podTest(qualified('pod', pod), parts)),
    given(query, 'service', (service) => serviceTest(qualified('service', service), parts)),
  ].filter((test) => test !== undefined);
  return { matches: (row) => tests.every((test) => test(row)) };
}

function given(
  query: URLSearchParams,
  name: keyof typeof FILTERS,
  make: (text: string) => Test,
): Test | undefined {
  const text = query.get(name);
  return text === null ? undefined : make(text);
}

function protocolTest(text: string): Test {
  const named = [...PROTOCOL_NAMES].find(([, name]) => name === text.toLowerCase())?.[0];
  const number = named ?? (/^\d{1,3}$/.test(text) ? Number(text) : Number.NaN);
  if (!(number <= 255)) throw invalid('protocol', `'${text}' is not ${FILTERS.protocol}`);
  return ({ protocol }) => protocol === number;
}

function stateTest(text: string): Test {
  const state = text.toUpperCase().replaceAll('-', '_');
  if (!STATES.has(state)) throw invalid('state', `'${text}' is none of ${[...STATES].join(', ')}`);
  return (row) => stateName(row) === state;
}

function podTest(pod: string, { addressesOf }: FilterParts): Test {
  const addresses = addressesOf(pod).map((address) => [...parseIp(address).words]);
  const isOne = (words: readonly number[]) =>
    addresses.some(
      (address) => address.length === words.length && address.every((word, index) => word === words[index]),
    );
  const isEnd = ({ source, destination }: FlowSide) => isOne(source) || isOne(destination);
  return ({ original, reply }) => isEnd(original) || isEnd(reply);
}

function serviceTest(service: string, { names }: FilterParts): Test {
  return (row) => serviceOf(row, names)?.startsWith(`${service}:`) === true;
}

/** `web` is that of the namespace default. */
function qualified(name: string, text: string): string {
  if (/^[^/]+$/.test(text)) return `default/${text}`;
  if (/^[^/]+\/[^/]+$/.test(text)) return text;
  throw invalid(name, `'${text}' is not NAMESPACE/NAME`);
}
