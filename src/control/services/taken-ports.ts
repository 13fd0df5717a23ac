/**
 * Ports that a service has at addresses of which it is not the only owner: node ports, and external addresses. One port
 * of one protocol belongs to one service; several services may share an address by different ports.
 *
 * A node port that is chosen is free in all protocols, so that a service that adds one later finds it free.
 */
import { NODE_FRONTEND } from '../../dataplane/service-spec.js';
import { PodwireError } from '../errors.js';
import { lowBand, NumberBand } from './number-band.js';
import { PROTOCOLS, type Protocol } from './types.js';

export interface PortRange {
  readonly first: number;
  /** The last one. */
  readonly last: number;
}

export const DEFAULT_NODE_PORTS: PortRange = { first: 30_000, last: 32_767 };

const LOW_BAND = { part: 32, most: 128 } as const;

/** What is taken, with the field that asks for it. */
export interface PortClaim {
  /** An address, or NODE_FRONTEND. */
  readonly at: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly field: string;
}

export class TakenPorts {
  private readonly owners = new Map<string, string>();
  private readonly band: NumberBand;

  constructor(readonly nodePorts: PortRange = DEFAULT_NODE_PORTS) {
    const { first, last } = nodePorts;
    const dynamic = first + lowBand(last - first + 1, LOW_BAND.part, LOW_BAND.most);
    this.band = new NumberBand(first, dynamic, last + 1);
  }

  /** @throws PodwireError INVALID, PORT_IN_USE, naming the field */
  check(owner: string, { at, protocol, port, field }: PortClaim): void {
    const { first, last } = this.nodePorts;
    if (at === NODE_FRONTEND && (port < first || port > last)) {
      const text = `${field}: ${port} is not a node port: they are from ${first} to ${last}`;
      throw new PodwireError('INVALID', text, field);
    }
    const holder = this.owners.get(keyOf(at, protocol, port));
    if (holder === undefined || holder === owner) return;
    const where = at === NODE_FRONTEND ? 'of the node' : `of ${at}`;
    throw new PodwireError(
      'PORT_IN_USE',
      `${field}: port ${port}/${protocol} ${where} belongs to ${holder}`,
      field,
    );
  }

  /** @param also numbers that are not to be chosen. @throws PodwireError NODE_PORTS_EXHAUSTED naming the field */
  chooseNodePort(field: string, also: ReadonlySet<number>): number {
    const isTaken = (port: number) =>
      also.has(port) || PROTOCOLS.some((protocol) => this.owners.has(keyOf(NODE_FRONTEND, protocol, port)));
    const port = this.band.choose(isTaken);
    if (port !== undefined) return port;
    throw new PodwireError('NODE_PORTS_EXHAUSTED', `${field}: every node port is taken`, field);
  }

  take(owner: string, claims: readonly PortClaim[]): void {
    for (const { at, protocol, port } of claims) this.owners.set(keyOf(at, protocol, port), owner);
  }

  release(owner: string, claims: readonly PortClaim[]): void {
    for (const { at, protocol, port } of claims) {
      const key = keyOf(at, protocol, port);
      if (this.owners.get(key) === owner) this.owners.delete(key);
    }
  }
}

function keyOf(at: string, protocol: Protocol, port: number): string {
  return `${at} ${protocol} ${port}`;
}
