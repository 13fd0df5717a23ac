/**
 * Metadata of resources: names and labels with the syntax that Kubernetes gives them
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/names and …/labels).
 */
import { closed, open, type Schema } from './schema.js';

const LABEL_NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const LABEL_VALUE = `^(${LABEL_NAME})?$`;
const DNS_LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

export const NAME = {
  type: 'string',
  pattern: `^(?=.{1,253}$)${DNS_LABEL}(\\.${DNS_LABEL})*$`,
  description: 'a name (RFC 1123 subdomain: lower case letters, digits, - and .)',
} as const satisfies Schema;

export const NAMESPACE = {
  type: 'string',
  pattern: `^${DNS_LABEL}$`,
  description: 'a namespace (RFC 1123 label: at most 63 lower case letters, digits and -)',
} as const satisfies Schema;

export const LABEL_KEY: Schema = {
  type: 'string',
  pattern: `^(?![^/]{254,}/)(${DNS_LABEL}(\\.${DNS_LABEL})*/)?${LABEL_NAME}$`,
  description: 'a label key such as app.kubernetes.io/name',
};

export const LABEL_TEXT: Schema = {
  type: 'string',
  pattern: LABEL_VALUE,
  description: 'a label value: at most 63 letters, digits, -, _ and .',
};

export const LABELS: Schema = {
  type: 'object',
  maxProperties: 256,
  propertyNames: LABEL_KEY,
  additionalProperties: LABEL_TEXT,
};

export function isLabelValue(text: string): boolean {
  return new RegExp(LABEL_VALUE).test(text);
}

const ANNOTATIONS: Schema = { type: 'object', additionalProperties: { type: 'string' } };

const COMMON = {
  name: NAME,
  labels: LABELS,
  annotations: ANNOTATIONS,
  resourceVersion: { type: 'string', pattern: '^[0-9]+$', description: 'a resourceVersion of the store' },
  uid: { type: 'string' },
  creationTimestamp: { type: ['string', 'null'] },
} satisfies Record<string, Schema>;

/** Of podwire's own kinds, which have no namespace. */
export const CLUSTER_META = closed(COMMON, ['name']);

/** Of Kubernetes' kinds: has fields that are Kubernetes' business. */
export const KUBERNETES_META = open({ ...COMMON, namespace: NAMESPACE }, ['name']);
