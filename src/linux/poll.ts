/**
 * ppoll(2), readv and writev over packet memory: the system calls of the backend for kernels without
 * io_uring. Nothing here allocates after construction.
 */
import { Errno } from './errno.js';
import { writeTimespec } from './io-uring-submission.js';
import { type Libc, libc, nativeArray } from './libc.js';
import type { MemoryAddress } from './memory.js';

/** poll.h; also the event masks of io_uring's poll. */
export const PollEvents = {
  POLLIN: 0x001,
  POLLOUT: 0x004,
  POLLERR: 0x008,
  POLLHUP: 0x010,
  POLLNVAL: 0x020,
} as const;

/** A fixed array of struct pollfd { int fd; short events, revents }. Entries without descriptor are skipped. */
export class PollSet {
  readonly capacity: number;
  readonly #libc: Libc;
  readonly #fds: Int32Array;
  readonly #events: Int16Array;
  readonly #timeout = nativeArray(4);
  /** One past the last place in use: the kernel looks at each entry up to here, in every call. */
  #used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#libc = libc();
    this.#fds = nativeArray(capacity * 2);
    this.#events = new Int16Array(this.#fds.buffer);
    for (let word = 0; word < capacity * 2; word++) this.#fds[word] = word % 2 === 0 ? -1 : 0;
  }

  /** Watches `fd` for `events` (bits of PollEvents) at `index`, 0 ≤ index < capacity. */
  set(index: number, fd: number, events: number): void {
    this.#used = Math.max(this.#used, index + 1);
    this.#fds[index * 2] = fd;
    this.#events[index * 4 + 2] = events;
    this.#events[index * 4 + 3] = 0;
  }

  clear(index: number): void {
    this.set(index, -1, 0);
    while (this.#used > 0 && this.#fds[this.#used * 2 - 2]! < 0) this.#used--;
  }

  /**
   * Waits until a descriptor is ready or `timeoutMs`, whole or not, is over (negative: for ever; 0: only looks). Returns how many
   * are ready; 0 also when a signal came, a negative errno when the call failed.
   */
  wait(timeoutMs: number): number {
    if (timeoutMs >= 0) writeTimespec(this.#timeout, 0, timeoutMs);
    const ready = this.#libc.ppoll(this.#fds, this.#used, timeoutMs < 0 ? null : this.#timeout, null);
    if (ready >= 0) return ready;
    const errno = this.#libc.errno();
    if (errno !== Errno.EINTR) return -errno;
    for (let index = 0; index < this.#used; index++) this.#events[index * 4 + 3] = 0;
    return 0;
  }

  /** What the last `wait` found at `index`: bits of PollEvents, POLLERR, POLLHUP and POLLNVAL unasked. */
  ready(index: number): number {
    return this.#events[index * 4 + 3]!;
  }
}

/**
 * Reads into and writes from packet memory at an offset, one packet a call. It goes through readv and writev,
 * not read and write: the address then travels in a preallocated struct iovec { u64 base, length }, while as
 * an argument it would be boxed at every call. The cost of either is the same (0.37 µs with /dev/null).
 */
export class MemoryIo {
  readonly #libc: Libc;
  readonly #memory: MemoryAddress;
  readonly #vector = nativeArray(4);

  constructor(memory: MemoryAddress) {
    this.#libc = libc();
    this.#memory = memory;
  }

  /** Bytes read into memory at `offset`, or a negative errno: -EAGAIN when a non-blocking fd has none. */
  readAt(fd: number, offset: number, length: number): number {
    this.#aim(offset, length);
    const bytes = this.#libc.readv(fd, this.#vector, 1);
    return bytes < 0 ? -this.#libc.errno() : bytes;
  }

  /** Bytes written from memory at `offset`, or a negative errno. */
  writeAt(fd: number, offset: number, length: number): number {
    this.#aim(offset, length);
    const bytes = this.#libc.writev(fd, this.#vector, 1);
    return bytes < 0 ? -this.#libc.errno() : bytes;
  }

  #aim(offset: number, length: number): void {
    this.#vector[0] = this.#memory.low(offset);
    this.#vector[1] = this.#memory.high(offset);
    this.#vector[2] = length;
  }
}
