/**
 * Numbers of notes: verdicts are told with a number, and this is what it stands for. The same note has the same number for as
 * long as a ruleset names it, and for a good while after: packets that were refused are read about later, and counted by
 * the number. So of those that are free the one that was left first is given again, and only when many are.
 */
import { NO_NOTE } from '../../dataplane/policy-spec.js';
import type { PolicyNote } from './types.js';

/** So many notes that nobody names are still known. */
const KEPT = 4096;

interface Known {
  readonly note: PolicyNote;
  readonly key: string;
  uses: number;
}

export class Notes {
  private readonly byKey = new Map<string, number>();
  private readonly known = new Map<number, Known>();
  /** Named by nobody, the first that was left first. */
  private readonly left = new Set<number>();
  private next = NO_NOTE + 1;

  /** @param given a number that stood for something else is another note's now: what was counted under it is not that one's. */
  constructor(private readonly given: (number: number) => void = () => {}) {}

  /** To be released as often as it was acquired. */
  acquire(note: PolicyNote): number {
    const { direction, tier, action, policies, path, networks } = note;
    const key = JSON.stringify([direction, tier, action, policies, path, networks]);
    const number = this.byKey.get(key) ?? this.add(key, note);
    this.left.delete(number);
    const known = this.known.get(number);
    if (known) known.uses++;
    return number;
  }

  release(number: number): void {
    const known = this.known.get(number);
    if (known && --known.uses === 0) this.left.add(number);
  }

  of(number: number): PolicyNote | undefined {
    return this.known.get(number)?.note;
  }

  private add(key: string, note: PolicyNote): number {
    const free = this.free();
    if (free !== undefined) this.given(free);
    const number = free ?? this.next++;
    this.byKey.set(key, number);
    this.known.set(number, { note, key, uses: 0 });
    return number;
  }

  private free(): number | undefined {
    if (this.left.size <= KEPT) return undefined;
    const [number] = this.left;
    this.left.delete(number);
    this.byKey.delete(this.known.get(number)?.key ?? '');
    return number;
  }
}
