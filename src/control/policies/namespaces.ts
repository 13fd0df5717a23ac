/**
 * Namespaces as policies know them: those that are resources, with their labels, and those that have pods. Every one has the
 * label that Kubernetes gives to all. Each different namespaceSelector is a group, which knows the namespaces that it selects;
 * so labels that change cost the groups that select differently from then on, and no policy more.
 */

import { ANYWHERE, anchorsOf, type Labels, matches, selectorKey, WordIndex, wordsOf } from './selectors.js';
import type { PolicySet } from './sets.js';
import type { LabelSelector } from './types.js';

const NAME_LABEL = 'kubernetes.io/metadata.name';

export interface NamespaceGroup {
  readonly key: string;
  readonly selector: LabelSelector;
  readonly names: Set<string>;
  /** Sets of pods in these namespaces. A group without any is no more. */
  readonly sets: Set<PolicySet>;
}

interface Known {
  readonly labels: Labels;
  isResource: boolean;
  pods: number;
}

export class Namespaces {
  private readonly known = new Map<string, Known>();
  private readonly index = new WordIndex<string>();
  private readonly groups = new Map<string, NamespaceGroup>();
  private readonly groupIndex = new WordIndex<NamespaceGroup>();

  /** @param regrouped told of the groups whose namespace it is now, or is no longer. */
  constructor(private readonly regrouped: (name: string, groups: readonly NamespaceGroup[]) => void) {}

  labelsOf(name: string): Labels {
    return this.known.get(name)?.labels ?? ownLabels(name);
  }

  /** Those that are resources. */
  *resources(): Iterable<{ readonly name: string; readonly labels: Labels }> {
    for (const [name, { labels, isResource }] of this.known) if (isResource) yield { name, labels };
  }

  /** @returns whether its labels are others than before. */
  set(name: string, labels: Labels): boolean {
    return this.replace(name, { ...labels, ...ownLabels(name) }, true);
  }

  /** The resource; pods in it stay. @returns whether its labels are others than before. */
  remove(name: string): boolean {
    const known = this.known.get(name);
    if (!known?.isResource) return false;
    const changed = this.replace(name, ownLabels(name), false);
    this.leave(name);
    return changed;
  }

  /** One more pod is in it. */
  enter(name: string): void {
    if (!this.known.has(name)) this.replace(name, ownLabels(name), false);
    const known = this.known.get(name);
    if (known) known.pods++;
  }

  exit(name: string): void {
    const known = this.known.get(name);
    if (!known) return;
    known.pods--;
    this.leave(name);
  }

  /** That of this selector, for a set to be put in. */
  group(selector: LabelSelector): NamespaceGroup {
    const key = selectorKey(selector);
    const known = this.groups.get(key);
    if (known) return known;
    const found = [...this.index.find(anchorsOf(ANYWHERE, selector))];
    const names = new Set(found.filter((name) => matches(selector, this.labelsOf(name))));
    const group = { key, selector, names, sets: new Set<PolicySet>() };
    this.groups.set(key, group);
    this.groupIndex.add(anchorsOf(ANYWHERE, selector), group);
    return group;
  }

  /** A set has left it. */
  tidy(group: NamespaceGroup): void {
    if (group.sets.size > 0) return;
    this.groups.delete(group.key);
    this.groupIndex.remove(anchorsOf(ANYWHERE, group.selector), group);
  }

  private leave(name: string): void {
    const known = this.known.get(name);
    if (!known || known.isResource || known.pods > 0) return;
    this.known.delete(name);
    this.index.remove(wordsOf(ANYWHERE, known.labels), name);
    for (const group of this.groups.values()) group.names.delete(name);
  }

  private replace(name: string, labels: Labels, isResource: boolean): boolean {
    const before = this.known.get(name);
    const old = before?.labels ?? {};
    if (before && same(old, labels)) {
      before.isResource = isResource;
      return false;
    }
    if (before) this.index.remove(wordsOf(ANYWHERE, old), name);
    this.known.set(name, { labels, isResource, pods: before?.pods ?? 0 });
    const words = wordsOf(ANYWHERE, labels);
    this.index.add(words, name);
    this.regroup(name, labels, new Set([...wordsOf(ANYWHERE, old), ...words]));
    return true;
  }

  private regroup(name: string, labels: Labels, words: ReadonlySet<string>): void {
    const changed: NamespaceGroup[] = [];
    for (const group of this.groupIndex.find([...words])) {
      const isIn = matches(group.selector, labels);
      if (isIn === group.names.has(name)) continue;
      if (isIn) group.names.add(name);
      else group.names.delete(name);
      changed.push(group);
    }
    if (changed.length > 0) this.regrouped(name, changed);
  }
}

function ownLabels(name: string): Labels {
  return { [NAME_LABEL]: name };
}

function same(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
  );
}
