// Runs every test that this machine can run, then says what was skipped and why, and ends with one line
// `N passed, N failed, N skipped`. Arguments go to vitest. With --and-workers first, the tests in network namespaces
// are run a second time, with data planes of two workers, and the last line is the sum.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];

/** Runs vitest, and answers its status and its report. */
function runTests(args, env = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-test-'));
  const report = join(folder, 'report.json');
  const run = spawnSync(process.execPath, [...VITEST, `--outputFile.json=${report}`, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  try {
    return { status: run.status ?? 1, results: JSON.parse(readFileSync(report, 'utf8')) };
  } catch {
    console.error('error: TEST_RUN_FAILED: vitest wrote no report; its output above says why');
    process.exit(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Counts; a run that failed has at least one failure, also where no test is to blame. */
function countOf({ status, results }) {
  const skipped = results.testResults.flatMap((file) =>
    file.assertionResults.filter((test) => test.status === 'pending' || test.status === 'skipped'),
  );
  const { numPassedTests: passed, numFailedTests } = results;
  const failed = Math.max(numFailedTests, status === 0 ? 0 : 1);
  return { passed, failed, skipped: skipped.map((test) => test.fullName.trim()) };
}

const [first, ...others] = process.argv.slice(2);
const again = first === '--and-workers';
const runs = [runTests(again ? others : process.argv.slice(2))];
if (again) {
  console.log('\nOnce more in network namespaces, with two workers:');
  runs.push(runTests(['--project', 'netns', ...others], { PODWIRE_WORKERS: '2' }));
}
const counts = runs.map(countOf);
const skipped = counts.flatMap((count) => count.skipped);
if (skipped.length > 0) {
  console.log('\nSkipped (the brackets say what is missing):');
  for (const name of new Set(skipped)) console.log(`  ${name}`);
}
const sum = (name) => counts.reduce((total, count) => total + count[name], 0);
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed, ${skipped.length} skipped`);
process.exit(runs.find(({ status }) => status !== 0)?.status ?? 0);
