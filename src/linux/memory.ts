/**
 * Where packet memory is. io_uring and readv take absolute addresses of 64 bits; the hot path has offsets
 * into one buffer and must not touch BigInt. `MemoryAddress` keeps the base as two 32-bit words and adds.
 */
import { libc } from './libc.js';

/** Addresses of the bytes of one buffer that does not move: a SharedArrayBuffer, or an ArrayBuffer. */
export class MemoryAddress {
  /** The words of the base address, each as a signed 32-bit integer (what an Int32Array stores). */
  readonly baseLow: number;
  readonly baseHigh: number;
  readonly byteLength: number;

  /** @param buffer is kept: while an address of it is in use, it must not be collected. */
  constructor(readonly buffer: ArrayBufferLike) {
    const address = libc().address(new Uint8Array(buffer));
    this.baseLow = Number(BigInt.asIntN(32, address));
    this.baseHigh = Number(BigInt.asIntN(32, address >> 32n));
    this.byteLength = buffer.byteLength;
  }

  /** Low word of the address of byte `offset`, 0 ≤ offset < 2^32. */
  low(offset: number): number {
    return (this.baseLow + offset) | 0;
  }

  /** High word of the same; the buffer may lie across a multiple of 4 GiB. */
  high(offset: number): number {
    return (this.baseLow >>> 0) + offset > 0xffffffff ? (this.baseHigh + 1) | 0 : this.baseHigh;
  }
}

/** The address of a typed array as a number, exact because user addresses are below 2^47. For set-up only. */
export function addressOf(array: NodeJS.TypedArray): number {
  return Number(libc().address(array));
}
