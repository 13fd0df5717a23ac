/** Paths of the API that commands build from what the user typed. */
import { usage } from './errors.js';

const DEFAULT_NAMESPACE = 'default';

/** `/v1/pods/NAMESPACE/NAME`; whether the names can be names is for the daemon to say. */
export function podPath(namespace: string | undefined, name: string): string {
  return `/v1/pods/${segment(namespace ?? DEFAULT_NAMESPACE, '--namespace')}/${segment(name, 'POD')}`;
}

/** One segment of a path, escaped. Names that would mean another path are refused here. */
export function segment(text: string, what: string): string {
  if (text === '' || text === '.' || text === '..') throw usage(`${what}: '${text}' cannot be a name`);
  return encodeURIComponent(text);
}
