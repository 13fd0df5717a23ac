/**
 * The two implementations of Checksum: the AssemblyScript kernel of kernel/checksum.as.ts, which works in place
 * on the packet memory with SIMD, and its twin in TypeScript. Every answer of the two is the same, and the
 * unit tests hold them to it. The twin runs where the kernel cannot be compiled, and judges it.
 */
import { type Checksum, fold } from './checksum.js';
import { CHECKSUM_WASM } from './checksum-binary.js';

/**
 * Instantiates the kernel on `memory`, which must be shared, with a maximum of at most 65,536 pages.
 * Compiles synchronously: call it once, at start.
 */
export function wasmChecksum(memory: WebAssembly.Memory): Checksum {
  const bytes = Uint8Array.from(atob(CHECKSUM_WASM), (character) => character.charCodeAt(0));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const { sum, copySum, copy } = instance.exports as unknown as Checksum;
  return { sum, copySum, copy };
}

/**
 * The same in TypeScript, about five times slower on long packets, and exact for lengths to 8 MiB. The memory
 * must not grow afterwards.
 */
export function plainChecksum(memory: WebAssembly.Memory): Checksum {
  const view = new DataView(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);

  /** Adds up 32-bit words in a double, exact to 2^53: carries are folded at the end. */
  function sum(at: number, length: number, initial: number): number {
    let total = initial >>> 0;
    const words = at + (length & ~3);
    let p = at;
    for (; p < words; p += 4) total += view.getUint32(p);
    if ((length & 3) >= 2 && length > 0) {
      total += view.getUint16(p);
      p += 2;
    }
    if ((length & 1) === 1 && length > 0) total += view.getUint8(p) << 8;
    // A 32-bit word is two 16-bit words, of which the upper is worth 2^16 = 1 modulo 0xffff.
    return fold(fold(total >>> 0) + fold(Math.floor(total / 0x1_0000_0000)));
  }

  function copy(to: number, from: number, length: number): void {
    bytes.copyWithin(to, from, from + length);
  }

  function copySum(to: number, from: number, length: number, initial: number): number {
    if (length > 0) copy(to, from, length);
    return sum(to, length, initial);
  }

  return { sum, copySum, copy };
}
