/**
 * In which order flows and sizes come. A seed gives one order, on every machine.
 *
 * Drawing is by remainder of 31 random bits: with a million flows some are 0.05 % likelier than others, which no
 * cache sees.
 */
import { SeededRandom } from '../../src/dataplane/devices/seeded-random.js';

/**
 * The flow of each packet: every flow once, when there are packets enough, the rest drawn evenly among all flows, and
 * all of it shuffled (Fisher and Yates; Knuth, TAOCP 2, 3.4.2 algorithm P).
 */
export function flowOrder(flows: number, packets: number, seed: number): Uint32Array {
  const random = new SeededRandom(seed);
  const order = new Uint32Array(packets);
  const each = packets >= flows ? flows : 0;
  for (let i = 0; i < packets; i++) order[i] = i < each ? i : random.next() % flows;
  shuffle(order, 0, packets, random);
  return order;
}

/** Sizes in exact proportion: each run of `pattern.length` packets has the pattern's sizes, shuffled. */
export function sizeOrder(pattern: readonly number[], packets: number, seed: number): Uint32Array {
  const random = new SeededRandom(~seed);
  const sizes = new Uint32Array(packets);
  for (let i = 0; i < packets; i++) sizes[i] = pattern[i % pattern.length];
  for (let start = 0; start < packets; start += pattern.length) {
    shuffle(sizes, start, Math.min(start + pattern.length, packets), random);
  }
  return sizes;
}

function shuffle(items: Uint32Array, start: number, end: number, random: SeededRandom): void {
  for (let i = end - 1; i > start; i--) {
    const j = start + (random.next() % (i - start + 1));
    const item = items[i];
    items[i] = items[j];
    items[j] = item;
  }
}
