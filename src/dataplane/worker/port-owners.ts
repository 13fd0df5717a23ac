/**
 * Which worker reads which port. Reading is what costs: whoever reads a packet takes it through the graph and
 * writes it. So ports are spread evenly, each new one to the worker that has fewest, and pods that were attached
 * one after the other, which often talk to each other, are read by different workers.
 */
export class PortOwners {
  private readonly counts: number[];
  private readonly owners = new Map<number, number>();

  constructor(workers: number) {
    this.counts = new Array(workers).fill(0);
  }

  /** Chooses for a new port. */
  choose(port: number): number {
    const worker = this.counts.indexOf(Math.min(...this.counts));
    this.give(port, worker);
    return worker;
  }

  give(port: number, worker: number): void {
    this.release(port);
    this.owners.set(port, worker);
    this.counts[worker]++;
  }

  /** The first worker's is what nobody has. */
  of(port: number): number {
    return this.owners.get(port) ?? 0;
  }

  release(port: number): void {
    const worker = this.owners.get(port);
    if (worker === undefined) return;
    this.owners.delete(port);
    this.counts[worker]--;
  }
}
