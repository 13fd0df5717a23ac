import { describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT } from '../../../src/dataplane/snapshot.js';
import { compileTables } from '../../../src/dataplane/tables.js';
import { goldenNames, loadGolden } from '../../support/golden-case.js';

describe('a snapshot', () => {
  it.each(goldenNames())('is plain data that compiles the same again: %s', async (name) => {
    const { snapshot } = await loadGolden(name);
    const again = JSON.parse(JSON.stringify(snapshot));
    expect(again).toEqual(snapshot);
    expect(compileTables(again)).toEqual(compileTables(snapshot));
  });

  it('may be empty', () => {
    expect(compileTables(EMPTY_SNAPSHOT).generation).toBe(0);
  });
});
