/** Label selectors for people: in the words of kubectl, and what of one a set of labels does not fit. */
import type { LabelSelector, SelectorRequirement } from './types.js';

type Labels = Readonly<Record<string, string>>;

/** `app=web,tier in (a,b),!legacy`; of an empty one undefined. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string | undefined {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  return [...labels, ...matchExpressions.map(requirementText)].join(',') || undefined;
}

/** The first thing that the labels do not fit, as a selector has it; undefined: they fit. */
export function misfit({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels) {
  const label = Object.entries(matchLabels).find(([key, value]) => labelOf(labels, key) !== value);
  if (label) return `${label[0]}=${label[1]}`;
  const requirement = matchExpressions.find((one) => !fits(one, labels));
  return requirement && requirementText(requirement);
}

function requirementText({ key, operator, values = [] }: SelectorRequirement): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
}

/** As metav1.LabelSelectorRequirement has it: NotIn holds where there is no such label, too. */
function fits({ key, operator, values = [] }: SelectorRequirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
  }
}

function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
