/**
 * io_uring: many reads and writes for one system call.
 *
 * The rings are the kernel's memory, seen as Int32Arrays. Requests are prepared into the submission queue
 * `sq`, `submit` hands all of them over and waits, completions are then read in place from `cq`. One cycle:
 *
 *     ring.submit(1);
 *     const count = ring.cq.count();
 *     for (let i = 0; i < count; i++) handle(ring.cq.userData(i), ring.cq.result(i), ring.cq.flags(i));
 *     ring.cq.advance(count);
 *
 * Nothing on that path allocates or throws; failures are negative errno values.
 *
 * A ring belongs to the thread that made it: with SINGLE_ISSUER (the default, where the kernel has it) calls
 * from another thread fail with -EEXIST.
 *
 * Requests name files by their index in the registered files, a table of fixed size that begins empty; that
 * saves the kernel a descriptor look-up each. A request in flight keeps its file open after `clearFile`, and
 * after close(2) of the descriptor: cancel it (`sq.cancelFile`) and wait for its -ECANCELED.
 */
import { Errno, LinuxError, SystemError } from './errno.js';
import * as abi from './io-uring-abi.js';
import { EnterFlags, Params, RegisterOp, SetupFlags, Syscall } from './io-uring-abi.js';
import { CompletionQueue } from './io-uring-completion.js';
import { mapRing } from './io-uring-setup.js';
import { SubmissionQueue, writeTimespec } from './io-uring-submission.js';
import { check, type Libc, libc, nativeArray } from './libc.js';
import { MemoryAddress } from './memory.js';

export { CqeFlags, Features, Opcode, OpFlags, SetupFlags, SqeFlags } from './io-uring-abi.js';

/** What podwire asks for; kernels that lack some of it get a ring with less (see `setupFlags`). */
export const DEFAULT_SETUP_FLAGS =
  SetupFlags.IORING_SETUP_SUBMIT_ALL |
  SetupFlags.IORING_SETUP_SINGLE_ISSUER |
  SetupFlags.IORING_SETUP_DEFER_TASKRUN;

export interface IoUringOptions {
  /** Size of the submission queue; the kernel rounds up to a power of two, and down to its maximum. */
  readonly entries: number;
  /** Size of the completion queue; default twice the entries. Give room for everything in flight. */
  readonly completionEntries?: number;
  /** Bits of SetupFlags; default DEFAULT_SETUP_FLAGS. */
  readonly setupFlags?: number;
  /** Slots of the registered-file table; at most RLIMIT_NOFILE. Default 0: none. */
  readonly files?: number;
}

const TIMESPEC_AT = abi.GETEVENTS_ARG_BYTES / 4;
const WAIT_WORDS = TIMESPEC_AT + 4;
const NO_FILE = -1;

export class IoUring {
  readonly fd: number;
  readonly sq: SubmissionQueue;
  readonly cq: CompletionQueue;
  /** The bits of SetupFlags in force, and those of Features that the kernel has. */
  readonly setupFlags: number;
  readonly features: number;
  readonly fileSlots: number;
  readonly #libc: Libc;
  readonly #release: () => void;
  #open = true;
  /** struct io_uring_getevents_arg, then the struct __kernel_timespec that it points to. */
  readonly #waitArgument = nativeArray(WAIT_WORDS);

  /**
   * Throws LinuxError IO_URING_UNAVAILABLE (none, forbidden, or too old; the message says which and what to
   * do) or SystemError.
   */
  constructor(options: IoUringOptions) {
    const { entries, completionEntries = entries * 2, setupFlags = DEFAULT_SETUP_FLAGS, files = 0 } = options;
    const mapped = mapRing(entries, completionEntries, setupFlags);
    this.#libc = libc();
    this.fd = mapped.fd;
    this.#release = mapped.release;
    this.sq = new SubmissionQueue(mapped);
    this.cq = new CompletionQueue(mapped);
    this.setupFlags = mapped.setupFlags;
    this.features = mapped.params[Params.features]!;
    this.fileSlots = files;
    const wait = new MemoryAddress(this.#waitArgument.buffer);
    this.#waitArgument[abi.GETEVENTS_ARG_TS] = wait.low(TIMESPEC_AT * 4);
    this.#waitArgument[abi.GETEVENTS_ARG_TS + 1] = wait.high(TIMESPEC_AT * 4);
    if (files > 0) this.#registerFiles(files);
  }

  /**
   * Hands over what is prepared, lets due completions arrive, and waits until `waitFor` are there (0: does
   * not wait) or a prepared timeout fires. Returns how many requests were taken, or a negative errno: -EINTR
   * (a signal came), -EBUSY and -EAGAIN (completions must be read first), -EBADF after close. Completions may
   * be there whatever it returns.
   */
  submit(waitFor: number): number {
    return this.#enter(waitFor, EnterFlags.IORING_ENTER_GETEVENTS, null, 0);
  }

  /**
   * The same, waiting no longer than `milliseconds`. When the time is over it returns -ETIME, or how many
   * requests were taken if there were any. Fractions count, but a whole number is never boxed on the way here.
   */
  submitWithTimeout(waitFor: number, milliseconds: number): number {
    writeTimespec(this.#waitArgument, TIMESPEC_AT, milliseconds);
    const flags = EnterFlags.IORING_ENTER_GETEVENTS | EnterFlags.IORING_ENTER_EXT_ARG;
    return this.#enter(waitFor, flags, this.#waitArgument, abi.GETEVENTS_ARG_BYTES);
  }

  #enter(waitFor: number, flags: number, argument: Int32Array | null, size: number): number {
    if (!this.#open) return -Errno.EBADF;
    const toSubmit = this.sq.publish();
    const c = this.#libc;
    const taken = c.ioUringEnter(Syscall.io_uring_enter, this.fd, toSubmit, waitFor, flags, argument, size);
    return taken < 0 ? -c.errno() : taken;
  }

  /**
   * Whether completions wait inside the kernel because the queue was full. None is lost; they arrive with the
   * next `submit` after `cq.advance`.
   */
  overflowed(): boolean {
    return this.#open && (this.sq.flags() & abi.IORING_SQ_CQ_OVERFLOW) !== 0;
  }

  /** Puts a descriptor into a slot of the file table, in place of what is there. Throws SystemError. */
  setFile(slot: number, fd: number): void {
    const fds = nativeArray(1);
    fds[0] = fd;
    const address = new MemoryAddress(fds.buffer);
    const update = nativeArray(4);
    update[0] = slot;
    update[2] = address.low(0);
    update[3] = address.high(0);
    this.#register(RegisterOp.IORING_REGISTER_FILES_UPDATE, update, 1, `FILES_UPDATE slot ${slot}`);
  }

  /** Empties a slot; requests that name it fail with -EBADF from then on. */
  clearFile(slot: number): void {
    this.setFile(slot, NO_FILE);
  }

  /** Whether the kernel knows an opcode. */
  supports(opcode: number): boolean {
    const probe = Buffer.alloc(abi.PROBE_HEADER_BYTES + abi.PROBE_OPS * abi.PROBE_OP_BYTES);
    this.#register(RegisterOp.IORING_REGISTER_PROBE, probe, abi.PROBE_OPS, 'PROBE');
    const flags = probe.readUInt16LE(abi.PROBE_HEADER_BYTES + opcode * abi.PROBE_OP_BYTES + 2);
    return (flags & abi.IO_URING_OP_SUPPORTED) !== 0;
  }

  /**
   * Ends the ring. What is in flight the kernel cancels later, some 40 ms (measured): until then it may write
   * into the requests' memory and holds their files. To be free of both at once, `sq.cancelFile`, wait for
   * the completions, and `clearFile` before.
   */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.sq.detach();
    this.cq.detach();
    this.#release();
  }

  #registerFiles(count: number): void {
    try {
      const empty = nativeArray(count).fill(NO_FILE);
      this.#register(RegisterOp.IORING_REGISTER_FILES, empty, count, `FILES ${count}`);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #register(opcode: number, argument: NodeJS.TypedArray, count: number, detail: string): void {
    const c = this.#libc;
    if (!this.#open) throw new SystemError(Errno.EBADF, 'io_uring_register', detail);
    check(
      c.ioUringRegister(Syscall.io_uring_register, this.fd, opcode, argument, count),
      'io_uring_register',
      detail,
    );
  }
}

/** Whether this process may use io_uring: makes a small ring and closes it. */
export function probeIoUring(): { available: true; features: number } | { available: false; reason: string } {
  try {
    const ring = new IoUring({ entries: 2 });
    ring.close();
    return { available: true, features: ring.features };
  } catch (error) {
    if (error instanceof LinuxError || error instanceof SystemError) {
      return { available: false, reason: error.message };
    }
    throw error;
  }
}
