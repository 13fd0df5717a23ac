/**
 * Many doubly linked lists over one set of numbered nodes, in typed arrays: recency lists of table entries.
 *
 * Nodes are 1..nodes, lists 0..lists-1. A node is on at most one list; 0 means "none". New nodes go to the
 * newest end. The caller says which list a node is on; nothing is checked. Every operation is O(1).
 *
 * Memory: 8 bytes a node and 8 bytes a list, all zero at first, so pages never used cost nothing.
 */
export class Lists {
  private readonly newerOf: Int32Array;
  private readonly olderOf: Int32Array;
  private readonly newestIn: Int32Array;
  private readonly oldestIn: Int32Array;

  constructor(nodes: number, lists: number) {
    this.newerOf = new Int32Array(nodes + 1);
    this.olderOf = new Int32Array(nodes + 1);
    this.newestIn = new Int32Array(lists);
    this.oldestIn = new Int32Array(lists);
  }

  /** The node that has been on the list longest, or 0. */
  oldest(list: number): number {
    return this.oldestIn[list];
  }

  /** The node next younger than this one on the same list, or 0. */
  newer(node: number): number {
    return this.newerOf[node];
  }

  /** Puts a node that is on no list at the newest end. */
  push(list: number, node: number): void {
    const before = this.newestIn[list];
    this.olderOf[node] = before;
    this.newerOf[node] = 0;
    if (before === 0) this.oldestIn[list] = node;
    else this.newerOf[before] = node;
    this.newestIn[list] = node;
  }

  unlink(list: number, node: number): void {
    const newer = this.newerOf[node];
    const older = this.olderOf[node];
    if (newer === 0) this.newestIn[list] = older;
    else this.olderOf[newer] = older;
    if (older === 0) this.oldestIn[list] = newer;
    else this.newerOf[older] = newer;
  }

  /** Makes a node of the list its newest. */
  refresh(list: number, node: number): void {
    if (this.newerOf[node] === 0) return;
    this.unlink(list, node);
    this.push(list, node);
  }
}
