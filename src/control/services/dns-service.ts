/**
 * What DNS says of a service: addresses, or endpoints, or another name. Pure. Which names come of it is in dns/zone.ts.
 *
 * Of a headless service the ready endpoints have names, all of them where it publishes those that are not ready as well. An endpoint that
 * is in several slices, as one of two families is, is one endpoint where it has a hostname, and goes by each address where it has none.
 */
import { type DnsEndpoint, type DnsPort, type DnsService, nameOfAddress } from '../dns/view.js';
import type { Endpoint, EndpointPort, EndpointSlice, Protocol, Service } from './types.js';
import { isHeadless } from './types.js';

/** @param slices of the service, applied and computed; asked for only where it is headless. */
export function dnsServiceOf(
  service: Service,
  slices: () => readonly EndpointSlice[],
): DnsService | undefined {
  const { type, externalName, clusterIPs, ports = [] } = service.spec;
  if (type === 'ExternalName') return { kind: 'external', target: nameOf(externalName ?? '') };
  if (isHeadless(service)) return { kind: 'headless', endpoints: endpointsOf(service, slices()) };
  if (clusterIPs === undefined || clusterIPs.length === 0) return undefined;
  return { kind: 'cluster', ips: clusterIPs, ports: ports.flatMap((port) => portOf(port) ?? []) };
}

/** Without the dot that ends a name which is complete. */
function nameOf(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

interface Collected {
  readonly ips: Set<string>;
  readonly ports: Map<string, DnsPort>;
}

function endpointsOf({ spec }: Service, slices: readonly EndpointSlice[]): DnsEndpoint[] {
  const found = new Map<string, Collected>();
  for (const { endpoints, ports } of slices) {
    for (const endpoint of endpoints) {
      if (endpoint.conditions.ready || spec.publishNotReadyAddresses === true) add(found, endpoint, ports);
    }
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([hostname, { ips, ports }]) => ({
    hostname,
    ips: [...ips],
    ports: [...ports.values()],
  }));
}

function add(
  found: Map<string, Collected>,
  { addresses, hostname }: Endpoint,
  ports: readonly EndpointPort[],
): void {
  const [ip] = addresses;
  const name = hostname ?? nameOfAddress(ip);
  const known = found.get(name) ?? { ips: new Set(), ports: new Map() };
  found.set(name, known);
  known.ips.add(ip);
  for (const one of ports) {
    const port = portOf(one);
    if (port) known.ports.set(`${port.name} ${port.protocol} ${port.port}`, port);
  }
}

function portOf(given: { name?: string; protocol: Protocol; port?: number }): DnsPort | undefined {
  const { name = '', protocol, port } = given;
  if (name === '' || port === undefined) return undefined;
  return { name, protocol: protocol.toLowerCase() as DnsPort['protocol'], port };
}
