/**
 * What an engine knows of services, of policies and of connections, put together: the tables of services and of policies, the flows,
 * which backend a client was given, and the ports at which answers come in that are to be translated back.
 *
 * Flows, marks of ports and what was refused are in memory that all engines share; each engine has services, policies and affinity of its own.
 */
import { MAX_PORTS } from './constants.js';
import { type FlowMemory, makeFlowMemory } from './flows/flow-memory.js';
import { FlowTable } from './flows/flow-table.js';
import { type DenialMemory, makeDenialMemory } from './policy/denial-memory.js';
import { Denials } from './policy/denials.js';
import { PolicyTable } from './policy/policy-table.js';
import { MOST_NOTES } from './policy-spec.js';
import { AffinityTable } from './services/affinity.js';
import { ServiceTable } from './services/service-table.js';

/** Flows that the daemon's engines have at most, over all, unless told otherwise. */
export const DEFAULT_FLOWS = 1_048_576;
/** Flows, and notes that are counted, of an engine on its own unless told otherwise. */
const ALONE = 4096;
/** Flows for each client that is remembered: those of one client are many, and few services ask for it. */
const FLOWS_PER_CLIENT = 16;

/** What engines side by side share. */
export interface SharedConnections {
  readonly flows: FlowMemory;
  /** By port: 1 where answers to translated connections may come in. */
  readonly tracked: SharedArrayBuffer;
  /** What policies have refused. */
  readonly denials: DenialMemory;
}

/** An engine's place among them. */
export interface ConnectionsShare extends SharedConnections {
  readonly own: number;
  /** What the machine's clock showed when the engine's showed 0 (ms): that of flows must be one for all engines. */
  readonly clockStart: number;
}

/**
 * @param seed secret: see tables/hash.ts
 * @param notes below it, what policies refuse is counted for each
 * Throws TABLE_INVALID.
 */
export function shareConnections(
  capacity: number,
  engines: number,
  seed: number,
  notes: number = MOST_NOTES,
): SharedConnections {
  return {
    flows: makeFlowMemory(capacity, engines, seed),
    tracked: new SharedArrayBuffer(MAX_PORTS),
    denials: makeDenialMemory(engines, notes),
  };
}

export class Connections {
  readonly services: ServiceTable;
  readonly policies: PolicyTable;
  readonly denials: Denials;
  readonly flows: FlowTable;
  readonly affinity: AffinityTable;
  /** By port: 1 where answers to translated connections may come in. Elements set it; it goes with the port. */
  readonly tracked: Uint8Array;
  readonly clockStart: number;

  constructor(seed: number, share?: ConnectionsShare) {
    const { flows, tracked, denials, own, clockStart } = share ?? alone(seed);
    this.services = new ServiceTable(seed);
    this.policies = new PolicyTable(seed);
    this.denials = new Denials(denials, own);
    this.flows = new FlowTable({ memory: flows, own, ports: MAX_PORTS });
    this.affinity = new AffinityTable(seed, Math.max(1, Math.ceil(this.flows.share / FLOWS_PER_CLIENT)));
    this.tracked = new Uint8Array(tracked);
    this.clockStart = clockStart;
  }
}

function alone(seed: number): ConnectionsShare {
  return { ...shareConnections(ALONE, 1, seed, ALONE), own: 0, clockStart: 0 };
}
