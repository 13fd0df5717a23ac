/**
 * Which node owns which subnet, as far as this node knows. What the store has lost and nobody has released stays, so
 * that routes outlive the loss of a store's data; whoever owns it by the store's word comes first.
 */
import { asPodwireError } from '../errors.js';
import { blocksOf } from './subnets.js';

export class Owners {
  /** By block: subnet-records.ts. */
  private readonly owners = new Map<string, string>();
  private readonly lost = new Set<string>();

  /** Who has all of it, or else a part of it; undefined: nobody. */
  ownerOf(cidr: string): string | undefined {
    const whole = this.owners.get(cidr);
    if (whole !== undefined) return whole;
    const found = new Set(blocks(cidr).map((block) => this.owners.get(block)));
    // What one node has, but for a part that is nobody's, is not all its own.
    if (found.size > 1 && found.has(undefined)) return undefined;
    return [...found].sort().at(-1);
  }

  set(block: string, node: string): void {
    this.owners.set(block, node);
    this.lost.delete(block);
  }

  /** For what was written down as a whole. */
  setAll(cidr: string, node: string): void {
    for (const block of blocks(cidr)) this.set(block, node);
  }

  /** @param wasLost the store lost the record, and nobody need have released it. */
  remove(block: string, wasLost: boolean): void {
    if (wasLost && this.owners.has(block)) this.lost.add(block);
    else {
      this.owners.delete(block);
      this.lost.delete(block);
    }
  }

  /** Forgets what the store has lost, of nodes that are not known any more. */
  keep(isKnown: (node: string) => boolean): void {
    for (const block of [...this.lost]) {
      const node = this.owners.get(block);
      if (node === undefined || !isKnown(node)) this.remove(block, false);
    }
  }
}

/** None of a prefix that is too large to be one node's. */
function blocks(cidr: string): string[] {
  try {
    return blocksOf(cidr);
  } catch (error) {
    if (asPodwireError(error).code === 'INVALID') return [];
    throw error;
  }
}
