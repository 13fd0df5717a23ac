/**
 * eventfd: a counter that wakes a blocked thread. One thread signals, the other has a read of it in its
 * io_uring or its poll set. Descriptors belong to the process, so the number may be
 * handed to a worker thread. Many signals before the wake-up count as one.
 */
import { Errno } from './errno.js';
import { check, closeFile, libc, nativeArray } from './libc.js';

/** linux/eventfd.h: the flags have the values of O_CLOEXEC and O_NONBLOCK. */
const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;

const COUNTER_BYTES = 8;
const one = nativeArray(2);
one[0] = 1;
const counter = nativeArray(2);

/**
 * A new eventfd, at zero. Blocking (the default) is what a read through io_uring needs: of a non-blocking
 * one such a read ends with -EAGAIN at once. The poll backend asks for non-blocking and drains it.
 */
export function createEventfd(options: { nonBlocking?: boolean } = {}): number {
  const flags = EFD_CLOEXEC | (options.nonBlocking ? EFD_NONBLOCK : 0);
  return check(libc().eventfd(0, flags), 'eventfd');
}

/** Wakes whoever waits for `fd`. Allocates nothing. Returns 0 or a negative errno. */
export function signalEventfd(fd: number): number {
  const c = libc();
  return c.write(fd, one, COUNTER_BYTES) < 0 ? -c.errno() : 0;
}

/**
 * Takes the count from a non-blocking eventfd. Returns how often it was signalled since the last drain (the
 * low 31 bits), 0 when it was not, or a negative errno. Allocates nothing.
 */
export function drainEventfd(fd: number): number {
  const c = libc();
  if (c.read(fd, counter, COUNTER_BYTES) < 0) {
    const errno = c.errno();
    return errno === Errno.EAGAIN ? 0 : -errno;
  }
  return counter[0]! & 0x7fffffff;
}

/** Closes it; a read of it that is still in flight in a ring keeps the object, not the number, alive. */
export function closeEventfd(fd: number): void {
  closeFile(fd);
}
