/**
 * What the zone answers from: lookups that give plain data, so that zone.ts needs to know neither resources nor the
 * store. `DnsRecords` is the one that is kept up to date, change by change. Every name and address in it is text as the
 * API has it: names in lower case, addresses in their one form (RFC 5952).
 */

/** A port that has a name: those without get no SRV record. */
export interface DnsPort {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
}

/** A ready endpoint of a headless service; who is not ready is left out, unless the service publishes all. */
export interface DnsEndpoint {
  /** Its own name within the service: from the EndpointSlice, or `nameOfAddress` where that has none. */
  readonly hostname: string;
  readonly ips: readonly string[];
  /** Numbers as the endpoint has them: a named target port differs from pod to pod. */
  readonly ports: readonly DnsPort[];
}

export type DnsService =
  | { readonly kind: 'cluster'; readonly ips: readonly string[]; readonly ports: readonly DnsPort[] }
  | { readonly kind: 'headless'; readonly endpoints: readonly DnsEndpoint[] }
  | { readonly kind: 'external'; readonly target: string };

export interface DnsView {
  /** As in `cluster.local`. */
  readonly domain: string;
  /** Of the SOA record: rises with each change, from 1 to 2^32-1 and round. */
  readonly serial: number;
  /** Where the server is: the address of `ns.dns.DOMAIN`. */
  readonly servers: readonly string[];
  hasNamespace(namespace: string): boolean;
  service(namespace: string, name: string): DnsService | undefined;
  /**
   * Addresses of the pods that have a name in a network that the client is in; undefined where none has.
   * @param client its address: who asks decides which networks count.
   */
  names(client: string, name: string): readonly string[] | undefined;
  /** Names of an address: of its services, and of the pod, where the client is in a network with it. */
  pointers(client: string, ip: string): readonly string[];
  /** True for addresses of the cluster: nobody outside knows a name for them. */
  owns(ip: string): boolean;
}

/** `10-244-0-5`: what an endpoint without a hostname is called, and the first label of a pod's name. */
export function nameOfAddress(ip: string): string {
  return ip.replace(/[.:]/g, '-');
}
