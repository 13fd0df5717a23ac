// Runs every test that this machine can run, then says what was skipped and why, what was flaky, what failed with the
// first line of its error, and ends with one line `N passed, N failed, N skipped`. Arguments go to vitest, but these two:
//
//   --and-workers   the tests in network namespaces a second time, with data planes of two workers, as far as that can make
//                   a difference: same-with-workers.mjs says which are left out, and why; the last line is the sum
//   --once          no second chance: what fails has failed
//
// The second chance is in test-verdict.mjs. It is for a few files and a few minutes: where more than REPEATED files
// failed, the change or the machine is to blame, not a test, and what does not get its turn in time has failed.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { SAME_WITH_WORKERS } from './same-with-workers.mjs';
import { failedOf, filesToRepeat, summary, withSecondRun } from './test-verdict.mjs';

const REPEATED = 5;
const REPEATING_MS = 120_000;
/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;
const LEAST_MEMORY = 4 * 2 ** 30;
const VITEST = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
const REPORTER = join(import.meta.dirname, 'test-reporter.mjs');

/** Runs vitest, and answers its items. A run that failed has at least one failure, also where no test is to blame. */
function runTests(args, env) {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-test-'));
  const record = join(folder, 'record.json');
  const run = spawnSync(
    process.execPath,
    [VITEST, 'run', '--reporter=default', `--reporter=${REPORTER}`, ...args],
    { stdio: 'inherit', env: { ...process.env, ...env, PODWIRE_TEST_RECORD: record } },
  );
  try {
    const items = JSON.parse(readFileSync(record, 'utf8'));
    if (run.status === 0 || failedOf(items).length > 0) return items;
    const error = `vitest ended with status ${run.status}; its output above says why`;
    return [...items, { project: '', name: 'the run itself', state: 'failed', whole: true, error }];
  } catch {
    console.error('error: TEST_RUN_FAILED: vitest wrote no report; its output above says why');
    process.exit(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the files in which something failed once more, one after another. */
function secondChance(items, env, until) {
  const files = filesToRepeat(items);
  if (files.length > REPEATED) {
    console.log(`\n${files.length} files failed: too many for a second chance.`);
    return items;
  }
  let settled = items;
  for (const { project, file } of files) {
    if (performance.now() > until) break;
    console.log(`\nOnce more, alone: ${relative('.', file)}`);
    settled = withSecondRun(settled, { project, file }, runTests([...of(project), file], env));
  }
  return settled;
}

/**
 * Where there is memory to spare, files of tests are in it: a store writes through to the disk with each change, and a
 * dozen daemons side by side waited for one disk a quarter of the time.
 */
function temporaryFolder() {
  const memory = '/dev/shm';
  try {
    const { type, bavail, bsize } = statfsSync(memory);
    const isExecutable = !/ \/dev\/shm tmpfs [^ ]*noexec/.test(readFileSync('/proc/mounts', 'utf8'));
    const fits = type === TMPFS_MAGIC && bavail * bsize > LEAST_MEMORY && isExecutable;
    return mkdtempSync(join(fits && !process.env.TMPDIR ? memory : tmpdir(), 'pw-'));
  } catch {
    return mkdtempSync(join(tmpdir(), 'pw-'));
  }
}

const of = (project) => (project ? ['--project', project] : []);

const ours = ['--and-workers', '--once'];
const args = process.argv.slice(2);
const others = args.filter((arg) => !ours.includes(arg));
const runs = [{ args: others, env: {} }];
if (args.includes('--and-workers'))
  runs.push({
    args: ['--project', 'netns', ...SAME_WITH_WORKERS.flatMap((file) => ['--exclude', file]), ...others],
    env: { PODWIRE_WORKERS: '2' },
    run: 'with two workers',
  });

const folder = temporaryFolder();
// As /tmp is: programs that tests run as other users find their files.
chmodSync(folder, 0o755);
process.env.TMPDIR = folder;
let settled = [];
let left = args.includes('--once') ? 0 : REPEATING_MS;
for (const { args, env, run } of runs) {
  if (run) console.log(`\nOnce more in network namespaces, ${run}:`);
  const items = runTests(args, env);
  const begun = performance.now();
  const outcome = left > 0 ? secondChance(items, env, begun + left) : items;
  left -= performance.now() - begun;
  settled = [...settled, ...outcome.map((item) => ({ ...item, run }))];
}
rmSync(folder, { recursive: true, force: true });
console.log(summary(settled));
process.exit(failedOf(settled).length > 0 ? 1 : 0);
