/** What is in fixtures/ is what fixtures/make.py writes, file by file. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, goldenNames } from '../support/golden-case.js';
import { pythonWithScapy } from '../support/scapy.js';

const python = pythonWithScapy();

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort();
}

describe('fixtures/make.py', () => {
  const reason = python === undefined ? ' [skipped: needs python3 with scapy]' : '';
  it.skipIf(python === undefined)(`writes what is in fixtures/${reason}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-fixtures-'));
    try {
      const run = spawnSync(python!, [join(FIXTURES, 'make.py'), '--output', folder], { encoding: 'utf8' });
      expect(run.stderr).toBe('');
      expect(run.status).toBe(0);
      expect(readdirSync(folder).sort()).toEqual(goldenNames());
      for (const name of goldenNames()) expectSameFolder(join(FIXTURES, name), join(folder, name));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function expectSameFolder(kept: string, written: string): void {
  const names = filesIn(written).map((path) => relative(written, path));
  expect(filesIn(kept).map((path) => relative(kept, path))).toEqual(names);
  const different = names.filter(
    (name) => Buffer.compare(readFileSync(join(kept, name)), readFileSync(join(written, name))) !== 0,
  );
  expect(different.map((name) => join(kept, name))).toEqual([]);
}
