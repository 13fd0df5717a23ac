/**
 * What forwarding and address management need of a network, built from its spec. Bridge domains and route tables
 * are numbered anew when the daemon starts; nobody outside sees the numbers.
 */
import type { NetworkSpec } from './api/types.js';
import { type PlannedNetwork, TUNNEL_DOMAIN } from './compile.js';
import { PodwireError } from './errors.js';
import { AddressPool } from './ipam.js';
import { type DomainLayout, layoutOf } from './layout.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { NumberPool } from './numbers.js';

/** Bridge domains are numbered below this, and so are route tables; table 0 is the node's. */
const MOST_DOMAINS = TUNNEL_DOMAIN;

export interface LiveNetwork {
  readonly name: string;
  readonly spec: NetworkSpec;
  readonly layout: readonly DomainLayout[];
  readonly planned: PlannedNetwork;
  readonly pool: AddressPool;
  /** It is not recorded yet, so nothing may be attached to it. */
  frozen: boolean;
}

export class NetworkBuilder {
  private readonly domains = new NumberPool(0, MOST_DOMAINS);
  private readonly tables = new NumberPool(1, MOST_DOMAINS);

  /** @throws PodwireError NETWORKS_EXHAUSTED */
  build(name: string, spec: NetworkSpec, frozen: boolean): LiveNetwork {
    const layout = layoutOf(spec, name === DEFAULT_NETWORK);
    const routeTable = this.tables.take();
    const ids = layout.map(() => this.domains.take());
    if (routeTable === undefined || ids.includes(undefined)) {
      this.free(routeTable, ids);
      const message = `the switch has no more than ${MOST_DOMAINS} bridge domains`;
      throw new PodwireError('NETWORKS_EXHAUSTED', message);
    }
    const domains = ids.flatMap((id, index) =>
      id === undefined ? [] : [{ id, cidrs: layout[index].cidrs, gateways: layout[index].gateways }],
    );
    const planned = {
      name,
      mode: spec.mode,
      sourceGuard: spec.sourceGuard ?? true,
      routeTable,
      domains,
      ...(spec.vni !== undefined && { vni: spec.vni }),
    };
    return { name, spec, layout, planned, pool: new AddressPool(name, layout), frozen };
  }

  /** The same network with the same pods, its source guard switched. */
  guarded(network: LiveNetwork, spec: NetworkSpec): LiveNetwork {
    return { ...network, spec, planned: { ...network.planned, sourceGuard: spec.sourceGuard ?? true } };
  }

  release({ planned }: LiveNetwork): void {
    this.free(
      planned.routeTable,
      planned.domains.map(({ id }) => id),
    );
  }

  private free(table: number | undefined, ids: readonly (number | undefined)[]): void {
    if (table !== undefined) this.tables.release(table);
    for (const id of ids) if (id !== undefined) this.domains.release(id);
  }
}
