/**
 * `v1 Namespace`: a name, and labels that policies select by. What Kubernetes keeps in it beside (finalizers, phase) is
 * Kubernetes' business and not kept.
 */
import type { Namespace } from '../services/types.js';
import { KUBERNETES_META, NAMESPACE } from './meta.js';
import { plainObject } from './nulls.js';
import { checker, closed, open, type Schema } from './schema.js';

/** Kubernetes gives every namespace this label, with its name. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

const { namespace: _, ...META } = KUBERNETES_META.properties as Record<string, Schema>;

export const NAMESPACE_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'v1' },
    kind: { type: 'string', const: 'Namespace' },
    metadata: open({ ...META, name: NAMESPACE }, ['name']),
    spec: closed({ finalizers: { type: 'array', items: { type: 'string' } } }),
    status: { type: 'object', description: 'Ignored in a PUT.' },
  },
  ['apiVersion', 'kind', 'metadata'],
);

const check = checker<Namespace>(NAMESPACE_SCHEMA);

/** A Namespace as it is stored. @throws PodwireError INVALID naming the field */
export function parseNamespace(value: unknown): Namespace {
  const { apiVersion, kind, metadata } = check(plainObject(value));
  const labels = { ...metadata.labels, [NAME_LABEL]: metadata.name };
  return { apiVersion, kind, metadata: { ...metadata, labels } };
}
