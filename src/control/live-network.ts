/**
 * What forwarding and address management need of a network, built from its spec. Bridge domains and route tables
 * are numbered anew when the daemon starts; nobody outside sees the numbers.
 */
import type { NetworkSpec } from './api/types.js';
import { PodwireError } from './errors.js';
import { AddressPool } from './ipam.js';
import { type DomainLayout, hasEgress, layoutOf } from './layout.js';
import { MacOwners } from './mac-owners.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { NumberPool } from './numbers.js';
import { NODE_RETURN_TABLE, type PlannedDomain, type PlannedNetwork, TUNNEL_DOMAIN } from './plan.js';
import type { Uplink } from './uplinks.js';

/** Bridge domains are numbered below this. */
const MOST_DOMAINS = TUNNEL_DOMAIN;

export interface LiveNetwork {
  readonly name: string;
  readonly spec: NetworkSpec;
  readonly layout: readonly DomainLayout[];
  readonly planned: PlannedNetwork;
  readonly pool: AddressPool;
  readonly macs: MacOwners;
  /** Of mode raw. */
  readonly uplink?: Uplink;
  /** It is not recorded yet, or about to go: nothing may be attached to it. */
  frozen: boolean;
}

export class NetworkBuilder {
  private readonly domains = new NumberPool(0, MOST_DOMAINS);
  /** Table 0 is the node's. */
  private readonly tables = new NumberPool(1, NODE_RETURN_TABLE);

  /** @throws PodwireError NETWORKS_EXHAUSTED */
  build(name: string, spec: NetworkSpec, frozen: boolean): LiveNetwork {
    const layout = layoutOf(spec, name === DEFAULT_NETWORK);
    const routeTable = this.tables.take();
    if (routeTable === undefined) throw exhausted();
    try {
      const planned = {
        name,
        mode: spec.mode,
        sourceGuard: spec.sourceGuard ?? true,
        routeTable,
        domains: this.plan(layout),
        egress: hasEgress(spec),
        ...(spec.vni !== undefined && { vni: spec.vni }),
      };
      const pool = new AddressPool(name, layout);
      return { name, spec, layout, planned, pool, macs: new MacOwners(name), frozen };
    } catch (error) {
      this.tables.release(routeTable);
      throw error;
    }
  }

  /**
   * The same network with the same pods under another spec: `canEvolve`. Its pool gives out what it gave until the new
   * spec is in force and recorded.
   * @throws PodwireError NETWORKS_EXHAUSTED
   */
  evolve(network: LiveNetwork, spec: NetworkSpec): LiveNetwork {
    const layout = layoutOf(spec, network.name === DEFAULT_NETWORK);
    const { domains: kept } = network.planned;
    const domains = [...kept, ...this.plan(layout.slice(kept.length))];
    const planned = {
      ...network.planned,
      sourceGuard: spec.sourceGuard ?? true,
      egress: hasEgress(spec),
      domains,
    };
    return { ...network, spec, layout, planned };
  }

  /** Frees what a network had and `other`, which goes on, has not. */
  release({ planned }: LiveNetwork, other?: LiveNetwork): void {
    if (planned.routeTable !== other?.planned.routeTable) this.tables.release(planned.routeTable);
    const kept = new Set(other?.planned.domains.map(({ id }) => id));
    for (const { id } of planned.domains) if (!kept.has(id)) this.domains.release(id);
  }

  /** All of them or none. @throws PodwireError NETWORKS_EXHAUSTED */
  private plan(layout: readonly DomainLayout[]): PlannedDomain[] {
    const planned: PlannedDomain[] = [];
    for (const { cidrs, gateways } of layout) {
      const id = this.domains.take();
      if (id === undefined) {
        for (const domain of planned) this.domains.release(domain.id);
        throw exhausted();
      }
      planned.push({ id, cidrs, gateways });
    }
    return planned;
  }
}

function exhausted(): PodwireError {
  return new PodwireError('NETWORKS_EXHAUSTED', `the switch has no more than ${MOST_DOMAINS} bridge domains`);
}
