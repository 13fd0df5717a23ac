/**
 * Errors of kernel calls.
 *
 * Set-up paths throw: a `SystemError` says which call failed on what, with the errno's name as its stable
 * `code`; a `LinuxError` stands for a condition that callers tell apart and usually explain to the user
 * (a name taken, io_uring forbidden), and carries the failing call as `cause`. Hot-path calls throw
 * nothing: they return a negative errno, to be named with `errnoName(-result)`.
 */
import { ERRNO_TABLE } from './errno-table.js';

const NAMES = new Map(ERRNO_TABLE.map(([number, name]) => [number, name]));
const TEXTS = new Map(ERRNO_TABLE.map(([number, , text]) => [number, text]));

/** The numbers that podwire's code compares with. Hot-path results are these, negated. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOTTY: 25,
  ENOSYS: 38,
  EBADFD: 77,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ETIME: 62,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  ECANCELED: 125,
} as const;

/** `errnoName(16)` is 'EBUSY'; a number outside the table gives 'ERRNO_<number>'. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `ERRNO_${errno}`;
}

/** The strerror(3) text: `errnoText(16)` is 'Device or resource busy'. */
export function errnoText(errno: number): string {
  return TEXTS.get(errno) ?? `Unknown error ${errno}`;
}

/** A kernel call that failed, for example `ioctl TUNSETIFF eth0: EBUSY: Device or resource busy`. */
export class SystemError extends Error {
  /** The errno's name: 'EPERM'. */
  readonly code: string;
  readonly errno: number;
  /** The call and, for ioctl and the like, its request: 'ioctl TUNSETIFF'. */
  readonly syscall: string;
  /** What it was called on: a path, an interface; may be empty. */
  readonly detail: string;

  constructor(errno: number, syscall: string, detail = '') {
    super(`${detail ? `${syscall} ${detail}` : syscall}: ${errnoName(errno)}: ${errnoText(errno)}`);
    this.name = 'SystemError';
    this.code = errnoName(errno);
    this.errno = errno;
    this.syscall = syscall;
    this.detail = detail;
  }
}

/** The conditions that a `LinuxError` names; stable, shown to users and in API answers. */
export type LinuxErrorCode =
  | 'LIBC_UNAVAILABLE'
  | 'IO_URING_UNAVAILABLE'
  | 'DATA_DIR_IN_USE'
  | 'NETNS_NOT_FOUND'
  | 'NETNS_INVALID'
  | 'NETNS_FORBIDDEN'
  | 'TUNNEL_FAILED'
  | 'TUN_UNAVAILABLE'
  | 'TUN_FORBIDDEN'
  | 'INTERFACE_NAME_INVALID'
  | 'INTERFACE_EXISTS'
  | 'INTERFACE_NOT_FOUND'
  | 'INTERFACE_BUSY'
  | 'INTERFACE_NOT_TAP'
  | 'INTERFACE_NOT_ETHERNET'
  | 'PACKET_SOCKET_FORBIDDEN';

/** A condition with a stable code and a message that says what to do about it. */
export class LinuxError extends Error {
  readonly code: LinuxErrorCode;

  constructor(code: LinuxErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LinuxError';
    this.code = code;
  }
}
