/**
 * What a network of mode `raw` says beside the fields of others: the interface of the host that it is on, and what of the
 * LAN behind it is podwire's. `cidrs` are the LAN's prefixes, at most one of each family. `gateways` are its routers, to
 * which pods' default routes lead. `ranges` are the addresses that pods may have: without any, pods have addresses that
 * are asked for and none by themselves, since the rest of the LAN belongs to others.
 */
import type { NetworkSpec } from '../api/types.js';
import { canonicalIp, encloses, familyOf, holds, overlaps } from '../cidr.js';
import { invalid } from '../errors.js';
import { NODE_IFNAME } from '../host/node-interface.js';
import { isUsable } from '../ipam.js';
import type { Schema } from './schema.js';

/** IEEE 802.1Q-2018 table 9-2: 0 is a priority only, 4095 is reserved. */
const VLAN = { minimum: 1, maximum: 4094 };

const MOST_RANGES = 32;

export const RAW_FIELDS: Record<'parent' | 'vlan' | 'gateways' | 'ranges', Schema> = {
  parent: {
    type: 'string',
    pattern: '^[^\\s/:%\\0]{1,15}$',
    description: 'a name of an interface of the host',
  },
  vlan: { type: 'integer', ...VLAN },
  gateways: { type: 'array', maxItems: 2, items: { type: 'string' } },
  ranges: { type: 'array', maxItems: MOST_RANGES, items: { type: 'string' } },
};

/** @param readPrefix makes a prefix canonical, or throws naming the field. @throws PodwireError INVALID */
export function normaliseRaw(
  spec: NetworkSpec,
  readPrefix: (field: string, text: string) => string,
): NetworkSpec {
  const { parent, cidrs, gateways, ranges } = spec;
  if (parent === undefined) throw invalid('spec.parent', 'is missing: the interface of the host');
  if (parent === 'lo' || parent === NODE_IFNAME)
    throw invalid('spec.parent', `${parent} has no LAN behind it`);
  const normal = {
    ...spec,
    ...(gateways && { gateways: gateways.map((text, index) => readGateway(text, index, cidrs)) }),
    ...(ranges && { ranges: apart(ranges.map((text, index) => readRange(text, index, cidrs, readPrefix))) }),
  };
  routersOf(normal);
  return normal;
}

function readGateway(text: string, index: number, cidrs: readonly string[]): string {
  const field = `spec.gateways[${index}]`;
  const address = readAddress(field, text);
  if (!cidrs.some((cidr) => isUsable(cidr, address)))
    throw invalid(field, `${address} is no address of a host in ${cidrs.join(', ')}`);
  return address;
}

function readAddress(field: string, text: string): string {
  try {
    return canonicalIp(text);
  } catch (error) {
    throw invalid(field, error instanceof Error ? error.message : String(error));
  }
}

function readRange(
  text: string,
  index: number,
  cidrs: readonly string[],
  readPrefix: (field: string, text: string) => string,
): string {
  const field = `spec.ranges[${index}]`;
  const range = readPrefix(field, text);
  if (!cidrs.some((cidr) => encloses(cidr, range)))
    throw invalid(field, `${range} is not within ${cidrs.join(', ')}`);
  return range;
}

function apart(ranges: string[]): string[] {
  ranges.forEach((range, index) => {
    const other = ranges.slice(0, index).find((earlier) => overlaps(earlier, range));
    if (other) throw invalid(`spec.ranges[${index}]`, `${range} overlaps ${other}`);
  });
  return ranges;
}

/** IPv4 first. @throws PodwireError INVALID where there are two of a family */
export function routersOf({ gateways = [], cidrs }: NetworkSpec): string[] {
  const sorted = gateways.toSorted((a, b) => familyOf(a) - familyOf(b));
  const twice = cidrs.find((cidr) => sorted.filter((address) => holds(cidr, address)).length > 1);
  if (twice !== undefined) throw invalid('spec.gateways', `${twice} has at most one gateway`);
  return sorted;
}
