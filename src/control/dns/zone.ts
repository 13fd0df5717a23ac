/**
 * Answers what is known here, by the Kubernetes DNS-Based Service Discovery specification, version 1.1.0, and pods'
 * names in their networks. Pure: a view and a question in, records out; `undefined` says that others have to be asked.
 *
 *     SERVICE.NS.svc.DOMAIN             A, AAAA: its addresses; headless: of every ready endpoint. ExternalName: CNAME
 *     HOST.SERVICE.NS.svc.DOMAIN        A, AAAA of one endpoint of a headless service
 *     _PORT._PROTO.SERVICE.NS.svc.DOMAIN   SRV, with the addresses of its targets beside it
 *     1-2-3-4.NS.pod.DOMAIN             A, AAAA: the address that the name says
 *     dns-version.DOMAIN                TXT
 *     ADDRESS.in-addr.arpa, .ip6.arpa   PTR
 *     NAME, NAME.NS, ALIAS              A, AAAA of pods in the networks that the asker is in
 *
 * A name that exists, or below which one exists, has no records of a type: NODATA, an empty answer. Else NXDOMAIN (RFC
 * 2308, RFC 8020). Both carry the SOA record, so that askers may remember them. What is not within the cluster's
 * addresses is no pod's name: else a certificate for `*.NS.pod.DOMAIN` would be one for any address of the world.
 */
import { AddressError, formatIp, parseIp } from '../../wire/address.js';
import { isName, makeRecord, type ZoneRecord, type ZoneSections } from './build.js';
import { RCODE, TYPE, ZONE_TTL } from './constants.js';
import { addressOf } from './reverse.js';
import type { DnsPort, DnsService, DnsView } from './view.js';

export const SCHEMA_VERSION = '1.1.0';

export interface ZoneAnswer extends ZoneSections {
  /** The answer is a CNAME to a name that is still to be resolved. */
  readonly alias?: string;
}

export interface ZoneQuestion {
  /** In lower case. */
  readonly labels: readonly string[];
  readonly type: number;
  /** Address of who asks. */
  readonly client: string;
  /** Where in a list of addresses to begin, so that askers that take the first spread. */
  readonly turn: number;
  /** More records than that have no room in the answer, so they are not made: an answer over UDP costs no more for it. */
  readonly most: number;
}

/** What is known of a name. Nothing at all: it exists, since others end in it. */
interface Found {
  readonly ips?: readonly string[];
  readonly targets?: readonly Target[];
  readonly pointers?: readonly string[];
  readonly text?: string;
  readonly cname?: string;
  readonly apex?: boolean;
}

interface Target {
  readonly name: string;
  readonly port: number;
  readonly ips: readonly string[];
}

const EXISTS: Found = {};

export function answer(view: DnsView, question: ZoneQuestion): ZoneAnswer | undefined {
  const { labels, client } = question;
  const domain = view.domain.split('.');
  const name = labels.join('.');
  if (domain.every((label, index) => label === labels[labels.length - domain.length + index])) {
    return compose(view, question, view.domain, inDomain(view, labels.slice(0, -domain.length)));
  }
  const address = addressOf(labels);
  if (address !== undefined) {
    const pointers = view.pointers(client, address);
    if (pointers.length === 0 && !view.owns(address)) return undefined;
    return compose(
      view,
      question,
      labels.slice(-2).join('.'),
      pointers.length === 0 ? undefined : { pointers },
    );
  }
  // A dot within a label is no dot between two.
  const ips = labels.some((label) => label.includes('.')) ? undefined : view.names(client, name);
  return ips && compose(view, question, name, { ips });
}

/** @param labels without the domain's. */
function inDomain(view: DnsView, labels: readonly string[]): Found | undefined {
  const [last, namespace, ...rest] = [...labels].reverse();
  if (last === undefined) return { apex: true };
  if (last === 'dns-version') return namespace === undefined ? { text: SCHEMA_VERSION } : undefined;
  if (last === 'dns') return inServers(view, labels);
  if (last !== 'svc' && last !== 'pod') return undefined;
  if (namespace === undefined) return EXISTS;
  if (!view.hasNamespace(namespace)) return undefined;
  if (rest.length === 0) return EXISTS;
  return last === 'svc' ? inNamespace(view, namespace, rest) : podOf(view, rest);
}

/** `ns.dns.DOMAIN`, which the SOA and NS records name. */
function inServers({ servers }: DnsView, labels: readonly string[]): Found | undefined {
  if (labels.length === 1) return EXISTS;
  return labels.length === 2 && labels[0] === 'ns' ? { ips: servers } : undefined;
}

function podOf(view: DnsView, [name, ...more]: readonly string[]): Found | undefined {
  const ip = more.length === 0 ? addressNamed(name) : undefined;
  return ip !== undefined && view.owns(ip) ? { ips: [ip] } : undefined;
}

function addressNamed(name: string): string | undefined {
  const text = /^\d+-\d+-\d+-\d+$/.test(name) ? name.replaceAll('-', '.') : name.replaceAll('-', ':');
  try {
    const ip = formatIp(parseIp(text));
    return ip.includes('.') === text.includes('.') ? ip : undefined;
  } catch (error) {
    if (error instanceof AddressError) return undefined;
    throw error;
  }
}

/** @param rest labels before the namespace, the last one first. */
function inNamespace(
  view: DnsView,
  namespace: string,
  [name, ...rest]: readonly string[],
): Found | undefined {
  const service = view.service(namespace, name);
  if (service === undefined || (service.kind === 'headless' && service.endpoints.length === 0))
    return undefined;
  const own = `${name}.${namespace}.svc.${view.domain}`;
  if (rest.length === 0) return ofService(service);
  if (rest.length === 1) return ofEndpoint(service, rest[0]) ?? ofProtocol(service, rest[0]);
  return rest.length === 2 ? ofPort(service, rest[1], rest[0], own) : undefined;
}

function ofService(service: DnsService): Found {
  if (service.kind === 'external') return { cname: service.target };
  return { ips: service.kind === 'cluster' ? service.ips : service.endpoints.flatMap(({ ips }) => ips) };
}

function ofEndpoint(service: DnsService, host: string): Found | undefined {
  if (service.kind !== 'headless') return undefined;
  const ips = service.endpoints
    .filter(({ hostname }) => hostname === host)
    .flatMap((endpoint) => endpoint.ips);
  return ips.length === 0 ? undefined : { ips };
}

function ofProtocol(service: DnsService, label: string): Found | undefined {
  return portsOf(service).some(({ protocol }) => label === `_${protocol}`) ? EXISTS : undefined;
}

function portsOf(service: DnsService): readonly DnsPort[] {
  if (service.kind === 'cluster') return service.ports;
  return service.kind === 'headless' ? service.endpoints.flatMap(({ ports }) => ports) : [];
}

function ofPort(service: DnsService, port: string, protocol: string, own: string): Found | undefined {
  const asked = (one: DnsPort) => port === `_${one.name}` && protocol === `_${one.protocol}`;
  if (service.kind === 'external') return undefined;
  const hosts =
    service.kind === 'cluster'
      ? [{ name: own, ips: service.ips, ports: service.ports }]
      : service.endpoints.map(({ hostname, ips, ports }) => ({ name: `${hostname}.${own}`, ips, ports }));
  const targets = hosts.flatMap(({ name, ips, ports }) =>
    ports.filter(asked).map((one) => ({ name, ips, port: one.port })),
  );
  return targets.length === 0 ? undefined : { targets: distinct(targets) };
}

/** An endpoint of both families comes in two EndpointSlices, with one name. */
function distinct(targets: readonly Target[]): Target[] {
  const known = new Map<string, Target>();
  for (const target of targets) {
    const key = `${target.name} ${target.port}`;
    known.set(key, { ...target, ips: [...(known.get(key)?.ips ?? []), ...target.ips] });
  }
  return [...known.values()];
}

/** @param zone owner of the SOA record. */
function compose(view: DnsView, question: ZoneQuestion, zone: string, found: Found | undefined): ZoneAnswer {
  if (found?.cname !== undefined) return externalName(question, found.cname);
  const answers = found ? recordsOf(view, question, found) : [];
  return {
    rcode: found ? RCODE.NOERROR : RCODE.NXDOMAIN,
    answers,
    authority: answers.length === 0 ? [soa(view, zone)] : [],
    additional: answers.length === 0 ? [] : addressesOf(found?.targets ?? [], question.most),
  };
}

/** A CNAME stands for every type (RFC 1034 section 3.6.2). A target that is no name can only be said to have failed. */
function externalName({ labels, type }: ZoneQuestion, target: string): ZoneAnswer {
  const alias = target.replace(/\.$/, '').toLowerCase();
  const empty = { answers: [], authority: [], additional: [] };
  if (!isName(alias)) return { rcode: RCODE.SERVFAIL, ...empty };
  const answers = [makeRecord(labels.join('.'), 'CNAME', alias)];
  return { ...empty, rcode: RCODE.NOERROR, answers, ...(type !== TYPE.CNAME && { alias }) };
}

function recordsOf(view: DnsView, { labels, type, turn, most }: ZoneQuestion, found: Found): ZoneRecord[] {
  const owner = labels.join('.');
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA:
      return addresses(owner, turned(ofFamily(found.ips ?? [], type), turn).slice(0, most));
    case TYPE.SRV:
      return turned(found.targets ?? [], turn)
        .slice(0, most)
        .map((target) => srv(owner, target));
    case TYPE.PTR:
      return (found.pointers ?? []).map((name) => makeRecord(owner, 'PTR', name));
    case TYPE.TXT:
      return found.text === undefined ? [] : [makeRecord(owner, 'TXT', found.text)];
    case TYPE.SOA:
      return found.apex ? [soa(view, owner)] : [];
    case TYPE.NS:
      return found.apex ? [makeRecord(owner, 'NS', `ns.dns.${view.domain}`)] : [];
    default:
      return [];
  }
}

function ofFamily(ips: readonly string[], type: number): string[] {
  return [...new Set(ips)].filter((ip) => ip.includes(':') === (type === TYPE.AAAA));
}

function addressesOf(targets: readonly Target[], most: number): ZoneRecord[] {
  return targets.slice(0, most).flatMap(({ name, ips }) => addresses(name, ips));
}

function addresses(owner: string, ips: readonly string[]): ZoneRecord[] {
  return [...new Set(ips)].map((ip) => makeRecord(owner, ip.includes(':') ? 'AAAA' : 'A', ip));
}

function srv(owner: string, { name, port }: Target): ZoneRecord {
  return makeRecord(owner, 'SRV', { priority: 0, weight: 100, port, target: name });
}

/** Who is told `minimum` and the TTL remembers for that long that there is nothing (RFC 2308 section 5). */
function soa(view: DnsView, owner: string): ZoneRecord {
  const timers = { refresh: 7200, retry: 1800, expire: 86_400, minimum: ZONE_TTL };
  const names = { mname: `ns.dns.${view.domain}`, rname: `hostmaster.${view.domain}` };
  return makeRecord(owner, 'SOA', { ...names, serial: view.serial, ...timers });
}

function turned<T>(list: readonly T[], turn: number): T[] {
  const from = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(from), ...list.slice(0, from)];
}
