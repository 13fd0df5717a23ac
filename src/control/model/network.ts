/**
 * `podwire.dev/v1 Network`: schema, checks that a schema cannot express, and its normal form.
 */
import { AddressError, type Cidr, formatCidr, networkOf, parseCidr } from '../../wire/address.js';
import { NETWORK_MODES, type Network, type NetworkMode, type NetworkSpec } from '../api/types.js';
import { familyOf, overlaps } from '../cidr.js';
import { invalid } from '../errors.js';
import { isPortless, isRouted } from '../layout.js';
import { CLUSTER_META } from './meta.js';
import { normaliseRaw, RAW_FIELDS } from './raw-network.js';
import { checker, closed, type Schema } from './schema.js';

export const DEFAULT_NETWORK = 'default';

/** IPv6 asks for links of at least 1280 bytes (RFC 8200 section 5), IPv4 for 576 (RFC 791). */
const LEAST_MTU = 576;
const LEAST_MTU_IPV6 = 1280;
/** What a TAP takes: 65,535 bytes less the Ethernet header (drivers/net/tun.c). */
export const MOST_MTU = 65_521;

/** VXLAN network identifiers have 24 bits (RFC 7348 section 5). */
export const MOST_VNI = 0xff_ffff;

/** Most bridge domains of one network. */
const MOST_CIDRS = 32;

export const NETWORK_SPEC_SCHEMA: Schema = closed(
  {
    mode: { type: 'string', enum: NETWORK_MODES },
    cidrs: { type: 'array', maxItems: MOST_CIDRS, items: { type: 'string' } },
    internal: { type: 'boolean' },
    egress: { type: 'boolean' },
    masquerade: { type: 'boolean' },
    mtu: { type: 'integer', minimum: LEAST_MTU, maximum: MOST_MTU },
    vni: { type: 'integer', minimum: 1, maximum: MOST_VNI },
    ...RAW_FIELDS,
    sourceGuard: { type: 'boolean' },
  },
  ['mode'],
);

export const NETWORK_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'podwire.dev/v1' },
    kind: { type: 'string', const: 'Network' },
    metadata: CLUSTER_META,
    spec: NETWORK_SPEC_SCHEMA,
    status: { type: 'object', description: 'Given by the daemon; ignored in a PUT.' },
  },
  ['apiVersion', 'kind', 'metadata', 'spec'],
);

type Given = Omit<Network, 'spec'> & { spec: Omit<NetworkSpec, 'cidrs'> & { cidrs?: string[] } };

const check = checker<Given>(NETWORK_SCHEMA);

const LAYER_3: readonly NetworkMode[] = ['routed', 'bridge', 'overlay'];
const WITH_INTERFACES: readonly NetworkMode[] = [...LAYER_3, 'raw', 'direct'];

/** Fields that only these modes have. */
const MODES_OF: Partial<Record<keyof NetworkSpec, readonly NetworkMode[]>> = {
  internal: LAYER_3,
  egress: LAYER_3,
  masquerade: LAYER_3,
  mtu: WITH_INTERFACES,
  sourceGuard: WITH_INTERFACES,
  vni: ['overlay'],
  parent: ['raw'],
  vlan: ['raw'],
  gateways: ['raw'],
  ranges: ['raw'],
};

/**
 * A Network as it is stored: prefixes canonical, no status.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the field
 */
export function parseNetwork(value: unknown): Network {
  const { apiVersion, kind, metadata, spec } = check(value);
  const { cidrs = [] } = spec;
  if (isPortless(spec) && cidrs.length > 0)
    throw invalid('spec.cidrs', `a network of mode ${spec.mode} has no addresses to give`);
  if (!isPortless(spec) && cidrs.length === 0) throw invalid('spec.cidrs', 'is missing: at least one prefix');
  refuseForeignFields(spec);
  if (spec.internal && spec.egress) throw invalid('spec.egress', 'an internal network has no way out');
  return { apiVersion, kind, metadata, spec: normalise({ ...spec, cidrs }) };
}

function refuseForeignFields(spec: Given['spec']): void {
  for (const [field, modes] of Object.entries(MODES_OF)) {
    const value = spec[field as keyof NetworkSpec];
    // `internal: false` asks for nothing.
    if (value === undefined || (field === 'internal' && value === false) || modes.includes(spec.mode))
      continue;
    throw invalid(`spec.${field}`, `belongs to mode ${modes.join(', ')}, not ${spec.mode}`);
  }
}

function normalise(spec: NetworkSpec): NetworkSpec {
  const cidrs = spec.cidrs.map((text, index) => parsePrefix(`spec.cidrs[${index}]`, text));
  const normal = { ...spec, cidrs };
  for (const [index, cidr] of cidrs.entries()) checkSize(normal, cidr, `spec.cidrs[${index}]`);
  checkOverlap(cidrs);
  if (spec.mode === 'direct') oneOfEachFamily(normal, 'a direct network');
  if (spec.mode === 'raw') oneOfEachFamily(normal, 'a raw network');
  if (spec.mode === 'overlay') checkOverlay(normal);
  const leastMtu = cidrs.some((cidr) => familyOf(cidr) === 6) ? LEAST_MTU_IPV6 : LEAST_MTU;
  if (spec.mtu !== undefined && spec.mtu < leastMtu) {
    throw invalid('spec.mtu', `must be at least ${leastMtu} for an IPv6 network`);
  }
  return spec.mode === 'raw' ? normaliseRaw(normal, parsePrefix) : normal;
}

/** Reads a prefix that pods can have addresses of, in canonical form. @throws PodwireError INVALID */
export function parsePrefix(field: string, text: string): string {
  const given = readPrefix(field, text);
  const network = networkOf(given);
  if (isSpecial(network.family, network.words[0])) {
    throw invalid(field, `${text} is not for hosts (unspecified, loopback, link-local or multicast)`);
  }
  if (given.words.some((word, index) => word !== network.words[index])) {
    throw invalid(field, `${text} has bits behind its length; did you mean ${formatCidr(network)}?`);
  }
  return formatCidr(network);
}

function readPrefix(field: string, text: string): Cidr {
  try {
    return parseCidr(text);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
}

/** RFC 6890: 0/8, 127/8, 169.254/16, 224/3; ::/8, fe80::/10, ff00::/8. */
function isSpecial(family: 4 | 6, first: number): boolean {
  const top = first >>> 24;
  if (family === 4) return top === 0 || top === 127 || top >= 224 || first >>> 16 === 0xa9fe;
  return top === 0 || top === 0xff || first >>> 22 === 0xfe80 >>> 6;
}

/** Room for the gateway, where there is one, and at least one pod (two in a direct network). */
function checkSize(spec: NetworkSpec, cidr: string, field: string): void {
  const { family, prefix } = parseCidr(cidr);
  const longest = { 4: isRouted(spec) ? 30 : 31, 6: 127 }[family];
  if (prefix > longest) throw invalid(field, `${cidr} is too small: the length may be at most ${longest}`);
}

function checkOverlap(cidrs: readonly string[]): void {
  cidrs.forEach((cidr, index) => {
    const other = cidrs.slice(0, index).find((earlier) => overlaps(earlier, cidr));
    if (other) throw invalid(`spec.cidrs[${index}]`, `${cidr} overlaps ${other}`);
  });
}

/** One VNI is one bridge domain; and what a peer may send is known only where every sender is guarded. */
function checkOverlay(spec: NetworkSpec): void {
  oneOfEachFamily(spec, 'an overlay network');
  if (spec.sourceGuard === false) {
    throw invalid('spec.sourceGuard', 'an overlay network is always guarded: other nodes learn no addresses');
  }
}

function oneOfEachFamily({ cidrs }: NetworkSpec, what: string): void {
  for (const family of [4, 6] as const) {
    if (cidrs.filter((cidr) => familyOf(cidr) === family).length > 1) {
      throw invalid('spec.cidrs', `${what} has at most one IPv${family} prefix`);
    }
  }
}
