/**
 * The submission queue of a ring: requests are written into its SQEs in place and handed over all at once by
 * `IoUring.submit`. Each method prepares one request and returns false, having done nothing, when the queue
 * is full; then submit and try again. None of them allocates.
 *
 * `file` is an index of the registered files. Addresses are two 32-bit words (`MemoryAddress`); the memory
 * must stay valid until the completion. `userData` comes back with the completion, as a signed 32-bit
 * integer; the high half of the kernel's 64 bits is 0.
 */
import * as abi from './io-uring-abi.js';
import { Opcode, OpFlags, Params, Sqe, SqeFlags } from './io-uring-abi.js';
import type { MappedRing } from './io-uring-setup.js';
import { nativeArray } from './libc.js';
import { MemoryAddress } from './memory.js';
import { MSG_DONTWAIT } from './socket-abi.js';

const SQE_WORDS = abi.SQE_BYTES / 4;
const TIMESPEC_WORDS = 4;
const FIXED = SqeFlags.IOSQE_FIXED_FILE;

export class SubmissionQueue {
  readonly entries: number;
  #ring: Int32Array;
  #sqes: Int32Array;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #flagsAt: number;
  readonly #mask: number;
  /** `entries`, and 0 once the ring is closed. */
  #capacity: number;
  /** Our end of the queue, ahead of the one in the ring until `publish`. */
  #tail: number;
  /** One struct __kernel_timespec for each SQE: the kernel reads it when it takes the SQE. */
  readonly #timespecs: Int32Array;
  readonly #timespecsAt: MemoryAddress;

  constructor({ ring, sqes, params }: MappedRing) {
    this.entries = params[Params.sq_entries]!;
    this.#ring = ring;
    this.#sqes = sqes;
    this.#headAt = params[Params.sq_head]! >> 2;
    this.#tailAt = params[Params.sq_tail]! >> 2;
    this.#flagsAt = params[Params.sq_flags]! >> 2;
    this.#mask = this.entries - 1;
    this.#capacity = this.entries;
    this.#tail = ring[this.#tailAt]!;
    this.#timespecs = nativeArray(this.entries * TIMESPEC_WORDS);
    this.#timespecsAt = new MemoryAddress(this.#timespecs.buffer);
    const array = params[Params.sq_array]! >> 2;
    for (let index = 0; index < this.entries; index++) ring[array + index] = index;
  }

  /** How many more requests fit before the next submit. */
  space(): number {
    return this.#capacity - this.pending();
  }

  /**
   * Requests prepared and not yet taken by the kernel. A plain load will do: without SQPOLL the kernel moves
   * the head only while this thread is in io_uring_enter.
   */
  pending(): number {
    return (this.#tail - this.#ring[this.#headAt]!) | 0;
  }

  /**
   * The general form: any opcode. `flags` are bits of SqeFlags, `opFlags` of the operation's own. The file offset
   * is 0, which TAPs, sockets and eventfds ignore. It and the other words left out here are zero since the SQEs
   * were mapped; whoever writes one must write it everywhere.
   */
  prepare(
    opcode: number,
    flags: number,
    file: number,
    addressLow: number,
    addressHigh: number,
    length: number,
    opFlags: number,
    userData: number,
  ): boolean {
    if (this.pending() >= this.#capacity) return false;
    const at = (this.#tail & this.#mask) * SQE_WORDS;
    const sqes = this.#sqes;
    sqes[at + Sqe.opcode] = opcode | (flags << 8);
    sqes[at + Sqe.fd] = file;
    sqes[at + Sqe.addr] = addressLow;
    sqes[at + Sqe.addr + 1] = addressHigh;
    sqes[at + Sqe.len] = length;
    sqes[at + Sqe.op_flags] = opFlags;
    sqes[at + Sqe.user_data] = userData;
    this.#tail = (this.#tail + 1) | 0;
    return true;
  }

  /** Reads one packet, waiting for it inside the kernel. Result: bytes or -errno. */
  read(file: number, addressLow: number, addressHigh: number, length: number, userData: number): boolean {
    return this.prepare(Opcode.IORING_OP_READ, FIXED, file, addressLow, addressHigh, length, 0, userData);
  }

  /** Reads one packet if there is one; result -EAGAIN otherwise. After a poll, drains without waiting. */
  readNoWait(
    file: number,
    addressLow: number,
    addressHigh: number,
    length: number,
    userData: number,
  ): boolean {
    const nowait = OpFlags.RWF_NOWAIT;
    return this.prepare(
      Opcode.IORING_OP_READ,
      FIXED,
      file,
      addressLow,
      addressHigh,
      length,
      nowait,
      userData,
    );
  }

  write(file: number, addressLow: number, addressHigh: number, length: number, userData: number): boolean {
    return this.prepare(Opcode.IORING_OP_WRITE, FIXED, file, addressLow, addressHigh, length, 0, userData);
  }

  /**
   * Receives one message from a socket, waiting for it inside the kernel. The address is that of a struct msghdr
   * (MessageTable), which the kernel fills in before the completion. Result: bytes or -errno.
   */
  recvmsg(file: number, addressLow: number, addressHigh: number, userData: number): boolean {
    return this.prepare(Opcode.IORING_OP_RECVMSG, FIXED, file, addressLow, addressHigh, 1, 0, userData);
  }

  /** Receives one message if there is one; result -EAGAIN otherwise. */
  recvmsgNoWait(file: number, addressLow: number, addressHigh: number, userData: number): boolean {
    const opcode = Opcode.IORING_OP_RECVMSG;
    return this.prepare(opcode, FIXED, file, addressLow, addressHigh, 1, MSG_DONTWAIT, userData);
  }

  /**
   * Sends one message, or ends with -EAGAIN where the socket's buffer is full: so it completes while it is
   * submitted, and its struct msghdr is free again once the queue has taken it.
   */
  sendmsgNoWait(file: number, addressLow: number, addressHigh: number, userData: number): boolean {
    const opcode = Opcode.IORING_OP_SENDMSG;
    return this.prepare(opcode, FIXED, file, addressLow, addressHigh, 1, MSG_DONTWAIT, userData);
  }

  /**
   * Result: the bits of PollEvents that are ready. With `multishot` it completes again at each wake-up, as long
   * as the completion's flags have IORING_CQE_F_MORE.
   */
  pollAdd(file: number, events: number, multishot: boolean, userData: number): boolean {
    const length = multishot ? OpFlags.IORING_POLL_ADD_MULTI : 0;
    return this.prepare(Opcode.IORING_OP_POLL_ADD, FIXED, file, 0, 0, length, events, userData);
  }

  /** Completes with -ETIME after `milliseconds` (fractions count), or with -ECANCELED. */
  timeout(milliseconds: number, userData: number): boolean {
    const slot = this.#tail & this.#mask;
    if (!this.prepare(Opcode.IORING_OP_TIMEOUT, 0, -1, 0, 0, 1, 0, userData)) return false;
    writeTimespec(this.#timespecs, slot * TIMESPEC_WORDS, milliseconds);
    const offset = slot * TIMESPEC_WORDS * 4;
    this.#sqes[slot * SQE_WORDS + Sqe.addr] = this.#timespecsAt.low(offset);
    this.#sqes[slot * SQE_WORDS + Sqe.addr + 1] = this.#timespecsAt.high(offset);
    return true;
  }

  /**
   * Cancels one request that carries `target` as its user data; a timeout and a poll too. Result: 0, -ENOENT when
   * there is none, -EALREADY when it is running. The cancelled request completes with -ECANCELED.
   */
  cancel(target: number, userData: number): boolean {
    return this.prepare(Opcode.IORING_OP_ASYNC_CANCEL, 0, -1, target, 0, 0, 0, userData);
  }

  /** Cancels every request on a registered file (Linux 5.19). Result: how many, or -errno. */
  cancelFile(file: number, userData: number): boolean {
    const which =
      OpFlags.IORING_ASYNC_CANCEL_ALL | OpFlags.IORING_ASYNC_CANCEL_FD | OpFlags.IORING_ASYNC_CANCEL_FD_FIXED;
    return this.prepare(Opcode.IORING_OP_ASYNC_CANCEL, 0, file, 0, 0, 0, which, userData);
  }

  /** Completes with 0 at once. */
  nop(userData: number): boolean {
    return this.prepare(Opcode.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, userData);
  }

  /** Makes what is prepared visible to the kernel; `IoUring.submit` calls it. Returns `pending()`. */
  publish(): number {
    Atomics.store(this.#ring, this.#tailAt, this.#tail);
    return this.pending();
  }

  /** The ring's flags word: IORING_SQ_CQ_OVERFLOW. */
  flags(): number {
    return Atomics.load(this.#ring, this.#flagsAt);
  }

  /** Forgets the mappings before they are removed; afterwards there is no space. */
  detach(): void {
    this.#capacity = 0;
    this.#ring = new Int32Array(0);
    this.#sqes = new Int32Array(0);
  }
}

/** Writes struct __kernel_timespec { s64 sec, nsec } at word `at`; up to 2^31 seconds. */
export function writeTimespec(words: Int32Array, at: number, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  words[at] = seconds;
  words[at + 1] = 0;
  words[at + 2] = (milliseconds - seconds * 1000) * 1e6;
  words[at + 3] = 0;
}
