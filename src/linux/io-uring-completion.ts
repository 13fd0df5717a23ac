/**
 * The completion queue of a ring, read in place: `count`, then index 0 … count-1, then `advance`. An index is
 * valid until `advance`. None of the methods allocates.
 */
import * as abi from './io-uring-abi.js';
import { Cqe, Params } from './io-uring-abi.js';
import type { MappedRing } from './io-uring-setup.js';

const CQE_WORDS = abi.CQE_BYTES / 4;

export class CompletionQueue {
  readonly entries: number;
  #ring: Int32Array;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #overflowAt: number;
  readonly #cqesAt: number;
  readonly #mask: number;
  #head: number;

  constructor({ ring, params }: MappedRing) {
    this.entries = params[Params.cq_entries]!;
    this.#ring = ring;
    this.#headAt = params[Params.cq_head]! >> 2;
    this.#tailAt = params[Params.cq_tail]! >> 2;
    this.#overflowAt = params[Params.cq_overflow]! >> 2;
    this.#cqesAt = params[Params.cq_cqes]! >> 2;
    this.#mask = this.entries - 1;
    this.#head = ring[this.#headAt]!;
  }

  /** Completions that are there to be read. The load acquires what the kernel wrote before its tail. */
  count(): number {
    return this.#ring.length === 0 ? 0 : (Atomics.load(this.#ring, this.#tailAt) - this.#head) | 0;
  }

  /** What the request was given, as a signed 32-bit integer. */
  userData(index: number): number {
    return this.#ring[this.#at(index) + Cqe.user_data]!;
  }

  /** What the system call would have returned: bytes, 0, or a negative errno. */
  result(index: number): number {
    return this.#ring[this.#at(index) + Cqe.res]!;
  }

  /** Bits of CqeFlags. */
  flags(index: number): number {
    return this.#ring[this.#at(index) + Cqe.flags]!;
  }

  /** Gives the first `count` completions back to the kernel; the rest begins at index 0 then. */
  advance(count: number): void {
    this.#head = (this.#head + count) | 0;
    Atomics.store(this.#ring, this.#headAt, this.#head);
  }

  /** Completions that the kernel lost for want of memory: always 0 unless something is badly wrong. */
  lost(): number {
    return this.#ring[this.#overflowAt]!;
  }

  /** Forgets the mapping before it is removed; afterwards there is nothing to read. */
  detach(): void {
    this.#ring = new Int32Array(0);
  }

  #at(index: number): number {
    return this.#cqesAt + ((this.#head + index) & this.#mask) * CQE_WORDS;
  }
}
