/**
 * Finds by labels without looking at everything: which pods may a selector pick, which selectors may pick a pod. What it
 * answers is a guess that misses none; the caller compares.
 */

export type Labels = Readonly<Record<string, string>>;

export class LabelIndex {
  private readonly keys = new Map<string, Set<string>>();

  add(namespace: string, labels: Labels, key: string): void {
    for (const word of wordsOf(namespace, labels)) {
      const known = this.keys.get(word);
      if (known) known.add(key);
      else this.keys.set(word, new Set([key]));
    }
  }

  remove(namespace: string, labels: Labels, key: string): void {
    for (const word of wordsOf(namespace, labels)) {
      const known = this.keys.get(word);
      known?.delete(key);
      if (known?.size === 0) this.keys.delete(word);
    }
  }

  /** Those that have all of the labels are among these: the fewest that have one of them. */
  withAll(namespace: string, labels: Labels): ReadonlySet<string> {
    const sets = wordsOf(namespace, labels).map((word) => this.keys.get(word) ?? NONE);
    return sets.reduce((least, set) => (set.size < least.size ? set : least), sets[0] ?? NONE);
  }

  /** Those that have one of the labels. */
  withAny(namespace: string, labels: Labels): string[] {
    return wordsOf(namespace, labels).flatMap((word) => [...(this.keys.get(word) ?? NONE)]);
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Neither namespaces nor labels contain blanks or `=`. */
function wordsOf(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${namespace} ${key}=${value}`);
}
