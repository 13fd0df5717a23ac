/**
 * Who has which part of the cluster's addresses, as the store holds it.
 *
 * The addresses are divided into blocks: /24 of IPv4, /64 of IPv6. A claim takes every block that it covers, or
 * the one that it lies in; there is one key for each, `cluster/subnets/BLOCK`, so that compare-and-swap on keys
 * excludes every overlap. All nodes of a cluster use the same blocks. A record has no lease: it stays, first held,
 * then in quarantine, until nobody can still use the addresses.
 *
 * The fencing token of a holder is the revision at which it wrote the record: a later holder has a higher one.
 */
import { type Cidr, formatCidr, networkOf, parseCidr } from '../../wire/address.js';
import { addressAt, bitsOf, familyOf, overlaps, sizeOf } from '../cidr.js';
import { invalid } from '../errors.js';
import type { Json } from '../store/store.js';

export const SUBNETS = 'cluster/subnets/';

export interface SubnetRecord {
  /** The whole claim; its blocks have equal ones. */
  readonly cidr: string;
  readonly node: string;
  /** Of the node's data directory; `manual:NODE` for a node that was applied by hand. */
  readonly uid: string;
  /** quarantined: the holder has gone or given it back; only the same holder may have it. */
  readonly state: 'held' | 'quarantined';
  /** When the state began, on the writer's clock: for people, nothing is decided by it. */
  readonly since: string;
  /** Applied by hand for a node without a daemon: its liveness says nothing. */
  readonly manual?: true;
}

/** Lengths of blocks by family. */
export interface BlockLengths {
  readonly 4: number;
  readonly 6: number;
}

export const BLOCKS: BlockLengths = { 4: 24, 6: 64 };
/** More blocks than this are not one claim. */
const MOST_BLOCKS = 4096;

export function subnetKey(block: string): string {
  return SUBNETS + block;
}

export function blockOfKey(key: string): string {
  return key.slice(SUBNETS.length);
}

/** Every block that a prefix covers, or the one it lies in. @throws PodwireError INVALID */
export function blocksOf(cidr: string, lengths: BlockLengths = BLOCKS): string[] {
  const parsed = parseCidr(cidr);
  const length = lengths[parsed.family];
  const first = networkOf({ ...parsed, prefix: Math.min(parsed.prefix, length) } satisfies Cidr);
  const count = 2 ** (length - first.prefix);
  if (count > MOST_BLOCKS) throw invalid('podCIDRs', `${cidr} is too large for one node`);
  return Array.from({ length: count }, (_, index) => nthBlock(formatCidr(first), BigInt(index), length));
}

/** What a node may get out of a cluster CIDR, lowest first: its blocks, or all of it where it is smaller. */
export function* choices(clusterCidr: string, lengths: BlockLengths = BLOCKS): Generator<string> {
  const length = lengths[familyOf(clusterCidr)];
  if (parseCidr(clusterCidr).prefix >= length) {
    yield clusterCidr;
    return;
  }
  const count = sizeOf(clusterCidr) >> BigInt(bitsOf(familyOf(clusterCidr)) - length);
  for (let index = 0n; index < count; index++) yield nthBlock(clusterCidr, index, length);
}

function nthBlock(cidr: string, index: bigint, length: number): string {
  const step = 1n << BigInt(bitsOf(familyOf(cidr)) - length);
  return `${addressAt(cidr, index * step)}/${length}`;
}

/** undefined: it cannot be read, and the block is nobody's that we could name. */
export function readSubnet(value: Json | undefined): SubnetRecord | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { cidr, node, uid, state, since, manual } = value as Record<string, Json>;
  if (typeof cidr !== 'string' || typeof node !== 'string' || typeof uid !== 'string') return undefined;
  if (state !== 'held' && state !== 'quarantined') return undefined;
  return { cidr, node, uid, state, since: String(since), ...(manual === true && { manual }) };
}

/**
 * What a key of SUBNETS says: the block, and whose it is. A block in quarantine is still its last holder's and
 * nobody else's; `node` is undefined where it is nobody's.
 */
export function ownerOfRecord(key: string, value: Json | undefined): { cidr?: string; node?: string } {
  if (!key.startsWith(SUBNETS)) return {};
  const node = readSubnet(value)?.node;
  return { cidr: blockOfKey(key), ...(node !== undefined && { node }) };
}

/** Whether a prefix is free of all these blocks, whatever their length. */
export function isFree(cidr: string, taken: readonly string[]): boolean {
  return !taken.some((block) => overlaps(cidr, block));
}
