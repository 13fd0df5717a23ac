import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cost, plain, REFERENCE_SCENARIO } from '../../../bench/engine/figures.js';
import { guard, heldOf, whyNoBaseline } from '../../../bench/engine/guard.js';
import type { Figure } from '../../../bench/figure.js';
import { requireStoredCosts } from '../../../bench/guard.js';

/** A run: the reference loop takes 4 ns, and these costs are of `scenario`. */
function runOf(
  costs: Readonly<Record<string, readonly number[]>>,
  scenario = 'engine.parse',
  loop = 4,
): Figure[] {
  return [
    ...Object.entries(costs).map(([metric, values]) => cost(scenario, metric, values)),
    plain(scenario, 'rate', 'Mpps', [80]),
    cost(REFERENCE_SCENARIO, `in ${scenario}`, [loop]),
  ];
}

describe('guard', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-guard-'));
    file = join(folder, 'baseline.json');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (figures: Figure[]) => guard(figures, true, file);
  const check = (figures: Figure[]) => guard(figures, false, file);

  it('holds costs, and nothing else, as multiples of the reference loop', () => {
    expect(heldOf(runOf({ 'a, cost': [12] }))).toEqual({
      'engine.parse: a, cost': { ratio: 3, allowed: 1.25 },
    });
    expect(heldOf([cost('node.rtt', 'p50', [9])])).toEqual({});
  });

  it('lets a cost grow to what is allowed and no further, and names the one that did', () => {
    write(runOf({ 'a, cost': [12], 'b, cost': [8] }));
    expect(check(runOf({ 'a, cost': [14.9], 'b, cost': [1] }))).toMatchObject({ ok: true });
    const { ok, text } = check(runOf({ 'a, cost': [15.2], 'b, cost': [8] }));
    expect(ok).toBe(false);
    expect(text).toMatch(/engine\.parse: a, cost +3\.00 +3\.80 +1\.27 +1\.25\n/);
    expect(text).not.toContain('b, cost');
  });

  it('takes no offence at a slower machine', () => {
    write(runOf({ 'a, cost': [12] }));
    expect(check(runOf({ 'a, cost': [36] }, 'engine.parse', 12))).toMatchObject({ ok: true });
  });

  it('allows more where rounds differed more, within reason', () => {
    write(runOf({ steady: [10, 10, 10.1], restless: [9, 10.8, 12], wild: [5, 10, 50] }));
    const allowed = (name: string) => JSON.parse(readFileSync(file, 'utf8'))[`engine.parse: ${name}`].allowed;
    expect([allowed('steady'), allowed('restless'), allowed('wild')]).toEqual([1.25, 1.4, 2]);
  });

  it('fails where a cost of a scenario that ran is gone, and passes over scenarios that did not run', () => {
    write(runOf({ 'a, cost': [12] }));
    write(runOf({ 'c, cost': [12] }, 'engine.fib'));
    const { ok, text } = check(runOf({ 'renamed, cost': [12] }));
    expect(ok).toBe(false);
    expect(text).toContain('not measured any more:\n  engine.parse: a, cost');
    expect(text).toContain('  engine.parse: renamed, cost');
    expect(check(runOf({ 'c, cost': [12] }, 'engine.fib'))).toMatchObject({ ok: true });
  });

  it('forgets, when it writes, what a scenario that ran has no more, and keeps the others', () => {
    write(runOf({ 'a, cost': [12] }));
    write(runOf({ 'c, cost': [12] }, 'engine.fib'));
    write(runOf({ 'b, cost': [12] }));
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')))).toEqual([
      'engine.fib: c, cost',
      'engine.parse: b, cost',
    ]);
  });

  it('fails where nothing is stored, of all scenarios or of those that ran', () => {
    expect(check(runOf({ 'a, cost': [12] }))).toEqual({
      ok: false,
      text: `guard: there is no ${file}; --guard-write stores the costs there`,
    });
    expect(() => requireStoredCosts(whyNoBaseline(file))).toThrow('there is no');
    write(runOf({ 'c, cost': [12] }, 'engine.fib'));
    expect(() => requireStoredCosts(whyNoBaseline(file))).not.toThrow();
    const { ok, text } = check(runOf({ 'a, cost': [12] }));
    expect(ok).toBe(false);
    expect(text).toContain('of 0 costs');
  });

  it('is not content with nothing', () => {
    expect(check([])).toMatchObject({ ok: false });
    expect(write([])).toMatchObject({ ok: false });
  });
});
