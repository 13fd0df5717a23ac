/**
 * The C library, bound through koffi. The only module of podwire that loads it.
 *
 * Loading is lazy: `libc()` loads the native addon at its first call, so that importing this folder costs
 * nothing in programs that never reach the kernel (the CLI's client commands). Symbols are looked up in the
 * running process itself, which is linked against its libc, so glibc and musl both work.
 *
 * Cost: 0.2 µs a call plus the system call. Arguments that are small integers or typed arrays allocate
 * nothing. A pointer given as a number would: above 2^31 it is boxed as a double at each call (16 bytes,
 * measured); hence hot calls take typed arrays and pass packet addresses inside them (iovec, SQE).
 *
 * open, fcntl, ioctl and syscall are variadic in C but bound with fixed arguments: for integers and pointers
 * the calling conventions of Linux on x86-64 and arm64 are the same.
 *
 * A typed array handed to the kernel beyond the call (io_uring, iovec of a later read) must have an
 * ArrayBuffer of its own, since V8 keeps small typed arrays inside its moving heap: use `nativeArray`.
 */
import { createRequire } from 'node:module';
import { LinuxError, SystemError } from './errno.js';

type Koffi = typeof import('koffi').default;

/** A pointer argument: memory that the kernel reads or writes during the call, or NULL. */
export type Pointer = NodeJS.TypedArray | DataView | null;

/** Each function returns what C returns; on -1 `errno()` must be the very next call. */
export interface Libc {
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  read(fd: number, buffer: Pointer, length: number): number;
  write(fd: number, buffer: Pointer, length: number): number;
  readv(fd: number, vector: Pointer, count: number): number;
  writev(fd: number, vector: Pointer, count: number): number;
  /** ioctl whose argument is a pointer to a structure. */
  ioctl(fd: number, request: number, argument: Pointer): number;
  /** ioctl whose argument is a plain value. */
  ioctlValue(fd: number, request: number, argument: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  flock(fd: number, operation: number): number;
  /** Returns the address; -1 when it failed. */
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  munmap(address: number, length: number): number;
  setns(fd: number, type: number): number;
  eventfd(initial: number, flags: number): number;
  /** `timeout` is a struct timespec, null to wait for ever; `signals` is null. */
  ppoll(fds: Pointer, count: number, timeout: Pointer, signals: null): number;
  ifNameToIndex(name: string): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Pointer, length: number): number;
  connect(fd: number, address: Pointer, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Pointer, length: number): number;
  /** `length` is a word that holds the room in `value` and is given what was used. */
  getsockopt(fd: number, level: number, option: number, value: Pointer, length: Pointer): number;
  /** `length` likewise. */
  getsockname(fd: number, address: Pointer, length: Pointer): number;
  /** `message` is a struct msghdr, whose pointers must stay valid during the call. */
  sendmsg(fd: number, message: Pointer, flags: number): number;
  recvmsg(fd: number, message: Pointer, flags: number): number;
  /** Text to octets in network order: 1, or 0 where the text is no address of the family. */
  inetPton(family: number, text: string, address: Pointer): number;
  sendto(fd: number, buffer: Pointer, length: number, flags: number, to: Pointer, toLength: number): number;
  /** `fromLength` is a word that holds the room in `from` and is given what was used. */
  recvfrom(
    fd: number,
    buffer: Pointer,
    length: number,
    flags: number,
    from: Pointer,
    fromLength: Pointer,
  ): number;
  /** `pid` 0 is the calling thread. */
  schedSetAffinity(pid: number, size: number, mask: Pointer): number;
  schedGetAffinity(pid: number, size: number, mask: Pointer): number;
  ioUringSetup(call: number, entries: number, params: Pointer): number;
  ioUringEnter(
    call: number,
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: Pointer,
    size: number,
  ): number;
  ioUringRegister(call: number, fd: number, opcode: number, argument: Pointer, count: number): number;
  /** The errno of this thread's last failed call. */
  errno(): number;
  /** Maps `length` bytes of process memory; the caller must not touch it after unmapping. */
  view(address: number, length: number): ArrayBuffer;
  /** The address of the first byte of a typed array. */
  address(array: NodeJS.TypedArray): bigint;
}

let loaded: Libc | undefined;

/** The bindings; throws LinuxError LIBC_UNAVAILABLE when this platform has none. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  try {
    return bind(createRequire(import.meta.url)('koffi') as Koffi);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LinuxError(
      'LIBC_UNAVAILABLE',
      `cannot call the C library on ${process.platform}-${process.arch}: ${reason}; podwire needs Linux on x86-64 or arm64 with the koffi package installed for it`,
      error,
    );
  }
}

/** koffi's functions are untyped: `Libc` is where their shape is written down, so the cast is here alone. */
function bind(koffi: Koffi): Libc {
  if (process.platform !== 'linux') throw new Error('not Linux');
  const library = koffi.load(null);
  const func = <T>(name: string, result: string, parameters: string[]) =>
    library.func(name, result, parameters) as T;
  const int = 'int';
  const fd = 'int';
  return {
    open: func('open', int, ['str', int, 'uint']),
    close: func('close', int, [fd]),
    read: func('read', 'intptr_t', [fd, 'void*', 'size_t']),
    write: func('write', 'intptr_t', [fd, 'void*', 'size_t']),
    readv: func('readv', 'intptr_t', [fd, 'void*', int]),
    writev: func('writev', 'intptr_t', [fd, 'void*', int]),
    ioctl: func('ioctl', int, [fd, 'ulong', 'void*']),
    ioctlValue: func('ioctl', int, [fd, 'ulong', 'ulong']),
    fcntl: func('fcntl', int, [fd, int, 'long']),
    flock: func('flock', int, [fd, int]),
    mmap: func('mmap', 'intptr_t', ['uintptr_t', 'size_t', int, int, fd, 'long']),
    munmap: func('munmap', int, ['uintptr_t', 'size_t']),
    setns: func('setns', int, [fd, int]),
    eventfd: func('eventfd', int, ['uint', int]),
    ppoll: func('ppoll', int, ['void*', 'ulong', 'void*', 'void*']),
    ifNameToIndex: func('if_nametoindex', 'uint', ['str']),
    socket: func('socket', int, [int, int, int]),
    bind: func('bind', int, [fd, 'void*', 'uint']),
    connect: func('connect', int, [fd, 'void*', 'uint']),
    setsockopt: func('setsockopt', int, [fd, int, int, 'void*', 'uint']),
    getsockopt: func('getsockopt', int, [fd, int, int, 'void*', 'void*']),
    getsockname: func('getsockname', int, [fd, 'void*', 'void*']),
    sendmsg: func('sendmsg', 'intptr_t', [fd, 'void*', int]),
    recvmsg: func('recvmsg', 'intptr_t', [fd, 'void*', int]),
    inetPton: func('inet_pton', int, [int, 'str', 'void*']),
    sendto: func('sendto', 'intptr_t', [fd, 'void*', 'size_t', int, 'void*', 'uint']),
    recvfrom: func('recvfrom', 'intptr_t', [fd, 'void*', 'size_t', int, 'void*', 'void*']),
    schedSetAffinity: func('sched_setaffinity', int, [int, 'size_t', 'void*']),
    schedGetAffinity: func('sched_getaffinity', int, [int, 'size_t', 'void*']),
    ioUringSetup: func('syscall', 'long', ['long', 'uint', 'void*']),
    ioUringEnter: func('syscall', 'long', ['long', fd, 'uint', 'uint', 'uint', 'void*', 'size_t']),
    ioUringRegister: func('syscall', 'long', ['long', fd, 'uint', 'void*', 'uint']),
    errno: () => koffi.errno(),
    view: (address, length) => koffi.view(BigInt(address), length),
    address: (array) => koffi.address(array),
  };
}

/** Throws the SystemError of a call that returned a negative value, and returns the value otherwise. */
export function check(result: number, syscall: string, detail?: string): number {
  if (result < 0) throw new SystemError(libc().errno(), syscall, detail);
  return result;
}

/** A zeroed Int32Array whose memory does not move, to be handed to the kernel. */
export function nativeArray(words: number): Int32Array {
  return new Int32Array(new ArrayBuffer(words * 4));
}

/** open(2) flags that are the same on x86-64 and arm64; O_DIRECTORY and O_NOFOLLOW, for two, are not. */
export const OpenFlags = {
  O_RDONLY: 0,
  O_RDWR: 2,
  O_CREAT: 0x40,
  O_NONBLOCK: 0x800,
  O_CLOEXEC: 0x80000,
} as const;

/** Opens `path` (always O_CLOEXEC); throws SystemError. */
export function openFile(path: string, flags: number, mode = 0): number {
  return check(libc().open(path, flags | OpenFlags.O_CLOEXEC, mode), 'open', path);
}

/** Closes a descriptor. Linux releases it also when close(2) reports an error, so there is nothing to retry. */
export function closeFile(fd: number): void {
  libc().close(fd);
}
