/**
 * Kubernetes' own programs write `creationTimestamp: null`, `endpoints: null` and the like for what is not there, and its
 * API server takes a null for a field left out. So do the kinds that come from Kubernetes.
 */

/** The same without fields that are null, at any depth; what is no object is given back as it is. */
export function plainObject(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainObject);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(entries.map(([key, field]) => [key, plainObject(field)]));
}

/** The same without fields of its own that are empty texts, which Kubernetes takes for a field left out. */
export function withoutEmpty<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== '')) as T;
}
