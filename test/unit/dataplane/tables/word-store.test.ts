import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Block, WordStore } from '../../../../src/dataplane/tables/word-store.js';

it('gives nobody a word that is another one’s, however blocks come and go', () => {
  const step = fc.record({ size: fc.nat(400), from: fc.nat(50), isRelease: fc.boolean() });
  const run = fc.property(
    fc.array(step, { maxLength: 120 }),
    fc.constantFrom(0, 64, 300, 4096),
    (steps, chunk) => {
      const store = new WordStore(chunk);
      let held: { block: Block; mark: number }[] = [];
      steps.forEach(({ size, from, isRelease }, mark) => {
        if (isRelease && held.length > 0) {
          const [gone] = held.splice(from % held.length, 1);
          store.release(gone.block);
          return;
        }
        const block = store.allocate(size);
        expect(block.size).toBeGreaterThanOrEqual(size);
        expect(block.base + block.size).toBeLessThanOrEqual(block.words.length);
        block.words.fill(mark, block.base, block.base + block.size);
        held.push({ block, mark });
      });
      for (const { block, mark } of held) {
        const words = block.words.subarray(block.base, block.base + block.size);
        expect(words.every((word) => word === mark)).toBe(true);
      }
      held = [];
    },
  );
  fc.assert(run, { numRuns: 100 });
});

it('uses again what was given back: a service that changes for ever takes no more room', () => {
  const store = new WordStore(1024);
  const arrays = new Set<Int32Array>();
  for (let i = 0; i < 5000; i++) {
    const block = store.allocate(10 + (i % 100));
    arrays.add(block.words);
    store.release(block);
  }
  expect(arrays.size).toBeLessThan(5);
});
