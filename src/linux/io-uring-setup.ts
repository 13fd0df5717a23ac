/**
 * Making a ring: the system call with its fallbacks, the mappings, and the explanation when the kernel has
 * no io_uring or does not let us use it.
 */
import { readFileSync } from 'node:fs';
import { Errno, LinuxError, SystemError } from './errno.js';
import * as abi from './io-uring-abi.js';
import { Features, Params, SetupFlags, Syscall } from './io-uring-abi.js';
import { check, closeFile, libc, nativeArray } from './libc.js';

/** sys/mman.h */
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/** The oldest kernel with all of these is 5.11. */
const REQUIRED_FEATURES =
  Features.IORING_FEAT_SINGLE_MMAP | Features.IORING_FEAT_NODROP | Features.IORING_FEAT_EXT_ARG;

/** Newest first: what an older kernel refuses with EINVAL is given up one step after the other. */
const OPTIONAL_FLAGS = [
  SetupFlags.IORING_SETUP_DEFER_TASKRUN,
  SetupFlags.IORING_SETUP_SINGLE_ISSUER,
  SetupFlags.IORING_SETUP_COOP_TASKRUN,
  SetupFlags.IORING_SETUP_SUBMIT_ALL,
];

/** A ring as the kernel made it: its descriptor, its parameters and its two mappings as 32-bit words. */
export interface MappedRing {
  readonly fd: number;
  readonly params: Int32Array;
  readonly setupFlags: number;
  readonly ring: Int32Array;
  readonly sqes: Int32Array;
  /** Unmaps and closes. The two arrays must not be touched any more: doing so ends the process. */
  readonly release: () => void;
}

/** Throws LinuxError IO_URING_UNAVAILABLE with the reason, or SystemError for such as EMFILE. */
export function mapRing(entries: number, completionEntries: number, flags: number): MappedRing {
  const { fd, params } = setup(entries, completionEntries, flags);
  try {
    requireFeatures(params[Params.features]!);
    return { fd, params, setupFlags: params[Params.flags]!, ...map(fd, params) };
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

function setup(entries: number, completionEntries: number, flags: number) {
  let attempt = flags;
  for (const optional of [0, ...OPTIONAL_FLAGS]) {
    attempt &= ~optional;
    const params = nativeArray(abi.PARAMS_WORDS);
    params[Params.cq_entries] = completionEntries;
    params[Params.flags] = attempt | SetupFlags.IORING_SETUP_CQSIZE | SetupFlags.IORING_SETUP_CLAMP;
    const fd = libc().ioUringSetup(Syscall.io_uring_setup, entries, params);
    if (fd >= 0) return { fd, params };
    const errno = libc().errno();
    if (errno !== Errno.EINVAL)
      throw explainSetup(new SystemError(errno, 'io_uring_setup', `${entries} entries`));
  }
  throw explainSetup(new SystemError(Errno.EINVAL, 'io_uring_setup', `${entries} entries`));
}

function requireFeatures(features: number): void {
  if ((features & REQUIRED_FEATURES) === REQUIRED_FEATURES) return;
  throw unavailable(
    `the kernel's io_uring is too old (features ${features.toString(16)}); podwire needs Linux 5.11`,
  );
}

/** The error of a set-up that failed: IO_URING_UNAVAILABLE where another backend is the answer. */
export function explainSetup(error: SystemError): Error {
  switch (error.errno) {
    case Errno.ENOSYS:
      return unavailable('the kernel has no io_uring, or a seccomp filter hides it', error);
    case Errno.EPERM:
    case Errno.EACCES:
      return unavailable(forbiddenReason(), error);
    case Errno.ENOMEM:
      return unavailable('not enough memory may be locked (ulimit -l)', error);
    case Errno.EINVAL:
      return unavailable('the kernel refuses its parameters; podwire needs Linux 5.11', error);
    default:
      return error;
  }
}

/** sysctl kernel.io_uring_disabled: 2 forbids it to all, 1 to the unprivileged outside io_uring_group. */
function forbiddenReason(): string {
  const disabled = ioUringDisabled();
  if (disabled === 2) return 'sysctl kernel.io_uring_disabled is 2; set it to 0 to allow io_uring';
  if (disabled === 1) {
    return 'sysctl kernel.io_uring_disabled is 1: run as root, or join the group kernel.io_uring_group';
  }
  return 'a security policy forbids it: a seccomp filter, as container runtimes set, or SELinux';
}

function ioUringDisabled(): number {
  try {
    return Number(readFileSync('/proc/sys/kernel/io_uring_disabled', 'utf8'));
  } catch {
    return 0;
  }
}

function unavailable(reason: string, cause?: SystemError): LinuxError {
  const message = `io_uring is not available: ${reason}${cause ? ` (${cause.message})` : ''}`;
  return new LinuxError('IO_URING_UNAVAILABLE', message, cause);
}

function map(fd: number, params: Int32Array) {
  const ringBytes = Math.max(
    params[Params.sq_array]! + params[Params.sq_entries]! * 4,
    params[Params.cq_cqes]! + params[Params.cq_entries]! * abi.CQE_BYTES,
  );
  const ring = mapWords(fd, ringBytes, abi.IORING_OFF_SQ_RING);
  try {
    const sqes = mapWords(fd, params[Params.sq_entries]! * abi.SQE_BYTES, abi.IORING_OFF_SQES);
    const release = () => {
      ring.unmap();
      sqes.unmap();
      closeFile(fd);
    };
    return { ring: ring.words, sqes: sqes.words, release };
  } catch (error) {
    ring.unmap();
    throw error;
  }
}

function mapWords(fd: number, bytes: number, offset: number) {
  const address = libc().mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset);
  check(address, 'mmap', 'io_uring');
  return { words: new Int32Array(libc().view(address, bytes)), unmap: () => libc().munmap(address, bytes) };
}
