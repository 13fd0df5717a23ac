/** What was learned, as text for people. Control path. */
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
