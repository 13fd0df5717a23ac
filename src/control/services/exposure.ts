/**
 * The way in from the host's kernel: which of the services' frontends it has to send to the switch, and where to.
 *
 * A node port goes to the node frontends' address and keeps its number. An address that is in no prefix of ours, as an
 * external one, goes to the external frontends' address at a port that is chosen here, the same number where that is
 * free; the service gets a frontend there, of the same scope. It stays as long as the frontend does.
 */
import { type FrontendSpec, NODE_FRONTEND, type ServiceSpec } from '../../dataplane/service-spec.js';
import { familyOf } from '../cidr.js';
import type { ElementSet, Elements } from '../host/nft-elements.js';
import { ExternalPorts } from './external-ports.js';
import type { PlanChanges } from './plan.js';

export interface ExposureParts {
  readonly elements: Elements;
  /** At most one of each family, as `externalFrontendAddresses` has them. */
  readonly externalFrontends: readonly string[];
  /** Routed to the switch by the kernel without being asked. */
  readonly isInside: (address: string) => boolean;
  /** A node port that the host's kernel hands to the switch from now on. */
  readonly opened: (protocol: ServiceSpec['protocol'], port: number, service: string) => void;
  /** Elements are others now. */
  readonly changed: () => void;
  /** There is no port left for it. */
  readonly full: (service: string, address: string) => void;
}

/** One element of the host's rules, and who wants it. */
interface Exposed {
  readonly set: ElementSet;
  readonly key: string;
}

export class Exposure {
  private readonly exposed = new Map<number, readonly Exposed[]>();
  /** By set and key: how many services want it. */
  private readonly counts = new Map<string, number>();
  private readonly ports = new ExternalPorts();

  constructor(private readonly parts: ExposureParts) {}

  /** Changes for the data plane, with the frontends that the host's kernel sends to. Each is to be given once, in order. */
  apply({ removed, changed }: PlanChanges): PlanChanges {
    const before = [...removed, ...changed.map(({ id }) => id)].flatMap((id) => this.exposed.get(id) ?? []);
    for (const id of removed) this.exposed.delete(id);
    const exposed = changed.map((service) => this.expose(service));
    // Only now: what goes and comes in one call stays.
    for (const one of before) this.drop(one);
    if (before.length > 0 || exposed.some(({ isOpen }) => isOpen)) this.parts.changed();
    return { removed, changed: exposed.map(({ service }) => service) };
  }

  private expose(service: ServiceSpec): { service: ServiceSpec; isOpen: boolean } {
    const more: FrontendSpec[] = [];
    const exposed = service.frontends.flatMap((frontend) => {
      if (frontend.address === NODE_FRONTEND) return this.openNodePort(service, frontend);
      const way = this.wayOf(service, frontend);
      if (!way) return [];
      more.push(way.frontend);
      return way.exposed;
    });
    if (exposed.length > 0) this.exposed.set(service.id, exposed);
    else this.exposed.delete(service.id);
    const frontends = [...service.frontends, ...more];
    return { service: more.length === 0 ? service : { ...service, frontends }, isOpen: exposed.length > 0 };
  }

  private openNodePort({ family, protocol, name }: ServiceSpec, { port }: FrontendSpec): Exposed {
    const set = this.parts.elements[family === 'IPv4' ? 'node_ports4' : 'node_ports6'];
    const one = { set, key: `${protocol.toLowerCase()} . ${port}` };
    if (this.add(one, '')) this.parts.opened(protocol, port, name);
    return one;
  }

  private wayOf(service: ServiceSpec, { address, port, scope }: FrontendSpec) {
    const { elements, externalFrontends, isInside, full } = this.parts;
    const family = familyOf(address);
    const to = externalFrontends.find((one) => familyOf(one) === family);
    if (to === undefined || isInside(address)) return undefined;
    const protocol = service.protocol.toLowerCase();
    const set = elements[family === 4 ? 'addresses4' : 'addresses6'];
    const key = `${address} . ${protocol} . ${port}`;
    const chosen = this.ports.take(`${family} ${protocol}`, key, port);
    if (chosen === undefined) {
      full(service.name, address);
      return undefined;
    }
    const exposed = { set, key };
    this.add(exposed, `${to} . ${chosen}`);
    return { exposed, frontend: { address: to, port: chosen, scope } };
  }

  /** @returns whether it is new. */
  private add(one: Exposed, value: string): boolean {
    const name = nameOf(one);
    const count = this.counts.get(name) ?? 0;
    this.counts.set(name, count + 1);
    one.set.add(one.key, value);
    return count === 0;
  }

  private drop(one: Exposed): void {
    const name = nameOf(one);
    const count = (this.counts.get(name) ?? 0) - 1;
    if (count > 0) {
      this.counts.set(name, count);
      return;
    }
    this.counts.delete(name);
    one.set.remove(one.key);
    this.ports.release(one.key);
  }
}

function nameOf({ set, key }: Exposed): string {
  return `${set.name} ${key}`;
}
