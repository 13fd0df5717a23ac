import { describe, expect, it } from 'vitest';
import { libc } from '../../../src/linux/libc.js';
import { MemoryAddress } from '../../../src/linux/memory.js';

/** A buffer at a chosen base, to reach the carry that a real one shows once in a while. */
function at(base: bigint): MemoryAddress {
  const memory = Object.create(MemoryAddress.prototype) as {
    -readonly [K in keyof MemoryAddress]: MemoryAddress[K];
  };
  memory.baseLow = Number(BigInt.asIntN(32, base));
  memory.baseHigh = Number(BigInt.asIntN(32, base >> 32n));
  return memory;
}

function join(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

describe('MemoryAddress', () => {
  it('gives the address of any byte of a shared WebAssembly memory', () => {
    const { buffer } = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
    const memory = new MemoryAddress(buffer);
    for (const offset of [0, 1, 4096, 65_536 * 4 - 1]) {
      const expected = libc().address(new Uint8Array(buffer, offset, 1));
      expect(join(memory.low(offset), memory.high(offset))).toBe(expected);
    }
    expect(memory.byteLength).toBe(65_536 * 4);
  });

  it.each([
    [0x7f00_ffff_f000n, 0x0fff],
    [0x7f00_ffff_f000n, 0x1000],
    [0x7f00_ffff_f000n, 0xffff_ffff],
    [0x7f00_7fff_0000n, 0x8000_0000],
    [0x7f00_0000_0000n, 0xffff_ffff],
    [0x0000_8000_0000n, 0x8000_0000],
  ])('carries into the high word: %s + %s', (base, offset) => {
    const memory = at(base);
    expect(join(memory.low(offset), memory.high(offset))).toBe(base + BigInt(offset));
  });

  it('gives words that an Int32Array holds unchanged', () => {
    const memory = at(0x7f00_ffff_f000n);
    const words = Int32Array.of(memory.low(0x2000), memory.high(0x2000));
    expect([...words]).toEqual([memory.low(0x2000), memory.high(0x2000)]);
  });
});
