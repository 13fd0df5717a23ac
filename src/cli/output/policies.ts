/** The tables of policies: kubectl's columns, and beside them how many rules there are for each direction. */
import type {
  AdminNetworkPolicy,
  BaselineAdminNetworkPolicy,
  NetworkPolicy,
} from '../../control/api/types.js';
import type { AdminPolicySubject, LabelSelector, SelectorRequirement } from '../../control/policies/types.js';
import { ageOf, labelsOf } from './resources.js';
import type { Column } from './table.js';

const NONE = '<none>';

export const NETWORK_POLICY_COLUMNS: readonly Column<NetworkPolicy>[] = [
  { header: 'NAMESPACE', value: ({ metadata }) => metadata.namespace },
  { header: 'NAME', value: ({ metadata }) => metadata.name },
  { header: 'POD-SELECTOR', value: ({ spec }) => selectorText(spec.podSelector) },
  { header: 'TYPES', value: ({ spec }) => spec.policyTypes.join(',') },
  { header: 'INGRESS', value: ({ spec }) => isolating(spec, 'Ingress', spec.ingress), right: true },
  { header: 'EGRESS', value: ({ spec }) => isolating(spec, 'Egress', spec.egress), right: true },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

export const BASELINE_COLUMNS: readonly Column<AdminNetworkPolicy | BaselineAdminNetworkPolicy>[] = [
  { header: 'NAME', value: ({ metadata }) => metadata.name },
  { header: 'SUBJECT', value: ({ spec }) => subjectText(spec.subject) },
  { header: 'INGRESS', value: ({ spec }) => spec.ingress?.length ?? 0, right: true },
  { header: 'EGRESS', value: ({ spec }) => spec.egress?.length ?? 0, right: true },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

const [NAME, ...REST] = BASELINE_COLUMNS;

export const ADMIN_POLICY_COLUMNS: readonly Column<AdminNetworkPolicy>[] = [
  NAME,
  { header: 'PRIORITY', value: ({ spec }) => spec.priority, right: true },
  ...REST,
];

/** Rules of a direction: with 0 nothing may pass, with none it is not about that direction. */
function isolating(
  { policyTypes }: NetworkPolicy['spec'],
  type: 'Ingress' | 'Egress',
  rules: readonly unknown[] = [],
): number | undefined {
  return policyTypes.includes(type) ? rules.length : undefined;
}

/** `ns:team=a`, and where pods are chosen too ` pods:app=web`. */
function subjectText({ namespaces, pods }: AdminPolicySubject): string {
  if (!pods) return `ns:${selectorText(namespaces, '*')}`;
  return `ns:${selectorText(pods.namespaceSelector, '*')} pods:${selectorText(pods.podSelector, '*')}`;
}

/** As kubectl writes it (metav1.FormatLabelSelector). @param everything what an empty one is called */
export function selectorText(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector = {},
  everything = NONE,
): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  return [...labels.sort(), ...matchExpressions.map(requirementText)].join(',') || everything;
}

function requirementText({ key, operator, values = [] }: SelectorRequirement): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`;
}
