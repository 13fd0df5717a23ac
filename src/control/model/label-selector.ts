/**
 * `metav1.LabelSelector`, as policies select pods, namespaces and nodes: schema, and the checks of Kubernetes that a schema
 * cannot express (apimachinery pkg/apis/meta/v1/validation, ValidateLabelSelector).
 */
import { invalid } from '../errors.js';
import { type LabelSelector, SELECTOR_OPERATORS, type SelectorRequirement } from '../policies/types.js';
import { LABEL_KEY, LABEL_TEXT, LABELS } from './meta.js';
import { closed, type Schema } from './schema.js';

export const LABEL_SELECTOR: Schema = closed({
  matchLabels: LABELS,
  matchExpressions: {
    type: 'array',
    items: closed(
      {
        key: LABEL_KEY,
        operator: { type: 'string', enum: SELECTOR_OPERATORS },
        values: { type: 'array', items: LABEL_TEXT },
      },
      ['key', 'operator'],
    ),
  },
});

/** Without lists that are empty. @param field its path. @throws PodwireError INVALID naming the field */
export function normalSelector(
  field: string,
  { matchLabels, matchExpressions }: LabelSelector,
): LabelSelector {
  return {
    ...(matchLabels && Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(matchExpressions &&
      matchExpressions.length > 0 && {
        matchExpressions: matchExpressions.map((expression, index) =>
          normalRequirement(`${field}.matchExpressions[${index}]`, expression),
        ),
      }),
  };
}

function normalRequirement(
  field: string,
  { key, operator, values = [] }: SelectorRequirement,
): SelectorRequirement {
  const isOfValues = operator === 'In' || operator === 'NotIn';
  if (isOfValues && values.length === 0)
    throw invalid(`${field}.values`, `is missing: ${operator} needs values`);
  if (!isOfValues && values.length > 0) throw invalid(`${field}.values`, `${operator} takes no values`);
  return { key, operator, ...(isOfValues && { values }) };
}
