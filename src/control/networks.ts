/**
 * Networks: the resources, and for each what forwarding and address management need of it. Bridge domains
 * and route tables are numbered anew when the daemon starts; nobody outside sees the numbers.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Network, NetworkSpec } from './api/types.js';
import type { PlannedNetwork } from './compile.js';
import { PodwireError } from './errors.js';
import { AddressPool } from './ipam.js';
import { type DomainLayout, isRouted, layoutOf } from './layout.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { type AddressPlan, refuseOverlap } from './network-overlap.js';
import { NumberPool } from './numbers.js';
import { checkVersion, type Records, stampMeta } from './records.js';

/** Bridge domains are numbered below this, and so are route tables; table 0 is the node's. */
const MOST_DOMAINS = 4096;

export interface LiveNetwork {
  readonly name: string;
  readonly spec: NetworkSpec;
  readonly layout: readonly DomainLayout[];
  readonly planned: PlannedNetwork;
  readonly pool: AddressPool;
  /** It is being changed or deleted: nothing may be attached. */
  frozen: boolean;
}

export type PutResult = 'created' | 'configured' | 'unchanged';

export class Networks {
  private readonly live = new Map<string, LiveNetwork>();
  private readonly domains = new NumberPool(0, MOST_DOMAINS);
  private readonly tables = new NumberPool(1, MOST_DOMAINS);

  /** @param changed called after routed prefixes or forwarding have changed; resolves when it is in force. */
  constructor(
    private readonly records: Records<Network>,
    private readonly settings: AddressPlan,
    private readonly changed: () => Promise<void>,
  ) {}

  /** Builds what is stored, and the default network from the daemon's options. */
  async load(): Promise<void> {
    await this.records.load();
    await this.claimDefault();
    for (const [name, { spec }] of this.records.list()) this.live.set(name, this.build(name, spec));
  }

  /** @throws PodwireError NOT_FOUND */
  get(name: string): LiveNetwork {
    const network = this.live.get(name);
    if (network) return network;
    throw new PodwireError('NOT_FOUND', `there is no network ${name}; 'podwire get networks' lists them`);
  }

  find(name: string): LiveNetwork | undefined {
    return this.live.get(name);
  }

  planned(): PlannedNetwork[] {
    return [...this.live.values()].map(({ planned }) => planned);
  }

  /** Prefixes that the node reaches through the switch, beside its own. */
  routedCidrs(): string[] {
    return [...this.live.values()].filter(({ spec }) => isRouted(spec)).flatMap(({ spec }) => spec.cidrs);
  }

  view(name: string): Network {
    const { spec, layout, pool } = this.get(name);
    return this.viewOf(name, spec, {
      gateways: layout.flatMap(({ gateways }) => gateways),
      pods: pool.size,
    });
  }

  list(): Network[] {
    return this.records.list().map(([name]) => this.view(name));
  }

  /** @throws PodwireError CONFLICT, PROTECTED, NETWORK_IN_USE, CIDR_OVERLAP, NETWORKS_EXHAUSTED */
  async put(name: string, given: Network): Promise<PutResult> {
    const existing = this.records.get(name);
    checkVersion(`network ${name}`, given.metadata, this.records.revision(name));
    const network = { ...given, metadata: stampMeta(given.metadata, existing?.metadata) };
    if (isDeepStrictEqual(network, existing)) return 'unchanged';
    if (!existing) await this.create(name, network);
    else if (isDeepStrictEqual(network.spec, existing.spec)) await this.records.save(name, network);
    else await this.change(this.get(name), network);
    return existing ? 'configured' : 'created';
  }

  /** @throws PodwireError NOT_FOUND, PROTECTED, NETWORK_IN_USE */
  async delete(name: string): Promise<Network> {
    const network = this.get(name);
    if (name === DEFAULT_NETWORK) throw protectedError('cannot be deleted');
    this.refuseInUse(network, `network ${name} cannot be deleted`);
    const view = this.view(name);
    await this.frozen(network, () => this.records.remove(name));
    this.live.delete(name);
    this.release(network);
    await this.changed();
    return view;
  }

  private viewOf(name: string, spec: NetworkSpec, status: Network['status']): Network {
    const stored = this.records.get(name);
    const metadata = { name, ...stored?.metadata, resourceVersion: String(this.records.revision(name)) };
    return { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata, spec, status };
  }

  private async claimDefault(): Promise<void> {
    const existing = this.records.get(DEFAULT_NETWORK);
    const spec: NetworkSpec = { mode: 'routed', cidrs: [...this.settings.podCidrs] };
    if (existing && isDeepStrictEqual(existing.spec, spec)) return;
    const metadata = existing?.metadata ?? stampMeta({ name: DEFAULT_NETWORK }, undefined);
    await this.records.save(DEFAULT_NETWORK, {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata,
      spec,
    });
  }

  private async create(name: string, network: Network): Promise<void> {
    refuseOverlap(network, this.others(name), this.settings);
    const live = this.build(name, network.spec);
    try {
      await this.records.save(name, network);
    } catch (error) {
      this.release(live);
      throw error;
    }
    this.live.set(name, live);
    await this.changed();
  }

  private async change(before: LiveNetwork, network: Network): Promise<void> {
    const { name } = before;
    if (name === DEFAULT_NETWORK) throw protectedError('has the spec that the daemon’s options give it');
    const structural = changedFields(before.spec, network.spec).filter((field) => field !== 'sourceGuard');
    if (structural.length > 0) this.refuseInUse(before, `spec.${structural[0]} of network ${name} is fixed`);
    refuseOverlap(network, this.others(name), this.settings);
    await this.frozen(before, () => this.records.save(name, network));
    if (structural.length > 0) {
      this.release(before);
      this.live.set(name, this.build(name, network.spec));
    } else {
      const planned = { ...before.planned, sourceGuard: network.spec.sourceGuard ?? true };
      this.live.set(name, { ...before, spec: network.spec, planned, frozen: false });
    }
    await this.changed();
  }

  /** What succeeds replaces or removes the network, so only a failure thaws it. */
  private async frozen(network: LiveNetwork, action: () => Promise<void>): Promise<void> {
    network.frozen = true;
    try {
      await action();
    } catch (error) {
      network.frozen = false;
      throw error;
    }
  }

  private others(name: string): LiveNetwork[] {
    return [...this.live.values()].filter((other) => other.name !== name);
  }

  private refuseInUse({ pool }: LiveNetwork, what: string): void {
    if (pool.size === 0) return;
    const pods = pool.size === 1 ? 'a pod is' : `${pool.size} pods are`;
    throw new PodwireError('NETWORK_IN_USE', `${what} while ${pods} attached to it: detach first`);
  }

  private build(name: string, spec: NetworkSpec): LiveNetwork {
    const layout = layoutOf(spec, name === DEFAULT_NETWORK);
    const taken: number[] = [];
    const domains = layout.map(({ cidrs, gateways }) => {
      const id = this.domains.take();
      if (id !== undefined) taken.push(id);
      return { id, cidrs, gateways };
    });
    const routeTable = this.tables.take();
    if (routeTable === undefined || taken.length < layout.length) {
      for (const id of taken) this.domains.release(id);
      if (routeTable !== undefined) this.tables.release(routeTable);
      throw new PodwireError(
        'NETWORKS_EXHAUSTED',
        `the switch has no more than ${MOST_DOMAINS} bridge domains`,
      );
    }
    const planned: PlannedNetwork = {
      name,
      mode: spec.mode,
      sourceGuard: spec.sourceGuard ?? true,
      routeTable,
      domains: domains.map((domain, index) => ({ ...domain, id: taken[index] })),
    };
    return { name, spec, layout, planned, pool: new AddressPool(name, layout), frozen: false };
  }

  private release({ planned }: LiveNetwork): void {
    for (const { id } of planned.domains) this.domains.release(id);
    this.tables.release(planned.routeTable);
  }
}

function changedFields(before: NetworkSpec, after: NetworkSpec): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof NetworkSpec>;
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key]));
}

function protectedError(why: string): PodwireError {
  return new PodwireError('PROTECTED', `network ${DEFAULT_NETWORK} ${why}`);
}
