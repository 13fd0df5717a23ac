/**
 * Notes of networks that are kept apart, one for each pair and way: what is sent along a route that leads to the other network
 * is refused under it (control/compile-apart.ts).
 */
import { pairKey } from '../compile-apart.js';
import type { Notes } from './notes.js';

export class ApartNotes {
  private networks: readonly string[] = [];
  private numbers = new Map<string, number>();

  constructor(private readonly notes: Notes) {}

  /**
   * Numbers by pairKey, and of no other networks any more: those are given again much later, so that routes in force may have
   * them until there are new ones.
   */
  set(networks: readonly string[]): ReadonlyMap<string, number> {
    if (networks.join() === this.networks.join()) return this.numbers;
    const before = this.numbers;
    this.networks = [...networks];
    this.numbers = new Map(networks.flatMap((from) => networks.flatMap((to) => this.pair(from, to))));
    for (const number of before.values()) this.notes.release(number);
    return this.numbers;
  }

  private pair(from: string, to: string): [string, number][] {
    if (from === to) return [];
    const note = { direction: 'egress', tier: 'network', action: 'deny', policies: [] } as const;
    return [[pairKey(from, to), this.notes.acquire({ ...note, networks: [from, to] })]];
  }
}
