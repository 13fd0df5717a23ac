/**
 * Prefixes for route tables, and destinations within them.
 *
 * `mixedPrefixes` has lengths in about the shares of the Internet's table, where three in five are /24, and some longer
 * ones, as of pods and services. They lie evenly over the unicast addresses, which is worse for caches than the
 * clusters that real ones form. Those that no route may have, and this node's own, are left out.
 */
import { SeededRandom } from '../../src/dataplane/devices/seeded-random.js';

export interface Prefix {
  /** As an unsigned number. */
  readonly address: number;
  readonly length: number;
}

/** Of a thousand prefixes, how many have this length. */
const SHARES: readonly (readonly [length: number, share: number])[] = [
  [24, 590],
  [22, 110],
  [23, 95],
  [21, 50],
  [20, 42],
  [19, 25],
  [18, 13],
  [16, 13],
  [17, 8],
  [15, 2],
  [14, 2],
  [32, 20],
  [28, 10],
  [26, 10],
  [25, 10],
];

const SPECIAL: readonly number[] = [127, 169, 172, 192];

/** The shortest are few, whatever the size of the table: there is no room for more. */
const SHORT: readonly (readonly [length: number, most: number])[] = [
  [8, 8],
  [10, 16],
  [12, 64],
];

/** A length for each number below 1,000. */
const LENGTHS = SHARES.flatMap(([length, share]) => new Array<number>(share).fill(length));

export function mixedPrefixes(count: number, seed: number): Prefix[] {
  const random = new SeededRandom(seed);
  const found = new Map<number, Prefix>();
  const add = (length: number): void => {
    const address = unicast(random, length);
    found.set(address * 64 + length, { address, length });
  };
  for (const [length, most] of SHORT) for (let i = 0; i < most && found.size < count; i++) add(length);
  while (found.size < count) add(LENGTHS[random.next() % LENGTHS.length]);
  return [...found.values()];
}

/** A /24 for each node, one after the other, from 10.128.0.0 on. */
export function nodePrefixes(count: number): Prefix[] {
  return Array.from({ length: count }, (_, i) => ({ address: 0x0a80_0000 + i * 256, length: 24 }));
}

/** All addresses, in eight parts: with the pods' own network and its gateway, a table of ten routes. */
export function eighths(): Prefix[] {
  return Array.from({ length: 8 }, (_, i) => ({ address: i * 2 ** 29, length: 3 }));
}

/** Addresses of any of the prefixes, drawn evenly among these. */
export function addressesWithin(prefixes: readonly Prefix[], count: number, seed: number): Uint32Array {
  const random = new SeededRandom(seed);
  return Uint32Array.from({ length: count }, () => {
    const { address, length } = prefixes[random.next() % prefixes.length];
    return address + (word(random) % 2 ** (32 - length));
  });
}

/** Deals the prefixes out among so many peers, as text: neighbours in the table lead to different peers. */
export function dealOut(prefixes: readonly Prefix[], peers: number): string[][] {
  const hands = Array.from({ length: peers }, (): string[] => []);
  for (const [i, prefix] of prefixes.entries()) hands[i % peers].push(textOf(prefix));
  return hands;
}

function textOf({ address, length }: Prefix): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}/${length}`;
}

function word(random: SeededRandom): number {
  return ((random.next() << 16) ^ random.next()) >>> 0;
}

/** From 11.0.0.0/8 to 223.0.0.0/8, without those that hold loopback, link-local and private addresses. */
function unicast(random: SeededRandom, length: number): number {
  for (;;) {
    const address = (word(random) & (0xffff_ffff << (32 - length))) >>> 0;
    const first = address >>> 24;
    if (first >= 11 && first <= 223 && !SPECIAL.includes(first)) return address;
  }
}
