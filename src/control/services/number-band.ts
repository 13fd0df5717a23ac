/**
 * The next free number of a range in two bands, as Kubernetes has for cluster IPs and node ports (KEP-3070, KEP-3668): what
 * people fix by hand is mostly low, so what is chosen by itself comes from above the low band, and from it only when all
 * else is taken.
 *
 * The search goes on behind what was given last, so that a number that has just become free is not given to another at
 * once: clients remember it for a while. Cost: one step, more where many were fixed in a row.
 */
export class NumberBand {
  private next: number;

  /** Numbers from `first` up to but without `end`; `dynamic`: where the upper band begins. */
  constructor(
    private readonly first: number,
    private readonly dynamic: number,
    private readonly end: number,
  ) {
    this.next = dynamic;
  }

  /** undefined: none is free. */
  choose(isTaken: (number: number) => boolean): number | undefined {
    const found =
      this.search(this.next, this.end, isTaken) ??
      this.search(this.dynamic, this.next, isTaken) ??
      this.search(this.first, this.dynamic, isTaken);
    if (found !== undefined && found >= this.dynamic) this.next = found + 1;
    return found;
  }

  private search(from: number, end: number, isTaken: (number: number) => boolean): number | undefined {
    for (let number = from; number < end; number++) if (!isTaken(number)) return number;
    return undefined;
  }
}

/**
 * How long the low band of a range of `size` is: a part of it, within bounds; none of a range that is no longer than the
 * least. Kubernetes: cluster IPs 16 to 256 and a sixteenth, node ports 16 to 128 and a thirty-second.
 */
export function lowBand(size: number, part: number, most: number): number {
  const least = 16;
  return size <= least ? 0 : Math.min(Math.max(Math.floor(size / part), least), most);
}
