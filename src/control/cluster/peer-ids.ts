/**
 * Numbers of peers: a node keeps its own for as long as it is known. One that is free again is given out last, so
 * that what still arrives about a node that has gone is not taken for the next one's.
 */
import { MAX_PEERS } from '../../dataplane/constants.js';

export class PeerIds {
  private readonly ids = new Map<string, number>();
  private readonly names = new Map<number, string>();
  private last = -1;

  /** @param most numbers are below it. */
  constructor(private readonly most = MAX_PEERS) {}

  /** undefined: there are as many nodes as there are numbers. */
  of(name: string): number | undefined {
    return this.ids.get(name) ?? this.give(name);
  }

  nameOf(id: number): string | undefined {
    return this.names.get(id);
  }

  /** Forgets every node that is not among these. */
  keep(names: ReadonlySet<string>): void {
    for (const [name, id] of this.ids) {
      if (names.has(name)) continue;
      this.ids.delete(name);
      this.names.delete(id);
    }
  }

  private give(name: string): number | undefined {
    for (let step = 1; step <= this.most; step++) {
      const id = (this.last + step) % this.most;
      if (this.names.has(id)) continue;
      this.last = id;
      this.ids.set(name, id);
      this.names.set(id, name);
      return id;
    }
    return undefined;
  }
}
