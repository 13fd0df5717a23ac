/** Hands out small numbers, the smallest free one first: port ids, bridge domains, route tables. */
export class NumberPool {
  private readonly taken = new Set<number>();

  /** Numbers from `first` up to but without `end`. */
  constructor(
    private readonly first: number,
    private readonly end: number,
  ) {}

  /** undefined: none is free. */
  take(): number | undefined {
    for (let number = this.first; number < this.end; number++) {
      if (this.taken.has(number)) continue;
      this.taken.add(number);
      return number;
    }
    return undefined;
  }

  release(number: number): void {
    this.taken.delete(number);
  }
}
