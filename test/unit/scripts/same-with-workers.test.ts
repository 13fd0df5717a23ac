// What the second run leaves out by name is there: a file that was renamed would run in both.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const LIST = resolve('scripts/same-with-workers.mjs');
const { SAME_WITH_WORKERS } = (await import(LIST)) as { SAME_WITH_WORKERS: string[] };

test('names files that there are, each once', () => {
  expect(SAME_WITH_WORKERS.length).toBeGreaterThan(0);
  expect(SAME_WITH_WORKERS.filter((file) => !existsSync(file))).toEqual([]);
  expect(new Set(SAME_WITH_WORKERS).size).toBe(SAME_WITH_WORKERS.length);
});

test('leaves in what asks how many workers its run has', () => {
  const asks = SAME_WITH_WORKERS.filter((file) => /\bWORKERS\b/.test(readFileSync(file, 'utf8')));
  expect(asks).toEqual([]);
});
