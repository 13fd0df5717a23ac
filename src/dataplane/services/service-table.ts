/**
 * Services by what is sent to them: (address, protocol, port), or (any address of the node, protocol, port), to a frontend.
 *
 * A frontend is a number, which holds until the next change; `service` and `scope` say whose it is. Two services may claim one: that
 * with the lower number has it, and when it goes, or claims it no more, the other. A frontend of an address goes before one of the node only where
 * the caller asks in that order.
 *
 * An engine has a table of its own and changes it between cycles; nothing is allocated by a lookup. Costs of a change: what is in
 * the change, some 2 us a backend. All of it is read before any is done, so a change that cannot be is none at all.
 *
 * Bounds: MOST services and frontends. Memory: 41 bytes a frontend and 64 to 128 of index; of a service, services/service.ts.
 */
import {
  type FrontendSpec,
  NODE_FRONTEND,
  SCOPES,
  type Scope,
  type ServiceChanges,
  type ServiceSpec,
} from '../service-spec.js';
import { KeyedHash } from '../tables/hash.js';
import { requireInteger } from '../tables/table-error.js';
import { KEY_WORDS, WordIndex } from '../tables/word-index.js';
import { WordStore } from '../tables/word-store.js';
import { FrontendClaims, MOST_FRONTENDS } from './frontend-claims.js';
import { SERVICE_PROTOCOLS, Service, wordsOf } from './service.js';

/** In the order of SCOPES. */
export const SCOPE = { CLUSTER: 0, LOCAL: 1, SPLIT: 2 } as const;

const MOST_SERVICES = 1 << 20;

/** The last word of a key: which kind, protocol, port. */
const KIND = { IPV4: 0, IPV6: 1, NODE4: 2, NODE6: 3 } as const;
const KIND_SHIFT = 24;
const PROTOCOL_SHIFT = 16;

/** Frontends of a service that is to come: their keys, KEY_WORDS each, and scopes. */
interface Claims {
  readonly service: Service;
  readonly keys: Int32Array;
  readonly scopes: readonly number[];
}

export class ServiceTable {
  /** That of the changes in force, or 0. */
  generation = 0;
  /** How many services. */
  size = 0;
  /** False after a restart, until all that there are were told: nothing is made of a service's not being here. */
  isWhole = true;
  private readonly services: (Service | undefined)[] = [];
  /** By frontend: what a packet finds has its service at once. */
  private readonly holders: (Service | undefined)[] = [];
  private readonly store = new WordStore();
  private readonly index: WordIndex;
  private readonly claims: FrontendClaims;

  /** @param seed secret in operation: see tables/hash.ts. */
  constructor(seed: number) {
    this.index = new WordIndex(new KeyedHash(seed));
    this.claims = new FrontendClaims(this.index);
  }

  /** Frontends of all services, with those that a lower number has. */
  get frontends(): number {
    return this.claims.size;
  }

  /** The frontend, or -1. Words of addresses are int32. */
  find4(address: number, protocol: number, port: number): number {
    return this.index.find(0, 0, 0, address | 0, tailOf(KIND.IPV4, protocol, port));
  }

  find6(w0: number, w1: number, w2: number, w3: number, protocol: number, port: number): number {
    return this.index.find(w0 | 0, w1 | 0, w2 | 0, w3 | 0, tailOf(KIND.IPV6, protocol, port));
  }

  /** Of a packet to any address of the node. */
  findNode(isIpv6: boolean, protocol: number, port: number): number {
    return this.index.find(0, 0, 0, 0, tailOf(isIpv6 ? KIND.NODE6 : KIND.NODE4, protocol, port));
  }

  /** One of SCOPE. */
  scope(frontend: number): number {
    return this.claims.scope(frontend);
  }

  service(frontend: number): Service {
    return this.holders[frontend]!;
  }

  get(id: number): Service | undefined {
    return this.services[id];
  }

  /** Allocates; between cycles only. Throws TableError or AddressError, and then has changed nothing. */
  change({ generation, removed, changed }: ServiceChanges): void {
    const claimed = this.read(changed);
    const more = claimed.reduce((sum, { scopes }) => sum + scopes.length, this.frontends);
    requireInteger('number of frontends', more, 0, MOST_FRONTENDS);
    for (const id of removed) this.remove(id);
    for (const { service } of claimed) this.remove(service.id);
    for (const one of claimed) this.add(one);
    this.generation = generation;
  }

  /** All or none. */
  private read(changed: readonly ServiceSpec[]): Claims[] {
    const claimed: Claims[] = [];
    try {
      for (const spec of changed) claimed.push(read(spec, this.store));
    } catch (error) {
      for (const { service } of claimed) service.release();
      throw error;
    }
    return claimed;
  }

  private add({ service, keys, scopes }: Claims): void {
    const { id } = service;
    while (this.services.length <= id) this.services.push(undefined);
    // Given twice in one list, the last one counts.
    this.remove(id);
    this.services[id] = service;
    this.size++;
    for (let i = 0; i < scopes.length; i++) {
      this.holders[this.claims.add(id, keys, i * KEY_WORDS, scopes[i])] = service;
    }
  }

  private remove(id: number): void {
    const service = this.services[id];
    if (service === undefined) return;
    service.release();
    this.services[id] = undefined;
    this.size--;
    this.claims.removeAll(id);
  }
}

function tailOf(kind: number, protocol: number, port: number): number {
  return (kind << KIND_SHIFT) | ((protocol & 0xff) << PROTOCOL_SHIFT) | (port & 0xffff);
}

function read(spec: ServiceSpec, store: WordStore): Claims {
  requireInteger('number of a service', spec.id, 0, MOST_SERVICES - 1);
  const keys = new Int32Array(KEY_WORDS * spec.frontends.length);
  spec.frontends.forEach((frontend, i) => {
    keys.set(keyOf(spec, frontend), i * KEY_WORDS);
  });
  return {
    service: new Service(spec, store),
    keys,
    scopes: spec.frontends.map(({ scope }) => numberOf(scope)),
  };
}

function keyOf({ family, protocol }: ServiceSpec, { address, port }: FrontendSpec): number[] {
  requireInteger('port of a frontend', port, 1, 0xffff);
  const isIpv6 = family === 'IPv6';
  const number = SERVICE_PROTOCOLS[protocol];
  if (address === NODE_FRONTEND) {
    return [0, 0, 0, 0, tailOf(isIpv6 ? KIND.NODE6 : KIND.NODE4, number, port)];
  }
  const words = wordsOf(address, isIpv6);
  if (isIpv6) return [...words, tailOf(KIND.IPV6, number, port)];
  return [0, 0, 0, words[0], tailOf(KIND.IPV4, number, port)];
}

function numberOf(scope: Scope): number {
  return SCOPES.indexOf(scope);
}
