/**
 * What was learned, as text for people. Control path.
 *
 * Workers tell each other what they learned, so each answers nearly the same; the one that hears an address itself
 * knows best how long ago that was.
 */
import { formatIp, formatMac } from '../../wire/address.js';
import type { Learned } from '../learned.js';
import type { LearnedAnswer, LearnedMac, LearnedNeighbour } from './messages.js';

export function describeLearned(learned: Learned, now: number): LearnedAnswer {
  const fdb: LearnedMac[] = [];
  const neighbours: LearnedNeighbour[] = [];
  learned.fdb.forEach(now, (domain, vlan, hi, lo, port, ageMs) => {
    fdb.push({ domain, vlan, mac: formatMac(hi, lo), port, ageMs });
  });
  const table = learned.neighbours;
  table.forEach(now, (domain, family, words, index, ageMs) => {
    const address = formatIp({ family, words });
    const mac = formatMac(table.macHi(index), table.macLo(index));
    neighbours.push({ domain, address, mac, port: table.port(index), ageMs });
  });
  return { fdb, neighbours };
}

/** What several workers answered as one: of entries for the same address the latest. */
export function mergeLearned(answers: readonly LearnedAnswer[]): LearnedAnswer {
  return {
    fdb: latest(
      answers.flatMap(({ fdb }) => fdb),
      ({ domain, vlan, mac }) => `${domain} ${vlan} ${mac}`,
    ),
    neighbours: latest(
      answers.flatMap(({ neighbours }) => neighbours),
      ({ domain, address }) => `${domain} ${address}`,
    ),
  };
}

/** One entry for each key, the oldest first, as one worker answers. */
function latest<T extends { readonly ageMs: number }>(
  entries: readonly T[],
  keyOf: (entry: T) => string,
): T[] {
  const sorted = [...entries].sort((a, b) => b.ageMs - a.ageMs);
  const kept = new Map<string, T>();
  for (const entry of sorted) {
    const key = keyOf(entry);
    // A later entry takes its place at the end.
    kept.delete(key);
    kept.set(key, entry);
  }
  return [...kept.values()];
}
