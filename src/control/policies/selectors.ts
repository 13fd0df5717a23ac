/**
 * Label selectors as `metav1.LabelSelector` has them: all of it must hold, and an empty one selects everything. NotIn and
 * DoesNotExist hold where the key is missing.
 *
 * Nobody compares everything with everything: whoever has labels is kept under the words of `wordsOf`, and a selector names
 * in `anchorsOf` some words of which whatever it selects has one. What an index finds is a guess that misses none; `matches`
 * decides.
 */
import { addTo, removeFrom } from './grouped.js';
import type { LabelSelector, SelectorRequirement } from './types.js';

export type Labels = Readonly<Record<string, string>>;

/** In place of a namespace: all of them. No namespace has this name. */
export const ANYWHERE = '*';

export function matches({ matchLabels, matchExpressions }: LabelSelector, labels: Labels): boolean {
  for (const key in matchLabels) if (labelOf(labels, key) !== matchLabels[key]) return false;
  return matchExpressions?.every((requirement) => holds(requirement, labels)) ?? true;
}

function holds({ key, operator, values = [] }: SelectorRequirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  if (operator === 'Exists') return value !== undefined;
  if (operator === 'DoesNotExist') return value === undefined;
  const isAmong = value !== undefined && values.includes(value);
  return operator === 'In' ? isAmong : !isAmong;
}

/** `constructor` is a fine key of a label. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** The same for selectors that select the same by the same words, in whatever order. */
export function selectorKey({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const expressions = matchExpressions.map(({ key, operator, values = [] }) =>
    JSON.stringify([key, operator, [...new Set(values)].sort()]),
  );
  return `${labelsKey(matchLabels)}${[...new Set(expressions)].sort().join('')}`;
}

/** The same for the same labels. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Neither namespaces nor labels contain blanks or `=`. @param scope a namespace, or ANYWHERE. */
export function wordsOf(scope: string, labels: Labels): string[] {
  const words = [scope];
  for (const [key, value] of Object.entries(labels))
    words.push(`${scope} ${key}`, `${scope} ${key}=${value}`);
  return words;
}

/** None: it selects nothing. */
export function anchorsOf(
  scope: string,
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
): string[] {
  const [label] = Object.entries(matchLabels);
  if (label) return [`${scope} ${label[0]}=${label[1]}`];
  const among = matchExpressions.find(({ operator }) => operator === 'In');
  if (among) return [...new Set(among.values)].map((value) => `${scope} ${among.key}=${value}`);
  const present = matchExpressions.find(({ operator }) => operator === 'Exists');
  return [present ? `${scope} ${present.key}` : scope];
}

/** Things by words. */
export class WordIndex<T> {
  private readonly things = new Map<string, Set<T>>();

  add(words: readonly string[], thing: T): void {
    for (const word of words) addTo(this.things, word, thing);
  }

  remove(words: readonly string[], thing: T): void {
    for (const word of words) removeFrom(this.things, word, thing);
  }

  /** Those under one of the words, each once. */
  find(words: readonly string[]): ReadonlySet<T> {
    if (words.length === 1) return this.things.get(words[0]) ?? new Set();
    const found = new Set<T>();
    for (const word of words) for (const thing of this.things.get(word) ?? []) found.add(thing);
    return found;
  }
}
