/**
 * Watching pods' namespaces: a path that is gone, or that leads to another namespace than before, means that
 * the pod is gone. (An open TAP keeps the namespace itself alive; see src/linux/netns.ts.)
 */
import { statSync } from 'node:fs';

/** 'device:inode' of the namespace at the path, or undefined where there is nothing. Cheap: one stat. */
export function identityAt(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}

/** @param identity what `namespaceIdentity` said when the pod was attached. */
export function isGone(path: string, identity: string): boolean {
  try {
    return identityAt(path) !== identity;
  } catch {
    return true; // a directory of the path is gone, or the process is
  }
}
