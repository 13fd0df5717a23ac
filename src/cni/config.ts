/**
 * The network configuration on standard input (CNI specification 1.1, section 1). podwire's own keys are `socket` and
 * `network`; the others are the specification's. A key that nobody knows is refused by name (code 2), since a misspelt one would
 * otherwise be a network that is not the one asked for; keys with a dot or slash are vendors' own, and pass. DEL and GC read
 * only what they need, so that what was made under an older configuration can always be removed.
 */
import { CniError, excerpt, invalidConfig, unsupportedField } from './errors.js';
import { isObject, type Json, readAddress, readObject, readString, readStrings } from './shape.js';

const DEFAULT_SOCKET = '/run/podwire/podwire.sock';
const DEFAULT_NETWORK = 'default';
/** sockaddr_un.sun_path, less its final zero. */
const SOCKET_OCTETS = 107;

/** What every command needs. */
export interface Config {
  readonly name: string;
  readonly socket: string;
  readonly json: Json;
}

export interface Dns {
  readonly nameservers?: string[];
  readonly domain?: string;
  readonly search?: string[];
  readonly options?: string[];
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
/** As podwire's resources are named. */
const NETWORK = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

const OWN_KEYS = ['socket', 'network'];
const STANDARD_KEYS = [
  ...[
    'cniVersion',
    'cniVersions',
    'name',
    'type',
    'capabilities',
    'runtimeConfig',
    'args',
    'dns',
    'prevResult',
  ],
  ...['ipam', 'ipMasq', 'disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'],
];

/** @throws CniError 6 */
export function decodeConfig(text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const finding = text.trim() === '' ? 'is empty' : `is not JSON: ${(error as Error).message}`;
    throw undecodable(finding);
  }
  if (isObject(value)) return value;
  throw undecodable(`is ${excerpt(value)} and not an object`);
}

/** @throws CniError 7 */
export function readConfig(json: Json): Config {
  const name = readString(json.name, 'name') ?? '';
  if (!NAME.test(name)) {
    const finding =
      name === '' ? 'is missing; every network configuration has one' : `'${name}' cannot be a name`;
    throw invalidConfig('name', `${finding} (letters, digits, _, . and -, beginning with a letter or digit)`);
  }
  return { name, socket: readSocket(json.socket), json };
}

/** The keys that ADD, CHECK and STATUS heed. @throws CniError 2, 7 */
export function checkKeys({ json }: Config): void {
  readString(json.type, 'type');
  readObject(json.capabilities, 'capabilities');
  for (const [key, value] of Object.entries(json)) {
    if (OWN_KEYS.includes(key) || STANDARD_KEYS.includes(key) || /[./]/.test(key)) continue;
    throw unsupportedField(key, value, `podwire-cni has no such key; its own are ${OWN_KEYS.join(' and ')}`);
  }
  if (json.ipMasq === true) {
    throw unsupportedField('ipMasq', true, 'podwire does not masquerade; remove it');
  }
  refuseIpam(readObject(json.ipam, 'ipam'));
}

/** podwire's Network. @throws CniError 7 */
export function readNetwork({ json }: Config): string {
  const network = readString(json.network, 'network') ?? DEFAULT_NETWORK;
  if (NETWORK.test(network)) return network;
  throw invalidConfig('network', `'${network}' cannot be the name of a Network of podwire's`);
}

/** @throws CniError 2, 7 */
export function readDns({ json }: Config): Dns {
  const dns = readObject(json.dns, 'dns');
  const unknown = Object.keys(dns).find(
    (key) => !['nameservers', 'domain', 'search', 'options'].includes(key),
  );
  if (unknown !== undefined) {
    throw unsupportedField(
      `dns.${unknown}`,
      dns[unknown],
      'there are nameservers, domain, search and options',
    );
  }
  const nameservers = readStrings(dns.nameservers, 'dns.nameservers');
  for (const [index, server] of nameservers.entries()) readServer(server, `dns.nameservers[${index}]`);
  return {
    nameservers,
    domain: readString(dns.domain, 'dns.domain'),
    search: readStrings(dns.search, 'dns.search'),
    options: readStrings(dns.options, 'dns.options'),
  };
}

function readServer(server: string, key: string): void {
  if (readAddress(server, key) === server) return;
  throw invalidConfig(key, `'${server}' is not the address of a name server`);
}

function refuseIpam(ipam: Json): void {
  if (Object.values(ipam).every((value) => value === '' || value === null)) return;
  throw invalidConfig('ipam', 'podwire gives addresses itself, from its Network; remove ipam');
}

function readSocket(value: unknown): string {
  const socket = readString(value, 'socket') ?? DEFAULT_SOCKET;
  if (socket.startsWith('/') && !socket.includes('\0') && Buffer.byteLength(socket) <= SOCKET_OCTETS)
    return socket;
  throw invalidConfig('socket', `'${socket}' is not an absolute path of at most ${SOCKET_OCTETS} octets`);
}

function undecodable(finding: string): CniError {
  return new CniError('DECODING_FAILURE', `the network configuration on standard input ${finding}`);
}
