/**
 * Maglev lookup table: from the hash of a flow to one of a service's backends (Eisenbud and others, "Maglev: A Fast and
 * Reliable Software Network Load Balancer", NSDI 2016, section 3.4).
 *
 * Each backend's name gives it an order in which it prefers the table's slots. The backends take turns, sorted by name,
 * each taking the first slot that it prefers and that is free. So every node that knows the same names has the same table,
 * in whatever order it learned them; without weights each backend has the same number of slots, give or take one; and when
 * a backend goes, few slots change but its own.
 *
 * The size is a prime, so that any step visits every slot. It follows from the number of backends alone, in steps of four
 * to keep rare the change of size, which moves most slots. From 64 to 255 slots for each backend, which bounds unevenness
 * to 1.6 %; above 2,047 backends the size stays, which bounds the time to build it. One backend needs no table.
 *
 * Memory: a byte a slot up to 256 backends, else two. 509 bytes for five backends: 25 MB for 50,000 such services. 250,000
 * endpoints need 64 MB at worst in services of up to 256 endpoints, 128 MB in any.
 * Cost: a build probes about size * ln(size) slots: some 50 us for 509, 10 to 25 ms for the largest. A lookup is one
 * remainder and one load.
 */
import { mix32 } from './hash.js';
import { requireInteger, TABLE_ERROR, TableError } from './table-error.js';

/** Primes, by the most backends that each is for. */
const SIZES = [
  { backends: 1, size: 1 },
  { backends: 7, size: 509 },
  { backends: 31, size: 2039 },
  { backends: 127, size: 8191 },
  { backends: 511, size: 32_749 },
] as const;

const LARGEST_SIZE = 131_071;

/** Slots are at most 16 bits, and every backend has one. */
export const MAX_BACKENDS = 65_535;

/** Backends that fit slots of one byte. */
const BYTE_BACKENDS = 256;

/** Our tuning: the turns of a round are in proportion to weights of at most this. */
export const MAX_WEIGHT = 256;

const SEEDS = { offset: 0x6d61_676c, skip: 0x6576_2132 } as const;

export interface MaglevBackend {
  /** The same on every node, as `10.244.1.5:8080`. */
  readonly name: string;
  /** 0..256, default 1; none for 0. */
  readonly weight?: number;
}

/** For each slot the position of a backend in the list that was given; empty where there is none. Can be posted. */
export type MaglevSlots = Uint8Array | Uint16Array;

/** A prime, or 1. */
export function maglevSize(backends: number): number {
  return SIZES.find((step) => backends <= step.backends)?.size ?? LARGEST_SIZE;
}

/** @throws TableError TABLE_INVALID, TABLE_TOO_LARGE, TABLE_DUPLICATE */
export function buildMaglev(backends: readonly MaglevBackend[]): MaglevSlots {
  if (backends.length > MAX_BACKENDS) {
    throw new TableError(
      TABLE_ERROR.tooLarge,
      `${backends.length} backends: at most ${MAX_BACKENDS} are possible`,
    );
  }
  const order = turnsOf(backends);
  if (order.length === 0) return new Uint8Array(0);
  const size = maglevSize(order.length);
  const slots = backends.length <= BYTE_BACKENDS ? new Uint8Array(size) : new Uint16Array(size);
  if (order.length === 1) return slots.fill(order[0]);
  fill(slots, backends, order);
  return slots;
}

/** The backend for a flow's hash, any 32 bits; `slots` may not be empty. */
export function pickBackend(slots: MaglevSlots, hash: number): number {
  return slots[(hash & 0x7fff_ffff) % slots.length];
}

/** Positions of those with a weight, by name. */
function turnsOf(backends: readonly MaglevBackend[]): number[] {
  const order: number[] = [];
  backends.forEach(({ weight = 1 }, at) => {
    requireInteger('weight of a backend', weight, 0, MAX_WEIGHT);
    if (weight > 0) order.push(at);
  });
  order.sort((a, b) => (backends[a].name < backends[b].name ? -1 : 1));
  for (let i = 1; i < order.length; i++) {
    const { name } = backends[order[i]];
    if (name !== backends[order[i - 1]].name) continue;
    throw new TableError(TABLE_ERROR.duplicate, `backend ${name} is given twice`);
  }
  return order;
}

/** Turn by turn until every slot is taken. */
function fill(slots: MaglevSlots, backends: readonly MaglevBackend[], order: readonly number[]): void {
  const { length } = slots;
  const skips = Int32Array.from(
    order,
    (at) => 1 + ((hashName(backends[at].name, SEEDS.skip) >>> 0) % (length - 1)),
  );
  const nexts = Int32Array.from(order, (at) => (hashName(backends[at].name, SEEDS.offset) >>> 0) % length);
  const shares = sharesOf(backends, order);
  const isTaken = new Uint8Array(length);
  let left = length;
  for (let round = 0; ; round++) {
    for (let i = 0; i < order.length; i++) {
      if (!hasTurn(round, shares[i])) continue;
      let slot = nexts[i];
      while (isTaken[slot] !== 0) slot = after(slot, skips[i], length);
      isTaken[slot] = 1;
      slots[slot] = order[i];
      nexts[i] = after(slot, skips[i], length);
      left -= 1;
      if (left === 0) return;
    }
  }
}

/** Turns a round: 1 for the heaviest. */
function sharesOf(backends: readonly MaglevBackend[], order: readonly number[]): Float64Array {
  const weights = order.map((at) => backends[at].weight ?? 1);
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 1);
  return Float64Array.from(weights, (weight) => weight / heaviest);
}

/** Evenly spread over the rounds, the first among them: so each backend has at least one slot. */
function hasTurn(round: number, share: number): boolean {
  return round === 0 || Math.floor(round * share) > Math.floor((round - 1) * share);
}

function after(slot: number, skip: number, length: number): number {
  const next = slot + skip;
  return next < length ? next : next - length;
}

/** Not keyed: names come from the control plane, and every node has to find the same. */
function hashName(name: string, seed: number): number {
  let hash = seed | 0;
  for (let i = 0; i < name.length; i++) hash = mix32(hash ^ Math.imul(name.charCodeAt(i) + 1, 0x9e37_79b1));
  return mix32(hash ^ name.length);
}
