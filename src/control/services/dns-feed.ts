/**
 * Keeps the DNS server's records as services, namespaces and networks are. Each change costs what has changed: a service,
 * or the names of a network.
 *
 * The default network has no names (docs/decisions/0038-dns.md): everybody is in it, and its pods are found by services. Its
 * addresses are known as those of askers all the same, for a pod in it and in another network asks from there.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NameEntry } from '../api/types.js';
import type { DnsRecords } from '../dns/records.js';
import { DEFAULT_NAMESPACE } from '../model/kinds.js';
import { DEFAULT_NETWORK } from '../model/network.js';
import { type NamedPod, namesOf } from '../names.js';
import { dnsServiceOf } from './dns-service.js';
import type { LiveServices } from './live-services.js';

export interface DnsFeedParts {
  readonly records: DnsRecords;
  readonly services: Pick<LiveServices, 'service' | 'endpointSlices'>;
  /** With their addresses in networks: those here, and of overlays those of other nodes. */
  readonly pods: () => readonly NamedPod[];
  /** Prefixes of the cluster: nobody outside has a name for what is in them. */
  readonly ranges: () => readonly string[];
}

export class DnsFeed {
  private readonly known = new Map<string, readonly NameEntry[]>();
  private ranges: readonly string[] = [];
  private askers: readonly (readonly [ip: string, pod: string])[] = [];
  private planned: NodeJS.Immediate | undefined;

  constructor(private readonly parts: DnsFeedParts) {
    parts.records.addNamespace(DEFAULT_NAMESPACE);
  }

  /** A service, or who its endpoints are, may be other than before. @param key NAMESPACE/NAME; another is none of a service. */
  serviceChanged(key: string): void {
    const [namespace, name, more] = key.split('/');
    if (name === undefined || more !== undefined) return;
    const { records, services } = this.parts;
    const service = services.service(key);
    const found = service && dnsServiceOf(service, () => services.endpointSlices(key));
    if (found || records.service(namespace, name)) records.setService(namespace, name, found);
  }

  /** Namespaces exist by themselves where something is in them. */
  setNamespace(name: string): void {
    this.parts.records.addNamespace(name);
  }

  /** With all that was in it. */
  removeNamespace(name: string): void {
    if (name !== DEFAULT_NAMESPACE) this.parts.records.deleteNamespace(name);
  }

  /** Pods have come or gone, or networks. Many calls are one look, once what is under way has ended. */
  networksChanged(): void {
    this.planned ??= setImmediate(() => {
      this.planned = undefined;
      this.look();
    });
  }

  stop(): void {
    clearImmediate(this.planned);
  }

  private look(): void {
    const pods = this.parts.pods();
    this.followRanges();
    for (const { pod } of pods) this.parts.records.addNamespace(pod.split('/')[0]);
    this.followAskers(pods.filter(({ network }) => network === DEFAULT_NETWORK));
    this.followNames(namesOf(pods.filter(({ network }) => network !== DEFAULT_NETWORK)));
  }

  private followRanges(): void {
    const ranges = this.parts.ranges();
    if (isDeepStrictEqual(ranges, this.ranges)) return;
    this.ranges = ranges;
    this.parts.records.setRanges(ranges);
  }

  private followAskers(pods: readonly NamedPod[]): void {
    const askers = pods.flatMap(({ ips, pod }) => ips.map((ip) => [ip, pod] as const));
    if (isDeepStrictEqual(askers, this.askers)) return;
    this.askers = askers;
    this.parts.records.setAskers(askers);
  }

  private followNames(entries: readonly NameEntry[]): void {
    const byNetwork = new Map<string, NameEntry[]>();
    for (const entry of entries) {
      const others = byNetwork.get(entry.network);
      if (others) others.push(entry);
      else byNetwork.set(entry.network, [entry]);
    }
    for (const network of new Set([...this.known.keys(), ...byNetwork.keys()])) {
      this.followNetwork(network, byNetwork.get(network) ?? []);
    }
  }

  private followNetwork(network: string, entries: readonly NameEntry[]): void {
    if (isDeepStrictEqual(entries, this.known.get(network))) return;
    if (entries.length > 0) this.known.set(network, entries);
    else this.known.delete(network);
    this.parts.records.setNetwork(network, entries);
  }
}
