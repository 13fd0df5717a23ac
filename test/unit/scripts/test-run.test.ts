// scripts/test.mjs over a folder of tests made for it: what fails once is told as flaky, what fails twice fails, and
// the end of the output names both. It runs vitest in vitest, as users do.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SCRIPT = resolve('scripts/test.mjs');

/** Fails until it has been run once: where the file `seen` is not yet there. */
const AT_FIRST = `
  import { existsSync, writeFileSync } from 'node:fs';
  const seen = (name) => existsSync(name) || void writeFileSync(name, '');
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-test-run-'));
  put('vitest.config.mjs', `export default { test: { globals: true, include: ['*.test.mjs'] } };`);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(folder, name), text);

function run(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1', VITEST: '', VITEST_POOL_ID: '', VITEST_WORKER_ID: '' };
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  const end = stdout.slice(stdout.search(/\n(?:Skipped|Flaky|Failed|\d+ passed)/));
  return { status, stdout, end: end.trim().split('\n') };
}

const MIXED = `${AT_FIRST}
  test('one', () => {});
  test.skip('two [skipped: nothing is there]', () => {});
  describe('three', () => { test('now and then', () => expect(seen('three')).toBe(true)); });
  test('four', () => { throw new TypeError('never\\nwell'); });
`;

test('tells what is flaky from what fails, by name and first line, at the end', () => {
  put('mixed.test.mjs', MIXED);
  const { status, end } = run();
  expect(status).toBe(1);
  expect(end).toEqual([
    'Skipped (the brackets say what is missing):',
    '  two [skipped: nothing is there]',
    '',
    'Flaky, counted as passed:',
    '  flaky: three > now and then (passed when run again alone)',
    '    in mixed.test.mjs',
    '    AssertionError: expected undefined to be true // Object.is equality',
    '',
    'Failed:',
    '  failed: four',
    '    in mixed.test.mjs',
    '    TypeError: never',
    '',
    '2 passed, 1 failed, 1 skipped',
  ]);
});

test('gives a hook that failed once a second chance, with the tests behind it', () => {
  const hook = `beforeAll(() => { if (!seen('hook')) throw new Error('no hook'); });`;
  put('hook.test.mjs', `${AT_FIRST} ${hook} test('one', () => {});`);
  const { status, end } = run();
  expect(end).toContain('  flaky: (the file itself) (passed when run again alone)');
  expect(end.at(-1)).toBe('1 passed, 0 failed, 0 skipped');
  expect(status).toBe(0);
});

test('gives no second chance to errors outside of tests, nor where none is wanted', () => {
  put('stray.test.mjs', `test('one', () => { Promise.reject(new RangeError('nobody waits')); });`);
  const stray = run();
  expect(stray.status).toBe(1);
  expect(stray.end.join('\n')).toMatch(
    /failed: outside of the tests.*stray\.test\.mjs\n.*RangeError: nobody waits/s,
  );
  expect(stray.end.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
  put('stray.test.mjs', `${AT_FIRST} test('one', () => expect(seen('once')).toBe(true));`);
  expect(run('--once').end.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
});

test('fails where there is nothing to run', () => {
  const { status, end } = run('no-such-file');
  expect(status).toBe(1);
  expect(end).toContain('  failed: the run itself');
  expect(end.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
});
