/**
 * What the runtime wishes for one container: `runtimeConfig`, the capability arguments that the configuration has
 * declared; `args.cni`; and CNI_ARGS. Of what is said twice the first of these counts (CONVENTIONS.md, CNI_ARGS).
 *
 *   ips           fixed addresses; a prefix length is read and not used: the network's counts
 *   mac           fixed MAC address
 *   bandwidth     bits a second and bits, to the container (ingress) and from it (egress)
 *   aliases       more names: a list or, as podman says it, a list for each network
 *   labels        of the pod, in args.cni only: [{ key, value }] (CONVENTIONS.md, "args")
 *   dns           servers, searches and options for the result
 *   portMappings  ports of the host that lead to the container; without a host port an entry is passed over, as by portmap
 *
 * Within bandwidth, dns and portMappings keys are read as Go reads them: containerd begins them with capitals.
 *
 * What the runtime says to every plugin and changes no packet is passed over: cgroupPath, and keys with a dot or slash, which are
 * a vendor's own. Another capability is refused: the operator has declared it, and podwire would not do it.
 */
import type { CniBandwidth } from '../control/api/cni-types.js';
import type { PublishWish } from '../control/api/publish-types.js';
import type { CniArgs } from './args.js';
import { type CniError, invalidConfig, invalidEnvironment, unsupportedField } from './errors.js';
import {
  isObject,
  type Json,
  ofAnyCase,
  readAddress,
  readCount,
  readMac,
  readObject,
  readObjects,
  readString,
  readStrings,
} from './shape.js';

export interface Wishes {
  readonly ips?: string[];
  readonly mac?: string;
  readonly aliases?: string[];
  readonly labels?: Record<string, string>;
  readonly bandwidth?: CniBandwidth;
  readonly portMappings?: PublishWish[];
  /** As a result has it. */
  readonly dns: { readonly nameservers: string[]; readonly search: string[]; readonly options: string[] };
}

const RUNTIME = 'runtimeConfig';
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const BANDWIDTH = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const;
const MAPPING = ['hostPort', 'containerPort', 'protocol', 'hostIP'] as const;
const SERVERS = ['servers', 'searches', 'options'] as const;
const KNOWN = ['ips', 'mac', 'bandwidth', 'aliases', 'dns', 'portMappings', 'cgroupPath'];

/** @param config the whole configuration; its `name` is the network in podman's form of aliases. @throws CniError 2, 4, 7 */
export function readWishes(config: Json, args: CniArgs): Wishes {
  const runtime = readObject(config.runtimeConfig, RUNTIME);
  const cni = readObject(readObject(config.args, 'args').cni, 'args.cni');
  refuseUnknown(runtime);
  return {
    ips: readIps(runtime, cni, args),
    mac: readMac(runtime.mac, `${RUNTIME}.mac`) ?? readMac(cni.mac, 'args.cni.mac') ?? macOf(args),
    aliases: readAliases(runtime.aliases, String(config.name)),
    labels: readLabels(cni.labels),
    bandwidth: readBandwidth(runtime.bandwidth),
    portMappings: readPortMappings(runtime.portMappings),
    dns: readServers(readObject(runtime.dns, `${RUNTIME}.dns`)),
  };
}

function refuseUnknown(runtime: Json): void {
  for (const [key, value] of Object.entries(runtime)) {
    if (KNOWN.includes(key) || /[./]/.test(key) || isEmpty(value)) continue;
    throw unsupportedField(
      `${RUNTIME}.${key}`,
      value,
      `podwire-cni has no such capability; remove it from capabilities`,
    );
  }
}

function readIps(runtime: Json, cni: Json, args: CniArgs): string[] | undefined {
  const first = [
    readAddresses(runtime.ips, `${RUNTIME}.ips`),
    readAddresses(cni.ips, 'args.cni.ips'),
    args.ips?.map((text) => ofArgs('IP', () => readAddress(text, 'IP'))) ?? [],
  ].find((ips) => ips.length > 0);
  return first;
}

function readAddresses(value: unknown, key: string): string[] {
  return readStrings(value, key).map((text, index) => readAddress(text, `${key}[${index}]`));
}

function macOf({ mac }: CniArgs): string | undefined {
  return ofArgs('MAC', () => readMac(mac, 'MAC'));
}

/** What is wrong in CNI_ARGS is the environment's fault, not the configuration's. */
function ofArgs<T>(key: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw invalidEnvironment('CNI_ARGS', (error as CniError).message.replace(`${key}: `, `${key}=`));
  }
}

function readAliases(value: unknown, network: string): string[] | undefined {
  const key = `${RUNTIME}.aliases`;
  const list = isObject(value) ? value[network] : value;
  const aliases = readStrings(list, isObject(value) ? `${key}.${network}` : key);
  return aliases.length === 0 ? undefined : aliases;
}

function readLabels(value: unknown): Record<string, string> | undefined {
  const labels = readObjects(value, 'args.cni.labels').map((label, index): [string, string] => {
    const at = `args.cni.labels[${index}]`;
    const key = readString(label.key, `${at}.key`);
    if (!key) throw invalidConfig(`${at}.key`, 'is missing');
    return [key, readString(label.value, `${at}.value`) ?? ''];
  });
  return labels.length === 0 ? undefined : Object.fromEntries(labels);
}

/** Undefined where nothing is limited. A burst without a rate limits nothing, so somebody has forgotten one. */
function readBandwidth(value: unknown): CniBandwidth | undefined {
  const key = `${RUNTIME}.bandwidth`;
  const given = ofAnyCase(readObject(value, key), BANDWIDTH);
  const limits: CniBandwidth = {};
  for (const direction of ['ingress', 'egress'] as const) {
    const rate = readCount(given[`${direction}Rate`], `${key}.${direction}Rate`);
    const burst = readCount(given[`${direction}Burst`], `${key}.${direction}Burst`);
    if (rate === 0 && burst > 0) throw invalidConfig(`${key}.${direction}Burst`, `needs ${direction}Rate`);
    if (rate > 0) limits[`${direction}Rate`] = rate;
    if (burst > 0) limits[`${direction}Burst`] = burst;
  }
  return Object.keys(limits).length === 0 ? undefined : limits;
}

/** Docker and Kubernetes write protocols in their own ways; without one it is TCP. */
function readPortMappings(value: unknown): PublishWish[] | undefined {
  const key = `${RUNTIME}.portMappings`;
  const wishes = readObjects(value, key).flatMap((mapping, index) =>
    readMapping(`${key}[${index}]`, mapping),
  );
  return wishes.length === 0 ? undefined : wishes;
}

function readMapping(key: string, given: Json): PublishWish[] {
  const mapping = ofAnyCase(given, MAPPING);
  const hostPort = readPort(mapping.hostPort, `${key}.hostPort`);
  if (hostPort === 0) return [];
  const containerPort = readPort(mapping.containerPort, `${key}.containerPort`);
  if (containerPort === 0) throw invalidConfig(`${key}.containerPort`, 'is missing');
  const hostIP = readString(mapping.hostIP, `${key}.hostIP`) ?? '';
  const protocol = readProtocol(mapping.protocol, `${key}.protocol`);
  return [{ hostPort, containerPort, protocol, ...(hostIP !== '' && { hostIP }) }];
}

function readPort(value: unknown, key: string): number {
  const port = readCount(value, key);
  if (port <= 65_535) return port;
  throw invalidConfig(key, `${port} is not a port: they are from 1 to 65535`);
}

function readProtocol(value: unknown, key: string): (typeof PROTOCOLS)[number] {
  const text = readString(value, key) || 'tcp';
  const found = PROTOCOLS.find((protocol) => protocol === text.toUpperCase());
  if (found !== undefined) return found;
  throw invalidConfig(key, `'${text}' is not tcp, udp or sctp`);
}

function readServers(given: Json): Wishes['dns'] {
  const { servers, searches, options } = ofAnyCase(given, SERVERS);
  return {
    nameservers: readStrings(servers, `${RUNTIME}.dns.servers`),
    search: readStrings(searches, `${RUNTIME}.dns.searches`),
    options: readStrings(options, `${RUNTIME}.dns.options`),
  };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
