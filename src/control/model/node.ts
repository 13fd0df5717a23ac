/**
 * `podwire.dev/v1 Node`: schema, checks that a schema cannot express, and its normal form. A manifest describes a
 * peer that runs no daemon: a kernel with a vxlan device, a node of flannel's.
 */
import { AddressError, contains, parseCidr, parseIp } from '../../wire/address.js';
import type { Node, NodeSpec } from '../api/types.js';
import { canonicalIp, familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import { CLUSTER_META } from './meta.js';
import { parsePrefix } from './network.js';
import { checker, closed, type Schema } from './schema.js';
import { parseStation } from './station.js';

/** The port that IANA gave VXLAN (RFC 7348 section 8). */
export const VXLAN_PORT = 4789;

/** Most subnets of one node. */
const MOST_CIDRS = 256;

const UNDERLAY: Schema = closed(
  {
    address: { type: 'string' },
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
  },
  ['address'],
);

/** A node without a tunnel publishes itself without `underlay`; a manifest has to have it. */
export const NODE_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'podwire.dev/v1' },
    kind: { type: 'string', const: 'Node' },
    metadata: CLUSTER_META,
    spec: closed(
      {
        podCIDRs: { type: 'array', maxItems: MOST_CIDRS, items: { type: 'string' } },
        underlay: UNDERLAY,
        vtepMAC: { type: 'string' },
      },
      ['podCIDRs'],
    ),
    status: { type: 'object', description: 'Given by the daemon; ignored in a PUT.' },
  },
  ['apiVersion', 'kind', 'metadata', 'spec'],
);

const check = checker<Node>(NODE_SCHEMA);

/**
 * A Node as it is stored: prefixes, addresses and the MAC address canonical, the port filled in, no status.
 * @throws PodwireError INVALID naming the field
 */
export function parseNode(value: unknown): Node {
  const { apiVersion, kind, metadata, spec } = check(value);
  if (!spec.underlay) throw invalid('spec.underlay', 'is missing');
  if (spec.vtepMAC === undefined) throw invalid('spec.vtepMAC', 'is missing');
  if (spec.podCIDRs.length === 0) throw invalid('spec.podCIDRs', 'a node has at least one subnet');
  return { apiVersion, kind, metadata, spec: normalNodeSpec(spec) };
}

/** The same with every text in its one form, and checked; what is optional may be missing. @throws PodwireError INVALID */
export function normalNodeSpec({ podCIDRs, underlay, vtepMAC }: NodeSpec): NodeSpec {
  return {
    podCIDRs: parseSubnets(podCIDRs),
    ...(underlay && {
      underlay: { address: parseUnderlay(underlay.address), port: underlay.port ?? VXLAN_PORT },
    }),
    ...(vtepMAC !== undefined && { vtepMAC: parseStation('spec.vtepMAC', vtepMAC) }),
  };
}

/** IPv4 first, as everywhere. */
function parseSubnets(texts: readonly string[]): string[] {
  const cidrs = texts.map((text, index) => parsePrefix(`spec.podCIDRs[${index}]`, text));
  // Each is parsed once: a node may have hundreds, and a cluster a thousand nodes.
  const parsed = cidrs.map(parseCidr);
  parsed.forEach((cidr, index) => {
    for (let i = 0; i < index; i++) {
      if (!contains(parsed[i], cidr) && !contains(cidr, parsed[i])) continue;
      throw invalid(`spec.podCIDRs[${index}]`, `${cidrs[index]} overlaps ${cidrs[i]}`);
    }
  });
  return cidrs.sort((a, b) => familyOf(a) - familyOf(b));
}

/** An address that a tunnel can be at, in canonical form. */
function parseUnderlay(text: string): string {
  const field = 'spec.underlay.address';
  try {
    const { family, words } = parseIp(text);
    if (isNoHost(family, words[0])) throw invalid(field, `${text} is no address of a host`);
    return canonicalIp(text);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
}

/** RFC 6890: 0/8, 127/8, 224/3; ::/8, ff00::/8; fe80::/10 means nothing without an interface. */
function isNoHost(family: 4 | 6, first: number): boolean {
  const top = first >>> 24;
  if (family === 4) return top === 0 || top === 127 || top >= 224;
  return top === 0 || top === 0xff || first >>> 22 === 0xfe80 >>> 6;
}
