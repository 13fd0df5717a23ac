/**
 * The view that is kept up to date. Each change costs what the changed service or network has, not what there is of
 * them: 50,000 services are as quick to change as one.
 *
 * Which pod asks is found by its address. Where pods of two networks have one address (raw networks may), the asker
 * counts as both.
 */
import { type Cidr, contains, type Ip, parseCidr, parseIp } from '../../wire/address.js';
import type { NameEntry } from '../api/types.js';
import type { DnsService, DnsView } from './view.js';

export class DnsRecords implements DnsView {
  serial = 1;
  servers: readonly string[] = [];
  private readonly namespaces = new Map<string, Map<string, DnsService>>();
  private readonly networks = new Map<string, NetworkNames>();
  private readonly pointersTo = new Map<string, Set<string>>();
  private readonly podsAt = new Counted();
  private readonly networksOf = new Counted();
  /** By address that pods ask from. */
  private readonly askersAt = new Counted();
  private ranges: readonly Cidr[] = [];
  private askers: readonly (readonly [ip: string, pod: string])[] = [];

  constructor(readonly domain = 'cluster.local') {}

  /** Namespaces that have no service yet exist as well. */
  addNamespace(namespace: string): void {
    if (this.namespaces.has(namespace)) return;
    this.namespaces.set(namespace, new Map());
    this.changed();
  }

  /** With all its services. */
  deleteNamespace(namespace: string): void {
    for (const name of this.namespaces.get(namespace)?.keys() ?? [])
      this.setService(namespace, name, undefined);
    this.namespaces.delete(namespace);
    this.changed();
  }

  /** @param service undefined where it is gone. */
  setService(namespace: string, name: string, service: DnsService | undefined): void {
    this.addNamespace(namespace);
    const services = this.namespaces.get(namespace)!;
    const own = `${name}.${namespace}.svc.${this.domain}`;
    for (const [ip, pointer] of pointersOf(own, services.get(name))) this.removePointer(ip, pointer);
    if (service === undefined) services.delete(name);
    else services.set(name, service);
    for (const [ip, pointer] of pointersOf(own, service)) this.addPointer(ip, pointer);
    this.changed();
  }

  /** All names of a network, as namesOf (names.ts) has them. None: the network is gone. */
  setNetwork(network: string, entries: readonly NameEntry[]): void {
    for (const [ip, pod] of this.networks.get(network)?.pods ?? []) {
      this.podsAt.remove(ip, pod);
      this.networksOf.remove(pod, network);
      this.askersAt.remove(ip, pod);
    }
    const names = namesIn(entries);
    if (entries.length === 0) this.networks.delete(network);
    else this.networks.set(network, names);
    for (const [ip, pod] of names.pods) {
      this.podsAt.add(ip, pod);
      this.networksOf.add(pod, network);
      this.askersAt.add(ip, pod);
    }
    this.changed();
  }

  /** Addresses in networks whose names count for nobody: who asks from one is known all the same. */
  setAskers(askers: readonly (readonly [ip: string, pod: string])[]): void {
    for (const [ip, pod] of this.askers) this.askersAt.remove(ip, pod);
    for (const [ip, pod] of askers) this.askersAt.add(ip, pod);
    this.askers = askers;
  }

  /** The cluster's own prefixes: of services and of pods. */
  setRanges(cidrs: readonly string[]): void {
    this.ranges = cidrs.map(parseCidr);
    this.changed();
  }

  hasNamespace(namespace: string): boolean {
    return this.namespaces.has(namespace);
  }

  service(namespace: string, name: string): DnsService | undefined {
    return this.namespaces.get(namespace)?.get(name);
  }

  names(client: string, name: string): readonly string[] | undefined {
    const found = this.networksOfClient(client).map((network) => this.networks.get(network)?.ips.get(name));
    const known = found.filter((ips) => ips !== undefined);
    return known.length === 0 ? undefined : [...new Set(known.flat())];
  }

  pointers(client: string, ip: string): readonly string[] {
    const mine = new Set(this.networksOfClient(client));
    const seen = this.podsAt
      .of(ip)
      .filter((pod) => this.networksOf.of(pod).some((network) => mine.has(network)));
    return [...(this.pointersTo.get(ip) ?? []), ...seen.map((pod) => pod.split('/').reverse().join('.'))];
  }

  owns(ip: string): boolean {
    const address: Ip = parseIp(ip);
    return this.ranges.some((range) => contains(range, address));
  }

  private networksOfClient(client: string): string[] {
    return [...new Set(this.askersAt.of(client).flatMap((pod) => this.networksOf.of(pod)))];
  }

  private addPointer(ip: string, pointer: string): void {
    const pointers = this.pointersTo.get(ip) ?? new Set();
    this.pointersTo.set(ip, pointers.add(pointer));
  }

  private removePointer(ip: string, pointer: string): void {
    const pointers = this.pointersTo.get(ip);
    pointers?.delete(pointer);
    if (pointers?.size === 0) this.pointersTo.delete(ip);
  }

  private changed(): void {
    this.serial = (this.serial % 0xffff_ffff) + 1;
  }
}

interface NetworkNames {
  readonly ips: ReadonlyMap<string, readonly string[]>;
  /** Each address and pod once. */
  readonly pods: readonly (readonly [ip: string, pod: string])[];
}

function namesIn(entries: readonly NameEntry[]): NetworkNames {
  const ips = new Map<string, string[]>();
  const pods = new Map<string, readonly [string, string]>();
  for (const entry of entries) {
    ips.set(entry.name, [...(ips.get(entry.name) ?? []), ...entry.ips]);
    for (const ip of entry.ips) pods.set(`${ip} ${entry.pod}`, [ip, entry.pod]);
  }
  return { ips, pods: [...pods.values()] };
}

function pointersOf(own: string, service: DnsService | undefined): (readonly [ip: string, name: string])[] {
  if (service === undefined || service.kind === 'external') return [];
  if (service.kind === 'cluster') return service.ips.map((ip) => [ip, own] as const);
  return service.endpoints.flatMap(({ hostname, ips }) =>
    ips.map((ip) => [ip, `${hostname}.${own}`] as const),
  );
}

/** Many values of a key, of which each is there as long as it was added more often than removed. */
class Counted {
  private readonly counts = new Map<string, Map<string, number>>();

  add(key: string, value: string): void {
    const values = this.counts.get(key) ?? new Map<string, number>();
    this.counts.set(key, values.set(value, (values.get(value) ?? 0) + 1));
  }

  remove(key: string, value: string): void {
    const values = this.counts.get(key);
    const left = (values?.get(value) ?? 0) - 1;
    if (left > 0) values?.set(value, left);
    else values?.delete(value);
    if (values?.size === 0) this.counts.delete(key);
  }

  of(key: string): string[] {
    return [...(this.counts.get(key)?.keys() ?? [])];
  }
}
