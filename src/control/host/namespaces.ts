/**
 * Watching pods' namespaces: a path that is gone, or that leads to another namespace than before, means that
 * the pod is gone. (An open TAP keeps the namespace itself alive; see src/linux/netns.ts.)
 */
import { statSync } from 'node:fs';

/** What stat(2) says where the path, or the process whose namespace it names, has ended. */
const ENDED: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ESRCH'];

/**
 * Cheap: one stat. A path that cannot be looked at for another reason is taken to be there still.
 * @param identity what `namespaceIdentity` said when the pod was attached.
 */
export function isGone(path: string, identity: string): boolean {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}` !== identity;
  } catch (error) {
    return error instanceof Error && 'code' in error && ENDED.includes(error.code);
  }
}
