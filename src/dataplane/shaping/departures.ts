/**
 * Departures: packets that wait until their time has come, in queues that keep their order.
 *
 * A queue is a list of slots in order of arrival; none leaves before the one ahead. A heap has the queues that are not
 * empty, by when their first packet is due. So nothing depends on how long packets wait, no time is rounded, and nothing
 * runs while nothing is due. Costs 60 to 140 ns a packet with up to a hundred queues in use, 300 with a thousand.
 *
 * Bounded by who adds, through `held` and `heldOf`. Times are microseconds in 32 bits that turn round: all that are
 * compared must lie within 35 minutes.
 */
import { MAX_PORTS } from '../constants.js';
import { Lists } from '../tables/lists.js';
import { MAX_QUEUES, wayOf } from '../tables/shaping-table.js';

export class Departures {
  /** Packets that wait. */
  held = 0;
  /** The queue of the slot that `takeDue` answered last. */
  lastQueue = 0;
  /** Nodes are slot + 1. */
  private readonly lists: Lists;
  private readonly due: Int32Array;
  /** Of each queue that is not empty, when its last packet is due. */
  private readonly lastDue = new Int32Array(MAX_QUEUES);
  private readonly byPort = new Int32Array(MAX_PORTS);
  private readonly heap: Int32Array;
  private active = 0;

  constructor(slots: number) {
    this.lists = new Lists(slots, MAX_QUEUES);
    this.due = new Int32Array(slots);
    this.heap = new Int32Array(slots);
  }

  /** Packets that wait in the queues of a port, of both directions. */
  heldOf(port: number): number {
    return this.byPort[port];
  }

  isEmpty(queue: number): boolean {
    return this.lists.oldest(queue) === 0;
  }

  add(slot: number, queue: number, due: number): void {
    const isFirst = this.isEmpty(queue);
    const last = this.lastDue[queue];
    const own = isFirst || ((due - last) | 0) >= 0 ? due : last;
    this.due[slot] = own;
    this.lastDue[queue] = own;
    this.lists.push(queue, slot + 1);
    this.held++;
    this.byPort[wayOf(queue) >> 1]++;
    if (isFirst) this.rise(queue, this.active++);
  }

  /** Takes out the packet that is due first, at `now` or before, or answers -1. */
  takeDue(now: number): number {
    if (this.active === 0) return -1;
    const queue = this.heap[0];
    const slot = this.lists.oldest(queue) - 1;
    if (((this.due[slot] - now) | 0) > 0) return -1;
    this.remove(slot, queue);
    if (this.isEmpty(queue)) this.sink(this.heap[--this.active]);
    else this.sink(queue);
    this.lastQueue = queue;
    return slot;
  }

  /** How long until a packet is due (µs), 0 where one is overdue, or -1 where none waits. */
  untilNext(now: number): number {
    return this.active === 0 ? -1 : Math.max((this.dueOf(this.heap[0]) - now) | 0, 0);
  }

  /**
   * Looks at all that waits, when the snapshot changes or a port goes. `leave`: answers false for a packet that it has
   * taken out; `isOpen`: the rest of this queue may go at `now`.
   */
  revise(now: number, leave: (slot: number) => boolean, isOpen: (queue: number) => boolean): void {
    const queues = this.heap.slice(0, this.active);
    this.active = 0;
    for (const queue of queues) {
      const opens = isOpen(queue);
      for (let node = this.lists.oldest(queue); node !== 0; ) {
        const slot = node - 1;
        node = this.lists.newer(node);
        if (!leave(slot)) this.remove(slot, queue);
        else if (opens) this.due[slot] = now;
      }
      if (opens) this.lastDue[queue] = now;
      if (!this.isEmpty(queue)) this.rise(queue, this.active++);
    }
  }

  private remove(slot: number, queue: number): void {
    this.lists.unlink(queue, slot + 1);
    this.held--;
    this.byPort[wayOf(queue) >> 1]--;
  }

  private dueOf(queue: number): number {
    return this.due[this.lists.oldest(queue) - 1];
  }

  private isSooner(queue: number, other: number): boolean {
    return ((this.dueOf(queue) - this.dueOf(other)) | 0) < 0;
  }

  /** Puts a queue into the heap at `at`, or as much further up as it belongs. */
  private rise(queue: number, at: number): void {
    const { heap } = this;
    let place = at;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.isSooner(queue, heap[parent])) break;
      heap[place] = heap[parent];
      place = parent;
    }
    heap[place] = queue;
  }

  /** Puts a queue into the heap in place of the first, or as much further down as it belongs. */
  private sink(queue: number): void {
    const { heap, active } = this;
    let place = 0;
    for (let child = 1; child < active; child = 2 * place + 1) {
      const other = child + 1;
      if (other < active && this.isSooner(heap[other], heap[child])) child = other;
      if (!this.isSooner(heap[child], queue)) break;
      heap[place] = heap[child];
      place = child;
    }
    heap[place] = queue;
  }
}
