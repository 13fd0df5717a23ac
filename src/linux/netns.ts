/**
 * Network namespaces.
 *
 * A thread is in one namespace; `withNamespace` takes the calling thread into another for the length of a
 * synchronous function. What the thread does inside happens there: sockets and TAPs it opens belong to that
 * namespace for good, and child processes it starts synchronously (execFileSync) begin there. Other threads,
 * libuv's pool among them, stay where they are, so nothing asynchronous may be started inside.
 *
 * NB: an open descriptor of /dev/net/tun pins the namespace in which it was opened, as an open descriptor of
 * the namespace file does: after `ip netns del` the namespace lives on, with its devices, until the last of
 * them is closed. Whoever holds a pod's TAP must notice that the pod is gone and close it.
 */
import { fstatSync, writeSync } from 'node:fs';
import { Errno, LinuxError, SystemError } from './errno.js';
import { check, closeFile, libc, OpenFlags, openFile } from './libc.js';

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000;
/** linux/nsfs.h, _IO(0xb7, 3): which kind of namespace a descriptor of nsfs is. */
const NS_GET_NSTYPE = 0xb703;

/** Where iproute2 keeps the namespaces that have names. */
const NAMED_NAMESPACES = '/run/netns';
/** Not /proc/self: that one shows the main thread's, whichever thread asks. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/** The path of a namespace: an absolute path is itself; a name is `ip netns`'s. Throws NETNS_INVALID. */
export function namespacePath(nameOrPath: string): string {
  if (nameOrPath.startsWith('/')) return nameOrPath;
  if (!/^[^/\0]{1,255}$/.test(nameOrPath) || nameOrPath === '.' || nameOrPath === '..') {
    throw new LinuxError(
      'NETNS_INVALID',
      `'${nameOrPath}' is neither a namespace name nor an absolute path such as /proc/PID/ns/net`,
    );
  }
  return `${NAMED_NAMESPACES}/${nameOrPath}`;
}

/**
 * Opens a network namespace by name or absolute path and returns its descriptor, which keeps it alive.
 * Throws LinuxError NETNS_NOT_FOUND, NETNS_INVALID (it exists, but is no network namespace) or
 * NETNS_FORBIDDEN, and SystemError for the rest.
 */
export function openNamespace(nameOrPath: string): number {
  const path = namespacePath(nameOrPath);
  const fd = openPath(path, nameOrPath);
  const kind = libc().ioctlValue(fd, NS_GET_NSTYPE, 0);
  if (kind === CLONE_NEWNET) return fd;
  closeFile(fd);
  throw new LinuxError(
    'NETNS_INVALID',
    `${path} is not a network namespace${kind < 0 ? ' (a file left over from a deleted one?)' : ', but one of another kind'}`,
  );
}

/** O_NONBLOCK, because the path is the user's and opening a FIFO would hang. */
function openPath(path: string, nameOrPath: string): number {
  try {
    return openFile(path, OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK);
  } catch (error) {
    throw explainOpen(error, path, nameOrPath);
  }
}

function explainOpen(error: unknown, path: string, nameOrPath: string): unknown {
  if (!(error instanceof SystemError)) return error;
  if (error.errno === Errno.EACCES || error.errno === Errno.EPERM) {
    return new LinuxError('NETNS_FORBIDDEN', `may not open ${path}: ${error.message}; run as root`, error);
  }
  if (error.errno !== Errno.ENOENT) return error;
  const hint = nameOrPath.startsWith('/')
    ? 'has its process ended?'
    : "'ip netns list' shows those with names";
  return new LinuxError('NETNS_NOT_FOUND', `there is no network namespace ${path}; ${hint}`, error);
}

/** A descriptor of the calling thread's own namespace. */
export function currentNamespace(): number {
  return openFile(OWN_NAMESPACE, OpenFlags.O_RDONLY);
}

/**
 * What tells namespaces apart: 'device:inode' of the file, as lsns(8) compares them. Takes a descriptor, a
 * name or an absolute path; without argument, the calling thread's own.
 */
export function namespaceIdentity(namespace?: string | number): string {
  if (typeof namespace === 'number') return identityOf(namespace);
  const fd = namespace === undefined ? currentNamespace() : openNamespace(namespace);
  try {
    return identityOf(fd);
  } finally {
    closeFile(fd);
  }
}

function identityOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}

/**
 * Runs `inside` with the calling thread in the namespace (a descriptor, a name or an absolute path), and
 * returns what it returns. `inside` must be synchronous: a promise is refused with a TypeError, after the
 * thread is back. Throws what `openNamespace` throws, NETNS_FORBIDDEN when setns is not allowed
 * (CAP_SYS_ADMIN), and what `inside` throws.
 *
 * If the thread cannot return, the process aborts: every later socket, TAP and child process of this thread
 * would be made in a pod's namespace, on the wrong side of the isolation that podwire is there to give.
 */
export function withNamespace<T>(namespace: string | number, inside: () => T): T {
  const target = typeof namespace === 'number' ? namespace : openNamespace(namespace);
  try {
    return visit(target, String(namespace), inside);
  } finally {
    if (typeof namespace !== 'number') closeFile(target);
  }
}

function visit<T>(target: number, name: string, inside: () => T): T {
  const home = currentNamespace();
  try {
    enter(target, name);
    const result = runAndReturn(home, inside);
    if (isPromise(result)) throw new TypeError('withNamespace: the function must be synchronous');
    return result;
  } finally {
    closeFile(home);
  }
}

function runAndReturn<T>(home: number, inside: () => T): T {
  try {
    return inside();
  } finally {
    if (libc().setns(home, CLONE_NEWNET) < 0) abortAbroad(libc().errno());
  }
}

function enter(target: number, name: string): void {
  try {
    check(libc().setns(target, CLONE_NEWNET), 'setns', name);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EPERM) throw error;
    throw new LinuxError(
      'NETNS_FORBIDDEN',
      `may not enter network namespace ${name}: ${error.message}; it needs CAP_SYS_ADMIN (run as root)`,
      error,
    );
  }
}

function abortAbroad(errno: number): never {
  const error = new SystemError(errno, 'setns', OWN_NAMESPACE);
  writeSync(2, `podwire: cannot leave a pod's network namespace (${error.message}); aborting\n`);
  process.abort();
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
