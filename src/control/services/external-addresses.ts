/**
 * Addresses of frontends that are in no service prefix: externalIPs, those of load balancers, those that a port of a pod is
 * published at. Several services may share one, at different ports.
 */
import { NODE_FRONTEND, type ServiceSpec } from '../../dataplane/service-spec.js';

export class ExternalAddresses {
  /** How many frontends each has. */
  private readonly counts = new Map<string, number>();
  private hasChanged = false;

  constructor(private readonly isInternal: (address: string) => boolean) {}

  get list(): string[] {
    return [...this.counts.keys()];
  }

  add(service: ServiceSpec | undefined): void {
    for (const address of this.of(service)) {
      const count = this.counts.get(address) ?? 0;
      if (count === 0) this.hasChanged = true;
      this.counts.set(address, count + 1);
    }
  }

  drop(service: ServiceSpec | undefined): void {
    for (const address of this.of(service)) {
      const count = this.counts.get(address) ?? 0;
      if (count > 1) this.counts.set(address, count - 1);
      else if (this.counts.delete(address)) this.hasChanged = true;
    }
  }

  /** Since the last call. Also where one went and came back in between, which costs a snapshot and no more. */
  takeChanged(): boolean {
    const { hasChanged } = this;
    this.hasChanged = false;
    return hasChanged;
  }

  private of(service: ServiceSpec | undefined): string[] {
    const addresses = service?.frontends.map(({ address }) => address) ?? [];
    return addresses.filter((address) => address !== NODE_FRONTEND && !this.isInternal(address));
  }
}
