/**
 * The nodes that this one knows of: those of the store, and those that the store has lost and nobody has deleted.
 *
 * A node whose record was lost with the store's data stays for as long as its probe is answered, since it will
 * publish itself again; forwarding to it goes on meanwhile. One that somebody deletes goes at once. A record that
 * cannot be read takes its node away, with the reason kept for people.
 */
import type { Json } from '../store/store.js';
import { type PublishedNode, readNode } from './records.js';

export interface KnownNode {
  readonly node: PublishedNode;
  /** Of its record in the cluster store. */
  readonly revision: number;
}

export class KnownNodes {
  private readonly nodes = new Map<string, KnownNode>();
  private readonly broken = new Map<string, string>();
  private readonly lost = new Set<string>();

  get(name: string): KnownNode | undefined {
    return this.nodes.get(name);
  }

  /** Sorted by name. */
  list(): KnownNode[] {
    return [...this.nodes.values()].sort((a, b) => (a.node.metadata.name < b.node.metadata.name ? -1 : 1));
  }

  /** By name, what is wrong with records that cannot be read. */
  get problems(): ReadonlyMap<string, string> {
    return this.broken;
  }

  /** The store does not have it any more, though nobody deleted it. */
  isLost(name: string): boolean {
    return this.lost.has(name);
  }

  put(name: string, value: Json, revision: number): void {
    const read = readNode(name, value);
    this.forget(name);
    if ('node' in read) this.nodes.set(name, { node: read.node, revision });
    else this.broken.set(name, read.problem);
  }

  /** @param wasLost the store lost it, and nobody need have deleted it. */
  remove(name: string, wasLost: boolean): void {
    if (wasLost && this.nodes.has(name)) this.lost.add(name);
    else this.forget(name);
  }

  /** Forgets what the store has lost and what does not answer either. */
  dropSilent(isUp: (name: string) => boolean): void {
    for (const name of [...this.lost]) if (!isUp(name)) this.forget(name);
  }

  private forget(name: string): void {
    this.nodes.delete(name);
    this.broken.delete(name);
    this.lost.delete(name);
  }
}
