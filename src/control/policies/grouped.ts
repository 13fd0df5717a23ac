/** Several things under one key. */

export function addTo<K, T>(groups: Map<K, Set<T>>, key: K, thing: T): void {
  const known = groups.get(key);
  if (known) known.add(thing);
  else groups.set(key, new Set([thing]));
}

/** A group that is empty goes. */
export function removeFrom<K, T>(groups: Map<K, Set<T>>, key: K, thing: T): void {
  const known = groups.get(key);
  known?.delete(thing);
  if (known?.size === 0) groups.delete(key);
}
