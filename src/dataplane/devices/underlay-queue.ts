/**
 * What is under way in a simulated underlay, by the time at which it arrives; among equals, in the order in which
 * it was sent. A binary heap; unbounded, for tests and simulations.
 */

export interface Due {
  readonly due: number;
  /** Its number among all that were ever sent. */
  readonly order: number;
}

function isBefore(a: Due, b: Due): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

export class TimeQueue<T extends Due> {
  private readonly heap: T[] = [];

  get count(): number {
    return this.heap.length;
  }

  /** When the first arrives, or Infinity. */
  get nextDue(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0].due;
  }

  push(item: T): void {
    const { heap } = this;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(item, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = item;
  }

  /** The first, taken out; undefined where there is none. */
  shift(): T | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
