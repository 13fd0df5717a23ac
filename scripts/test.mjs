// Runs every test that this machine can run, then says what was skipped and why, and ends with one line
// `N passed, N failed, N skipped`. Arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'podwire-test-'));
const report = join(folder, 'report.json');
const args = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];
const run = spawnSync(process.execPath, [...args, `--outputFile.json=${report}`, ...process.argv.slice(2)], {
  stdio: 'inherit',
});

let results;
try {
  results = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  console.error('error: TEST_RUN_FAILED: vitest wrote no report; its output above says why');
  process.exit(1);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const skipped = results.testResults.flatMap((file) =>
  file.assertionResults.filter((test) => test.status === 'pending' || test.status === 'skipped'),
);
if (skipped.length > 0) {
  console.log('\nSkipped (the brackets say what is missing):');
  for (const name of new Set(skipped.map((test) => test.fullName.trim()))) console.log(`  ${name}`);
}
const { numPassedTests, numFailedTests, numFailedTestSuites } = results;
const failed = Math.max(numFailedTests, run.status === 0 ? 0 : Math.max(1, numFailedTestSuites > 0 ? 1 : 0));
console.log(`\n${numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
process.exit(run.status ?? 1);
