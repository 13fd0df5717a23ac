/**
 * A second descriptor of what a descriptor has open: the file is released with the last of them. So somebody else can
 * be made to pay for the end of a file that takes long to end.
 */
import { check, libc } from './libc.js';

/** fcntl.h; the same on every architecture. */
const F_DUPFD_CLOEXEC = 1030;

/** @throws SystemError */
export function duplicate(fd: number): number {
  return check(libc().fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl F_DUPFD_CLOEXEC', String(fd));
}
