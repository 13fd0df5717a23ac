/**
 * The daemon's options: their names and defaults, and the way from text to checked values. Where the text
 * comes from (flags, environment, file) is the command line's business.
 */
import { hostname } from 'node:os';
import { AddressError, parseCidr } from '../wire/address.js';
import { canonicalIp, encloses, familyOf, firstSubnet, holds, overlaps } from './cidr.js';
import { invalid, unsupported } from './errors.js';
import { type ListenOptions, parseListenOptions } from './listen-options.js';
import { resourceName } from './model/kinds.js';
import { MOST_MTU, parsePrefix } from './model/network.js';

export interface DaemonOptions extends ListenOptions {
  /** Name of the node. */
  readonly name: string;
  /** Data directory. */
  readonly data: string;
  /** Path of the API's unix socket. */
  readonly socket: string;
  readonly underlay?: string;
  /** IPv4 first, at most one of each family. */
  readonly podCidrs: readonly string[];
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly mtu: 'auto' | number;
  readonly io: 'auto' | 'uring' | 'poll';
}

interface OptionInfo {
  readonly name: string;
  /** What stands for its value in help texts. */
  readonly value: string;
  readonly help: string;
  readonly default?: string;
}

const CLUSTER_CIDR = '10.244.0.0/16,fd00:10:244::/48';
const SERVICE_CIDR = '10.96.0.0/16,fd00:10:96::/112';

/** Every flag of `podwire daemon` but --config, in the order of its help. */
export const DAEMON_OPTIONS: readonly OptionInfo[] = [
  { name: 'name', value: 'NODE', help: 'name of this node', default: 'the host name' },
  { name: 'data', value: 'DIR', help: 'where state is kept', default: '/var/lib/podwire' },
  { name: 'socket', value: 'PATH', help: 'unix socket of the API', default: '/run/podwire/podwire.sock' },
  { name: 'underlay', value: 'ADDR', help: 'address that other nodes reach this node at' },
  {
    name: 'pod-cidr',
    value: 'CIDR[,CIDR]',
    help: 'subnets of this node’s pods; without it the first of --cluster-cidr',
  },
  { name: 'cluster-cidr', value: 'CIDR[,CIDR]', help: 'addresses of all pods', default: CLUSTER_CIDR },
  { name: 'service-cidr', value: 'CIDR[,CIDR]', help: 'addresses of services', default: SERVICE_CIDR },
  { name: 'mtu', value: 'auto|N', help: 'largest packet of pods, in bytes', default: 'auto' },
  { name: 'io', value: 'auto|uring|poll', help: 'how packets are read and written', default: 'auto' },
  { name: 'workers', value: 'N', help: 'forwarding threads', default: '1' },
  { name: 'store', value: 'embedded', help: 'where cluster state is kept', default: 'embedded' },
  { name: 'listen', value: 'HOST:PORT', help: 'the API on TCP too, for other nodes and --server' },
  { name: 'token-file', value: 'FILE', help: 'bearer token of the API on TCP' },
  { name: 'tls-cert', value: 'FILE', help: 'certificate of this node, PEM, with its intermediates' },
  { name: 'tls-key', value: 'FILE', help: 'its private key' },
  { name: 'tls-ca', value: 'FILE', help: 'who must have signed the certificates of clients and of --join' },
  { name: 'join', value: 'URL', help: 'take cluster state from the API there' },
  { name: 'vni', value: 'N', help: 'not supported yet: VXLAN network between nodes' },
  { name: 'tunnel-port', value: 'N', help: 'not supported yet: VXLAN port' },
];

/** Flags of the tunnel and of clusters. */
const UNSUPPORTED = ['vni', 'tunnel-port'];

/** IPv6 needs 1280 bytes (RFC 8200 section 5). */
const LEAST_MTU = { 4: 576, 6: 1280 } as const;

/** Lengths of a node's subnets within the cluster's. */
const NODE_SUBNET = { 4: 24, 6: 64 } as const;

/** The longest pod prefix: room for the switch, the node and a pod. */
const LONGEST_POD_PREFIX = { 4: 29, 6: 126 } as const;

type Values = Readonly<Record<string, string | undefined>>;

/**
 * @param values text by flag name, as in `{ 'pod-cidr': '10.244.1.0/24' }`.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the flag
 */
export function parseDaemonOptions(values: Values): DaemonOptions {
  refuseUnknown(values);
  refuseUnsupported(values);
  const cidrs = parseCidrs(values);
  const underlay = values.underlay === undefined ? undefined : parseUnderlay(values.underlay, cidrs);
  return {
    name: parseName(values.name),
    data: nonEmpty('--data', values.data ?? defaultOf('data')),
    socket: nonEmpty('--socket', values.socket ?? defaultOf('socket')),
    ...(underlay !== undefined && { underlay }),
    ...cidrs,
    mtu: parseMtu(values.mtu ?? 'auto', cidrs.podCidrs),
    io: oneOf('--io', values.io ?? 'auto', ['auto', 'uring', 'poll']),
    ...parseListenOptions(values),
  };
}

function defaultOf(name: string): string {
  return DAEMON_OPTIONS.find((option) => option.name === name)?.default ?? '';
}

function refuseUnknown(values: Values): void {
  const unknown = Object.keys(values).find((name) => !DAEMON_OPTIONS.some((option) => option.name === name));
  if (unknown !== undefined) throw invalid(`--${unknown}`, 'unknown option');
}

function refuseUnsupported(values: Values): void {
  for (const name of UNSUPPORTED) {
    if (values[name] !== undefined) throw unsupported(`--${name}`, 'this version runs one node by itself');
  }
  if (values.store?.startsWith('etcd=')) throw unsupported('--store', 'only the embedded store is supported');
  oneOf('--store', values.store ?? 'embedded', ['embedded']);
  const workers = values.workers ?? '1';
  if (!/^[1-9]\d{0,3}$/.test(workers)) throw invalid('--workers', `'${workers}' is not a number of threads`);
  if (workers !== '1') throw unsupported('--workers', 'more than one is not supported');
}

function parseName(text = hostname().toLowerCase()): string {
  try {
    return resourceName(text);
  } catch {
    throw invalid('--name', `'${text}' is not a node name: lower case letters, digits, - and .`);
  }
}

function parseCidrs(values: Values): Pick<DaemonOptions, 'podCidrs' | 'clusterCidrs' | 'serviceCidrs'> {
  const cluster = parseList('--cluster-cidr', values['cluster-cidr'] ?? CLUSTER_CIDR);
  const service = parseList('--service-cidr', values['service-cidr'] ?? SERVICE_CIDR);
  const given = values['pod-cidr'];
  const pods = given === undefined ? cluster.map(nodeSubnet) : parseList('--pod-cidr', given);
  for (const cidr of pods) checkRoom(given === undefined ? '--cluster-cidr' : '--pod-cidr', cidr);
  const clusterCidrs =
    values['cluster-cidr'] === undefined ? surrounding(pods, cluster) : within(pods, cluster);
  refuseOverlap(clusterCidrs, service);
  return { podCidrs: pods, clusterCidrs, serviceCidrs: service };
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

function nodeSubnet(cidr: string): string {
  return firstSubnet(cidr, NODE_SUBNET[familyOf(cidr)]);
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

function within(pods: readonly string[], cluster: readonly string[]): readonly string[] {
  const stray = pods.find((pod) => !cluster.some((cidr) => encloses(cidr, pod)));
  if (stray) throw invalid('--pod-cidr', `${stray} is not within --cluster-cidr ${cluster.join(',')}`);
  return cluster;
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

function nonEmpty(flag: string, text: string): string {
  if (text === '' || text.includes('\0')) throw invalid(flag, 'must be a path');
  return text;
}

function oneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw invalid(flag, `'${text}' is not one of ${choices.join(', ')}`);
  return choice;
}
