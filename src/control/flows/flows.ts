/**
 * Connections for people: listed page by page, and summed up. There may be millions, and the same thread serves the API and DNS: so it reads
 * a few thousand at a time, some milliseconds, and lets others go first in between. Flows that come and go meanwhile may be missed.
 */
import { ENGINE } from '../../dataplane/flows/flow-memory.js';
import type { FlowReader, FlowRow } from '../../dataplane/flows/flow-reader.js';
import type { FlowPolicy, FlowSummary, FlowsAnswer, FlowTableCounts } from '../api/flow-types.js';
import { invalid } from '../errors.js';
import { flowEntry, protocolName, serviceOf, stateName } from './flow-entry.js';
import { type FilterParts, flowFilter } from './flow-filter.js';

/** Entries that are looked at in one go. */
const STEP = 4096;
export const FLOW_PAGE = { usual: 1000, most: 10_000 } as const;
const MOST_SERVICES = 100;

export interface FlowsParts extends FilterParts {
  readonly reader: FlowReader;
  /** Of the clock that the engines have (ms). */
  readonly now: () => number;
  readonly portName: (port: number) => string;
  /** What policies have decided about it. */
  readonly policyOf: (row: FlowRow) => FlowPolicy | null;
}

export class Flows {
  constructor(private readonly parts: FlowsParts) {}

  /** One page of what the filters let through. @throws PodwireError INVALID, NOT_FOUND */
  async list(query: URLSearchParams): Promise<FlowsAnswer> {
    const limit = numberIn(query, 'limit', FLOW_PAGE.usual, 1, FLOW_PAGE.most);
    const from = numberIn(query, 'continue', 0, 0, this.parts.reader.capacity);
    const { names, portName, policyOf } = this.parts;
    const flows: FlowsAnswer['flows'] = [];
    const next = await this.read(
      query,
      from,
      (row) => flows.push(flowEntry(row, names, portName, policyOf)),
      // An entry is one flow at most, so a page never has more than its limit.
      () => limit - flows.length,
    );
    return { flows, continue: next < 0 ? null : String(next) };
  }

  /** @throws PodwireError INVALID, NOT_FOUND */
  async summary(query: URLSearchParams): Promise<FlowSummary> {
    const sums = new Sums();
    await this.read(
      query,
      0,
      (row) => sums.add(row, serviceOf(row, this.parts.names)),
      () => STEP,
    );
    return { ...sums.result(), table: this.table() };
  }

  private table(): FlowTableCounts {
    const { reader } = this.parts;
    return {
      capacity: reader.capacity,
      size: reader.count(ENGINE.SIZE),
      opened: reader.count(ENGINE.OPENED),
      expired: reader.count(ENGINE.EXPIRED),
      evicted: reader.count(ENGINE.EVICTED),
      refused: reader.count(ENGINE.REFUSED),
    };
  }

  /** Until there are no more, or no room is left. Answers where to go on, -1 at the end. */
  private async read(
    query: URLSearchParams,
    from: number,
    visit: (row: FlowRow) => void,
    room: () => number,
  ): Promise<number> {
    const { reader, now } = this.parts;
    const filter = flowFilter(query, this.parts);
    let place = from;
    while (place >= 0 && room() > 0) {
      place = reader.read(place, Math.min(STEP, room()), now(), (row) => {
        if (filter.matches(row)) visit(row);
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return place;
  }
}

class Sums {
  private count = 0;
  private readonly states = new Map<string, FlowSummary['states'][number]>();
  private readonly services = new Map<string | undefined, FlowSummary['services'][number]>();

  add(row: FlowRow, service: string | undefined): void {
    this.count++;
    const protocol = protocolName(row.protocol);
    const state = stateName(row);
    const key = `${protocol} ${state}`;
    const ofState = this.states.get(key) ?? { protocol, state, flows: 0 };
    this.states.set(key, ofState);
    ofState.flows++;
    const ofService = this.services.get(service) ?? {
      service: service ?? null,
      flows: 0,
      packets: 0,
      bytes: 0,
    };
    this.services.set(service, ofService);
    ofService.flows++;
    ofService.packets += row.original.packets + row.reply.packets;
    ofService.bytes += row.original.bytes + row.reply.bytes;
  }

  result(): Omit<FlowSummary, 'table'> {
    const mostFirst = (a: { flows: number }, b: { flows: number }) => b.flows - a.flows;
    return {
      flows: this.count,
      states: [...this.states.values()].sort(mostFirst),
      services: [...this.services.values()].sort(mostFirst).slice(0, MOST_SERVICES),
    };
  }
}

function numberIn(query: URLSearchParams, name: string, usual: number, least: number, most: number): number {
  const text = query.get(name);
  if (text === null) return usual;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw invalid(name, `'${text}' is not a number from ${least} to ${most}`);
}
