/**
 * What services have for themselves in the whole cluster, in the cluster store:
 *
 *     cluster/serviceips/ADDRESS                     a cluster IP
 *     cluster/nodeports/PROTOCOL/PORT                a port of every node; that of health checks too
 *     cluster/serviceports/ADDRESS/PROTOCOL/PORT     a port of an address outside
 *
 * Each is taken by compare-and-swap before the service is written, so that two nodes never give out one. It says the service by
 * key and uid: a service that was deleted and made again is another. This file takes and gives back; what was left behind
 * by a daemon that died between the two writes, service-claims-repair.ts finds.
 */
import { NODE_FRONTEND } from '../../dataplane/service-spec.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { ABSENT, type Json, type Store } from '../store/store.js';
import { type Holding, holdingsOf } from './allocate.js';
import { keyOf, PROTOCOLS, type Service } from './types.js';

export const SERVICE_IPS = 'cluster/serviceips/';
export const NODE_PORTS = 'cluster/nodeports/';
export const SERVICE_PORTS = 'cluster/serviceports/';

export interface Claim {
  /** NAMESPACE/NAME. */
  readonly service: string;
  readonly uid: string;
  /** uid of the node that has written it: its own leftovers it knows at once. */
  readonly node: string;
}

/** How often, and how long between (ms), what somebody is giving back just now is asked for again. */
const PATIENCE = { tries: 10, pause: 100 } as const;

export class ServiceClaims {
  /** uids of services that are being written here at this moment. */
  readonly busy = new Set<string>();

  constructor(
    private readonly store: Store,
    /** uid of this node. */
    readonly claimNode: string,
    /** Whether a service with that uid is stored and has this. */
    private readonly isOwned: (key: string, claim: Claim) => Promise<boolean>,
  ) {}

  /**
   * Takes all, or none.
   * @param fixed keys that no other can stand in for.
   * @returns undefined, or what belongs to another
   * @throws PodwireError STORE_UNREACHABLE; what was taken is given back, or found later
   */
  async take(
    service: Service,
    keys: readonly string[],
    fixed: ReadonlySet<string>,
  ): Promise<{ readonly key: string; readonly claim: Claim } | undefined> {
    const claim = this.claimOf(service);
    const taken: string[] = [];
    try {
      for (const key of keys) {
        const holder = await this.takeOne(key, claim, fixed.has(key) ? PATIENCE.tries : 1);
        if (holder) {
          await this.giveBack(service, taken);
          return { key, claim: holder };
        }
        taken.push(key);
      }
      return undefined;
    } catch (error) {
      await this.giveBack(service, taken);
      throw error;
    }
  }

  /** Those of them that it has. What cannot be given back now is found later. */
  async giveBack(service: Service, keys: Iterable<string>): Promise<void> {
    const { uid } = this.claimOf(service);
    for (const key of keys) {
      try {
        const found = await this.store.get(key);
        if (found && readClaim(found.value)?.uid === uid) await this.store.delete(key, found.revision);
      } catch {
        return;
      }
    }
  }

  claimOf(service: Service): Claim {
    return { service: keyOf(service), uid: service.metadata.uid ?? '', node: this.claimNode };
  }

  /** @returns who has it instead */
  private async takeOne(key: string, claim: Claim, tries: number): Promise<Claim | undefined> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.store.get(key);
      const holder = found && (readClaim(found.value) ?? NOBODY);
      if (holder?.uid === claim.uid) return undefined;
      const isLeft = holder && (await this.isLeftBehind(key, holder));
      if (holder && !isLeft && attempt >= tries) return holder;
      if (!holder || isLeft) {
        if (await this.write(key, claim, found?.revision ?? ABSENT)) return undefined;
      } else if (await this.isOwned(key, holder)) return holder;
      else await new Promise((resolve) => setTimeout(resolve, PATIENCE.pause));
    }
  }

  /** An earlier run of this daemon has taken it, and never wrote the service. */
  private async isLeftBehind(key: string, holder: Claim): Promise<boolean> {
    if (holder.node !== this.claimNode && holder !== NOBODY) return false;
    return !this.busy.has(holder.uid) && !(await this.isOwned(key, holder));
  }

  private async write(key: string, claim: Claim, expected: number): Promise<boolean> {
    try {
      await this.store.put(key, claim as unknown as Json, expected);
      return true;
    } catch (error) {
      if (asPodwireError(error).code === 'CONFLICT') return false;
      throw error;
    }
  }
}

/** Of a record that cannot be read. */
const NOBODY: Claim = { service: '', uid: '', node: '' };

/** undefined for what is no claim. */
export function readClaim(value: Json): Claim | undefined {
  const { service, uid, node } = (value ?? {}) as Partial<Claim>;
  const texts = [service, uid, node].every((text) => typeof text === 'string');
  return texts ? (value as unknown as Claim) : undefined;
}

/** By the key in the store, all that a service has. */
export function claimKeys(service: Service): Map<string, Holding> {
  return new Map(holdingsOf(service).map((holding) => [claimKey(holding), holding]));
}

function claimKey({ ip, port }: Holding): string {
  if (!port) return SERVICE_IPS + ip;
  if (port.at === NODE_FRONTEND) return `${NODE_PORTS}${port.protocol}/${port.port}`;
  return `${SERVICE_PORTS}${port.at}/${port.protocol}/${port.port}`;
}

/** What a key stands for; undefined: no key of a claim. */
export function holdingOfKey(key: string): Pick<Holding, 'ip' | 'port'> | undefined {
  if (key.startsWith(SERVICE_IPS)) return { ip: key.slice(SERVICE_IPS.length) };
  const isNode = key.startsWith(NODE_PORTS);
  if (!isNode && !key.startsWith(SERVICE_PORTS)) return undefined;
  const parts = isNode
    ? [NODE_FRONTEND, ...key.slice(NODE_PORTS.length).split('/')]
    : key.slice(SERVICE_PORTS.length).split('/');
  const protocol = PROTOCOLS.find((one) => one === parts[1]);
  if (parts.length !== 3 || !protocol) return undefined;
  return { port: { at: parts[0], protocol, port: Number(parts[2]), field: '' } };
}

/** @throws PodwireError: the one that says why the service cannot have it */
export function refuseTaken(holding: Holding | undefined, { service }: Claim): never {
  const field = holding?.field ?? 'spec';
  const what = holding?.port ? `port ${holding.port.port}/${holding.port.protocol}` : String(holding?.ip);
  const code = holding?.port ? 'PORT_IN_USE' : 'ADDRESS_IN_USE';
  const holder = service === '' ? 'somebody' : `service ${service}`;
  throw new PodwireError(code, `${field}: ${what} belongs to ${holder}`, field);
}

/** Who has it, for messages, where no such service is known here. */
export function holderText({ service }: Claim): string {
  return `${service}, which is being written or deleted`;
}
