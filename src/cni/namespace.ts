/** What the plugin itself has to know of network namespaces: two calls of stat, no FFI. */
import { statfsSync, statSync } from 'node:fs';

/** linux/magic.h: a file of a namespace is on this file system; what is left after umount is not. */
const NSFS_MAGIC = 0x6e736673;

/** What stat says where the path, or the process whose namespace it names, has ended. */
const ENDED: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ESRCH'];

/** Whether the path leads to no namespace any more. One that cannot be looked at for another reason is there still. */
export function isNamespaceGone(path: string): boolean {
  if (path === '') return true;
  try {
    return statfsSync(path).type !== NSFS_MAGIC;
  } catch (error) {
    return error instanceof Error && 'code' in error && ENDED.includes(error.code);
  }
}

/** Whether the path is the namespace in which this process runs: the host's. */
export function isOwnNamespace(path: string): boolean {
  try {
    const [own, other] = ['/proc/self/ns/net', path].map((name) => statSync(name, { bigint: true }));
    return own.dev === other.dev && own.ino === other.ino;
  } catch {
    return false;
  }
}
