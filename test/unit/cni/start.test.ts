/** The plugin is started for every call, and its folder is copied to hosts that have nothing else of podwire. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const FOLDER = new URL('../../../src/cni/', import.meta.url);

it('imports nothing but Node and its own folder, except types', () => {
  for (const name of readdirSync(FOLDER)) {
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    const imports = [...text.matchAll(/^import (type )?[^;]*?from '([^']+)';/gms)];
    const foreign = imports.filter(([, type, from]) => !type && !/^(node:|\.\/)/.test(from));
    expect(
      foreign.map(([line]) => line),
      name,
    ).toEqual([]);
  }
  expect(readdirSync(FOLDER).length).toBeGreaterThan(10);
});
