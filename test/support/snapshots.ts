/** Snapshots that tests share. */
import type { DomainSpec, PortSpec, Snapshot } from '../../src/dataplane/snapshot.js';

/** MAC address of port `id` in `networks`. */
export function macOf(id: number): string {
  return `02:70:00:00:00:${(0x10 + id).toString(16)}`;
}

/** MAC address of the switch in a domain of `networks`. */
export function gatewayMacOf(domain: number): string {
  return `02:70:00:00:ff:0${domain}`;
}

export interface NetworksOptions {
  /** How many ports each domain has. */
  readonly ports: readonly number[];
  readonly guard?: boolean;
  readonly learning?: boolean;
  readonly mtu?: number;
}

/**
 * One route table over several domains. Domain d is 10.0.d.0/24 and fd00:0:0:d::/64 with the switch at .1 and
 * ::1; port p, counted over all domains, is at .(10 + p) and ::(10 + p) (decimal digits in both).
 */
export function networks(options: NetworksOptions): Snapshot {
  const { guard = true, learning = false, mtu = 1500 } = options;
  const ports: PortSpec[] = options.ports.flatMap((count, domain) => {
    const first = options.ports.slice(0, domain).reduce((sum, n) => sum + n, 0);
    return Array.from({ length: count }, (_, i) => ({
      id: first + i,
      name: `pod${first + i}`,
      mac: macOf(first + i),
      addresses: addressesOf(domain, first + i),
      attachment: { kind: 'domain' as const, domain },
      routeTable: 0,
      mtu,
      guard,
    }));
  });
  const domains: DomainSpec[] = options.ports.map((_, id) => ({
    id,
    name: `domain${id}`,
    gatewayMac: gatewayMacOf(id),
    gateways: [`10.0.${id}.1`, `fd00:0:0:${id}::1`],
    learning,
  }));
  return {
    generation: 1,
    ports,
    domains,
    routes: domains.flatMap(({ id, gateways }) => [
      { table: 0, prefix: `10.0.${id}.0/24`, kind: 'connected', domain: id },
      { table: 0, prefix: `fd00:0:0:${id}::/64`, kind: 'connected', domain: id },
      { table: 0, prefix: `${gateways[0]}/32`, kind: 'local' },
      { table: 0, prefix: `${gateways[1]}/128`, kind: 'local' },
    ]),
    neighbours: ports.flatMap(({ id, mac, addresses, attachment }) =>
      attachment.kind === 'domain'
        ? addresses.map((address) => ({ domain: attachment.domain, address, mac, port: id }))
        : [],
    ),
  };
}

export function addressesOf(domain: number, port: number): string[] {
  return [`10.0.${domain}.${10 + port}`, `fd00:0:0:${domain}::${10 + port}`];
}
