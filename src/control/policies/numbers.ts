/**
 * Numbers by which forwarding knows identities, sets and rulesets, and what of them it is to be told. A number that is free is
 * given again at once, so that the tables stay as small as what is in them.
 */

export class Numbers {
  private readonly free: number[] = [];

  /** @param next the first number. */
  constructor(private next: number) {}

  /** Those that were given and are free, in no order. */
  get freed(): readonly number[] {
    return this.free;
  }

  take(): number {
    return this.free.pop() ?? this.next++;
  }

  release(number: number): void {
    this.free.push(number);
  }
}

/** What has changed since it was told, by number. */
export class Ledger<T extends { readonly id: number }> {
  private readonly changed = new Map<number, T>();
  private readonly gone = new Set<number>();
  private readonly told = new Set<number>();

  /** It is new, or other than before. */
  mark(thing: T): void {
    this.changed.set(thing.id, thing);
    this.gone.delete(thing.id);
  }

  /** It is no more. What was never told of it need not be. */
  drop({ id }: T): void {
    this.changed.delete(id);
    if (this.told.has(id)) this.gone.add(id);
  }

  take(): { readonly changed: readonly T[]; readonly removed: readonly number[] } {
    const taken = { changed: [...this.changed.values()], removed: [...this.gone] };
    for (const id of taken.removed) this.told.delete(id);
    for (const { id } of taken.changed) this.told.add(id);
    this.changed.clear();
    this.gone.clear();
    return taken;
  }
}
