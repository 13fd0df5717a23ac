import { withNamespace } from '../../linux/netns.js';

/**
 * Runs a synchronous action in a network namespace. Without one it runs where the thread is, which takes no
 * privilege, so that a daemon that lacks one hears what it is really missing.
 * @param namespace its descriptor.
 */
export function inside<T>(namespace: number | undefined, action: () => T): T {
  return namespace === undefined ? action() : withNamespace(namespace, action);
}
