/**
 * The daemon's options: their names and defaults, and the way from text to checked values. Where the text
 * comes from (flags, environment, file) is the command line's business.
 */
import { hostname } from 'node:os';
import { DEFAULT_FLOWS } from '../dataplane/connections.js';
import { MAX_CAPACITY as MOST_FLOWS } from '../dataplane/flows/flow-memory.js';
import { AddressError, parseCidr } from '../wire/address.js';
import { canonicalCidr, canonicalIp, encloses, familyOf, holds, overlaps } from './cidr.js';
import { invalid } from './errors.js';
import { type ListenOptions, parseListenOptions, parseServerUrl } from './listen-options.js';
import { resourceName } from './model/kinds.js';
import { isLabelValue } from './model/meta.js';
import { MOST_MTU, MOST_VNI, parsePrefix } from './model/network.js';
import { VXLAN_PORT } from './model/node.js';

export interface DaemonOptions extends ListenOptions {
  /** Name of the node. */
  readonly name: string;
  /** Data directory. */
  readonly data: string;
  /** Path of the API's unix socket. */
  readonly socket: string;
  readonly underlay?: string;
  /** What is to be this node's; undefined: subnets are leased. IPv4 first, at most one of each family. */
  readonly podCidrs?: readonly string[];
  /** These three are of the whole cluster: what is not given is as the cluster has it, or these defaults. */
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly vni: number;
  readonly given: readonly ClusterOption[];
  /** Outside destinations that pods reach under their own addresses. */
  readonly nonMasqueradeCidrs: readonly string[];
  readonly tunnelPort: number;
  readonly store: StoreChoice;
  readonly mtu: 'auto' | number;
  readonly io: 'auto' | 'uring' | 'poll';
  /** Forwarding threads. */
  readonly workers: number;
  /** Whether pods are served names. */
  readonly dns: 'auto' | 'off';
  /** What services' names end in. */
  readonly clusterDomain: string;
  /** Who is asked for all other names. */
  readonly resolvConf: string;
  /** Connections that are known at most, all threads together. */
  readonly maxFlows: number;
  /** Label `topology.kubernetes.io/zone` of the node. */
  readonly zone?: string;
}

export type ClusterOption = 'cluster-cidr' | 'service-cidr' | 'vni';

/** Where cluster state is kept: here, at the API of another node, or in etcd. */
export type StoreChoice =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'etcd'; readonly urls: readonly string[] };

interface OptionInfo {
  readonly name: string;
  /** What stands for its value in help texts. */
  readonly value: string;
  readonly help: string;
  readonly default?: string;
}

/** Below, what one busy pod opens would be all there is. */
const LEAST_FLOWS = 1024;

const CLUSTER_CIDR = '10.244.0.0/16,fd00:10:244::/48';
const SERVICE_CIDR = '10.96.0.0/16,fd00:10:96::/112';

/** What a cluster has that says nothing else. */
export const DEFAULT_CLUSTER_CIDRS: readonly string[] = CLUSTER_CIDR.split(',');
export const DEFAULT_SERVICE_CIDRS: readonly string[] = SERVICE_CIDR.split(',');

/** Every flag of `podwire daemon` but --config, in the order of its help. */
export const DAEMON_OPTIONS: readonly OptionInfo[] = [
  { name: 'name', value: 'NODE', help: 'name of this node', default: 'the host name' },
  { name: 'data', value: 'DIR', help: 'where state is kept', default: '/var/lib/podwire' },
  { name: 'socket', value: 'PATH', help: 'unix socket of the API', default: '/run/podwire/podwire.sock' },
  { name: 'underlay', value: 'ADDR', help: 'address that other nodes reach this node at' },
  {
    name: 'pod-cidr',
    value: 'CIDR[,CIDR]',
    help: 'subnets of this node’s pods; without it leased from --cluster-cidr',
  },
  { name: 'cluster-cidr', value: 'CIDR[,CIDR]', help: 'addresses of all pods', default: CLUSTER_CIDR },
  { name: 'service-cidr', value: 'CIDR[,CIDR]', help: 'addresses of services', default: SERVICE_CIDR },
  { name: 'zone', value: 'ZONE', help: 'where this node is; services may prefer endpoints in the same zone' },
  {
    name: 'non-masquerade-cidr',
    value: 'CIDR[,CIDR]',
    help: 'destinations outside that pods reach under their own addresses',
    default: 'none',
  },
  { name: 'mtu', value: 'auto|N', help: 'largest packet of pods, in bytes', default: 'auto' },
  { name: 'io', value: 'auto|uring|poll', help: 'how packets are read and written', default: 'auto' },
  { name: 'workers', value: 'N', help: 'forwarding threads, 1 to 16', default: '1' },
  { name: 'dns', value: 'auto|off', help: 'names for pods, at their gateway', default: 'auto' },
  {
    name: 'cluster-domain',
    value: 'DOMAIN',
    help: 'what the names of services end in, the same on every node',
    default: 'cluster.local',
  },
  {
    name: 'resolv-conf',
    value: 'FILE',
    help: 'name servers that are asked for all other names',
    default: '/etc/resolv.conf',
  },
  {
    name: 'max-flows',
    value: 'N',
    help: `connections known at most, ${LEAST_FLOWS} to ${MOST_FLOWS}`,
    default: String(DEFAULT_FLOWS),
  },
  {
    name: 'store',
    value: 'embedded|etcd=URL[,URL]',
    help: 'where cluster state is kept, unless with --join',
    default: 'embedded',
  },
  { name: 'listen', value: 'HOST:PORT', help: 'the API on TCP too, for other nodes and --server' },
  { name: 'token-file', value: 'FILE', help: 'bearer token of the API on TCP' },
  { name: 'tls-cert', value: 'FILE', help: 'certificate of this node, PEM, with its intermediates' },
  { name: 'tls-key', value: 'FILE', help: 'its private key' },
  { name: 'tls-ca', value: 'FILE', help: 'who must have signed the certificates of clients and of --join' },
  { name: 'join', value: 'URL', help: 'take cluster state from the API there' },
  { name: 'vni', value: 'N', help: 'VXLAN network between nodes', default: '1' },
  { name: 'tunnel-port', value: 'N', help: 'UDP port of the tunnel', default: String(VXLAN_PORT) },
];

const CLUSTER_OPTIONS = ['cluster-cidr', 'service-cidr', 'vni'] as const;

const DEFAULT_VNI = 1;

/** Each costs a thread, a packet pool and descriptors of every port. */
const MOST_WORKERS = 16;

/** IPv6 needs 1280 bytes (RFC 8200 section 5). */
const LEAST_MTU = { 4: 576, 6: 1280 } as const;

/** The longest pod prefix: room for the switch, the node and a pod. */
const LONGEST_POD_PREFIX = { 4: 29, 6: 126 } as const;

const NON_MASQUERADE = '--non-masquerade-cidr';
const MOST_DESTINATIONS = 256;

type Values = Readonly<Record<string, string | undefined>>;

/**
 * @param values text by flag name, as in `{ 'pod-cidr': '10.244.1.0/24' }`.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the flag
 */
export function parseDaemonOptions(values: Values): DaemonOptions {
  refuseUnknown(values);
  const cidrs = parseCidrs(values);
  const underlay = values.underlay === undefined ? undefined : parseUnderlay(values.underlay, cidrs);
  const listen = parseListenOptions(values);
  const store = parseStore(values.store ?? 'embedded', listen.join);
  if (store.kind !== 'embedded' && underlay === undefined) {
    throw invalid('--underlay', 'is missing: other nodes of the cluster have to reach this one');
  }
  return {
    name: parseName(values.name),
    data: nonEmpty('--data', values.data ?? defaultOf('data')),
    socket: nonEmpty('--socket', values.socket ?? defaultOf('socket')),
    ...(underlay !== undefined && { underlay }),
    ...cidrs,
    vni: parseNumber('--vni', values.vni, DEFAULT_VNI, MOST_VNI),
    given: CLUSTER_OPTIONS.filter((name) => values[name] !== undefined),
    nonMasqueradeCidrs: parseDestinations(values['non-masquerade-cidr']),
    tunnelPort: parseNumber('--tunnel-port', values['tunnel-port'], VXLAN_PORT, 65_535),
    store,
    mtu: parseMtu(values.mtu ?? 'auto', cidrs.podCidrs ?? cidrs.clusterCidrs),
    io: oneOf('--io', values.io ?? 'auto', ['auto', 'uring', 'poll']),
    workers: parseNumber('--workers', values.workers, 1, MOST_WORKERS),
    dns: oneOf('--dns', values.dns ?? defaultOf('dns'), ['auto', 'off']),
    clusterDomain: parseDomain(values['cluster-domain'] ?? defaultOf('cluster-domain')),
    resolvConf: nonEmpty('--resolv-conf', values['resolv-conf'] ?? defaultOf('resolv-conf')),
    maxFlows: parseNumber('--max-flows', values['max-flows'], DEFAULT_FLOWS, MOST_FLOWS, LEAST_FLOWS),
    ...(values.zone !== undefined && { zone: parseZone(values.zone) }),
    ...listen,
  };
}

function defaultOf(name: string): string {
  return DAEMON_OPTIONS.find((option) => option.name === name)?.default ?? '';
}

function refuseUnknown(values: Values): void {
  const unknown = Object.keys(values).find((name) => !DAEMON_OPTIONS.some((option) => option.name === name));
  if (unknown !== undefined) throw invalid(`--${unknown}`, 'unknown option');
}

function parseName(text = hostname().toLowerCase()): string {
  try {
    return resourceName(text);
  } catch {
    throw invalid('--name', `'${text}' is not a node name: lower case letters, digits, - and .`);
  }
}

/** It becomes the value of a label. */
function parseZone(text: string): string {
  if (text !== '' && isLabelValue(text)) return text;
  throw invalid('--zone', `'${text}' is not the value of a label: at most 63 letters, digits, -, _ and .`);
}

function parseCidrs(values: Values): Pick<DaemonOptions, 'podCidrs' | 'clusterCidrs' | 'serviceCidrs'> {
  const cluster = parseList('--cluster-cidr', values['cluster-cidr'] ?? CLUSTER_CIDR);
  const service = parseList('--service-cidr', values['service-cidr'] ?? SERVICE_CIDR);
  for (const cidr of cluster) checkRoom('--cluster-cidr', cidr);
  const pods = values['pod-cidr'] === undefined ? undefined : parseList('--pod-cidr', values['pod-cidr']);
  for (const cidr of pods ?? []) checkRoom('--pod-cidr', cidr);
  const clusterCidrs = values['cluster-cidr'] === undefined && pods ? surrounding(pods, cluster) : cluster;
  refuseStray(pods ?? [], clusterCidrs);
  refuseOverlap(clusterCidrs, service);
  return { ...(pods && { podCidrs: pods }), clusterCidrs, serviceCidrs: service };
}

function parseList(flag: string, text: string): string[] {
  const cidrs = text.split(',').map((part) => parsePrefix(flag, part.trim()));
  for (const family of [4, 6] as const) {
    if (cidrs.filter((cidr) => familyOf(cidr) === family).length > 1) {
      throw invalid(flag, `${text}: at most one IPv${family} prefix`);
    }
  }
  return cidrs.sort((a, b) => familyOf(a) - familyOf(b));
}

/** Any prefix, as in a routing table. */
function parseDestinations(text = ''): string[] {
  const parts = text === '' || text === 'none' ? [] : text.split(',');
  if (parts.length > MOST_DESTINATIONS)
    throw invalid(NON_MASQUERADE, `at most ${MOST_DESTINATIONS} prefixes`);
  return parts.map((part) => {
    try {
      return canonicalCidr(part.trim());
    } catch (error) {
      if (error instanceof AddressError) throw invalid(NON_MASQUERADE, error.message);
      throw error;
    }
  });
}

function checkRoom(flag: string, cidr: string): void {
  const longest = LONGEST_POD_PREFIX[familyOf(cidr)];
  if (parseCidr(cidr).prefix > longest) {
    throw invalid(flag, `${cidr} is too small for pods: the length may be at most ${longest}`);
  }
}

/** Without --cluster-cidr: the default's prefixes where the pods are in them, else the pods' own. */
function surrounding(pods: readonly string[], cluster: readonly string[]): string[] {
  return pods.map((pod) => cluster.find((cidr) => encloses(cidr, pod)) ?? pod);
}

/** @throws PodwireError INVALID where a node's prefix is outside the cluster's */
export function refuseStray(pods: readonly string[], cluster: readonly string[]): void {
  const stray = pods.find((pod) => !cluster.some((cidr) => encloses(cidr, pod)));
  if (stray) throw invalid('--pod-cidr', `${stray} is not within --cluster-cidr ${cluster.join(',')}`);
}

function parseStore(text: string, join: string | undefined): StoreChoice {
  if (text === 'embedded') return join === undefined ? { kind: 'embedded' } : { kind: 'remote', url: join };
  if (!text.startsWith('etcd=')) {
    throw invalid('--store', `'${text}' is neither embedded nor etcd=URL[,URL]`);
  }
  if (join !== undefined) {
    throw invalid('--join', 'and --store etcd both say where cluster state is kept: give one of them');
  }
  const urls = text.slice('etcd='.length).split(',');
  return { kind: 'etcd', urls: urls.map((url) => parseServerUrl('--store', url.trim())) };
}

function parseNumber(
  flag: string,
  text: string | undefined,
  fallback: number,
  most: number,
  least = 1,
): number {
  if (text === undefined) return fallback;
  const number = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw invalid(flag, `'${text}' is not a number from ${least} to ${most}`);
}

function refuseOverlap(cluster: readonly string[], service: readonly string[]): void {
  for (const cidr of service) {
    const other = cluster.find((candidate) => overlaps(candidate, cidr));
    if (other) throw invalid('--service-cidr', `${cidr} overlaps the pods' ${other}`);
  }
}

function parseUnderlay(
  text: string,
  { clusterCidrs, serviceCidrs }: Pick<DaemonOptions, 'clusterCidrs' | 'serviceCidrs'>,
): string {
  const address = readAddress(text);
  const holder = [...clusterCidrs, ...serviceCidrs].find((cidr) => holds(cidr, address));
  if (holder) throw invalid('--underlay', `${address} is within ${holder}, which is for pods or services`);
  return address;
}

function readAddress(text: string): string {
  try {
    return canonicalIp(text);
  } catch (error) {
    if (error instanceof AddressError) throw invalid('--underlay', error.message);
    throw error;
  }
}

function parseMtu(text: string, podCidrs: readonly string[]): 'auto' | number {
  if (text === 'auto') return text;
  const least = podCidrs.some((cidr) => familyOf(cidr) === 6) ? LEAST_MTU[6] : LEAST_MTU[4];
  const mtu = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (mtu >= least && mtu <= MOST_MTU) return mtu;
  throw invalid('--mtu', `'${text}' is neither auto nor a number from ${least} to ${MOST_MTU}`);
}

/** Names of services stand before it, and all must fit into 253 octets (RFC 1035 section 2.3.4). */
const LONGEST_DOMAIN = 100;

/** In lower case, without the dot that may end it. */
function parseDomain(text: string): string {
  const domain = text.toLowerCase().replace(/\.$/, '');
  const labels = domain.split('.');
  const isDomain = labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  if (isDomain && domain.length <= LONGEST_DOMAIN) return domain;
  throw invalid('--cluster-domain', `'${text}' is no domain like cluster.local`);
}

function nonEmpty(flag: string, text: string): string {
  if (text === '' || text.includes('\0')) throw invalid(flag, 'must be a path');
  return text;
}

function oneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw invalid(flag, `'${text}' is not one of ${choices.join(', ')}`);
  return choice;
}
